"""Label the fresh plans: carry each out solo, serial and in parallel through the engine, and keep what it cost.

    python benchmarks/fresh_labels.py [PLAN…] [--write] [--check]

Real git, worktrees, merges, checks, log and tool loop; the model is scripted and time simulated (engine_plans.py). With
`--write` the labels go to fresh_labels.json; else what is found is compared with them. Then the advice is asked about
every labelled plan. `--check` ends with 1 if a label is not found again, or the advice is right on less than 80 %.
"""

import argparse
import asyncio
import json
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine_plans import Happened, carried_out
from fresh_plans import plans
from labelled_plans import ATTEMPTS, SLOTS, Labelled

from stretto.graph.advice import MODES, Mode, advise
from stretto.graph.advising import works
from stretto.graph.mode_cost import Cost, Figures

KEPT = Path(__file__).with_name("fresh_labels.json")
GOAL = 0.8


def carried(plan: Labelled) -> dict[Mode, Happened]:
    """What each mode costs."""
    found: dict[Mode, Happened] = {}
    for mode in MODES:
        with tempfile.TemporaryDirectory(prefix="stretto-bench-") as folder:
            found[mode] = asyncio.run(carried_out(plan, mode, Path(folder)))
    return found


def cheapest(ran: Mapping[Mode, Happened]) -> Mode:
    """The mode with the least √(priced tokens · seconds); of equal ones the plainest."""
    return min(MODES, key=lambda mode: weight(ran[mode]))


def weight(ran: Happened) -> float:
    cost = Cost(ran.input, ran.resent, ran.output, ran.seconds)
    return cost.weight(Figures().resent) if ran.done else math.inf


def advised(plan: Labelled) -> Mode:
    """What `--parallel=auto` would choose, on what a planner wrote alone."""
    return advise(works(plan.specs, plan.sizes), slots=SLOTS, attempts=ATTEMPTS, figures=Figures()).mode


def label(named: Sequence[str]) -> dict[str, Any]:
    """Carry plans out, and tell each as it ends."""
    found: dict[str, Any] = {}
    for plan in plans():
        if named and plan.name not in named:
            continue
        ran = carried(plan)
        found[plan.name] = {"cheapest": cheapest(ran), "ran": {mode: ran[mode]._asdict() for mode in MODES}}
        costs = ", ".join(f"{mode} {weight(ran[mode]):.0f}" for mode in MODES)
        print(f"{plan.name:<14}{cheapest(ran):<10}{costs}", flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plans", nargs="*", help="default: all; `none` carries none out")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    found = label(given.plans)
    if given.write:
        KEPT.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")
    kept = json.loads(KEPT.read_text("utf-8"))
    other = [name for name, row in found.items() if kept[name]["cheapest"] != row["cheapest"]]
    print(f"labels found again: {len(found) - len(other)} of {len(found)}" + "".join(f"\n  not {n}" for n in other))
    said = {plan.name: advised(plan) for plan in plans()}
    wrong = [name for name, mode in said.items() if mode != kept[name]["cheapest"]]
    for name in wrong:
        print(f"  wrong: {name}: cheapest {kept[name]['cheapest']}, auto {said[name]}")
    right = 1 - len(wrong) / len(said)
    print(f"advice right: {len(said) - len(wrong)} of {len(said)} ({right:.0%})")
    for mode in MODES:
        print(f"  always {mode}: {sum(row['cheapest'] == mode for row in kept.values())} of {len(kept)}")
    return int(given.check and (bool(other) or right < GOAL))


if __name__ == "__main__":
    sys.exit(main())
