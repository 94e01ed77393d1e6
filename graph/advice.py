"""Advice: whether one agent does a plan, one after the other, or several at once, and why, with the figures.

It is a pure function of the plan, the limits and the figures of the store: the same plan gets the same advice.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Final, Literal, NamedTuple

from stretto.graph.mode_cost import Cost, Figures, Work, at_once, in_order, in_series, one, risk, width
from stretto.graph.spec import Asked

Mode = Literal["solo", "serial", "parallel"]
MODES: tuple[Mode, ...] = ("solo", "serial", "parallel")
"""From the plainest on: of two that cost the same, the plainer one is chosen."""
LARGEST_CONTEXT: Final = 150_000
"""Tokens beyond which one conversation is not advised: context windows of 200,000 are common, and it grows by guess."""
DEFAULTS: Final = "published defaults"


class Advice(NamedTuple):
    """The mode, what each would cost, and what that was judged by.

    `at_once` tasks can be at work at one time and `chain` is the longest chain of them; `risky` are pairs at work at
    once of which one may be sent back; `excluded` says why a mode was not compared.
    """

    mode: Mode
    asked: Asked
    tasks: int
    at_once: int
    chain: int
    risky: int
    costs: Mapping[Mode, Cost]
    excluded: Mapping[Mode, str]
    basis: str


def advise(
    works: Sequence[Work],
    *,
    slots: int,
    attempts: int,
    figures: Figures,
    asked: Asked = "auto",
    basis: str = DEFAULTS,
    without: Mapping[Mode, str] | None = None,
) -> Advice:
    """Choose the mode with the least weight; see `mode_cost.Cost.weight`. What was asked for stands.

    `without` are modes that cannot be chosen here, with the reason.
    """
    ready = in_order(works)
    costs: dict[Mode, Cost] = {
        "solo": one(ready, figures),
        "serial": in_series(ready, figures),
        "parallel": at_once(ready, figures, slots),
    }
    excluded = dict(without or {})
    if costs["solo"].context > LARGEST_CONTEXT:
        excluded.setdefault("solo", f"one conversation would come to {costs['solo'].context:,.0f} tokens of context")
    if costs["parallel"].again > attempts - 1:
        times = f"{costs['parallel'].again:.1f} times"
        excluded.setdefault("parallel", f"a task would be sent back {times}, and it has {attempts} attempts")
    open_: list[Mode] = [mode for mode in MODES if mode not in excluded]
    cheapest = min(open_, key=lambda m: costs[m].weight(figures.resent))
    mode = cheapest if asked == "" or asked == "auto" else asked
    broad, chain = width(ready)
    pairs = sum(risk(a, b, figures) > 0 for a, b in _unordered(ready))
    return Advice(mode, asked, len(ready), min(broad, slots), chain, pairs, costs, excluded, basis)


def _unordered(works: Sequence[Work]) -> list[tuple[Work, Work]]:
    before: dict[str, set[str]] = {}
    for work in works:
        before[work.name] = set(work.needs).union(*(before[n] for n in work.needs))
    return [(a, b) for a, b in combinations(works, 2) if a.name not in before[b.name]]


_DONE: Mapping[Mode, str] = {
    "solo": "one agent does it in one conversation",
    "serial": "one agent at a time, a conversation for each task",
    "parallel": "several agents at once",
}


def why(advice: Advice) -> str:
    """The choice and its reasons in two or three sentences."""
    picture = (
        f"{_count(advice.tasks, 'task')}, {advice.at_once} of them at once, longest chain {advice.chain}, "
        f"{_count(advice.risky, 'pair')} that may get in each other's way"
    )
    chosen = f"{advice.mode}: {_DONE[advice.mode]}"
    chosen += "." if advice.asked == "auto" else ", as was asked for."
    left_out = "".join(f" Not {mode}: {reason}." for mode, reason in advice.excluded.items())
    return f"{chosen} The plan has {picture}. Expected: {_prices(advice)} ({advice.basis}).{left_out}"


def _prices(advice: Advice) -> str:
    shown: list[Mode] = [m for m in MODES if m not in advice.excluded or m == advice.mode]
    return "; ".join(f"{m} {advice.costs[m].tokens / 1000:,.0f}k tokens, {_span(advice.costs[m])}" for m in shown)


def _span(cost: Cost) -> str:
    return f"{cost.seconds:.0f} s" if cost.seconds < 90 else f"{cost.seconds / 60:.0f} min"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def told(advice: Advice) -> dict[str, object]:
    """The advice as the data of an event, and of a reply."""
    return {
        "mode": advice.mode,
        "asked": advice.asked,
        "why": why(advice),
        "tasks": advice.tasks,
        "at_once": advice.at_once,
        "longest_chain": advice.chain,
        "risky_pairs": advice.risky,
        "expected": {
            m: {"input_tokens": round(c.input), "output_tokens": round(c.output), "seconds": round(c.seconds)}
            for m, c in advice.costs.items()
        },
        "basis": advice.basis,
        "excluded": dict(advice.excluded),
    }
