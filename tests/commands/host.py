"""The assistant around a workflow, played by a test: it takes the orders of a reply, has them carried out, goes on."""

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from stretto.state.log import Log
from stretto.state.rows import AttemptRow, Order
from tests.commands.door import AGENT, Project, Ran

Json = dict[str, Any]
W = "w_001"
ADD = ("orchestrate", "Add multiplication and subtraction", "--workflow-id", W)
SESSION = "11111111-2222-3333-4444-555555555555"
MOST_ROUNDS = 40
PLAN = "specs/plans/001_arithmetic.md"
ONCE = ("--attempts=1", "--debug-rounds=0")


@dataclass
class Host:
    """A session of the assistant in a project. `taken` and `handed_out` tell, order by order, what has happened."""

    project: Project
    patch: pytest.MonkeyPatch
    taken: list[str] = field(default_factory=list[str])
    rounds: list[list[str]] = field(default_factory=list[list[str]])
    """For each reply of the driver, the orders that it names."""

    def __post_init__(self) -> None:
        if not self.project.script.exists():
            self.project.agent({})
        self.be(SESSION)

    def be(self, session: str, pid: int | None = None) -> None:
        """Call the doors from now on as this session, whose process is `pid` (none: nobody can watch it)."""
        self.patch.setenv("CLAUDECODE", "1")
        self.patch.setenv("CLAUDE_CODE_SESSION_ID", session)
        if pid is None:
            self.patch.delenv("CLAUDE_PID", raising=False)
        else:
            self.patch.setenv("CLAUDE_PID", str(pid))

    # The driver

    def start(self, *args: str) -> Ran:
        """Begin the workflow; no runner is named, as inside the assistant."""
        return self._drive(*(args or ADD))

    def implement(self, *tasks: str, flags: Iterable[str] = ()) -> Ran:
        """Begin to implement a plan of these tasks, each as of `task`: its orders are the first."""
        head = "# Arithmetic Implementation Plan\n\n## Implementation Phases\n\n### Phase 1: All\n\nTasks:"
        self.project.commit({PLAN: "\n".join([head, *tasks, ""])}, "Plan")
        return self._drive("implement", PLAN, "--workflow-id", W, *flags)

    def go_on(self, *args: str) -> Ran:
        return self._drive("orchestrate", "--resume", W, *args)

    def _drive(self, *args: str) -> Ran:
        ran = self.project.run(*args, "--json")
        self.rounds.append(orders_of(ran))
        return ran

    # An agent

    def brief(self, order: str) -> Ran:
        """Take an order."""
        ran = self.project.run("brief", order, "--json")
        if ran.code == 0:
            self.taken.append(order)
        return ran

    def work(self, brief: Json) -> str:
        """Do what the scripted agent does, and return its last words."""
        argv = [sys.executable, "-I", "-S", str(AGENT), str(self.project.script)]
        text = json.dumps(brief)
        done = subprocess.run(argv, cwd=brief["cwd"], input=text, capture_output=True, text=True, check=True)
        return done.stdout

    def report(self, order: str, said: object) -> Ran:
        """Report an outcome, or a text that is none."""
        text = said if isinstance(said, str) else json.dumps(said)
        self.patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode("utf-8", "surrogatepass"))))
        return self.project.run("report", order, "--json")

    def carry_out(self, order: str) -> Json:
        """Take an order, do its work, report it; return the brief."""
        taken = self.brief(order)
        assert taken.code == 0, taken.err
        brief: Json = taken.json["result"]
        assert (ran := self.report(order, self.work(brief))).code == 0, ran.err
        return brief

    # The whole

    def until(self, stop: Callable[[Ran], bool], ran: Ran | None = None) -> Ran:
        """Carry out whatever is handed out, until `stop` says so of a reply, or the workflow ends or waits."""
        ran = ran or self.start()
        for _ in range(MOST_ROUNDS):
            if stop(ran) or not orders_of(ran):
                return ran
            for order in orders_of(ran, "open"):
                self.carry_out(order)
            ran = self.go_on()
        raise AssertionError(f"it has not ended after {MOST_ROUNDS} rounds: {self.rounds}")

    def finish(self, ran: Ran | None = None) -> Ran:
        """Carry out all of it."""
        return self.until(lambda _: False, ran)

    def at(self, phase: str) -> Ran:
        """Begin, and go as far as the first orders of a phase."""
        return self.until(lambda ran: any(o.startswith(f"{W}/{phase}/") for o in orders_of(ran)))

    # What is stored

    def order(self, order: str) -> Order:
        task, _, number = order.removeprefix(f"{W}/").rpartition("#")
        with self.log() as log:
            found = log.order(W, task, int(number))
        assert found is not None
        return found

    def attempts(self) -> list[AttemptRow]:
        with self.log() as log:
            return log.attempts(W)

    def standing(self) -> dict[str, str]:
        """The orders that matter, and what state they are in."""
        with self.log() as log:
            return {o.id: o.state for o in log.standing_orders(W)}

    def log(self) -> Log:
        found = Log.find(self.project.store)
        assert found is not None
        return found

    def rows(self) -> list[str]:
        """Everything that the log's file holds, row by row."""
        return rows_of(self.project)

    def workspaces(self) -> list[str]:
        """The folders of workspaces, by name."""
        return sorted(p.name for p in self.project.store.glob("work/*/*"))

    def worktrees(self) -> list[str]:
        """The worktrees that git knows, besides the checkout."""
        lines = self.project.git("worktree", "list", "--porcelain").splitlines()
        return [line for line in lines if line.startswith("worktree ")][1:]


def task(name: str, *writes: str, after: str = "", check: str = "") -> str:
    """A task of a plan file. It writes `src/calc/NAME.py` unless told otherwise."""
    declared = ", ".join(f"`{path}`" for path in writes or (f"src/calc/{name.lower()}.py",))
    lines = [f"- [ ] **{name}** Do {name}", f"  - Writes: {declared}"]
    lines += [f"  - Depends on: {after}"] if after else []
    lines += [f"  - Checks: `{check}`"] if check else []
    return "\n".join(lines)


def wrote(*names: str) -> Json:
    """The script of agents that each write the file that their task declares."""
    return {name: {"files": {f"src/calc/{name.lower()}.py": f"{name} = 1\n"}} for name in names}


def rows_of(project: Project) -> list[str]:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(f"file:{project.store / 'events.db'}?mode=ro", uri=True)) as connection:
        return list(connection.iterdump())


def orders_of(ran: Ran, *states: str) -> list[str]:
    """The orders that a reply names, in its order; of these states only."""
    named: Iterable[Json] = ran.json.get("result", {}).get("orders", ())
    return [o["order"] for o in named if not states or o["state"] in states]


def names(orders: Iterable[str]) -> list[str]:
    """`w_001/implementation/T1#1` → `T1#1`."""
    return [o.rpartition("/")[2] for o in orders]
