"""Precision and recall of the search for clashes, on a planted corpus.

Each instance holds a few allocations that do not clash, and one planted clash, or something that only looks like one:
paths spelt differently, folders above files, globs, windows that touch, demand that is exactly what there is, chains of
waiting that end. What is true is known from how it was planted. The search takes `[ab]` in a glob for any character, so
it is wrong about some globs that do not meet, and never about some that do.

    python benchmarks/bench_conflicts.py [INSTANCES]
"""

import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from stretto.graph.clashes import find
from stretto.state.allocation import Allocation
from stretto.state.moments import stamp

NOW = 1_800_000_000.0
CAPACITY = {"agents": 20.0, "memory": 64.0}


class Instance(NamedTuple):
    """Allocations, and the kind that was planted among them with the workflows that it is between; empty for none."""

    name: str
    live: list[Allocation]
    kind: str
    between: frozenset[str]


class Score(NamedTuple):
    """How many were found rightly, wrongly, and not at all."""

    hits: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        return self.hits / (self.hits + self.wrong)

    @property
    def recall(self) -> float:
        return self.hits / (self.hits + self.missed)


def holding(workflow: str, *, start: float = 0, lasts: float = 3600, state: str = "active", **given: Any) -> Allocation:
    """An allocation from `start` seconds from now on; a queued one only wants it."""
    at, until = stamp(NOW + start), stamp(NOW + start + lasts)
    granted = {} if state == "queued" else {**given, **({"starts": at} if state == "reserved" else {})}
    until = "" if state == "queued" else until
    return Allocation(f"alloc_{workflow}_1", workflow, state, "medium", given, granted, {}, at, at, until)


def quiet(chance: random.Random) -> list[Allocation]:
    """Allocations that nobody could object to: each with its own folder, agents and time."""
    return [
        holding(
            f"quiet_{n:03d}",
            agents=chance.randint(1, 2),
            memory=chance.randint(1, 8),
            files=[f"own_{n}/part_{chance.randrange(9)}.py"],
            touches=[f"own_{n}/notes/"],
            agent_ids=[f"agent_{n:03d}"],
        )
        for n in range(chance.randint(1, 4))
    ]


# what two paths have in common: (one, other, whether some file fits both)
_PATHS = [
    ("src/shop/cart.py", "src/shop/cart.py", True),
    ("src/shop/cart.py", "src/shop/../shop/cart.py".replace("../shop/", ""), True),
    ("./src/shop/cart.py", "src//shop/cart.py", True),
    ("src/shop/", "src/shop/cart.py", True),
    ("src/shop", "src/shop/deep/cart.py", True),
    ("src/**/cart.py", "src/shop/deep/cart.py", True),
    ("src/shop/*.py", "src/shop/cart.py", True),
    ("src/*/cart.py", "src/shop/*.py", True),
    ("**", "docs/index.md", True),
    ("src/shop/cart.py", "src/shop/cart.pyi", False),
    ("src/shop/", "src/shopping/cart.py", False),
    ("src/shop/*.py", "src/shop/cart.md", False),
    ("src/shop/*.py", "src/shop/deep/cart.py", False),
    ("src/shop/cart.py", "tests/src/shop/cart.py", False),
    ("src/a*.py", "src/b*.py", False),
    ("src/[ab].py", "src/c.py", False),
    ("docs/*.md", "docs/*.rst", False),
]


def files(chance: random.Random) -> Instance:
    one, other, meet = chance.choice(_PATHS)
    kinds = chance.choice([("files", "files"), ("files", "touches"), ("touches", "touches"), ("touches", "files")])
    if chance.random() < 0.5:
        one, other = other, one
    left: dict[str, Any] = {kinds[0]: [one]}
    right: dict[str, Any] = {kinds[1]: [other]}
    live = [holding("left_001", **left), holding("right_002", **right)]
    return planted("files", live, "simultaneous_write" if meet else "")


def windows(chance: random.Random) -> Instance:
    """One file, at two times."""
    gap = chance.choice([-600, -1, 0, 1, 600])
    live = [
        holding("left_001", lasts=3600, files=["src/cart.py"]),
        holding("right_002", start=3600 + gap, lasts=600, state="reserved", files=["src/cart.py"]),
    ]
    return planted("windows", live, "simultaneous_write" if gap < 0 else "")


def amounts(chance: random.Random) -> Instance:
    """A reservation for a time when others end, or do not."""
    over = chance.choice([-1, 0, 1, 3])
    late = chance.random() < 0.5
    live = [
        holding("left_001", lasts=3600, agents=9),
        holding("right_002", start=3600 if late else 1800, lasts=600, state="reserved", agents=11 + over),
    ]
    return planted("amounts", live, "contention" if over > 0 and not late else "")


def agents(chance: random.Random) -> Instance:
    same = chance.random() < 0.5
    live = [
        holding("left_001", agents=1, agent_ids=["agent_101"]),
        holding("right_002", agents=1, agent_ids=["agent_101" if same else "agent_1010"]),
    ]
    return planted("agents", live, "double_assignment" if same else "")


def circle(chance: random.Random) -> Instance:
    """Each holds what the next one wants; with a way out, the last one wants nothing that is held."""
    names = [f"ring_{n:03d}" for n in range(chance.randint(2, 4))]
    way_out = chance.random() < 0.5
    live = [holding(name, files=[f"{name}/lock.py"]) for name in names]
    for at, name in enumerate(names):
        wanted = names[(at + 1) % len(names)]
        if way_out and at == len(names) - 1:
            wanted = "nobody"
        asked = holding(name, state="queued", files=[f"{wanted}/lock.py"])
        live.append(asked._replace(id=f"alloc_{name}_2"))
    kind = "" if way_out else "circular_wait"
    return Instance("circle", live, kind, frozenset(names) if kind else frozenset())


def planted(name: str, live: list[Allocation], kind: str) -> Instance:
    return Instance(name, live, kind, frozenset({"left_001", "right_002"}) if kind else frozenset())


_MAKERS: Sequence[Callable[[random.Random], Instance]] = (files, files, windows, amounts, agents, circle)


def corpus(count: int, seed: int) -> list[Instance]:
    """`count` instances, the same for the same seed; not all of `quiet` fits beside what is planted over amounts."""
    chance = random.Random(seed)
    found: list[Instance] = []
    for _ in range(count):
        made = chance.choice(_MAKERS)(chance)
        others = [] if made.name == "amounts" or "**" in str(made.live) else quiet(chance)
        live = [*made.live, *others]
        chance.shuffle(live)
        found.append(made._replace(live=live))
    return found


def score(instances: Sequence[Instance]) -> tuple[Score, Counter[str]]:
    """Over all of them, and what went wrong by the name of the instance."""
    hits = wrong = missed = 0
    faults: Counter[str] = Counter()
    for one in instances:
        found = {(clash.kind, frozenset(clash.workflows)) for clash in find(one.live, CAPACITY, NOW)}
        truth = {(one.kind, one.between)} if one.kind else set[tuple[str, frozenset[str]]]()
        hits += len(found & truth)
        wrong += len(found - truth)
        missed += len(truth - found)
        faults[one.name] += len(found ^ truth)
    return Score(hits, wrong, missed), +faults


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    instances = corpus(count, seed=20270115)
    planted_ones = sum(bool(one.kind) for one in instances)
    found, faults = score(instances)
    print(f"{count} instances, {planted_ones} with a planted clash, {count - planted_ones} with none")
    print(f"precision {found.precision:.4f} ({found.wrong} wrong), recall {found.recall:.4f} ({found.missed} missed)")
    for name, number in faults.items():
        print(f"  {name}: {number}")


if __name__ == "__main__":
    main()
