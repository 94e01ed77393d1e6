"""The estimate of a workflow before it begins: what this project's past says of it, and whether its caps allow it."""

from typing import Any

from stretto.commands.app import App
from stretto.graph.capping import FLAGS, amount
from stretto.graph.estimate import Amount, Estimate, estimate
from stretto.graph.history import past_tasks
from stretto.graph.spec import Caps, Spec
from stretto.state.log import Log
from stretto.state.show import duration


def estimated(spec: Spec, app: App) -> Estimate:
    """What a spec may take, by the finished tasks of the project's store."""
    log = Log.find(app.directory)
    if log is None:
        return estimate(spec, ())
    with log:
        return estimate(spec, past_tasks(log))


def in_short(found: Estimate) -> str:
    """`Estimate (80 %): 5 to 7 agents, unknown tokens, …` on one line."""
    parts = [_said(name, one) for name, one in _amounts(found).items()]
    return f"Estimate, 80 % of cases: {', '.join(parts)}."


def too_low(found: Estimate, caps: Caps) -> tuple[str, ...]:
    """The caps at which it will probably stop: below the lower end of what it may take."""
    amounts = _amounts(found)
    lows = {name: one.low for name, one in amounts.items() if one is not None and one.low is not None}
    return tuple(
        f"{FLAGS[name]}: a cap of {amount(name, cap)} is less than it takes in 9 of 10 cases, at least"
        f" {amount(name, lows[name])}; it will probably stop there"
        for name, cap in caps.given().items()
        if name in lows and cap < lows[name]
    )


def as_facts(found: Estimate) -> dict[str, Any]:
    """For programs; None is unknown."""
    return {name: one._asdict() if one else None for name, one in _amounts(found).items()}


def _amounts(found: Estimate) -> dict[str, Amount | None]:
    return {"agents": found.agents, "tokens": found.tokens, "usd": found.money, "seconds": found.seconds}


def _said(name: str, one: Amount | None) -> str:
    what = "money" if name == "usd" else name
    if one is None:
        return f"{what} unknown"
    if one.low is None or one.high is None:
        return f"{_shown(name, one.likely)} (no history)"
    low, high = _shown(name, one.low), _shown(name, one.high)
    return low if low == high else f"{low} to {high}"


def _shown(name: str, value: float) -> str:
    return duration(value) if name == "seconds" else amount(name, value)
