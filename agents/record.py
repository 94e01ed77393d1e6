"""The recorder: keeps the turns of every conversation and writes them as a cassette.

A turn is written down when it happens, beside the cassette, so that a killed driver loses no more than the turn in the
air; the cassette itself is written sorted and whole. An attempt that begins again replaces what was recorded of it.
"""

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from langchain_core.messages import AIMessage, BaseMessage
from pydantic import ValidationError

from stretto.agents.cassette import Call, Cassette, Header, Reply, Tokens, Turn, line_of, save
from stretto.agents.prints import Normal, Printer, note, tail_of
from stretto.agents.redact import Redactor, redactions_in
from stretto.agents.speech import asked, model_of, stop_of, text_of, tokens_of
from stretto.agents.tools import Result, ours


class Recorder:
    """Collects turns from many conversations at once, threads included.

    Args:
        path: Where the cassette is written.
        header: What it is of. A cassette or side file at `path` of the same workflow is continued, any other replaced.
        redactor: Takes the secrets out.
    """

    def __init__(self, path: Path, header: Header, redactor: Redactor | None = None) -> None:
        self.path = path
        self._redactor = redactor or Redactor()
        clean = self._redactor.text
        said = {"task": clean(header.task), "options": tuple(map(clean, header.options))}
        said["arguments"] = tuple(map(clean, header.arguments))
        self._header = header.model_copy(update=said)
        self._side = path.with_name(f"{path.name}.part")
        self._lock = threading.Lock()
        self._lanes: dict[str, dict[int, Turn]] = {}
        for turn in self._of_this_workflow(self._side) or self._of_this_workflow(path):
            self._keep(turn)
        self._begun = False

    def lane(self, lane: str, cwd: str) -> "LaneRecorder":
        """The witness of one conversation that takes place in `cwd`."""
        return LaneRecorder(self, lane, self.normal(cwd))

    def normal(self, cwd: str) -> Normal:
        """The normal form of texts of an attempt in `cwd`."""
        return Normal(cwd, self._redactor.text)

    def put(self, turn: Turn) -> None:
        """Keep a turn; what was kept of its lane after it belongs to an attempt that was cut off, and is dropped."""
        with self._lock:
            self._keep(turn)
            if not (self._begun and self._side.exists()):
                self._begun = True
                save(self._side, self._cassette())
                return
            with self._side.open("a", encoding="utf-8", errors="replace") as file:
                file.write(line_of(turn) + "\n")

    def save(self) -> Cassette:
        """Write the cassette and return it; a workflow that was refused before its first turn leaves no file."""
        with self._lock:
            if not self._lanes:
                return self._cassette()
            cassette = self._cassette()
            save(self.path, cassette)
            self._side.unlink(missing_ok=True)
        return cassette

    def _cassette(self) -> Cassette:
        turns = tuple(turn for _, lane in sorted(self._lanes.items()) for _, turn in sorted(lane.items()))
        redactions = sum(redactions_in(line_of(part)) for part in (self._header, *turns))
        return Cassette(self._header.model_copy(update={"redactions": redactions}), turns)

    def _keep(self, turn: Turn) -> None:
        lane = self._lanes.setdefault(turn.lane, {})
        for later in [number for number in lane if number > turn.turn]:
            del lane[later]
        lane[turn.turn] = turn

    def _of_this_workflow(self, path: Path) -> list[Turn]:
        """The turns in a file, as far as its lines are whole; none if they are of another workflow."""
        turns: list[Turn] = []
        with suppress(OSError, UnicodeError, ValidationError):
            head, *lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
            workflow = Header.model_validate_json(head).workflow
            if workflow and workflow == self._header.workflow:
                for line in lines:
                    turns.append(Turn.model_validate_json(line))  # noqa: PERF401 - keeps what comes before a torn line
        return turns


class LaneRecorder:
    """Writes down one conversation."""

    def __init__(self, recorder: Recorder, lane: str, normal: Normal) -> None:
        self._recorder = recorder
        self._lane = lane
        self._normal = normal
        self._printer = Printer(normal)
        self._last: Turn | None = None

    def replied(self, turn: int, request: Sequence[BaseMessage], reply: AIMessage) -> None:
        """Keep a reply, and the prints of what it answered."""
        self._last = Turn(
            lane=self._lane,
            turn=turn,
            fp=self._printer.prints(request),
            request_tail=tail_of(request, self._normal),
            reply=self._reply(turn, reply),
        )
        self._recorder.put(self._last)

    def answered(self, turn: int, results: Sequence[tuple[str, Result]]) -> None:
        """Keep how the tools answered."""
        if self._last and self._last.turn == turn:
            notes = tuple(note(name, result, self._normal, keep=not ours(name)) for name, result in results)
            self._recorder.put(self._last.model_copy(update={"tools": notes}))

    def _reply(self, turn: int, reply: AIMessage) -> Reply:
        read, wrote = tokens_of(reply)
        return Reply(
            text=self._normal.portable(text_of(reply)),
            tool_calls=tuple(
                Call(n=n, name=call.name, args=self._normal.portable_json(call.args))
                for n, call in enumerate(asked(reply, turn))
            ),
            usage=None if read is None or wrote is None else Tokens(input_tokens=read, output_tokens=wrote),
            model=model_of(reply),
            stop=stop_of(reply),
        )
