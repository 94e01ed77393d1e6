"""A cassette to replay from: which turn answers a request, and how far the request may be another one."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from langchain_core.messages import BaseMessage

from stretto.agents.cassette import Turn, load
from stretto.agents.prints import Normal, Printer, tail_of
from stretto.agents.redact import Redactor
from stretto.state.errors import PermanentError

Mode = Literal["default", "strict", "lenient"]
"""`strict` refuses any difference, the default one of shape, and `lenient` says only what it ignored."""
_PARTS = ("shape", "system", "tail")
_SHOWN = 200


class Recording:
    """The turns of a cassette by lane, and a mode.

    Raises:
        BadInput: The cassette is missing or damaged.
    """

    def __init__(self, path: Path, mode: Mode) -> None:
        self.cassette = load(path)
        self.path = path
        self.mode = mode
        self._redactor = Redactor()
        self._lanes: dict[str, dict[int, Turn]] = {}
        for turn in self.cassette.turns:
            self._lanes.setdefault(turn.lane, {})[turn.turn] = turn

    def lane(self, lane: str) -> list[Turn]:
        """The turns of a lane, in order; none if there is no such lane."""
        return [turn for _, turn in sorted(self._lanes.get(lane, {}).items())]

    def turn(self, lane: str, number: int, now: str) -> Turn:
        """The recorded turn of this address, for a request that ends with `now`.

        Raises:
            PermanentError: There is none; the message shows the nearest one and what differs.
        """
        turns = self._lanes.get(lane)
        if turns is None:
            nearest = difflib.get_close_matches(lane, self._lanes, 1, 0.0)
            near = min(self._lanes[nearest[0]].items())[1] if nearest else None
            named = f"; the nearest is {nearest[0]!r}" if nearest else ""
            raise self.stopped(lane, number, f"the recording has no such lane{named}{self.difference(near, now)}")
        if number not in turns:
            last = max(turns)
            why = f"the recording of this lane ends after {last} turn{'' if last == 1 else 's'}"
            raise self.stopped(lane, number, why + self.difference(turns[last], now))
        return turns[number]

    def compare(self, turn: Turn, request: Sequence[BaseMessage], printer: Printer) -> list[str]:
        """Which prints of a request differ from the recorded ones.

        Raises:
            PermanentError: They differ more than the mode allows.
        """
        now = printer.prints(request)
        if now.full == turn.fp.full:
            return []
        changed = [part for part in _PARTS if getattr(now, part) != getattr(turn.fp, part)] or ["history"]
        if self.mode == "strict" or ("shape" in changed and self.mode != "lenient"):
            why = f"changed: {', '.join(changed)}.{self.difference(turn, tail_of(request, printer.normal))}"
            raise self.stopped(turn.lane, turn.turn, why)
        return changed

    def normal(self, cwd: str) -> Normal:
        """The normal form of texts of an attempt in `cwd`."""
        return Normal(cwd, self._redactor.text)

    def difference(self, turn: Turn | None, now: str) -> str:
        """What a recorded request ended with and what this one does, a line each."""
        if turn is None:
            return ""
        line = self.cassette.turns.index(turn) + 2
        if turn.request_tail[:_SHOWN] == now[:_SHOWN]:
            return f"\n  recorded (line {line}) and this run both end with: {_told(now)}"
        return f"\n  recorded (line {line}): {_told(turn.request_tail)}\n  this run: {_told(now)}"

    def stopped(self, lane: str, turn: int, why: str) -> PermanentError:
        """The error of a replay that cannot go on."""
        made = self.cassette.header.recorded_at or "at an unknown time"
        return PermanentError(
            f"Replay stopped at lane {lane!r}, turn {turn}, of {str(self.path)!r} ({self.cassette.header.origin}"
            f" {made}): {why}",
            next_steps=(
                "Record the task again, or take a runner that calls a model.",
                f"stretto cassette lint {self.path}",
            ),
        )


def _told(tail: str) -> str:
    """The beginning of a request's end, its further lines set in."""
    return "\n    ".join(line for line in tail[:_SHOWN].splitlines() if line.strip())
