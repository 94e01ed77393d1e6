"""What the operations of /resource-manager share: how amounts are read and told, and how a reply is made."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from stretto.agents.paths import LONGEST, declared
from stretto.commands.fields import Fields, text
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.state.allocation import Allocation, amounts
from stretto.state.errors import BadInput
from stretto.state.units import amount_of_bytes, said_bytes, said_seconds, seconds

TOOL = "tool:"
"""Before the name of a tool, of which so many instances may be in use."""


def body(invocation: Invocation) -> Fields:
    """The JSON of a line; an empty object where there is none."""
    return Fields(invocation.json[0] if invocation.json else {})


def reply(
    invocation: Invocation,
    text: str,
    result: Mapping[str, Any],
    events: Sequence[str] = (),
    steps: Sequence[str] = (),
    workflow: str = "",
) -> Reply:
    """A reply of /resource-manager."""
    return Reply("resource-manager", text, result, invocation.operation, workflow, tuple(events), tuple(steps))


def read_amounts(fields: Fields) -> dict[str, float]:
    """`agents`, `cpu` or `cpu_cores`, `memory` or `memory_gb`, `tool_instances`, where they are."""
    found: dict[str, float | None] = {
        "agents": fields.whole("agents", least=0, most=10_000),
        "cpu": fields.number("cpu", most=10_000),
        "memory": fields.read("memory", amount_of_bytes, None),
    }
    if (cores := fields.number("cpu_cores", most=10_000)) is not None:
        found["cpu"] = cores
    if (gigabytes := fields.number("memory_gb", most=1e6)) is not None:
        found["memory"] = round(gigabytes * 1024**3)
    tools = fields.inner("tool_instances")
    for name in cast("dict[str, object]", fields.raw("tool_instances") or {}):
        found[f"{TOOL}{text(name, tools.path(name), longest=40)}"] = tools.whole(name, least=0, most=10_000)
    return {name: amount for name, amount in found.items() if amount is not None}


def read_duration(fields: Fields) -> float | None:
    """`duration` with a unit, or `duration_hours`."""
    hours = fields.number("duration_hours", least=0.001, most=720)
    lasts = fields.read("duration", seconds, None)
    return lasts if lasts is not None or hours is None else hours * 3600


def read_paths(fields: Fields, *names: str) -> list[str]:
    """Paths inside the project, from all of these fields."""
    found: list[str] = []
    for name in names:
        given: tuple[str, ...] = fields.read(name, _path_texts, ())
        found += [declared(path, f"{fields.path(name)}[{at}]") for at, path in enumerate(given)]
    return list(dict.fromkeys(found))


def _path_texts(value: object, field: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise BadInput(f"{field} must be a list of paths.", field=field, allowed=("[…]",))
    items = cast("list[object]", value)
    return tuple(text(item, f"{field}[{i}]", longest=LONGEST) for i, item in enumerate(items))


def said(name: str, amount: float | None) -> str:
    """An amount with its unit; `unknown` for None."""
    if amount is None:
        return "unknown"
    return said_bytes(amount) if name == "memory" else f"{amount:g}"


def said_demand(wanted: Mapping[str, Any]) -> str:
    """`2 agents, 1GB, 30m` of what is wanted or granted."""
    parts = [said_bytes(a) if name == "memory" else f"{a:g} {_noun(name, a)}" for name, a in amounts(wanted).items()]
    parts += [f"{len(wanted[kind])} {kind}" for kind in ("files", "touches") if wanted.get(kind)]
    parts += [f"for {said_seconds(wanted['seconds'])}"] if wanted.get("seconds") else []
    return ", ".join(parts) or "nothing"


def _noun(name: str, amount: float) -> str:
    word = {"agents": "agent", "workflows": "workflow slot", "cpu": "core"}.get(name, name)
    return word if amount == 1 or word == name else f"{word}s"


def as_row(one: Allocation) -> dict[str, Any]:
    """An allocation for programs."""
    return {**one._asdict(), "context": {k: v for k, v in one.context.items() if k != "content"}}


def percent(share: float | None) -> str:
    """`75 %`; `unknown` for None."""
    return "unknown" if share is None else f"{share * 100:.0f} %"
