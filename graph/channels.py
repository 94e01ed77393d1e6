"""The state of a compiled graph, and its reducers: order-free and idempotent, so a replayed update changes nothing."""

import json
from typing import Annotated, Any, TypedDict, cast

from stretto.agents.task import Outcome, Task
from stretto.graph.spec import PhaseSpec

Json = dict[str, Any]

_RANK = {"completed": 3, "passed": 3, "partial": 2, "failed": 1}


def better(one: Any, two: Any) -> Any:
    """Of two values for one key, the one to keep whatever the order: what is finished, then what was tried last."""
    return max(one, two, key=lambda value: (*_rank(value), json.dumps(value, sort_keys=True)))


def _rank(value: Any) -> tuple[int, int]:
    if not isinstance(value, dict):
        return 0, 0
    known = cast("Json", value)
    return _RANK.get(str(known.get("status", "")), 0), int(known.get("tries", 0))


def merge(one: Json, two: Json) -> Json:
    """Union by key; of two values for one key the better one. Commutative, associative, idempotent."""
    merged = {**one, **two}
    for key in one.keys() & two.keys():
        merged[key] = better(one[key], two[key])
    return merged


def highest(one: int, two: int) -> int:
    """The larger of two counters."""
    return max(one, two)


class State(TypedDict):
    """What a checkpoint holds.

    `tasks`: step key → the tasks of that step, as JSON. `outcomes`: task id → outcome, as JSON. `verdicts`: step key →
    how the step ended. `rounds`: finished debug rounds. `replans`: plans sent back by a person. A step key is
    `phase~generation`.
    """

    tasks: Annotated[Json, merge]
    outcomes: Annotated[Json, merge]
    verdicts: Annotated[Json, merge]
    rounds: Annotated[int, highest]
    replans: Annotated[int, highest]


def empty() -> State:
    """The state before the first node."""
    return {"tasks": {}, "outcomes": {}, "verdicts": {}, "rounds": 0, "replans": 0}


def generation(kind: str, state: State) -> int:
    """How many times a phase of this kind has been entered, counting this one."""
    if kind == "plan":
        return 1 + state["replans"]
    if kind in {"implement", "test", "debug"}:
        return 1 + state["rounds"]
    return 1


def step_key(phase: PhaseSpec | str, number: int) -> str:
    """`phase~generation`: the key of one pass through a phase."""
    return f"{phase if isinstance(phase, str) else phase.name}~{number}"


def stored(outcome: Outcome, drive: int) -> Json:
    """An outcome as a checkpoint holds it: `drive`, the number of the lease, tells which of two failures is newer."""
    return {**outcome.model_dump(mode="json"), "tries": drive}


def outcome_of(state: State, task_id: str) -> Outcome | None:
    """The outcome of a task, if it has one."""
    found: Json | None = state["outcomes"].get(task_id)
    return Outcome.model_validate({k: v for k, v in found.items() if k != "tries"}) if found else None


def tasks_of(state: State, key: str) -> tuple[Task, ...]:
    """The tasks of one step."""
    return tuple(Task.model_validate(t) for t in state["tasks"].get(key, ()))
