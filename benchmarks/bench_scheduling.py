"""How far the what-if scheduler stays above the best known schedules, and how long it takes.

    python benchmarks/bench_scheduling.py [--data DIR] [--budgets 0 0.2] [--seed 0] [--quick] [--check]

DIR holds projects of PSPLIB (`.sm`) and MPLIB (`.txt`), and an `index.json`, a list of `{"file": …, "bks": …}` with the
best known makespan of each. Without it, seeded random projects stand in, compared with a lower bound, so that their
gaps say little. A budget of 0 is the single pass; the milliseconds are of processor time, set-up of the project
included. Every schedule goes through a checker that shares no code with the scheduler. `--check` ends with 1 when a
goal is missed or a schedule is unsound.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from projects import Instance, made, read

from stretto.graph.feasible import violations
from stretto.graph.improvement import improve
from stretto.graph.project import Project

GOALS = {
    0.0: {"j30": 1.5, "j60": 3.5, "j120": 6.5},
    0.2: {"j30": 0.5, "j60": 2.0, "j120": 5.5, "mplib1": 0.5},
}
"""Mean gap in per cent, by budget."""
SINGLE_PASS_MS = 25
"""For 95 of 100 instances of up to 120 activities."""


class Row(NamedTuple):
    """One family at one budget."""

    family: str
    gaps: list[float]
    milliseconds: list[float]
    proven: int
    tried: float
    unsound: int

    @property
    def gap(self) -> float:
        """The mean."""
        return statistics.fmean(self.gaps)

    @property
    def slow(self) -> float:
        """The 95th percentile of the milliseconds."""
        return sorted(self.milliseconds)[int(0.95 * (len(self.milliseconds) - 1) + 0.5)]


def measured(instances: Sequence[Instance], budget: float, seed: int) -> Row:
    """Schedule each, and check what comes out."""
    row = Row(instances[0].family, [], [], 0, 0, 0)
    for one in instances:
        began = time.process_time()
        found = improve(Project(one.activities, one.capacity), budget, seed)
        row.milliseconds.append(1000 * (time.process_time() - began))
        row.gaps.append(100 * (found.schedule.makespan / one.reference - 1))
        row = row._replace(
            proven=row.proven + found.proven,
            tried=row.tried + found.tried / len(instances),
            unsound=row.unsound + bool(violations(one.activities, one.capacity, found.schedule)),
        )
    return row


def faults(row: Row, budget: float, known: bool) -> Iterator[str]:
    """What is not as it should be."""
    if row.unsound:
        yield f"{row.family}: {row.unsound} schedules are unsound"
    goal = GOALS.get(budget, {}).get(row.family)
    if known and goal is not None and row.gap > goal:
        yield f"{row.family}: {row.gap:.2f} % is above {goal} %"
    if not budget and row.family != "mplib1" and row.slow > SINGLE_PASS_MS:
        yield f"{row.family}: {row.slow:.0f} ms are above {SINGLE_PASS_MS} ms"


def main() -> int:
    """Print a row for each family and budget."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--budgets", type=float, nargs="+", default=[0.0, 0.2], help="seconds for each project")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a few random projects, a few seconds")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    families: dict[str, list[Instance]] = {}
    if args.data:
        if not (args.data / "index.json").is_file():
            parser.error(f"there is no index.json in {args.data}")
        for one in read(args.data):
            families.setdefault(one.family, []).append(one)
    else:
        print("no --data: random projects, the gap is to a lower bound")
        families = {f"j{n}": list(made(f"j{n}", n, 2 if args.quick else 10, args.seed)) for n in (30, 60, 120)}
    missed: list[str] = []
    print(f"{'set':8} {'n':>3} {'budget s':>8} {'gap %':>6} {'goal':>5} {'worst':>6} {'met':>4} {'proven':>6}", end="")
    print(f" {'tried':>6} {'ms mean':>8} {'p95':>6}")
    for budget in args.budgets:
        for family, instances in families.items():
            row = measured(instances, min(budget, 0.02) if args.quick else budget, args.seed)
            missed += faults(row, budget, bool(args.data))
            goal = GOALS.get(budget, {}).get(family, "") if args.data else ""
            met = sum(gap <= 0 for gap in row.gaps)
            print(
                f"{family:8} {len(row.gaps):3} {budget:8} {row.gap:6.2f} {goal:>5} {max(row.gaps):6.2f} {met:4}", end=""
            )
            print(f" {row.proven:6} {row.tried:6.0f} {statistics.fmean(row.milliseconds):8.1f} {row.slow:6.1f}")
    print("\n".join(missed) or "every schedule is sound, and every goal is met")
    return 1 if missed and args.check else 0


if __name__ == "__main__":
    sys.exit(main())
