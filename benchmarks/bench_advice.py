"""How often `--parallel=auto` picks the cheapest of solo, serial and parallel, on plans that were replayed.

    python benchmarks/bench_advice.py [--each 24] [--check] [--fit] [--wrong]

Labelled plans (labelled_plans.py) are carried out by scripted agents in a simulator (replayed_plans.py): the label is
the mode with the least √(priced tokens · seconds), and a mode that does not finish the plan costs endlessly. The advice
sees what a planner wrote and nothing else. Its figures were fitted to the even plans; the odd ones judge. `--fit`
prints the figures that the even plans give, `--wrong` the plans that it is wrong about. `--check` ends with 1
below 80 % on the odd ones.
"""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from statistics import median

from labelled_plans import ATTEMPTS, SLOTS, Labelled, plans
from replayed_plans import Ran, replay

from stretto.graph.advice import MODES, Mode, advise
from stretto.graph.advising import works
from stretto.graph.mode_cost import Figures, risk

GOAL = 0.8
KINDS = ("apart", "blind", "near", "stale")
"""Of pairs without an order, by what the plan says of them."""


def label(ran: dict[Mode, Ran]) -> Mode:
    """The cheapest mode; of equal ones the plainest."""
    return min(MODES, key=lambda m: ran[m].cost.weight(Figures().resent) if ran[m].done else math.inf)


def judged(found: Sequence[Labelled]) -> list[tuple[Labelled, Mode, Mode, dict[Mode, Ran]]]:
    """Each plan with its label, the advice, and the three replays."""
    rows: list[tuple[Labelled, Mode, Mode, dict[Mode, Ran]]] = []
    for plan in found:
        ran: dict[Mode, Ran] = {mode: replay(plan, mode) for mode in MODES}
        said = advise(works(plan.specs, plan.sizes), slots=SLOTS, attempts=ATTEMPTS, figures=Figures()).mode
        rows.append((plan, label(ran), said, ran))
    return rows


def table(rows: Sequence[tuple[Labelled, Mode, Mode, dict[Mode, Ran]]]) -> float:
    """Print the confusion table; return the share of plans with the cheapest mode."""
    seen = Counter((cheapest, said) for _, cheapest, said, _ in rows)
    print(f"{'cheapest':<10}" + "".join(f"{'auto: ' + m:>16}" for m in MODES))
    for cheapest in MODES:
        print(f"{cheapest:<10}" + "".join(f"{seen[cheapest, m]:>16}" for m in MODES))
    right = sum(cheapest == said for _, cheapest, said, _ in rows)
    print(f"right: {right} of {len(rows)} ({right / len(rows):.0%})")
    for m in MODES:
        always = sum(cheapest == m for _, cheapest, _, _ in rows)
        print(f"  always {m}: {always} of {len(rows)} ({always / len(rows):.0%})")
    return right / len(rows)


def fitted(found: Sequence[Labelled]) -> dict[str, float]:
    """The figures of these plans: median turns and output, and shares of attempts and pairs, as they happened."""
    jobs = [job for plan in found for job in plan.jobs.values()]
    telling = Figures(apart=0, blind=1, near=2, stale=3)
    attempts = slipped = 0
    clashes: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    for plan in found:
        ran = replay(plan, "parallel")
        attempts, slipped = attempts + ran.attempts, slipped + ran.slipped
        for a, b in combinations(works(plan.specs, plan.sizes), 2):
            if a.name in b.needs or b.name in a.needs:
                continue
            kind = KINDS[round(risk(a, b, telling))]
            one, two = plan.jobs[a.name], plan.jobs[b.name]
            touching = set(one.edits) & set(two.edits)
            pairs[kind] += 1
            clashes[kind] += bool(touching or two.watches in one.edits or one.watches in two.edits)
    return {
        "turns": median(j.turns / len({e.path for e in j.edits}) for j in jobs),
        "output": median(j.output for j in jobs),
        "slips": slipped / attempts,
        **{kind: clashes[kind] / pairs[kind] for kind in KINDS},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=24)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--wrong", action="store_true", help="print each plan that it is wrong about")
    given = parser.parse_args()
    found = plans(given.each)
    if given.fit:
        for name, value in fitted(found[::2]).items():
            print(f"{name} {value:.3f}")
        return 0
    print(f"{len(found)} plans, simulated; fitted on {len(found[::2])}")
    table(judged(found[::2]))
    print(f"\nheld out: {len(found[1::2])}")
    rows = judged(found[1::2])
    share = table(rows)
    if given.wrong:
        for plan, cheapest, said, ran in rows:
            if cheapest != said:
                costs = {m: round(r.cost.weight(0.1)) if r.done else "not done" for m, r in ran.items()}
                print(plan.name, f"cheapest {cheapest}, auto {said}", costs)
    return int(given.check and share < GOAL)


if __name__ == "__main__":
    sys.exit(main())
