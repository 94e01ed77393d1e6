"""A project, a store, an agent and the real command line: what the crash tests start, kill, resume and look at."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from stretto.state import lease
from stretto.state.log import Log
from stretto.state.process import started
from stretto.state.wire import Event
from tests.agents.gitproject import run_git, write_files
from tests.processes import left_after, marked

AGENT = Path(__file__).with_name("agent.py")
WARM = Path(__file__).with_name("warm.py")
WORKFLOW = "toolbox"
DESCRIPTION = "Add sixteen parts to the toolbox"
MARK = "STRETTO_CRASH_TEST"
TESTS = "python3 -m unittest discover -s tests"


@dataclass
class Bench:
    """One project with its store and its journal. Everything lies in one folder, the journal outside the project."""

    folder: Path
    warm: "Warm | None" = None
    parts: tuple[int, ...] = tuple(range(1, 17))
    sleep: tuple[float, float] = (0.02, 0.3)
    durability: str = "process"
    options: tuple[str, ...] = ()
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    drivers: set[int] = field(default_factory=set[int])

    def __post_init__(self) -> None:
        self.project.mkdir(parents=True)
        run_git(self.project, "init", "-q", "-b", "main")
        run_git(self.project, "config", "user.name", "Ada")
        run_git(self.project, "config", "user.email", "ada@example.org")
        write_files(
            self.project,
            {
                "src/toolbox/__init__.py": "",
                "tests/__init__.py": "",
                "README.md": "# toolbox\n",
                ".stretto/config.toml": f'test = "{TESTS}"\nagents = 4\n',
            },
        )
        run_git(self.project, "add", "-A")
        run_git(self.project, "commit", "-q", "-m", "Begin")
        shutil.copyfile(AGENT, self.folder / "agent.py")
        self.order()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """A test that failed leaves nobody running."""
        for pid in (*self.drivers, *self.processes()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def runner(self) -> str:
        python = Path(sys.executable).resolve()
        return f"command:{python} -S -E {self.folder / 'agent.py'} {self.folder / 'journal'} {self.folder / 'orders'}"

    def order(self, *, fail: Iterable[str] = (), hold: Iterable[str] = (), wreck: Iterable[str] = ()) -> None:
        """What the agents are told, from now on. `hold` lets go of those it does not name."""
        fresh = self.folder / "orders.new"
        names = {"fail": [*fail], "hold": [*hold], "wreck": [*wreck]}
        orders = {"parts": self.parts, "sleep": self.sleep, **names}
        fresh.write_text(json.dumps(orders), "utf-8")
        fresh.rename(self.folder / "orders")

    # The command line

    def start(self, *, fuse: int = 0) -> "Driver":
        """Begin the workflow; again with the same words after a kill so early that nothing was stored."""
        words = (DESCRIPTION, "--workflow-id", WORKFLOW, "--runner", self.runner, *self.options)
        return self.drive(*words, fuse=fuse)

    def resume(self, *options: str, fuse: int = 0) -> "Driver":
        return self.drive("--resume", WORKFLOW, *options, fuse=fuse)

    def begun(self) -> bool:
        log = Log.find(self.store)
        if log is None:
            return False
        with log:
            return log.workflow(WORKFLOW) is not None

    def go_on(self, *, fuse: int = 0) -> "Driver":
        """Resume, or start where there is nothing to resume."""
        return self.resume(fuse=fuse) if self.begun() else self.start(fuse=fuse)

    def drive(self, *args: str, fuse: int = 0) -> "Driver":
        """Start a driver: by itself, or forked from a process that has imported all before."""
        words = ["orchestrate", *args, f"--durability={self.durability}", *self.place]
        if self.warm:
            return self.warm.start(words, self, fuse)
        with self.output.open("ab") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "stretto.commands", *words],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=self.environment(),
                start_new_session=True,
            )
        return Driver(process.pid, self, process.wait)

    def command(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a command that is soon done."""
        return subprocess.run(
            [sys.executable, "-m", "stretto.commands", *args, *self.place],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=self.environment(),
        )

    def spawn(self, *args: str) -> "subprocess.Popen[bytes]":
        """Start a command that waits for something."""
        return subprocess.Popen(
            [sys.executable, "-m", "stretto.commands", *args, *self.place],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self.environment(),
        )

    @property
    def place(self) -> list[str]:
        return ["--project", str(self.project), "--store", str(self.store)]

    @property
    def output(self) -> Path:
        return self.folder / "said"

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "STRETTO_", "PYTEST_"))}
        (self.folder / "home").mkdir(exist_ok=True)
        home = {"HOME": str(self.folder / "home"), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        return {**kept, **home, MARK: self.mark}

    def said(self) -> str:
        return self.output.read_text("utf-8", "replace")

    # What is left

    def processes(self) -> dict[int, str]:
        """Every living process that any driver of this bench started, itself too: pid → command line."""
        return marked(MARK, self.mark)

    def gone_within(self, seconds: float) -> dict[int, str]:
        """Wait for all processes to go; return those that did not."""
        return left_after(seconds, MARK, self.mark)

    def journal(self) -> list[dict[str, Any]]:
        path = self.folder / "journal"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def starts(self) -> list[str]:
        return [line["key"] for line in self.journal() if line["what"] == "start"]

    @contextmanager
    def log(self) -> Generator[Log]:
        log = Log.find(self.store)
        assert log is not None
        with log:
            yield log

    def events(self) -> list[Event]:
        log = Log.find(self.store)
        if log is None:
            return []
        with log:
            return list(log.events(WORKFLOW))

    def status(self) -> str:
        with self.log() as log:
            row = log.workflow(WORKFLOW)
        assert row is not None
        return row.status

    def driven(self) -> bool:
        with self.log() as log:
            holder = lease.holder(log, WORKFLOW)
        return holder is not None and holder.alive

    def asked(self) -> list[str]:
        """What other processes ask of the driver."""
        with self.log() as log:
            return [request.kind for request in log.requests(WORKFLOW)]

    def completed(self) -> Counter[str]:
        """How often each task was told to be completed."""
        return Counter(e.data["task_id"] for e in self.events() if e.type == "TASK_COMPLETED")

    def branches(self) -> list[str]:
        return run_git(self.project, "branch", "--format=%(refname:short)").split()

    def worktrees(self) -> list[str]:
        lines = run_git(self.project, "worktree", "list", "--porcelain").splitlines()
        return [line.removeprefix("worktree ") for line in lines if line.startswith("worktree ")]


class Driver:
    """A driver that was started. `ended` waits for its end and tells its exit code, negative for a signal."""

    def __init__(self, pid: int, bench: Bench, ended: Callable[[], int]) -> None:
        self.pid = pid
        self.bench = bench
        bench.drivers.add(pid)
        self.began = time.monotonic()
        self._ended = ended
        self._code: int | None = None

    def alive(self) -> bool:
        return self._code is None and started(self.pid) is not None

    def wait(self, seconds: float = 90) -> int:
        """Its exit code."""
        deadline = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"it has not ended within {seconds:g} s: {self.bench.said()}")
            time.sleep(0.01)
        if self._code is None:
            self._code = self._ended()
            self.bench.drivers.discard(self.pid)
        return self._code

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def signal(self, number: int) -> None:
        if self.alive():
            os.kill(self.pid, number)

    def until(self, done: Callable[[], bool], seconds: float = 60) -> None:
        """Wait until `done`, while the driver lives."""
        deadline = time.monotonic() + seconds
        while not done():
            if not self.alive() and not done():
                pytest.fail(f"the driver ended with {self.wait()}: {self.bench.said()}")
            if time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"it never came: {self.bench.said()}")
            time.sleep(0.01)

    def until_event(self, event_type: str, count: int = 1) -> None:
        """Wait until there are `count` events of a type."""
        self.until(lambda: sum(e.type == event_type for e in self.bench.events()) >= count)


class Warm:
    """The process that forks drivers. See warm.py."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(WARM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, argv: list[str], bench: Bench, fuse: int) -> Driver:
        order = {"argv": argv, "environment": bench.environment(), "output": str(bench.output), "fuse": fuse}
        pid = self._ask(order)
        return Driver(pid, bench, lambda: self._ask({"wait": pid}))

    def _ask(self, order: dict[str, Any]) -> int:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


@dataclass(frozen=True)
class Ending:
    """What a workflow leaves, without what differs from run to run: times, ids of commits, order of landing."""

    files: dict[str, bytes]
    subjects: list[str]
    outcomes: dict[str, tuple[object, ...]]
    told: Counter[str]
    branches: list[str]
    status: str

    @classmethod
    def of(cls, bench: Bench) -> "Ending":
        with bench.log() as log:
            row = log.workflow(WORKFLOW)
            outcomes = {task: _lasting(found.outcome) for task, found in log.outcomes(WORKFLOW).items()}
        assert row is not None
        return cls(
            files=_tree(bench.project, row.created[:10]),
            subjects=run_git(bench.project, "log", "--format=%s").splitlines(),
            outcomes=outcomes,
            told=_told(bench.events()),
            branches=bench.branches(),
            status=row.status,
        )

    def differs(self, other: "Ending") -> list[str]:
        """In words, what this one has otherwise than the other."""
        said = [f"{name}: {getattr(self, name)!r}, not {getattr(other, name)!r}" for name in ("status", "branches")]
        said = said if (self.status, self.branches) != (other.status, other.branches) else []
        said += [] if self.subjects == other.subjects else [f"commits {self.subjects}, not {other.subjects}"]
        for what in ("files", "outcomes"):
            mine, theirs = getattr(self, what), getattr(other, what)
            names = sorted({*mine, *theirs})
            said += [f"{n}: {mine.get(n)!r}, not {theirs.get(n)!r}" for n in names if mine.get(n) != theirs.get(n)]
        said += [f"told but not there: {line}" for line in (self.told - other.told).elements()]
        return said + [f"there but not told: {line}" for line in (other.told - self.told).elements()]


def _lasting(outcome: dict[str, Any]) -> tuple[object, ...]:
    """Of a test run, its verdict: its output holds times."""
    data = outcome["data"]
    counts = [result["tests"] for result in data["results"]] if "results" in data else data
    return outcome["status"], outcome["summary"], outcome["writes"], json.dumps(counts, sort_keys=True)


def _told(events: Iterable[Event]) -> Counter[str]:
    """Every event with its facts, but those of the drivers and of the attempts, which a crash may double."""
    lasting = [e for e in events if not e.type.startswith("WORKFLOW_") and e.type != "TASK_STARTED"]
    return Counter(f"{e.type} {e.phase} {_facts(e)}" for e in lasting)


def _facts(event: Event) -> str:
    """What an event says, but what an agent returned, and what was expected: that depends on how many work at once."""
    kept = {k: v for k, v in event.data.items() if k not in ("results", "estimated_duration", "basis")}
    return json.dumps(kept, sort_keys=True)


def _tree(project: Path, date: str) -> dict[str, bytes]:
    """Every file of the checkout, the day of the run replaced: a reference may be of another day."""
    tracked = run_git(project, "ls-files").splitlines()
    found = [p for p in project.rglob("*") if p.is_file() and ".git" not in p.relative_to(project).parts]
    files = {p.relative_to(project).as_posix(): p.read_bytes().replace(date.encode(), b"TODAY") for p in found}
    assert sorted(files) == sorted(tracked), "the checkout and the commit differ"
    assert run_git(project, "status", "--porcelain") == ""
    return files
