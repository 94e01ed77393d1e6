"""The cassette of one test: replayed, with an account of what was used of it, or recorded again."""

import shlex
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, get_args

from stretto.agents.cassette import lint, load
from stretto.agents.choose import header_for, parse_runner
from stretto.agents.record import Recorder
from stretto.agents.recording import Mode
from stretto.agents.runner import Progress, Runner, Surroundings
from stretto.agents.task import Brief, Outcome
from stretto.graph.spec import Spec
from stretto.state.errors import BadInput, PermanentError

MODES: tuple[str, ...] = get_args(Mode)


class Recorded(NamedTuple):
    """That a cassette is to be recorded again, and by which runner."""

    runner: str


class Tape:
    """The cassette that one test replays or records.

    Args:
        path: Where it lies, or will lie.
        mode: What a replay puts up with. `strict`: no difference, and no turn that nobody asked for. `default`: other
            texts, if the conversation has the recorded shape. `lenient`: whatever still finds its turn.
        test: The id of the test, for the line that records it.
        recording: Who is recorded; None is a replay.
    """

    def __init__(self, path: Path, *, mode: Mode = "default", test: str = "", recording: Recorded | None = None):
        self.path = path
        self.mode: Mode = mode
        self.recording = recording
        self.misses: list[str] = []
        """Why a replay stopped, a text each."""
        self.drift: list[Mapping[str, Any]] = []
        """What differed from the recording and was put up with: `lane`, `turn`, `changed`."""
        self._test = test
        self._used: set[tuple[str, int]] = set()

    def runner_for(self, spec: Spec, project: Path) -> Runner:
        """A runner for `stretto.graph.start` and its kin: it replays the cassette, or is recorded. It serves one drive.

        Raises:
            BadInput: There is no cassette, it is damaged or of another task; or who is recorded cannot be.
        """
        if self.recording is None:
            self.required()
            self.refuse_unknown(spec.description)
            return self.player()
        header = header_for(
            self.recording.runner,
            project=project,
            task=spec.description,
            template=spec.template,
            workflow=spec.workflow_id,
            recorded_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        return parse_runner(self.recording.runner, project=project, record=Recorder(self.path.absolute(), header))

    def player(self) -> "TapeRunner":
        """A runner that replays it, whatever the task is called."""
        return TapeRunner(self)

    def required(self) -> None:
        """Raise unless the cassette is there.

        Raises:
            BadInput: It is not; the message holds the line that records it.
        """
        __tracebackhide__ = True
        if not self.path.is_file():
            line = self.record_line()
            raise BadInput(
                f"There is no cassette {str(self.path)!r}, and a test calls no model. To record it:\n  {line}",
                field="cassette",
                next_steps=(line,),
            )

    def record_line(self) -> str:
        """The command that records it."""
        return f"pytest {shlex.quote(self._test)} --stretto-record --stretto-runner model:PROVIDER/NAME"

    def use(self, lane: str, turn: int) -> None:
        """Note that a turn was asked for."""
        self._used.add((lane, turn))

    def refuse_unknown(self, description: str) -> None:
        """Raise unless the cassette is one of this task.

        Raises:
            BadInput: It is of another; the message names it.
        """
        found = load(self.path)
        if not found.knows(description):
            known = found.tasks()
            told = "\n".join(f"  {task}" for task in known)
            raise BadInput(
                f"The cassette {str(self.path)!r} does not know the task {description!r}. It knows:\n{told}",
                field="cassette",
                allowed=known,
            )

    def unused(self) -> list[str]:
        """The recorded turns that nobody asked for, lane by lane; nothing of one that is recorded or stopped."""
        if self.recording or self.misses or not self.path.is_file():
            return []
        lanes: dict[str, list[int]] = {}
        for turn in load(self.path).turns:
            if turn.address not in self._used:
                lanes.setdefault(turn.lane, []).append(turn.turn)
        return [f"{lane}: {_spans(turns)}" for lane, turns in sorted(lanes.items())]

    def problems(self) -> list[str]:
        """What is wrong with what was just recorded: secrets, paths of this machine."""
        return lint(load(self.path)) if self.recording and self.path.is_file() else []


class TapeRunner:
    """Replays a tape and tells it what was used, what differed and what was missing."""

    def __init__(self, tape: Tape) -> None:
        mode = "" if tape.mode == "default" else f"?{tape.mode}"
        self._runner = parse_runner(f"replay:{tape.path.absolute()}{mode}", project=tape.path.parent)
        self._tape = tape

    @property
    def name(self) -> str:
        """As the command line names it, so that a resume without the tape finds the cassette."""
        return self._runner.name

    async def run(self, brief: Brief, surroundings: Surroundings) -> Outcome:
        """As any replay.

        Raises:
            PermanentError: The cassette does not fit; the tape is told.
        """
        watched = replace(surroundings, progress=self._watched(brief.lane, surroundings.progress))
        try:
            return await self._runner.run(brief, watched)
        except PermanentError as miss:
            self._tape.misses.append(miss.message)
            raise

    async def close(self) -> None:
        """Release what the replay holds."""
        await self._runner.close()

    def _watched(self, lane: str, progress: Progress) -> Progress:
        def told(kind: str, facts: Mapping[str, Any]) -> None:
            if kind == "turn":
                self._tape.use(lane, int(facts["turn"]))
            elif kind == "drift":
                self._tape.drift.append(dict(facts))
            progress(kind, facts)

        return told


def _spans(turns: list[int]) -> str:
    """1, 2, 3, 5 as `turns 1-3, 5`."""
    spans: list[list[int]] = []
    for number in sorted(turns):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    told = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
    return f"turn{'' if len(turns) == 1 else 's'} {told}"
