"""Options that several commands share: limits, gates, merge policy, durations."""

import math
from collections.abc import Sequence
from typing import Any, cast

from pydantic import ValidationError

from stretto.commands.invocation import Invocation
from stretto.graph.spec import GATES, Asked, Caps, Limits, Merge, Spec, validate
from stretto.state.errors import BadInput
from stretto.state.settings import Settings
from stretto.state.units import seconds

CAPS = {
    "max-agents-total": "agents",
    "max-tokens": "tokens",
    "max-usd": "usd",
    "max-tool-calls": "tool_calls",
    "max-minutes": "seconds",
}
"""Flags of what a workflow may use in all, and the caps that they set."""
WORK = frozenset(
    {
        "gate",
        "merge",
        "attempts",
        "timeout",
        "workflow-id",
        "record",
        "durability",
        "dry-run",
        "runner",
        "wait",
        *CAPS,
    }
)
"""Flags of every command that runs agents."""
TEAM = WORK | {"max-agents", "debug-rounds"}
"""Flags of those that may run several at once, and repair what they broke."""

MOST_HELPERS = 64
"""Agents of other commands who take up one phase, at most."""
_LIMITS = {"max-agents": "agents", "attempts": "attempts", "debug-rounds": "debug_rounds"}
LIMIT_FLAGS = frozenset({*_LIMITS, "timeout", *CAPS})
"""Flags that a resume may change."""


def limits(invocation: Invocation, settings: Settings) -> Limits:
    """The limits that the flags ask for, over the project's settings. See `changed_limits`."""
    chosen = {
        "agents": settings.max_agents_total,
        "tokens": settings.max_tokens,
        "usd": settings.max_usd,
        "tool_calls": settings.max_tool_calls,
        "seconds": settings.max_minutes and settings.max_minutes * 60,
    }
    return changed_limits(invocation, Limits(agents=settings.agents, caps=Caps.model_validate(chosen)))


def changed_limits(invocation: Invocation, old: Limits) -> Limits:
    """`old` with what the flags change.

    Raises:
        BadInput: A value is out of range; the message names the flag.
    """
    given: dict[str, Any] = {n: invocation.flags[f] for f, n in _LIMITS.items() if f in invocation.flags}
    if timeout := invocation.flags.get("timeout"):
        given["task_seconds"] = seconds(str(timeout), "--timeout")
    if caps := {CAPS[flag]: _cap(flag, invocation.flags[flag]) for flag in CAPS if flag in invocation.flags}:
        given["caps"] = old.caps.model_copy(update=caps)
    try:
        return Limits.model_validate({**old.model_dump(), **given})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        flag = next((f for f, n in _LIMITS.items() if n == first["loc"][0]), "limits")
        bound = next(iter(first.get("ctx", {}).values()), "")
        raise BadInput(
            f"--{flag} {first['input']!r} is out of range: {first['msg'].lower()}.",
            field=f"--{flag}",
            allowed=(str(bound),),
        ) from error


def _cap(flag: str, value: Any) -> float:
    """The value of a cap: whole numbers but for money and minutes.

    Raises:
        BadInput: It is no amount.
    """
    if flag not in ("max-usd", "max-minutes"):
        return int(value)
    try:
        amount = float(str(value))
    except ValueError:
        amount = 0.0
    if not (math.isfinite(amount) and amount > 0):
        raise BadInput(
            f"--{flag} {value!r} is not a number greater than 0.", field=f"--{flag}", allowed=("a number, such as 2.5",)
        )
    return amount * 60 if flag == "max-minutes" else amount


def gates(invocation: Invocation) -> tuple[str, ...]:
    """The gates of `--gate=plan,merge`, in that order.

    Raises:
        BadInput: One is unknown.
    """
    raw: Any = invocation.flags.get("gate", ())
    names = [
        str(n).strip() for n in (cast("Sequence[Any]", raw) if isinstance(raw, list | tuple) else str(raw).split(","))
    ]
    for name in names:
        if name not in GATES:
            raise BadInput(f"There is no gate {name!r}.", field="--gate", allowed=GATES)
    return tuple(dict.fromkeys(names))


def leaving(spec: Spec, invocation: Invocation) -> Spec:
    """The spec that leaves the phases of `--leave=research,planning` to other commands; `research:3` to three agents.

    Raises:
        BadInput: It has no such phase, or a number of agents is none.
    """
    raw: Any = invocation.flags.get("leave", ())
    names = cast("Sequence[Any]", raw) if isinstance(raw, list | tuple) else str(raw).split(",")
    found = dict(_left(str(name).strip()) for name in names)
    said = {phase: agents for phase, agents in found.items() if agents}
    return validate(spec.model_copy(update={"leave": tuple(found), "left_to": said}))


def _left(text: str) -> tuple[str, int]:
    """A phase, and the number of agents for it; 0 if nobody says."""
    phase, colon, number = text.partition(":")
    if not colon:
        return phase, 0
    if not (number.isascii() and number.isdecimal() and 0 < int(number[:4]) <= MOST_HELPERS):
        raise BadInput(
            f"--leave {text!r}: behind the colon stands how many agents take {phase!r} up.",
            field="--leave",
            allowed=(f"1 to {MOST_HELPERS}",),
        )
    return phase, int(number)


def sharing(spec: Spec, invocation: Invocation) -> Spec:
    """The spec with `--parallel`: who does the tasks of its plan.

    Raises:
        BadInput: It implements nothing, or one agent is to do tracks, each of which has tests of its own.
    """
    asked = invocation.flags.get("parallel")
    if asked is None:
        return spec
    implementing = [p for p in spec.phases if p.kind == "implement"]
    if not implementing:
        raise BadInput(
            f"The template {spec.template!r} implements nothing, so there are no tasks to share out.",
            field="--parallel",
            next_steps=("Leave --parallel out.",),
        )
    if asked == "solo" and any(p.tracks for p in implementing):
        raise BadInput(
            "Each track of an orchestrated implementation has tests of its own; one agent cannot do them in one go.",
            field="--parallel",
            allowed=("auto", "serial", "parallel"),
        )
    return spec.model_copy(update={"parallel": cast("Asked", asked)})


def merge_policy(invocation: Invocation, settings: Settings) -> Merge:
    """`--merge`, or the project's setting; the grammar and the settings have checked both."""
    return cast("Merge", str(invocation.flags.get("merge", settings.merge)))
