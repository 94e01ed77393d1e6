"""Plans to judge the advice by, made from seeds: wide and long, overlapping and not, small and large.

A plan says what a planner would: tasks, files, needs. Beside it stands what no planner knows: which lines each task
really changes, how many turns it takes, when an attempt slips, and whose lines its own depend on.
"""

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stretto.graph.plan import Plan, PlanPhase, PlanTask
from stretto.graph.plan_tasks import tasks as ordered
from stretto.graph.spec import TaskSpec

SLOTS, ATTEMPTS = 4, 3
SLIPS = 0.06
APART = 6
"""Lines between places that different tasks change: nearer ones would clash in a merge for another reason."""


class Place(NamedTuple):
    """A line of a file, from 0."""

    path: str
    line: int


class Job(NamedTuple):
    """What a task really is. `watches` is a place that its own work must agree with; `slips` numbers of attempts."""

    id: str
    edits: tuple[Place, ...]
    turns: int
    output: int
    watches: Place | None
    slips: frozenset[int]


class Labelled(NamedTuple):
    """A plan, the files of its project (path → lines), and what its tasks really are."""

    name: str
    files: Mapping[str, int]
    plan: Plan
    jobs: Mapping[str, Job]

    @property
    def specs(self) -> tuple[TaskSpec, ...]:
        """The tasks as an implementation gets them: orders that the plan left out are added."""
        return tuple(t.model_copy(update={"checks": (f"python3 check.py {t.id}",)}) for t in ordered(self.plan).tasks)

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of the files."""
        return {path: sum(len(line(path, n)) + 1 for n in range(count)) for path, count in self.files.items()}


def line(path: str, number: int) -> str:
    """What stands in a line before anybody changes it."""
    return f"{path} line {number:04d}: something that the program does with what it was given"


class Draft:
    """A plan as it is put together."""

    def __init__(self, name: str, draw: random.Random) -> None:
        self.name, self.draw = name, draw
        self.files: dict[str, int] = {}
        self.tasks: list[PlanTask] = []
        self.jobs: dict[str, Job] = {}

    def file(self, lines: int) -> str:
        path = f"src/f{len(self.files)}.py"
        self.files[path] = lines
        return path

    def task(
        self,
        edits: Sequence[Place],
        *,
        size: float = 1.0,
        needs: Sequence[str] = (),
        reads: Sequence[str] = (),
        watches: Place | None = None,
        says: bool = True,
    ) -> str:
        draw, name = self.draw, f"T{len(self.tasks) + 1}"
        writes = tuple(dict.fromkeys(e.path for e in edits))
        self.tasks.append(
            PlanTask(
                id=name,
                title=f"Do part {name} of {self.name}",
                description="Bring it in line with what the overview says. " * draw.randint(1, 8),
                reads=tuple(reads),
                writes=writes if says else (),
                depends_on=tuple(needs),
            )
        )
        turns = max(1, round(5 * size * len(writes) * draw.lognormvariate(0, 0.4)))
        output = round(200 * draw.lognormvariate(0, 0.3))
        slips = frozenset(n for n in range(1, ATTEMPTS + 1) if draw.random() < SLIPS)
        self.jobs[name] = Job(name, tuple(edits), turns, output, watches, slips)
        return name

    def done(self) -> Labelled:
        overview = "What all of it is about, and by which rules it is to be done. " * 6
        phase = PlanPhase(number=1, name="Work", tasks=tuple(self.tasks))
        return Labelled(self.name, self.files, Plan(title=self.name, overview=overview, phases=(phase,)), self.jobs)


def _wide(d: Draft) -> None:
    for _ in range(d.draw.randint(2, 9)):
        d.task([Place(d.file(d.draw.randint(20, 120)), 5)], size=d.draw.choice((0.6, 1, 2)))


def _chain(d: Draft) -> None:
    last: tuple[str, ...] = ()
    size = d.draw.choice((0.3, 1, 2))
    for _ in range(d.draw.randint(3, 8)):
        last = (d.task([Place(d.file(d.draw.randint(20, 120)), 5)], size=size, needs=last),)


def _fan(d: Draft) -> None:
    first = d.task([Place(d.file(60), 5)])
    size = d.draw.choice((0.5, 1, 2))
    middle = [d.task([Place(d.file(60), 5)], size=size, needs=[first]) for _ in range(d.draw.randint(2, 6))]
    d.task([Place(d.file(60), 5)], needs=middle)


def _one_file(d: Draft) -> None:
    path = d.file(d.draw.randint(120, 700))
    size = d.draw.choice((0.2, 0.4, 1))
    for n in range(d.draw.randint(2, 6)):
        d.task([Place(path, 3 + n * APART)], size=size)


def _shared_reading(d: Draft) -> None:
    common = [d.file(d.draw.randint(250, 380)) for _ in range(d.draw.randint(1, 3))]
    last: tuple[str, ...] = ()
    linked = d.draw.random() < 0.6
    for _ in range(d.draw.randint(2, 5)):
        name = d.task([Place(d.file(20), 3)], size=d.draw.choice((0.2, 0.4)), needs=last, reads=common)
        last = (name,) if linked else ()


def _blind(d: Draft) -> None:
    """Tasks that do not say what they write, and read one file: most often it is its same lines that all change."""
    path = d.file(80)
    same = d.draw.random() < 0.75
    for n in range(d.draw.randint(2, 6)):
        d.task([Place(path, 3 if same else 3 + n * APART)], size=d.draw.choice((0.6, 1, 2)), reads=[path], says=False)


def _blind_apart(d: Draft) -> None:
    """Tasks that do not say what they write, and read different files: they change those."""
    for _ in range(d.draw.randint(2, 6)):
        path = d.file(d.draw.randint(30, 90))
        d.task([Place(path, 3)], size=d.draw.choice((0.6, 1, 2)), reads=[path], says=False)


def _stale(d: Draft) -> None:
    path = d.file(60)
    d.task([Place(path, 5)], size=d.draw.choice((0.3, 0.6)))
    for _ in range(d.draw.randint(1, 4)):
        watched = Place(path, 5) if d.draw.random() < 0.7 else None
        d.task([Place(d.file(40), 5)], size=d.draw.choice((1, 2)), reads=[path], watches=watched)


def _two_chains(d: Draft) -> None:
    for _ in range(2):
        last: tuple[str, ...] = ()
        for _ in range(d.draw.randint(2, 4)):
            last = (d.task([Place(d.file(50), 5)], needs=last),)


def _few(d: Draft) -> None:
    path = d.file(d.draw.randint(150, 380))
    d.task([Place(path, 5)], size=0.4)
    if d.draw.random() < 0.6:
        d.task([Place(path, 5 + APART)], size=0.4)


KINDS = {
    "wide": _wide,
    "chain": _chain,
    "fan": _fan,
    "one-file": _one_file,
    "shared-reading": _shared_reading,
    "blind": _blind,
    "blind-apart": _blind_apart,
    "stale": _stale,
    "two-chains": _two_chains,
    "few": _few,
}


def plans(each: int = 24) -> list[Labelled]:
    """`each` plans of every kind. The even ones are to fit figures on, the odd ones to judge by."""
    found: list[Labelled] = []
    for kind, make in KINDS.items():
        for seed in range(each):
            draft = Draft(f"{kind}-{seed}", random.Random(f"{kind}/{seed}"))
            make(draft)
            found.append(draft.done())
    return found
