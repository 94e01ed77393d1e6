"""Holding an imported session: its turns once more, lane by lane, without a model and without its tools.

A call is answered from the recording; what it wrote is written again, in a folder. Nothing that a stranger's session
ran is run. A subagent's lane is held at the call that began it.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stretto.agents.cassette import Cassette, Kept, ToolNote, Turn, line_of
from stretto.agents.kept import Misplaced, content_of, differs, digest, put, read
from stretto.agents.prints import Normal
from stretto.agents.recording import Mode
from stretto.agents.redact import Redactor
from stretto.agents.session_import import INSIDE
from stretto.state.digest import sha256

_DEEPEST = 60
"""Agents that began agents, one within the other; what lies deeper is held after the others."""


@dataclass(slots=True)
class Held:
    """What was held, made and answered; what differs from the recording, and what the recording lacks.

    `hash` names the whole: the same turns that leave the same files have the same.
    """

    lanes: int = 0
    turns: int = 0
    calls: int = 0
    answered: int = 0
    files: dict[str, str] = field(default_factory=dict[str, str])
    drift: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    misses: list[str] = field(default_factory=list[str])
    hash: str = ""


def hold(cassette: Cassette, folder: Path, mode: Mode = "default") -> Held:
    """Hold every lane of a cassette; the files go to `folder`, which may hold the project as it was."""
    player = _Player(cassette, folder, mode)
    later = {note.lane for turn in cassette.turns for note in turn.tools if note.lane}
    for lane in (*(name for name in player.lanes if name not in later), *player.lanes):
        player.lane(lane)
    return player.done()


class _Player:
    def __init__(self, cassette: Cassette, folder: Path, mode: Mode) -> None:
        self._folder = folder
        self._mode = mode
        self._cwd = str(folder)
        self._normal = Normal(self._cwd, Redactor(everybody=True).text)
        self.lanes: dict[str, list[Turn]] = {}
        for turn in sorted(cassette.turns, key=lambda turn: turn.address):
            self.lanes.setdefault(turn.lane, []).append(turn)
        self._left = dict(self.lanes)
        self._held = Held()
        self._depth = 0
        self._hash = sha256(b"")

    def lane(self, lane: str) -> None:
        """Hold a lane, unless it was held before; one that began in it, at its place."""
        turns = self._left.pop(lane, [])
        self._held.lanes += bool(turns)
        for number, turn in enumerate(turns, 1):
            if turn.turn != number:
                self._held.misses.append(f"lane {lane!r}: turn {number} is missing")
                return
            self._turn(turn)

    def _turn(self, turn: Turn) -> None:
        self._held.turns += 1
        self._hash.update(line_of(turn).encode("utf-8", "replace"))
        if len(turn.tools) != len(turn.reply.tool_calls):
            said = f"{len(turn.reply.tool_calls)} calls and {len(turn.tools)} answers"
            self._held.misses.append(f"{_where(turn)}: {said}")
        for note in turn.tools:
            self._call(turn, note)

    def _call(self, turn: Turn, note: ToolNote) -> None:
        self._held.calls += 1
        if note.lane and self._depth < _DEEPEST:
            self._depth += 1
            self.lane(note.lane)
            self._depth -= 1
        if note.name not in INSIDE:
            if note.text is None:
                self._held.misses.append(f"{_where(turn)}: the answer of the tool {note.name!r} is not recorded")
            self._held.answered += note.text is not None
        for one in note.files:
            self._file(turn, one)

    def _file(self, turn: Turn, one: Kept) -> None:
        """Make a file. What the session had before it began need not be here; what is here must be that."""
        try:
            if read(self._folder, one.path)[0] is not None and differs(one, self._folder, self._normal):
                self._differs(turn, one, "is not what it was before the call")
            if one.redacted:
                self._differs(turn, one, "is made without a secret that it held")
            put(one, self._folder, self._cwd)
            self._held.files[one.path] = digest(content_of(one, self._cwd), self._normal)
        except Misplaced as error:
            self._held.misses.append(f"{_where(turn)}: {error.message}")

    def _differs(self, turn: Turn, one: Kept, why: str) -> None:
        if self._mode == "strict":
            self._held.misses.append(f"{_where(turn)}: {one.path} {why}")
        facts = {"lane": turn.lane, "turn": turn.turn, "changed": ["files"], "files": [one.path], "why": why}
        self._held.drift.append(facts)

    def done(self) -> Held:
        """What was held."""
        for path, content in sorted(self._held.files.items()):
            self._hash.update(f"{path}\0{content}\0".encode())
        self._held.hash = self._hash.hexdigest()
        return self._held


def _where(turn: Turn) -> str:
    return f"lane {turn.lane!r}, turn {turn.turn}"
