"""The command runner: any program that reads a brief and prints an outcome.

The program is the user's own choice and is trusted like one; what it prints is not. Exactly one JSON object that fits
is an outcome; everything else is a failed attempt that says what came.
"""

import os
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from stretto.agents.data import BadOutcome
from stretto.agents.execute import Execute, Finished
from stretto.agents.runner import Progress, Surroundings
from stretto.agents.said import json_object, outcome
from stretto.agents.task import Brief, Outcome, failed
from stretto.state.errors import BadInput, PermanentError

if TYPE_CHECKING:
    from stretto.agents.record import Recorder

_OUTPUT_BYTES = 8_000_000
_LINES = 500
_SHOWN = 300


class CommandRunner:
    """Executes attempts with a program.

    Args:
        argument: The program and its arguments, split as POSIX words; never seen by a shell. A program named with a
            slash is found from the project folder, any other on PATH. The program runs in the brief's `cwd`, with the
            user's environment and the project's settings over it.
        execute: Starts it.
        project: The project folder.
        record: Keeps every attempt, if given.

    Raises:
        BadInput: The words cannot be split, or there is no such program.
    """

    def __init__(self, argument: str, execute: Execute, *, project: Path, record: "Recorder | None" = None) -> None:
        self._name = f"command:{argument}"
        self._argv = _words(argument, project)
        self._execute = execute
        self._record = record

    @property
    def name(self) -> str:
        """The KIND:ARG under which it was chosen."""
        return self._name

    @property
    def recording(self) -> bool:
        """Whether every attempt is kept for a cassette."""
        return self._record is not None

    async def run(self, brief: Brief, surroundings: Surroundings) -> Outcome:
        """Run the program once, with the brief as one JSON object on its stdin.

        Raises:
            PermanentError: It cannot be started any more.
        """
        if self._record is None:
            return await self._run(brief, surroundings)
        from stretto.agents.record_agent import recorded

        return await recorded(self._record, brief, surroundings, self._run)

    async def _run(self, brief: Brief, surroundings: Surroundings) -> Outcome:
        try:
            done = await self._execute(
                self._argv,
                cwd=Path(brief.cwd),
                env={**os.environ, **surroundings.environment},
                stdin=brief.model_dump_json().encode(),
                timeout=brief.budget.seconds,
                limit_bytes=_OUTPUT_BYTES,
            )
        except OSError as error:
            raise PermanentError(f"The program {self._argv[0]!r} could not be started: {error}.") from error
        _report(done.stderr, surroundings.progress)
        surroundings.hear(done.stdout.decode("utf-8", "replace"))
        return _outcome(done, brief)

    async def close(self) -> None:
        """Write the cassette, if there is one to write; nothing runs any more."""
        if self._record:
            self._record.save()


def _words(argument: str, project: Path) -> list[str]:
    try:
        words = shlex.split(argument)
    except ValueError as error:
        raise BadInput(f"command:{argument}: cannot be split as words: {error}.", field="runner") from error
    if not words:
        raise BadInput("command: needs a program, such as command:./agent.", field="runner")
    named = str(project.resolve() / words[0]) if "/" in words[0] else words[0]
    program = shutil.which(named)
    if program is None:
        raise BadInput(f"command:{argument}: there is no program {named!r} that can be run.", field="runner")
    return [program, *words[1:]]


def _report(stderr: bytes, progress: Progress) -> None:
    for line in stderr.decode("utf-8", "replace").splitlines()[:_LINES]:
        progress("text", {"stream": "stderr", "text": line[:2000]})


def _outcome(done: Finished, brief: Brief) -> Outcome:
    said = done.stdout.decode("utf-8", "replace")
    if done.timed_out:
        return failed(f"The program ran longer than its {brief.budget.seconds:g} s and was ended.{_came(said)}")
    if done.exit_code != 0:
        return failed(f"The program ended with exit code {done.exit_code}.{_came(said or _last(done.stderr))}")
    if done.truncated:
        return failed(f"The program printed more than {_OUTPUT_BYTES} bytes.{_came(said)}")
    try:
        return outcome(json_object(said), brief.role)
    except BadOutcome as error:
        came = "" if error.field == "" else _came(said)
        return failed(f"The program's output is not an outcome: {error.message}{came}")


def _came(said: str) -> str:
    said = said.strip()
    return f" It said: {said[:_SHOWN]!r}" if said else " It printed nothing."


def _last(stderr: bytes) -> str:
    """The end of what a program complained about: tracebacks name the error last."""
    return stderr.decode("utf-8", "replace").strip()[-_SHOWN:]
