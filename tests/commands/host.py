"""The assistant around a workflow, played by a test: it takes the orders of a reply, has them carried out, goes on."""

import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from stretto.state.log import Log
from stretto.state.rows import AttemptRow, Order
from tests.commands.door import AGENT, Project, Ran

Json = dict[str, Any]
W = "w_001"
ADD = ("orchestrate", "Add multiplication and subtraction", "--workflow-id", W)
SESSION = "11111111-2222-3333-4444-555555555555"
HOOKS = Path(__file__).parents[2] / "hooks"
MOST_ROUNDS = 40
PLAN = "specs/plans/001_arithmetic.md"
ONCE = ("--attempts=1", "--debug-rounds=0")


class Hooked(NamedTuple):
    """How one hook ended. It must never fail the session."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> Json | None:
        """What the client was told; None if nothing."""
        assert self.code == 0, self.err
        found: Json | None = json.loads(self.out) if self.out else None
        return found

    @property
    def silent(self) -> bool:
        """Whether the hook has no say, and had no trouble."""
        return (self.code, self.out, self.err) == (0, "", "")

    @property
    def decision(self) -> str:
        """`allow` or `deny`; empty if the hook had no say."""
        return str(self._specific.get("permissionDecision", ""))

    @property
    def reason(self) -> str:
        """Why not."""
        return str(self._specific.get("permissionDecisionReason", ""))

    @property
    def context(self) -> str:
        """What the model is told besides."""
        return str(self._specific.get("additionalContext", ""))

    @property
    def blocked(self) -> str:
        """Why an agent or a session may not end yet; empty if it may."""
        found = self.answer or {}
        return str(found["reason"]) if found.get("decision") == "block" else ""

    @property
    def prompt(self) -> str:
        """The prompt with which an agent begins."""
        return str(self._specific["updatedInput"]["prompt"])

    @property
    def _specific(self) -> Json:
        found: Json = (self.answer or {}).get("hookSpecificOutput", {})
        return found


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

    # A hook

    def hook(self, event: str, payload: object, **environment: str) -> Hooked:
        """What the client does at an event: `payload` as JSON on stdin; bytes go as they are."""
        data = self.project.root.with_name("plugin-data")
        data.mkdir(exist_ok=True)
        (data / "python").write_text(f"{sys.executable}\n", "utf-8")
        given = {"CLAUDE_PROJECT_DIR": str(self.project.root), "CLAUDE_PLUGIN_DATA": str(data), **environment}
        done = subprocess.run(
            ["/bin/sh", str(HOOKS / "run"), event],
            input=payload if isinstance(payload, bytes) else json.dumps(payload).encode(),
            env={**os.environ, **given},
            cwd=self.project.root,
            capture_output=True,
            check=False,
        )
        return Hooked(done.returncode, done.stdout.decode(), done.stderr.decode())

    def payload(self, **more: object) -> Json:
        """What every event of this session brings."""
        session = os.environ["CLAUDE_CODE_SESSION_ID"]
        return {"session_id": session, "cwd": str(self.project.root), "permission_mode": "default", **more}

    def launch(self, order: str, role: str = "implementer", *, prompt: str = "", use: str = "toolu_1") -> Hooked:
        """The session would launch an agent with an order as its prompt."""
        tool = {"description": "Work", "prompt": prompt or order, "subagent_type": f"stretto:{role}"}
        return self.hook("launch", self.payload(tool_name="Agent", tool_use_id=use, tool_input=tool))

    def transcript(self, text: str, last: str = "", *, usage: object = None) -> Path:
        """The transcript of an agent that was given a text."""
        rows = [{"type": "user", "message": {"role": "user", "content": text}}]
        said = {"id": "msg_1", "usage": usage or {"input_tokens": 7, "output_tokens": 3}, "role": "assistant"}
        rows += [{"type": "assistant", "message": {**said, "content": [{"type": "text", "text": last}]}}]
        place = self.project.root.with_name("agent-a1.jsonl")
        place.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return place

    def stopped(self, place: Path, last: str, *, active: bool = False, kind: str = "stretto:implementer") -> Hooked:
        """An agent has ended with its last words."""
        more = {"agent_type": kind, "agent_id": "a1", "agent_transcript_path": str(place), "stop_hook_active": active}
        return self.hook("subagent-stop", self.payload(**more, last_assistant_message=last))

    # The driver

    def start(self, *args: str) -> Ran:
        """Begin the workflow; no runner is named, as inside the assistant."""
        return self.drive(*(args or ADD))

    def implement(self, *tasks: str, flags: Iterable[str] = ()) -> Ran:
        """Begin to implement a plan of these tasks, each as of `task`: its orders are the first."""
        head = "# Arithmetic Implementation Plan\n\n## Implementation Phases\n\n### Phase 1: All\n\nTasks:"
        self.project.commit({PLAN: "\n".join([head, *tasks, ""])}, "Plan")
        return self.drive("implement", PLAN, "--workflow-id", W, *flags)

    def go_on(self, *args: str) -> Ran:
        return self.drive("orchestrate", "--resume", W, *args)

    def drive(self, *args: str) -> Ran:
        """Call a command that hands orders out."""
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


class Kept:
    """Everything in a folder as it is now, to be had again in the same place: orders name their workspaces' paths."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._copy = folder.with_name(f"{folder.name}.kept")
        shutil.copytree(folder, self._copy, symlinks=True)

    def again(self) -> None:
        shutil.rmtree(self.folder)
        shutil.copytree(self._copy, self.folder, symlinks=True)


def rows_of(project: Project) -> list[str]:
    with closing(sqlite3.connect(f"file:{project.store / 'events.db'}?mode=ro", uri=True)) as connection:
        return list(connection.iterdump())


def orders_of(ran: Ran, *states: str) -> list[str]:
    """The orders that a reply names, in its order; of these states only."""
    named: Iterable[Json] = ran.json.get("result", {}).get("orders", ())
    return [o["order"] for o in named if not states or o["state"] in states]


def names(orders: Iterable[str]) -> list[str]:
    """`w_001/implementation/T1#1` → `T1#1`."""
    return [o.rpartition("/")[2] for o in orders]
