"""Checks that a document may bind to a sentence: `<!-- check: NAME ARGS -->`. Each reads the log of its example."""

import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from stretto.commands.scenario_ground import POOL
from stretto.state import registry
from stretto.state.ledger import Ledger
from stretto.state.view import fold
from stretto.state.wire import Event


class Checked(NamedTuple):
    """How a check ended; `why` is what it saw."""

    holds: bool
    why: str


def check(text: str, log: Sequence[Event]) -> Checked:
    """Run the check that `text` names on the events of an example. One that is not known does not hold."""
    try:
        name, *args = shlex.split(text)
    except ValueError as error:
        return Checked(False, f"{text!r} is no check: {error}")
    found = CHECKS.get(name)
    if found is None:
        return Checked(False, f"there is no check {name!r}; there are {', '.join(sorted(CHECKS))}")
    function, least, most = found
    if not least <= len(args) <= most:
        return Checked(False, f"{name} takes {least} to {most} words, not {len(args)}")
    return function(log, *args)


def _event(log: Sequence[Event], kind: str, workflow: str, phase: str = "") -> Checked:
    seen = _named(log, kind, workflow, phase)
    return Checked(True, f"event {seen[0].seq}") if seen else Checked(False, f"no {kind} of {workflow}")


def _no_event(log: Sequence[Event], kind: str, workflow: str = "", phase: str = "") -> Checked:
    seen = _named(log, kind, workflow, phase)
    return Checked(not seen, f"event {seen[0].seq}" if seen else "none in the log")


def _named(log: Sequence[Event], kind: str, workflow: str, phase: str) -> list[Event]:
    wanted = registry.canonical(kind)
    return [e for e in log if e.type == wanted and workflow in ("", e.workflow_id) and phase in ("", e.phase)]


def _before(log: Sequence[Event], kind: str, first: str, second: str) -> Checked:
    """The first event of this type of one workflow comes before that of another."""
    mine, other = _named(log, kind, first, ""), _named(log, kind, second, "")
    if not mine or not other:
        return Checked(False, f"no {kind} of {first if not mine else second}")
    return Checked(mine[0].seq < other[0].seq, f"events {mine[0].seq} and {other[0].seq}")


def _within_capacity(log: Sequence[Event]) -> Checked:
    """At no time was more held than there is, and no file by two. Folded from what was given and taken back."""
    limits: dict[str, float] = dict(POOL)
    ledger = Ledger()
    for event in log:
        if event.type == "SETTINGS_CHANGED" and event.data.get("name") == "capacity":
            limits |= event.data["value"]
        ledger.apply(event)
        held = [one.granted for one in ledger.rows.values() if one.state == "active"]
        if why := _too_much(held, limits):
            return Checked(False, f"after event {event.seq}: {why}")
    given = sum(event.type == "RESOURCE_ALLOCATED" for event in log)
    return Checked(given > 0, f"{given} allocations" if given else "nothing was ever allocated")


def _too_much(held: Sequence[Mapping[str, Any]], limits: dict[str, float]) -> str:
    total: Counter[str] = Counter()
    files: Counter[str] = Counter()
    for details in held:
        files.update(details.get("files", ()))
        total.update({n: a for n, a in details.items() if isinstance(a, int | float) and n in limits})
    over = [f"{total[name]:g} {name} of {limits[name]:g}" for name in total if total[name] > limits[name] + 1e-6]
    return ", ".join([*over, *(f"{path} twice" for path, n in files.items() if n > 1)])


def _status(log: Sequence[Event], workflow: str, status: str) -> Checked:
    seen = fold(e for e in log if e.workflow_id == workflow).status
    return Checked(seen == status, seen)


def _together(log: Sequence[Event], workflow: str, number: str = "2") -> Checked:
    """At some time so many tasks of a workflow were under way."""
    if not number.isdecimal():
        return Checked(False, f"{number!r} is no number of tasks")
    running: set[str] = set()
    most = 0
    for event in log:
        if event.workflow_id == workflow and event.type == "TASK_STARTED":
            running.add(str(event.data["task_id"]))
        elif event.workflow_id == workflow and event.type in ("TASK_COMPLETED", "TASK_FAILED"):
            running.discard(str(event.data["task_id"]))
        most = max(most, len(running))
    return Checked(most >= int(number), f"{most} at once")


CHECKS: dict[str, tuple[Callable[..., Checked], int, int]] = {
    "event": (_event, 2, 3),
    "no-event": (_no_event, 1, 3),
    "before": (_before, 3, 3),
    "within-capacity": (_within_capacity, 0, 0),
    "status": (_status, 2, 2),
    "together": (_together, 1, 2),
}
"""The checks by name, with how many words each takes. docs/verify.md tells what they mean."""
