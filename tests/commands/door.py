"""The doors as a user finds them: a project in a folder, `stretto` called on it, and everything it left."""

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from stretto.commands.cli import main
from stretto.state.log import Log
from stretto.state.wire import Event
from tests.snapshot import snapshot

AGENT = Path(__file__).parents[1] / "scripted_agent.py"
CALC = {
    "pyproject.toml": (
        '[project]\nname = "calc"\nversion = "0.1"\n\n[tool.pytest.ini_options]\naddopts = "-p no:cacheprovider"\n'
    ),
    "src/calc/__init__.py": "def add(a, b):\n    return a + b\n",
    "tests/test_add.py": "from calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n",
    "README.md": "# calc\n",
    ".gitignore": "*.log\n__pycache__/\n",
}


@dataclass(frozen=True)
class Ran:
    """What one call of `stretto` left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout, which must be exactly one JSON object on one line."""
        assert self.out.endswith("\n")
        assert self.out.count("\n") == 1, self.out
        found: Any = json.loads(self.out)
        assert isinstance(found, dict)
        return cast("dict[str, Any]", found)


@dataclass(frozen=True)
class Project:
    """A git project with a small Python package, its agent's script beside it, and `stretto` called from its root."""

    root: Path

    @property
    def script(self) -> Path:
        return self.root.with_name("script.json")

    @property
    def store(self) -> Path:
        return self.root / ".stretto" / "state"

    @property
    def runner(self) -> str:
        words = (sys.executable, "-I", "-S", str(AGENT), str(self.script))
        return "command:" + shlex.join(words)

    def agent(self, script: Mapping[str, Any]) -> None:
        """Say what the agent does; see tests/scripted_agent.py."""
        self.script.write_text(json.dumps(script), "utf-8")

    def briefs(self) -> list[Any]:
        """What the agent was told, attempt by attempt."""
        kept = self.script.with_name("script.json.briefs")
        return [json.loads(line) for line in kept.read_text("utf-8").splitlines()] if kept.exists() else []

    def run(self, *args: str) -> Ran:
        """Call `stretto` in this process."""
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            code = main(args)
        return Ran(code, out.getvalue(), err.getvalue())

    def work(self, *args: str) -> Ran:
        """Call a command that runs agents, with the scripted agent."""
        if not self.script.exists():
            self.agent({})
        return self.run(*args, "--runner", self.runner)

    def start(self, *args: str, **environment: str) -> "subprocess.Popen[str]":
        """Start `stretto` as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "stretto.commands", *args],
            cwd=self.root,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def git(self, *args: str) -> str:
        done = subprocess.run(["git", *args], cwd=self.root, check=False, capture_output=True)
        if done.returncode:
            raise RuntimeError(f"git {args}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode(errors="replace").rstrip("\n")

    def write(self, files: Mapping[str, str]) -> None:
        for path, content in files.items():
            place = self.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content, "utf-8")

    def commit(self, files: Mapping[str, str], message: str = "Change") -> str:
        self.write(files)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def events(self, workflow: str | None = None) -> list[Event]:
        log = Log.find(self.store)
        assert log is not None
        with log:
            return list(log.events(workflow))

    def types(self, workflow: str | None = None) -> list[str]:
        return [e.type for e in self.events(workflow)]

    def subjects(self) -> list[str]:
        """The commits of the branch that is checked out, oldest first."""
        return self.git("log", "--reverse", "--format=%s").splitlines()

    def everything(self) -> dict[str, tuple[str, int, bytes]]:
        """Every path below the root, git's own and the store's too: kind, permission bits, content."""
        return snapshot(self.root)

    def checkout(self) -> dict[str, tuple[str, int, bytes]]:
        """Every path but git's own and the store's."""
        return {p: f for p, f in self.everything().items() if p.partition("/")[0] not in {".git", ".stretto"}}


def new_project(root: Path) -> Project:
    """A project of one commit."""
    project = Project(root)
    root.mkdir(parents=True)
    project.git("init", "-q", "-b", "main")
    project.git("config", "user.name", "Ada")
    project.git("config", "user.email", "ada@example.org")
    project.commit(CALC, "Begin")
    return project


def copied(project: Project, to: Path) -> Project:
    """A copy of a project; quicker than making one."""
    shutil.copytree(project.root, to / project.root.name, symlinks=True)
    return Project(to / project.root.name)
