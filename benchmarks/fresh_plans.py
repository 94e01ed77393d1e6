"""Plans that the advice was never fitted to nor tried on, of other shapes than those of labelled_plans.py.

They were written once, from what people plan, without a look at the rules of the advice, and labelled by carrying each
out three ways through the engine itself (fresh_labels.py). Do not change them to please it: a change of the rules that
makes it wrong here is a change for the worse.
"""

import random

from labelled_plans import APART, Draft, Labelled, Place


def _feature(d: Draft) -> None:
    """A model, then its API and its page side by side, and tests of each."""
    model = d.task([Place(d.file(140), 20)], size=1.2)
    for _ in range(d.draw.randint(2, 3)):
        part = d.task([Place(d.file(180), 30)], size=d.draw.choice((0.8, 1.6)), needs=[model])
        d.task([Place(d.file(60), 4)], size=0.5, needs=[part])


def _rename(d: Draft) -> None:
    """The same small change in many files of different length, one task each."""
    for _ in range(d.draw.randint(6, 12)):
        d.task([Place(d.file(d.draw.randint(30, 400)), 10)], size=0.25)


def _registry(d: Draft) -> None:
    """New modules, each of which is also entered in one register, in places of its own or not."""
    register = d.file(90)
    crowded = d.draw.random() < 0.5
    for n in range(d.draw.randint(3, 5)):
        line = 8 if crowded else 8 + n * APART
        d.task([Place(d.file(40), 3), Place(register, line)], size=d.draw.choice((0.5, 1.0)))


def _migration(d: Draft) -> None:
    """A step after the other over one growing file, with a check of all at the end."""
    path, last = d.file(d.draw.randint(200, 500)), ""
    for n in range(d.draw.randint(3, 5)):
        last = d.task([Place(path, 5 + n * APART)], size=0.6, needs=[last] if last else [])
    d.task([Place(d.file(30), 2)], size=0.8, needs=[last])


def _bugs(d: Draft) -> None:
    """Bugs that have nothing to do with each other, some of them hard; where they are is not always known."""
    for _ in range(d.draw.randint(3, 6)):
        path = d.file(d.draw.randint(60, 260))
        said = d.draw.random() < 0.6
        d.task([Place(path, 12)], size=d.draw.choice((0.4, 1.0, 2.5)), reads=[path], says=said)


def _interface(d: Draft) -> None:
    """One changes an interface that the others use while they are written, and nobody ordered them."""
    api = d.file(110)
    d.task([Place(api, 15)], size=d.draw.choice((0.5, 1.5)))
    for _ in range(d.draw.randint(2, 4)):
        stale = d.draw.random() < 0.5
        d.task([Place(d.file(70), 6)], size=1.0, reads=[api], watches=Place(api, 15) if stale else None)


def _docs(d: Draft) -> None:
    """Pages that all draw on the same long sources."""
    sources = [d.file(d.draw.randint(150, 450)) for _ in range(2)]
    for _ in range(d.draw.randint(3, 5)):
        d.task([Place(d.file(25), 2)], size=0.5, reads=sources)


def _diamonds(d: Draft) -> None:
    """Fork and join, twice."""
    last = d.task([Place(d.file(80), 8)], size=0.6)
    for _ in range(2):
        size = d.draw.choice((0.7, 1.4))
        arms = [d.task([Place(d.file(80), 8)], size=size, needs=[last]) for _ in range(d.draw.randint(2, 3))]
        last = d.task([Place(d.file(80), 8)], size=0.5, needs=arms)


def _tiny(d: Draft) -> None:
    """Two or three small things in one large file."""
    path = d.file(d.draw.randint(300, 700))
    for n in range(d.draw.randint(2, 3)):
        d.task([Place(path, 9 + n * APART)], size=0.2)


def _lopsided(d: Draft) -> None:
    """One long task beside short ones."""
    d.task([Place(d.file(200), 20)], size=3.0)
    for _ in range(d.draw.randint(2, 4)):
        d.task([Place(d.file(40), 4)], size=0.3)


SHAPES = {
    "feature": _feature,
    "rename": _rename,
    "registry": _registry,
    "migration": _migration,
    "bugs": _bugs,
    "interface": _interface,
    "docs": _docs,
    "diamonds": _diamonds,
    "tiny": _tiny,
    "lopsided": _lopsided,
}
EACH = 4


def plans() -> list[Labelled]:
    """Four plans of every shape."""
    found: list[Labelled] = []
    for shape, make in SHAPES.items():
        for seed in range(EACH):
            draft = Draft(f"{shape}-{seed}", random.Random(f"fresh/{shape}/{seed}"))
            make(draft)
            found.append(draft.done())
    return found
