"""The claim 45→32 min, 3.2→2.8 agents, 85→92 % efficiency, 75→89 % utilisation, held against one workload.

    python benchmarks/bench_optimization.py [--seeds 10] [--workflows 60] [--agents 8] [--loads 0.6 1.0] [--quick]
                                            [--write]

A stream of workflows (workload.py) is created through the hub, admitted by the product's scheduler and moved phase by
phase by the functions that the hub uses, under a simulated clock; how long a phase really takes is the workload's.
A load is what the workflows would hold if each ran alone, in waves, of what there is.

    everything off      a phase waits for the whole wave before it; requests say nothing of their length, and the queue
                        goes by arrival: whoever fits may start
    no barrier          a phase waits for what it needs, and for agents of its workflow
    no barrier, order   and requests say how long they should take, by a hint that is off by a factor of 1.6 or so;
                        after the first quarter of the stream `/resource-manager optimize` is applied
    everything on       and every hour `/resource-manager prefetch` reserves for the next phases

Seeds are paired: the same arrivals, durations and agents in every row. The first quarter of each stream is in no
figure. The figures are those of graph/metrics.py, folded from the log; changes are of pairs, with 95 % intervals by
Student's t. The cache of results is measured apart (optimization_cache.py): it removes work, all else only waiting.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from optimization_cache import table
from optimization_run import SETUPS, Measured, in_waves, run, widest
from workload import stream

from stretto.graph.metrics import Mean, mean

PAGE = Path(__file__).parents[1] / "docs" / "optimization.md"
FIRST_SEED = 7000
CACHED = (
    "**Work removed.** The cache is off in the streams above: no workflow of them comes twice, so it would have nothing"
    " to give. What it removes where one does, with agents that work by rule (`/coordination-hub enable-caching`):"
)


class Claim(NamedTuple):
    """A figure of the claim. `relative`: its change is told in per cent of the baseline, else in points."""

    figure: str
    words: str
    before: float
    after: float
    relative: bool
    less_is_better: bool

    @property
    def change(self) -> float:
        """In per cent or points."""
        return 100 * (self.after / self.before - 1) if self.relative else self.after - self.before


CLAIMS = (
    Claim("time", "time, min", 45, 32, relative=True, less_is_better=True),
    Claim("agents", "agents held, mean", 3.2, 2.8, relative=True, less_is_better=True),
    Claim("efficiency", "efficiency, %", 85, 92, relative=False, less_is_better=False),
    Claim("utilisation", "utilisation, %", 75, 89, relative=False, less_is_better=False),
)
Found = Mapping[str, Sequence[Measured]]


def measured(load: float, args: argparse.Namespace) -> Found:
    """Every setup on the same streams."""
    held = fmean(widest(w) * in_waves(w) for w in stream(2000, 1, 1))
    found: dict[str, list[Measured]] = {setup.name: [] for setup in SETUPS}
    for seed in range(args.seeds):
        workflows = stream(args.workflows, load * args.agents / held, FIRST_SEED + seed)
        for setup in SETUPS:
            with tempfile.TemporaryDirectory() as folder:
                found[setup.name].append(run(workflows, setup, args.agents, Path(folder) / "project"))
        print(f"load {load:g}: seed {seed + 1} of {args.seeds} is done", file=sys.stderr, flush=True)
    return found


def changes(found: Found, name: str, figure: str, *, relative: bool, base: str = SETUPS[0].name) -> Mean:
    """How a figure changed from one setup to another, pair by pair."""
    pairs = [(getattr(a, figure), getattr(b, figure)) for a, b in zip(found[base], found[name], strict=True)]
    return mean([100 * (b / a - 1) if relative else b - a for a, b in pairs if a])


def said(change: Mean, unit: str) -> str:
    """A change with half the width of its interval."""
    if change.mean is None:
        return "unknown"
    error = f" ± {change.high - change.mean:.1f}" if change.high is not None else ""
    return f"{change.mean:+.1f}{error} {unit}"


def verdict(claim: Claim, change: Mean) -> str:
    """Reached, not reached, or open: the interval of the change lies beyond the claim's, short of it, or around it."""
    if change.low is None or change.high is None:
        return "unknown: fewer than four pairs"
    sign = -1 if claim.less_is_better else 1
    near, far = sorted((sign * change.low, sign * change.high))
    wanted = sign * claim.change
    short = "not reached" if far > 0 else "not reached: it is worse"
    return "reached" if near >= wanted else short if far < wanted else "open: the interval holds it"


def claims(found: Found) -> Iterator[str]:
    """A row for each figure of the claim, everything off beside everything on."""
    off, on = SETUPS[0].name, SETUPS[-1].name
    yield "| Figure | Claimed | Change claimed | Off | On | Change | |"
    yield "|---|---|---|---|---|---|---|"
    for claim in CLAIMS:
        unit = "%" if claim.relative else "points"
        change = changes(found, on, claim.figure, relative=claim.relative)
        before, after = (fmean(getattr(m, claim.figure) for m in found[name]) for name in (off, on))
        digits = 2 if claim.figure == "agents" else 1
        yield (
            f"| {claim.words} | {claim.before:g} → {claim.after:g} | {claim.change:+.0f} {unit} | {before:.{digits}f}"
            f" | {after:.{digits}f} | {said(change, unit)} | {verdict(claim, change)} |"
        )


def parts(found: Found) -> Iterator[str]:
    """A row for each thing switched on: what it took away of waiting, and what of work."""
    yield "| | Time, min | Change of the time | Waiting for admission, min | Running, min | Work, agent-hours"
    yield "| Efficiency, % | Utilisation, % | Agents at work, % of all |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for setup in SETUPS:
        values = {name: fmean(getattr(m, name) for m in found[setup.name]) for name in Measured._fields}
        change = "" if setup is SETUPS[0] else said(changes(found, setup.name, "time", relative=True), "%")
        yield (
            f"| {setup.name} | {values['time']:.1f} | {change} | {values['queued']:.1f} | {values['running']:.1f}"
            f" | {values['work']:.2f} | {values['efficiency']:.1f}"
            f" | {values['utilisation']:.1f} | {values['pool']:.1f} |"
        )


def steps(found: Found) -> Iterator[str]:
    """What each step did to the time, beside the one before it."""
    for before, setup in pairwise(SETUPS):
        change = changes(found, setup.name, "time", relative=True, base=before.name)
        yield f"- {setup.name}: {said(change, '%')} of the time of `{before.name}`"


def removed(found: Found) -> str:
    """Waiting apart from work: of the time that went away, which of the two it was."""
    off, on = found[SETUPS[0].name], found[SETUPS[-1].name]
    gone = fmean(a.time - b.time for a, b in zip(off, on, strict=True))
    work = fmean(a.work - b.work for a, b in zip(off, on, strict=True))
    return (
        f"Of {fmean(m.time for m in off):.1f} min, {gone:.1f} went away, all of it waiting: the work is"
        f" {fmean(m.work for m in off):.2f} agent-hours a workflow before and {fmean(m.work for m in on):.2f} after"
        f" ({-work:+.2f})."
    )


def report(load: float, found: Found, args: argparse.Namespace) -> str:
    """All that was measured at one load, as markdown."""
    head = (
        f"**At load {load:g}**, {args.seeds} paired streams of {args.workflows} workflows on {args.agents} agents;"
        " in a figure is what came after the first quarter."
    )
    blocks = (head, "\n".join(claims(found)), removed(found), _joined(parts(found)), "\n".join(steps(found)))
    return "\n\n".join(blocks) + "\n"


def _joined(lines: Iterator[str]) -> str:
    """A table whose head goes over two lines here."""
    first, second, *rest = lines
    return "\n".join([f"{first} {second}", *rest])


def write(text: str) -> None:
    """Put what was measured in the place of the last measurement."""
    before, mark, rest = PAGE.read_text("utf-8").partition("<!-- measured -->\n")
    _, end, after = rest.partition("<!-- end of measured -->")
    PAGE.write_text(f"{before}{mark}\n{text}\n{end}{after}", "utf-8")


def main() -> None:
    """Print the tables; with `--write` put them in docs/optimization.md."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workflows", type=int, default=60)
    parser.add_argument("--agents", type=int, default=8)
    parser.add_argument("--loads", type=float, nargs="+", default=[0.6, 1.0])
    parser.add_argument("--quick", action="store_true", help="four short streams: shows that it runs, and no more")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    if args.quick:
        args.seeds, args.workflows, args.loads = 4, 8, [1.0]
    told = [report(load, measured(load, args), args) for load in args.loads]
    text = "\n".join([*told, CACHED, "", *table(), ""])
    print(text, end="")
    if args.write:
        write(text)


if __name__ == "__main__":
    main()
