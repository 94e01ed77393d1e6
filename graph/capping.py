"""Caps of a workflow: whether its runner can be held to them, from when they count, and what is said at one."""

from collections.abc import Mapping
from typing import Any, Final

from stretto.agents.runner import Runner, counts
from stretto.graph.spec import Caps, Spec
from stretto.state import purse
from stretto.state.errors import BadInput
from stretto.state.order_rows import standing_orders
from stretto.state.purse import Short
from stretto.state.transaction import Transaction
from stretto.state.view import CUT

FLAGS: Final = {
    "agents": "--max-agents-total",
    "tokens": "--max-tokens",
    "usd": "--max-usd",
    "tool_calls": "--max-tool-calls",
    "seconds": "--max-minutes",
}
LIMIT: Final = "limit"
"""In the facts of WORKFLOW_PAUSED: the cap that was reached."""
_INSTEAD: Final = {"tokens": "--max-agents-total", "usd": "--max-tokens", "tool_calls": "--max-tokens"}


def refuse_uncountable(caps: Caps, runner: Runner) -> None:
    """A cap on what nobody counts would be none.

    Raises:
        BadInput: The runner does not tell how much of that its agents use.
    """
    able = counts(runner) | {"agents", "seconds"}
    for name in caps.given():
        if name not in able:
            raise BadInput(
                f"The runner {runner.name!r} cannot be held to {FLAGS[name]}: {_WHY[name]}. Nothing was started.",
                field=FLAGS[name],
                allowed=sorted(FLAGS[a] for a in able),
                next_steps=(_cure(name),),
            )


_WHY: Final = {
    "tokens": "it does not tell how many tokens its agents use",
    "usd": "nobody knows what its agents cost",
    "tool_calls": "it does not tell how many tools its agents use",
}


def _cure(name: str) -> str:
    other = f"Limit another thing, such as {_INSTEAD[name]}."
    return f'{other} Or set [prices] "PROVIDER/NAME" in .stretto/config.toml.' if name == "usd" else other


def create(tx: Transaction, spec: Spec) -> Spec:
    """The spec of a new workflow with the caps that hold: with another one's work go its caps and what it has spent."""
    if not spec.continues:
        return spec
    caps = purse.inherit(tx, spec.workflow_id, spec.continues.workflow_id, spec.limits.caps.given())
    limits = spec.limits.model_copy(update={"caps": Caps.model_validate(caps)})
    return spec.model_copy(update={"limits": limits})


def begin(tx: Transaction, spec: Spec, now: float) -> dict[str, Any]:
    """A drive begins. Returns for its event what the attempts had used that a dead driver left."""
    standing = _standing(tx, spec.workflow_id)
    caps = spec.limits.caps.given()
    cut = purse.begin(tx, spec.workflow_id, caps, now, within=spec.within, standing=standing)
    return {CUT: cut} if cut else {}


def end(tx: Transaction, workflow_id: str, now: float) -> dict[str, Any]:
    """A drive ends. Returns for its event what the attempts had used that it leaves cut off."""
    cut = purse.end(tx, workflow_id, now, _standing(tx, workflow_id))
    return {CUT: cut} if cut else {}


def _standing(tx: Transaction, workflow_id: str) -> frozenset[str]:
    """The accounts of attempts that go on without a driver."""
    return frozenset(o.id for o in standing_orders(tx.database, workflow_id))


def paused(short: Short, workflow_id: str) -> dict[str, Any]:
    """What WORKFLOW_PAUSED says of a workflow that has reached a cap."""
    whose = "" if short.workflow_id == workflow_id else f" of {short.workflow_id}, to which this belongs,"
    why = f"the cap{whose} of {amount(short.name, short.cap)} is reached: {amount(short.name, short.spent)} used"
    facts = {"name": short.name, "cap": short.cap, "spent": short.spent, "of": short.workflow_id}
    flag = FLAGS[short.name]
    return {"pause_reason": why, "current_state": "resumable", LIMIT: {**facts, "flag": flag, "more": _more(short)}}


def _more(short: Short) -> str:
    """A value for the flag with which it can go on: as much again."""
    raised = max(short.cap, short.spent) * 2
    if short.name == "seconds":
        return f"{raised / 60:g}"
    return f"{raised:.4g}" if short.name == "usd" else f"{raised:.0f}"


def amount(name: str, value: float) -> str:
    """`10,000 tokens`, `2.5 USD`."""
    match name:
        case "usd":
            return f"{value:.4f}".rstrip("0").rstrip(".") + " USD"
        case "seconds":
            return f"{value / 60:.4g} minutes"
        case _:
            return f"{value:,.0f} {name.replace('_', ' ')}"


def reached_before(facts: Mapping[str, Any]) -> str:
    """The cap at which a workflow was paused, by the facts of its pause; empty if that was for something else."""
    limit: Mapping[str, Any] = facts.get(LIMIT) or {}
    return str(limit.get("name", ""))
