"""What was injected and what held, counted while the tests run: `make faults` makes docs/reliability.md of it."""

import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

ALL = os.environ.get("STRETTO_FAULTS") == "all"
"""Whether all of the matrix is wanted (`make faults`), or the part that fits in a run of every test."""


def times(few: int, many: int) -> int:
    """How often to inject: `few` in a run of every test, `many` in `make faults`."""
    return many if ALL else few


class Tally:
    """One row of the table.

    Attributes:
        fault: What is done to Stretto, in a few words: the row's name.
        promise: What is promised then.
        injected: How often it was done.
        held: How often the promise was seen to hold.
        figures: What else was measured, such as ``{"taken up again, p95": "0.41 s"}``.
    """

    def __init__(self, fault: str, promise: str) -> None:
        self.fault = fault
        self.promise = promise
        self.injected = 0
        self.held = 0
        self.figures: dict[str, str] = {}

    @contextmanager
    def injection(self) -> Generator[None]:
        """One time: it held if nothing is raised, so the assertions belong inside."""
        self.injected += 1
        yield
        self.held += 1

    def figure(self, name: str, value: str) -> None:
        self.figures[name] = value


class Ledger:
    """All rows of a run, in the order in which they came. Tests of one fault share its row."""

    def __init__(self) -> None:
        self.rows: dict[str, Tally] = {}

    def tally(self, fault: str, promise: str) -> Tally:
        row = self.rows.setdefault(fault, Tally(fault, promise))
        assert row.promise == promise, f"{fault!r} promises two things"
        return row

    def write(self, path: Path) -> None:
        rows = [vars(row) for row in self.rows.values() if row.injected]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
