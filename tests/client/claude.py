"""The real Claude Code, offline: in a home of its own, in a trusted project, speaking to a scripted API."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from tests.client.api import Api
from tests.processes import left_after, marked

ROOT = Path(__file__).parents[2]
MARK = "CLIENT_TEST"
"""Of the environment: by it a process is known as one that a test started. Not STRETTO_…: the product drops those."""
QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_TELEMETRY": "1",
    "IS_SANDBOX": "1",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}
"""Nothing but the conversation goes out. IS_SANDBOX lets root use every permission mode."""
_SHOWN = 2000

Event = Mapping[str, Any]


def find_client() -> Path:
    """The client: STRETTO_TEST_CLAUDE, else that of claude-agent-sdk. Without one a test is skipped; in CI it fails."""
    found = os.environ.get("STRETTO_TEST_CLAUDE") or _bundled()
    if found and os.access(found, os.X_OK):
        return Path(found)
    said = "no Claude Code: pip install '.[claude]', or name one in STRETTO_TEST_CLAUDE"
    if os.environ.get("CI") == "true":
        pytest.fail(said)
    pytest.skip(said)


def _bundled() -> str:
    spec = importlib.util.find_spec("claude_agent_sdk")
    return str(Path(spec.origin).parent / "_bundled" / "claude") if spec and spec.origin else ""


@dataclass(frozen=True)
class Session:
    """What one run of the client left: its exit code, its stream, its stderr.

    The exit code is no proof of anything: a slash command that could not be expanded ends with 0, too.
    """

    code: int
    events: Sequence[Event]
    err: str

    @property
    def init(self) -> Event:
        """What was loaded: tools, slash_commands, agents, plugins."""
        return self.of("system", "init")[0]

    @property
    def results(self) -> list[Event]:
        """More than one when background work woke the session."""
        return self.of("result")

    @property
    def result(self) -> Event:
        assert self.results, f"no result; exit code {self.code}: {self.err[-2000:]}"
        return self.results[-1]

    @property
    def text(self) -> str:
        """What it said in the end."""
        return str(self.result.get("result", ""))

    def of(self, kind: str, subtype: str = "") -> list[Event]:
        """The events of a type, and of a subtype if one is given."""
        return [e for e in self.events if e["type"] == kind and subtype in ("", e.get("subtype"))]


@dataclass
class Claude:
    """A user of Claude Code: a home, a project in it, and what they start there. A context manager.

    The folder of the project is made if it is not there; what is in it, git included, is the test's business. At the
    end no process may be left of all that was started; one that is left is killed, and fails the test.
    """

    folder: Path
    api: Api
    plugins: Sequence[Path] = ()
    extra: Mapping[str, str] = field(default_factory=dict[str, str])
    client: Path = field(default_factory=find_client)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    sessions: list["Running"] = field(default_factory=list["Running"])
    """All that were started, in order."""

    def __post_init__(self) -> None:
        self.project.mkdir(parents=True, exist_ok=True)
        self.home.mkdir(exist_ok=True)
        self.trust(self.project)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        left = self.end(5)
        assert kind or not left, f"these processes were left behind: {left}"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of the client: nothing of the one that the tests run in but PATH."""
        own = {"HOME": str(self.home), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", MARK: self.mark}
        model = {"ANTHROPIC_API_KEY": "sk-ant-nobody", "ANTHROPIC_BASE_URL": self.api.url}
        return {**own, **QUIET, **model, **self.extra}

    @property
    def terminal(self) -> dict[str, str]:
        """The environment of a terminal of this user, with `claude` on PATH."""
        place = self.folder / "bin" / "claude"
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            place.symlink_to(self.client)
        return {**self.environment, "PATH": f"{place.parent}{os.pathsep}{os.environ['PATH']}"}

    def trust(self, *folders: Path) -> None:
        """Say that the user trusts these folders: only then do the settings in them count."""
        trusted = {str(f.resolve()): {"hasTrustDialogAccepted": True} for f in folders}
        place = self.home / ".claude.json"
        known: dict[str, Any] = json.loads(place.read_text("utf-8")) if place.exists() else {}
        known["projects"] = {**known.get("projects", {}), **trusted}
        place.write_text(json.dumps({"hasCompletedOnboarding": True, **known}), "utf-8")

    def install(self, marketplace: Path = ROOT, plugin: str = "stretto@stretto") -> None:
        """Install a plugin as users do: add the marketplace, install from it."""
        self.command("plugin", "marketplace", "add", str(marketplace))
        self.command("plugin", "install", plugin)

    def command(self, *args: str, seconds: float = 60) -> str:
        """Run a command such as `plugin list`, which must succeed; what it printed."""
        done = subprocess.run(
            [self.client, *args],
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        assert done.returncode == 0, f"claude {' '.join(args)}: {done.stdout}{done.stderr}"
        return done.stdout

    def say(self, prompt: str, *flags: str, seconds: float = 60, **env: str) -> Session:
        """One prompt, or slash command, from its start to its end."""
        return self.start(prompt, *flags, **env).wait(seconds)

    def start(self, prompt: str, *flags: str, **env: str) -> "Running":
        """The same, left running. `flags` are the client's; `env` is put over the environment."""
        loaded = [word for plugin in self.plugins for word in ("--plugin-dir", str(plugin))]
        argv = [str(self.client), "-p", "--output-format", "stream-json", "--verbose", *loaded, *flags]
        running = Running(argv, prompt, self.project, {**self.environment, **env})
        self.sessions.append(running)
        return running

    def talk(self, *flags: str, **env: str) -> "Talk":
        """A session that is told one line after the other."""
        loaded = [word for plugin in self.plugins for word in ("--plugin-dir", str(plugin))]
        formats = ["--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
        argv = [str(self.client), "-p", *formats, *loaded, *flags]
        talk = Talk(argv, None, self.project, {**self.environment, **env})
        self.sessions.append(talk)
        return talk

    def told(self) -> str:
        """What the sessions said, and the log of the project's store: for whoever looks into a test that failed."""
        streams = ["\n".join([s.err, *(json.dumps(e)[:_SHOWN] for e in s.events)]) for s in self.sessions]
        return "\n\n".join([*streams, "\n".join(map(json.dumps, self.log()))])

    def git(self, *args: str) -> str:
        """What git says in the project."""
        done = subprocess.run(["git", *args], cwd=self.project, check=True, capture_output=True, text=True)
        return done.stdout

    def stretto(self, *args: str) -> str:
        """What `stretto` says in a terminal beside the client."""
        argv = [sys.executable, "-m", "stretto.commands", *args]
        return subprocess.run(argv, cwd=self.project, check=True, capture_output=True, text=True).stdout

    def log(self) -> list[Event]:
        """The event log of the project's store."""
        return [json.loads(line) for line in self.stretto("events", "--json").splitlines()]

    def processes(self) -> dict[int, str]:
        """All that live of what was started here: pid → command line."""
        return marked(MARK, self.mark)

    def end(self, seconds: float) -> dict[int, str]:
        """Give what was started time to end, then kill it; what had to be killed."""
        left = left_after(seconds, MARK, self.mark)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        left_after(10, MARK, self.mark)
        return left


class Running:
    """A client at work, in a process group of its own. Without a prompt its stdin stays open."""

    def __init__(self, argv: Sequence[str], prompt: str | None, cwd: Path, env: Mapping[str, str]) -> None:
        self.events: list[Event] = []
        self.err = ""
        self._process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self._readers = [threading.Thread(target=t, daemon=True) for t in (self._read_events, self._read_errors)]
        for reader in self._readers:
            reader.start()
        if prompt is not None:
            self._write(prompt, end=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def until(self, when: Callable[[Event], bool], seconds: float = 30) -> Event:
        """Wait for an event of the stream."""
        deadline = time.monotonic() + seconds
        while True:
            over = not self.alive() or time.monotonic() > deadline
            if found := next((e for e in list(self.events) if when(e)), None):
                return found
            if over:
                raise AssertionError(f"no such event; alive: {self.alive()}; {self.events[-3:]}; {self.err[-1000:]}")
            time.sleep(0.01)

    def kill(self) -> Session:
        """kill -9, the client and whatever is in its process group."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return self._ended()

    def wait(self, seconds: float = 60) -> Session:
        """Wait for its end; fail if it does not come."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            session = self.kill()
            pytest.fail(f"the client has not ended within {seconds:g} s: {session.events[-5:]} {session.err[-2000:]}")
        return self._ended()

    def _write(self, text: str, *, end: bool) -> None:
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.write(text)
            self._process.stdin.flush()
            if end:
                self._process.stdin.close()

    def _ended(self) -> Session:
        code = self._process.wait(10)
        for reader in self._readers:
            reader.join(10)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream:
                with suppress(BrokenPipeError):
                    stream.close()
        return Session(code, tuple(self.events), self.err)

    def _read_events(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("{"):
                self.events.append(json.loads(line))

    def _read_errors(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self.err += line


class Talk(Running):
    """A session that is told one line after the other, each when the one before is answered. A context manager."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:
            self.kill()
        else:
            self.leave()

    def say(self, line: str, seconds: float = 30) -> str:
        """Type a prompt or a slash command; what is said in the end."""
        done = len(self._results())
        self._write(json.dumps({"type": "user", "message": {"role": "user", "content": line}}) + "\n", end=False)
        self.until(lambda _: len(self._results()) > done, seconds)
        return str(self._results()[-1].get("result", ""))

    def leave(self) -> Session:
        """End the session as its person does."""
        self._write("", end=True)
        return self.wait()

    def _results(self) -> list[Event]:
        return [e for e in list(self.events) if e["type"] == "result"]
