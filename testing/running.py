"""One command of a test, run in this process by the handler that the command line calls, on a cassette."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from stretto.agents.task import Outcome
from stretto.commands.app import App
from stretto.commands.cli import handle
from stretto.commands.parse import parse_argv
from stretto.commands.reply import Reply
from stretto.state.errors import BadInput
from stretto.state.log import Log
from stretto.state.wire import Event
from stretto.testing.project import ScratchProject
from stretto.testing.tape import Tape

_DECIDED = ("--runner", "--record", "--project", "--store")


def _has(words: tuple[str, ...], flag: str) -> bool:
    return any(word == flag or word.startswith(f"{flag}=") for word in words)


class ReplayStopped(AssertionError):
    """The workflow is not the recorded one any more."""


class Ran(NamedTuple):
    """What a command did: its reply, and what is in the store and the project afterwards.

    `outcomes` are those of the tasks that have ended, by task id; `events` those of its workflow, the oldest first;
    `files` the texts that git tracks in the project.
    """

    reply: Reply
    outcomes: Mapping[str, Outcome]
    events: tuple[Event, ...]
    files: Mapping[str, str]
    drift: tuple[Mapping[str, Any], ...] = ()

    @property
    def status(self) -> str:
        """How the workflow stands: completed, failed, paused, open or cancelled; empty for a command that runs none."""
        return str(self.reply.result.get("status", ""))

    @property
    def workflow_id(self) -> str:
        """Its workflow."""
        return self.reply.workflow_id

    def of_type(self, kind: str) -> list[Event]:
        """Its events of one type."""
        return [event for event in self.events if event.type == kind]


class RunWorkflow:
    """Runs commands on a tape: `run_workflow("orchestrate", "Add due dates", project=project)`."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._recorded = False

    def __call__(self, *words: str, project: ScratchProject | Path) -> Ran:
        """Run one command line without `stretto` at its front, and wait for its end.

        Raises:
            ReplayStopped: The cassette does not fit; the message shows the place.
            BadInput: There is no cassette, the words are no command, or name what the tape decides on.
            StrettoError: The command was refused.
        """
        __tracebackhide__ = True  # the message tells it all
        folder = project.path if isinstance(project, ScratchProject) else project
        for flag in _DECIDED:
            if _has(words, flag):
                raise BadInput(f"{flag} is decided on by the cassette and the fixtures: leave it out.", field=flag)
        if self._tape.recording:
            words = (*words, *self._recording(words))
        else:
            self._tape.required()
        app = App(str(folder))
        return _ran(self._run(words, app), app, tuple(self._tape.drift))

    def _recording(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """The flags that record. A cassette is of one workflow, so only its first command has them."""
        if _has(words, "--resume"):
            raise BadInput("A test that resumes is recorded by one that does not.", field="--resume")
        if self._recorded or self._tape.recording is None:
            raise BadInput("One cassette records one workflow; this test starts a second.", field="cassette")
        self._recorded = True
        return ("--runner", self._tape.recording.runner, "--record", str(self._tape.path))

    def _run(self, words: tuple[str, ...], app: App) -> Reply:
        __tracebackhide__ = True
        invocation = parse_argv(words, project=app.folder)
        if self._tape.recording:
            return handle(invocation, app._replace(runner=self._tape.recording.runner))
        if invocation.command == "orchestrate" and invocation.words and not invocation.operation:
            self._tape.refuse_unknown(invocation.words[0].text)
        before = len(self._tape.misses)
        reply = handle(invocation, app._replace(agents=self._tape.player))
        if missed := self._tape.misses[before:]:
            more = f"\n\nand {len(missed) - 1} more" if len(missed) > 1 else ""
            raise ReplayStopped(f"{missed[0]}{more}\n\nTo record it again:\n  {self._tape.record_line()}")
        return reply


def _ran(reply: Reply, app: App, drift: tuple[Mapping[str, Any], ...]) -> Ran:
    outcomes: dict[str, Outcome] = {}
    events: tuple[Event, ...] = ()
    if reply.workflow_id and (log := Log.find(app.directory)):
        with log:
            known = log.outcomes(reply.workflow_id)
            outcomes = {name: Outcome.model_validate(row.outcome) for name, row in known.items()}
            events = tuple(log.events(reply.workflow_id))
    return Ran(reply, outcomes, events, ScratchProject(app.project).files(), drift)
