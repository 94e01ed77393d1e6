"""The book of an evaluation: JSON lines, the suite's hash first, then each run as soon as it is over.

So a killed evaluation goes on where it stopped. What the kill cut in half, the last line, is taken out.
"""

import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from stretto.commands.eval_running import Runs
from stretto.state.errors import BadInput, StateConflict


class Head(NamedTuple):
    """What the runs of a book have in common."""

    suite: str
    digest: str
    runner: str
    eval: int = 1
    """The version of the book's form."""


class Book:
    """The runs so far. `add` writes one down before it returns."""

    def __init__(self, path: Path, file: IO[str], runs: list[Runs]) -> None:
        self.path = path
        self.runs = runs
        self._file = file

    def has(self, task: str, mode: str, repeat: int) -> bool:
        """Whether this run is over. One that was broken is done again."""
        return any((r.task, r.mode, r.repeat) == (task, mode, repeat) and not r.broken for r in self.runs)

    def add(self, run: Runs) -> None:
        """Write a run down."""
        self._file.write(_line(run._asdict()))
        self._file.flush()
        os.fsync(self._file.fileno())
        self.runs = [r for r in self.runs if (r.task, r.mode, r.repeat) != (run.task, run.mode, run.repeat)]
        self.runs.append(run)


@contextmanager
def opened(path: Path, head: Head) -> Generator[Book]:
    """Go on with the book at `path`, or begin it.

    Raises:
        BadInput: It is of another suite, another state of it, or another runner; or no book, or cannot be written.
        StateConflict: Another evaluation writes it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{str(path)!r} cannot be written: {error.strerror}.", field="--out") from error
    with file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except OSError:
            raise StateConflict(f"Another evaluation writes {str(path)!r}. Nothing was run.") from None
        file.seek(0)
        text = file.read()
        whole = text[: text.rfind("\n") + 1]
        runs = _runs(path, whole, head)
        if whole != text:
            file.truncate(len(whole.encode()))
        if not whole:
            file.write(_line(head._asdict()))
            file.flush()
        book = Book(path, file, [])
        for run in runs:  # a run that was done again replaces the one before it
            book.runs = [r for r in book.runs if (r.task, r.mode, r.repeat) != (run.task, run.mode, run.repeat)] + [run]
        yield book


def _runs(path: Path, text: str, head: Head) -> list[Runs]:
    lines = text.splitlines()
    if not lines:
        return []
    try:
        first = cast("dict[str, Any]", json.loads(lines[0]))
        found = Head(**first)
        runs = [Runs(**json.loads(line)) for line in lines[1:]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInput(f"{str(path)!r} is no book of an evaluation; nothing was changed.", field="--out") from error
    for name, what in (("eval", "form"), ("suite", "suite"), ("digest", "state of the suite"), ("runner", "runner")):
        if getattr(found, name) != getattr(head, name):
            raise BadInput(
                f"{str(path)!r} holds the runs of another {what}: {getattr(found, name)!r}. Nothing was run.",
                field="--out",
                next_steps=("Name another file with --out, or remove this one.",),
            )
    return runs


def _line(body: dict[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False) + "\n"
