"""The report of an evaluation: per mode and in comparison, every figure from the runs in the book."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from stretto.commands.eval_running import MODES, Runs
from stretto.graph.comparing import LEAST_PAIRS, Interval, Pairs, difference, mcnemar, mean, pairs_of, ratio, share
from stretto.graph.suite import Suite

SIGNIFICANT = 0.05
_AMOUNTS: Mapping[str, Callable[[Runs], float | None]] = {
    "tokens": lambda r: None if r.input_tokens is None or r.output_tokens is None else r.input_tokens + r.output_tokens,
    "seconds": lambda r: r.seconds,
    "cost_usd": lambda r: r.cost_usd,
}
"""What is compared beside success; None where nobody counted it."""


class Amount(NamedTuple):
    """An amount of a run of one mode. `known` of `runs` told it; without all of them the mean is not known."""

    known: int
    runs: int
    mean: float | None
    interval: Interval | None


class OfMode(NamedTuple):
    """What one mode came to. `broken` runs, whose runner could not work, are left out of everything else."""

    mode: str
    runs: int
    successes: int
    success: Interval | None
    amounts: Mapping[str, Amount]
    broken: int


class Compared(NamedTuple):
    """Orchestrated against solo, on the tasks of which both have runs.

    With repeats a task counts once, for the mode that succeeded more often in it, or for neither.
    """

    pairs: Pairs
    difference: Interval | None
    p: float
    ratios: Mapping[str, Interval | None]
    verdict: str


class Report(NamedTuple):
    """Everything that is told."""

    modes: tuple[OfMode, ...]
    compared: Compared | None
    kinds: Mapping[str, Mapping[str, tuple[int, int]]]
    untold: int
    """Runs whose budget of tokens nobody could look at, since they did not tell theirs."""


def report_of(suite: Suite, runs: Sequence[Runs]) -> Report:
    """Fold runs to a report."""
    modes = tuple(
        _mode(mode, [r for r in runs if r.mode == mode]) for mode in MODES if any(r.mode == mode for r in runs)
    )
    counted = [r for r in runs if not r.broken]
    kinds: dict[str, dict[str, tuple[int, int]]] = {}
    for kind in dict.fromkeys(task.kind for task in suite.tasks.values()):
        for mode in (m.mode for m in modes):
            of = [r.success for r in counted if r.mode == mode and suite.tasks[r.task].kind == kind]
            if of:
                kinds.setdefault(kind, {})[mode] = (sum(of), len(of))
    untold = sum(_AMOUNTS["tokens"](r) is None for r in counted)
    return Report(modes, _compared(counted) if len(modes) == len(MODES) else None, kinds, untold)


def _mode(mode: str, runs: Sequence[Runs]) -> OfMode:
    counted = [r for r in runs if not r.broken]
    good = sum(r.success for r in counted)
    repeated = any(r.repeat > 1 for r in counted)
    success = _by_task(counted) if repeated else share(good, len(counted))
    amounts = {name: _amount([of(r) for r in counted]) for name, of in _AMOUNTS.items()}
    return OfMode(mode, len(counted), good, success, amounts, len(runs) - len(counted))


def _by_task(runs: Sequence[Runs]) -> Interval | None:
    """Repeats of one task are no new tasks: the mean of the tasks' shares, by the bootstrap over tasks."""
    return mean([fmean(r.success for r in of) for of in _tasks(runs).values()])


def _tasks(runs: Sequence[Runs]) -> dict[str, list[Runs]]:
    found: dict[str, list[Runs]] = {}
    for run in runs:
        found.setdefault(run.task, []).append(run)
    return found


def _amount(values: Sequence[float | None]) -> Amount:
    known = [v for v in values if v is not None]
    if not known or len(known) < len(values):
        return Amount(len(known), len(values), None, None)
    return Amount(len(known), len(values), fmean(known), mean(known))


def _compared(runs: Sequence[Runs]) -> Compared:
    first, second = (_tasks([r for r in runs if r.mode == mode]) for mode in MODES)
    both = [name for name in first if name in second]
    rates = [(fmean(r.success for r in first[n]), fmean(r.success for r in second[n])) for n in both]
    if all(len(first[n]) == len(second[n]) == 1 for n in both):
        pairs = pairs_of([(a > 0, b > 0) for a, b in rates])
        apart = difference(pairs)
    else:
        ends = [(True, False) if a > b else (False, True) if a < b else (a > 0, a > 0) for a, b in rates]
        pairs = pairs_of(ends)
        apart = mean([a - b for a, b in rates])
    ratios = {name: _ratio(of, first, second, both) for name, of in _AMOUNTS.items()}
    p = mcnemar(pairs)
    return Compared(pairs, apart, p, ratios, _verdict(pairs, apart, p))


def _ratio(
    of: Callable[[Runs], float | None],
    first: Mapping[str, Sequence[Runs]],
    second: Mapping[str, Sequence[Runs]],
    both: Sequence[str],
) -> Interval | None:
    amounts: list[tuple[float, float]] = []
    for name in both:
        a, b = [of(r) for r in first[name]], [of(r) for r in second[name]]
        known_a, known_b = [v for v in a if v is not None], [v for v in b if v is not None]
        if len(known_a) < len(a) or len(known_b) < len(b):
            return None
        amounts.append((fmean(known_a), fmean(known_b)))
    return ratio(amounts)


def _verdict(pairs: Pairs, apart: Interval | None, p: float) -> str:
    """A loss is called one. What chance explains is called neither."""
    counts = f"{pairs.first} of {pairs.total} tasks only orchestrated, {pairs.second} only solo; p = {p:.2g}"
    if apart is None:
        return "nothing to compare"
    clear = p < SIGNIFICANT and (apart.low > 0 or apart.high < 0)
    if not clear:
        leans = "less often than solo" if apart.value < 0 else "more often than solo" if apart.value > 0 else "as often"
        return f"too few to tell: orchestrated succeeded {leans}, and chance explains it ({counts})"
    how = "more" if apart.value > 0 else "less"
    return f"orchestrated succeeded {how} often: {counts}"


# ── the text ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def lines_of(report: Report) -> Iterator[str]:
    """The report for people."""
    for mode in report.modes:
        yield f"{mode.mode:<13} {mode.successes} of {mode.runs} succeeded{_percent(mode.success)}"
        for name, amount in mode.amounts.items():
            yield f"{'':<13} {name.removesuffix('_usd'):<8} {_amount_line(name, amount)}"
        if mode.broken:
            yield f"{'':<13} {mode.broken} runs are not counted: their runner could not work"
    if report.compared:
        yield ""
        yield from _comparison(report.compared)
    if report.kinds:
        yield ""
        for kind, modes in report.kinds.items():
            told = ", ".join(f"{mode} {good} of {total}" for mode, (good, total) in modes.items())
            yield f"{kind:<13} {told}"
    if report.untold:
        yield f"{report.untold} runs did not tell their tokens: only their budget of time was held."


def _comparison(compared: Compared) -> Iterator[str]:
    yield f"difference    {_points(compared.difference)} (orchestrated less solo)"
    for name, found in compared.ratios.items():
        told = f"{found.value:.2f} times solo's [{found.low:.2f}, {found.high:.2f}]" if found else "unknown"
        more = f": a loss, orchestrated takes more {name}" if found and found.low > 1 else ""
        yield f"{name.removesuffix('_usd'):<13} {told}{more}"
    yield compared.verdict


def _percent(found: Interval | None) -> str:
    return f": {found.value:.0%} [{found.low:.0%}, {found.high:.0%}]" if found else ""


def _points(found: Interval | None) -> str:
    if found is None:
        return "unknown"
    return f"{100 * found.value:+.0f} points [{100 * found.low:+.0f}, {100 * found.high:+.0f}]"


def _amount_line(name: str, amount: Amount) -> str:
    if amount.mean is None:
        return f"unknown ({amount.known} of {amount.runs} runs told it)"
    if amount.interval is None:
        return f"{_number(name, amount.mean)} a run (fewer than {LEAST_PAIRS} runs: no interval)"
    low, high = amount.interval.low, amount.interval.high
    return f"{_number(name, amount.mean)} a run [{_number(name, low)}, {_number(name, high)}]"


def _number(name: str, value: float) -> str:
    return f"${value:.4f}" if name == "cost_usd" else f"{value:.1f} s" if name == "seconds" else f"{value:,.0f}"


def as_data(report: Report) -> dict[str, Any]:
    """The report for programs."""
    return {
        "modes": {
            m.mode: {
                "runs": m.runs,
                "successes": m.successes,
                "success": _interval(m.success),
                "broken": m.broken,
                **{
                    n: {"known": a.known, "mean": a.mean, "interval": _interval(a.interval)}
                    for n, a in m.amounts.items()
                },
            }
            for m in report.modes
        },
        "compared": report.compared
        and {
            "pairs": report.compared.pairs._asdict(),
            "difference": _interval(report.compared.difference),
            "p": report.compared.p,
            "ratios": {name: _interval(found) for name, found in report.compared.ratios.items()},
            "verdict": report.compared.verdict,
        },
        "kinds": {kind: dict(modes) for kind, modes in report.kinds.items()},
        "untold": report.untold,
    }


def _interval(found: Interval | None) -> dict[str, float] | None:
    return None if found is None else found._asdict()
