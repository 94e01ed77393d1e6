"""Projects for bench_scheduling.py: read from the files of PSPLIB and MPLIB, or made at random."""

import json
import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from stretto.graph.project import Activity, Project


class Instance(NamedTuple):
    """A project of a set, and the makespan to compare with: the best known one, or a lower bound."""

    family: str
    name: str
    activities: list[Activity]
    capacity: dict[str, int]
    reference: int


def read(folder: Path) -> Iterator[Instance]:
    """The instances that `index.json` of the folder names with a best known makespan (`bks`)."""
    for entry in json.loads((folder / "index.json").read_text("utf-8")):
        if "bks" in entry:
            path = folder / entry["file"]
            single = path.suffix == ".sm"
            family = path.parent.name if single else path.name.partition("_")[0].lower()
            activities, capacity = (_psplib if single else _mplib)(path.read_text("utf-8"))
            yield Instance(family, path.stem, activities, capacity, entry["bks"])


def _psplib(text: str) -> tuple[list[Activity], dict[str, int]]:
    """The `.sm` format of Kolisch and Sprecher: blocks between lines of stars, each with a heading."""
    blocks = {block.strip().partition("\n")[0].partition(":")[0].strip(): block for block in re.split(r"\*{9,}", text)}
    needs: dict[str, list[str]] = {}
    for row in _numbers(blocks["PRECEDENCE RELATIONS"]):
        needs.setdefault(str(row[0]), [])
        for follower in row[3:]:
            needs.setdefault(str(follower), []).append(str(row[0]))
    activities = [
        Activity(str(row[0]), row[2], _demand(row[3:]), needs[str(row[0])])
        for row in _numbers(blocks["REQUESTS/DURATIONS"])
    ]
    return activities, _demand(next(iter(_numbers(blocks["RESOURCEAVAILABILITIES"]))))


def _mplib(text: str) -> tuple[list[Activity], dict[str, int]]:
    """The format of MPLIB: projects one after the other, on shared resources; followers as `project:activity`."""
    rows = iter([line.split() for line in text.splitlines() if line.strip()])
    projects, resources = int(next(rows)[0]), int(next(rows)[0])
    capacity = _demand([int(amount) for amount in next(rows)])
    found: list[Activity] = []
    needs: dict[str, list[str]] = {}
    for project in range(1, projects + 1):
        count, release = (int(value) for value in next(rows))
        next(rows)  # which of the resources it uses
        for number in range(1, count + 1):
            row = next(rows)
            name = f"{project}:{number}"
            demand = _demand([int(value) for value in row[1 : 1 + resources]])
            found.append(Activity(name, int(row[0]), demand, needs.setdefault(name, []), release if number == 1 else 0))
            for follower in row[2 + resources :]:
                needs.setdefault(follower, []).append(name)
    return found, capacity


def _numbers(block: str) -> Iterator[list[int]]:
    for line in block.splitlines():
        words = line.split()
        if words and all(word.isdigit() for word in words):
            yield [int(word) for word in words]


def _demand(amounts: list[int]) -> dict[str, int]:
    return {f"R{k}": amount for k, amount in enumerate(amounts, 1)}


def made(family: str, activities: int, count: int, seed: int) -> Iterator[Instance]:
    """Random projects on four resources; the reference is a lower bound."""
    for number in range(1, count + 1):
        draw = random.Random(f"{seed}/{family}/{number}")
        work = [_random(draw, i) for i in range(activities)]
        peak = {name: max(one.demand.get(name, 0) for one in work) for name in ("R1", "R2", "R3", "R4")}
        capacity = {name: max(1, round(amount * draw.uniform(1.2, 3))) for name, amount in peak.items()}
        yield Instance(family, f"{family}_{number}", work, capacity, Project(work, capacity).bound)


def _random(draw: random.Random, i: int) -> Activity:
    earlier = range(max(0, i - 12), i)
    needs = draw.sample(earlier, min(len(earlier), draw.choice((0, 1, 1, 2, 3))))
    demand: Mapping[str, int] = {f"R{k}": draw.randint(1, 10) for k in draw.sample(range(1, 5), draw.randint(1, 3))}
    return Activity(f"t{i}", draw.randint(1, 10), demand, [f"t{need}" for need in needs])
