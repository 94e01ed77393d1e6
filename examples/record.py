"""Record the cassette of an example again: its script, spoken in a fresh copy of its project, tools live.

    python examples/record.py jwt-api

which is, in such a copy and with paths put in:

    stretto orchestrate "Add JWT authentication" --runner model:script/SCRIPT --record CASSETTE

The same script gives the same cassette, except for the time of the recording in its first line.
"""

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from outcome import STRETTO, environment
from scratch import EXAMPLES, make_environment, make_project, refused

from stretto.agents.cassette import lint, load
from stretto.state.errors import StrettoError


class Work(NamedTuple):
    """What an example asks for, and the options that it takes beside the runner."""

    task: str
    options: tuple[str, ...] = ()

    def command(self, runner: str, *more: str) -> list[str]:
        """The words after `stretto`."""
        return ["orchestrate", self.task, *self.options, "--runner", runner, *more]


WORK: Mapping[str, Work] = {
    "jwt-api": Work("Add JWT authentication"),
    "cli-todo": Work("Add due dates to todo items", ("--template=reviewed-change", "--attempts=1")),
}


def script_of(name: str) -> Path:
    """The authored script of an example."""
    return EXAMPLES / name / "script.yaml"


def cassette_of(name: str) -> Path:
    """The recording of an example."""
    return EXAMPLES / name / "cassette.jsonl"


def record(name: str, target: Path) -> list[str]:
    """Record an example and return what is wrong with the recording: nothing, if all is well.

    Raises:
        BadInput: There is no such example, or it cannot be made here.
        CalledProcessError: The workflow did not end well; it has said why.
    """
    with tempfile.TemporaryDirectory(prefix="stretto-record-") as folder:
        project = make_project(name, Path(folder) / name)
        make_environment(project)
        words = WORK[name].command(f"model:script/{script_of(name)}", "--record", str(target.absolute()))
        subprocess.run([*STRETTO, *words], cwd=project, env=environment(), check=True)
    return lint(load(target))


def main(argv: Sequence[str]) -> int:
    """Record the example that the command line names. Returns the exit code."""
    if not 1 <= len(argv) <= 2:
        print(f"usage: python examples/record.py {'|'.join(WORK)} [FILE]", file=sys.stderr)
        return 2
    target = Path(argv[1]) if len(argv) == 2 else cassette_of(argv[0])
    try:
        problems = record(argv[0], target)
    except StrettoError as error:
        return refused(error)
    except subprocess.CalledProcessError as error:
        print(f"The workflow ended with code {error.returncode}; nothing to keep came of it.", file=sys.stderr)
        return 1
    for problem in problems:
        print(f"{target}: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
