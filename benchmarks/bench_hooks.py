"""How long each hook takes, beside a bare start of the interpreter that runs it.

    python benchmarks/bench_hooks.py [--rounds 40] [--python PATH]

A bare start is `python -I -S -c pass`; a hook is all of `sh hooks/run EVENT` with an event on stdin, its byte code made
before. Both are whole processes, and each round runs everything once, a bare start before each hook, so that whatever
else the machine does meets all alike. The situations: a project without a store; one with 100 workflows that have
ended; the same with 8 work orders that stand, the last rows being about one of them. The columns are milliseconds on
the clock, the ratio of the medians, and the same ratio for the processor's time, which other programs disturb less.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stretto.graph.analyze import analyze
from stretto.graph.template import instantiate, load_template
from stretto.state import orders
from stretto.state.log import Log
from stretto.state.rows import Taker
from stretto.state.store import EVENTS
from stretto.state.tide import path_of

RUN = Path(__file__).parents[1] / "hooks" / "run"
LIMIT = 3.0
WORKFLOWS, ORDERS = 100, 8
SESSION, WORKFLOW = "5f0b6a52-0d0c-4b0e-9f55-0c4f0c8f7a11", "payments_001"
SENTENCE = "Add multiplication, subtraction and division to the calculator, with tests and a page of documentation"
STORING = """
import gc; gc.disable()
import _json, _sqlite3, binascii, collections.abc, fcntl, math, operator, os
os._exit(0)
"""
"""What a hook that stores takes from the standard library."""
NOTE = """\
`stores` happens once for an order: it opens the log for writing, checks the rows that it changes, and answers when that
is on the disk. `answers` is a reply in the place of the model's."""


class Took(NamedTuple):
    """Milliseconds of a process and its children: on the clock, and of the processor."""

    wall: float
    cpu: float


class Case(NamedTuple):
    """One hook in one situation. `said` is whether it has something to say, `kind` what it does beside looking."""

    event: str
    about: str
    project: Path
    payload: dict[str, Any]
    said: bool = False
    kind: str = ""


def number(index: int) -> str:
    """The id of one of the orders that stand: the even ones are open, the odd ones taken."""
    return f"{WORKFLOW}/implementation/T{index}#1"


def fill(project: Path, standing: int) -> None:
    """A store with workflows that have ended, and one that waits for orders."""
    template, analysis = load_template("feature-development", None), analyze(SENTENCE)
    with Log.open(project / ".stretto" / "state", durability="process") as log:
        for name in [f"calculator_{i:03d}" for i in range(1, WORKFLOWS + 1)] + [WORKFLOW] * bool(standing):
            spec = instantiate(template, SENTENCE, analysis=analysis, workflow_id=name).model_dump(mode="json")
            with log.write() as tx:
                tx.create_workflow(name, kind=analysis.type, description=SENTENCE, spec=spec, runner="host")
                for status in ("SCHEDULED", "RUNNING", "PAUSED" if name == WORKFLOW else "COMPLETED"):
                    tx.set_status(name, status)
        for index in range(standing):
            hand_out(log, project, index)


def hand_out(log: Log, project: Path, index: int) -> None:
    """One order, as a driver makes it."""
    top = project / ".stretto" / "state" / "work" / WORKFLOW / f"T{index}"
    place = {"name": f"T{index}", "path": str(top), "top": str(top), "cwd": str(top), "project": str(project)}
    brief = {"role": "implementer", "title": "A part", "writes": [f"src/part_{index}/", "*.md"], "checks": []}
    started = {"agent_id": "implementer", "role": "implementer", "title": "A part"}
    work = {
        "phase": "implementation",
        "brief": brief,
        "text": f"Work order {number(index)}\n\n" + "What is to be done is said here at length.\n" * 60,
        "workspace": place,
        "seconds": 3600.0,
        "started": started,
    }
    (top / f"src/part_{index}").mkdir(parents=True)
    with log.write() as tx:
        orders.make(tx, number(index), work, started)
        if index % 2:
            orders.take(tx, number(index), Taker(SESSION, f"toolu_{index}", 0, "", "", "here"))


def event(project: Path, **facts: Any) -> dict[str, Any]:
    """What the client sends with every event, and what it sends with this one."""
    common = {"session_id": SESSION, "transcript_path": str(project / "t.jsonl"), "cwd": str(project)}
    return {**common, "prompt_id": "p1", "permission_mode": "default", **facts}


def tool(project: Path, tool_name: str, tool_input: Mapping[str, Any], **facts: Any) -> dict[str, Any]:
    """An event about a tool call."""
    return event(project, tool_name=tool_name, tool_input=dict(tool_input), tool_use_id="toolu_1", **facts)


def everywhere(project: Path) -> Iterator[Case]:
    """What happens in any project, whether it has to do with us or not."""
    edit = {"file_path": str(project / "src/calc/__init__.py"), "old_string": "a" * 400, "new_string": "b" * 400}
    agent = {"prompt": "Find out how sessions are stored.", "subagent_type": "Explore", "description": "Look"}
    ended = {"agent_type": "Explore", "agent_id": "a1", "last_assistant_message": "They are stored in a file. " * 40}
    yield Case("session-start", "", project, event(project, source="startup"))
    yield Case("expansion", "not ours", project, event(project, command_name="review", command_args="all of it"))
    yield Case("skill", "not ours", project, tool(project, "Skill", {"skill": "pdf:fill", "args": "form.pdf"}))
    yield Case("guard", "a file of the project", project, tool(project, "Edit", edit))
    yield Case("shell", "not ours", project, tool(project, "Bash", {"command": "cd src && make -j4"}))
    yield Case("launch", "an agent not ours", project, tool(project, "Agent", agent))
    yield Case("subagent-stop", "of an agent not ours", project, event(project, **ended, stop_hook_active=False))
    yield Case("stop", "", project, event(project, stop_hook_active=False, background_tasks=[]))


def about_orders(project: Path) -> Iterator[Case]:
    """What happens while orders stand; the first rows are those of `everywhere`, about the same events."""
    mine = {"agent_type": "stretto:implementer", "agent_id": "a2"}
    inside = project / ".stretto/state/work" / WORKFLOW / "T7"
    edit = {"file_path": str(inside / "src/part_7/new.py"), "content": "b" * 800}
    launched = {"prompt": number(6), "subagent_type": "stretto:implementer", "description": "T6"}
    report = json.dumps({"status": "completed", "summary": "Added a part and its tests. " * 10})
    transcript = project / "agent.jsonl"
    first = {"type": "user", "message": {"role": "user", "content": f"Work order {number(7)}\n\nDo it."}}
    transcript.write_text(json.dumps(first) + "\n", "utf-8")
    ended = {"agent_transcript_path": str(transcript), "last_assistant_message": report, "stop_hook_active": False}
    calls = {"brief": f"stretto brief {number(7)}", "report": f'stretto report {number(7)} --failed "it is gone"'}
    for case in everywhere(project):
        yield case._replace(said=case.event == "session-start")
    yield Case("guard", "an agent's file", project, tool(project, "Write", edit, **mine, cwd=str(inside)), said=True)
    for verb, command in calls.items():
        yield Case("shell", f"stretto {verb}", project, tool(project, "Bash", {"command": command}), said=True)
    yield Case("launch", "an order", project, tool(project, "Agent", launched), said=True, kind="stores")
    yield Case("subagent-stop", "a report", project, event(project, **mine, **ended), kind="stores")


def our_commands(project: Path) -> Iterator[Case]:
    """Commands of ours, as a person types them and as the model calls them."""
    words = {"skill": "stretto:orchestrate", "args": SENTENCE}
    yield Case("skill", "ours: kept", project, tool(project, "Skill", words))
    for name, text, said in (("orchestrate", SENTENCE, False), ("workflow-status", "", True)):
        payload = event(project, command_name=f"stretto:{name}", command_args=text)
        yield Case("expansion", f"/{name}", project, payload, said=said, kind="answers")


class Bench:
    """The folders of one run, and how a hook is started in them."""

    def __init__(self, root: Path, python: str) -> None:
        self.data = root / "data"
        self.data.mkdir()
        (self.data / "python").write_text(f"{python}\n", "utf-8")
        self.kept = root / "kept.db"

    def cases(self, root: Path) -> Iterator[tuple[str, Case]]:
        """Every hook, by its situation."""
        folders = {name: root / name for name in ("no-store", "no-orders", "orders")}
        for folder in folders.values():
            (folder / ".git").mkdir(parents=True)
        fill(folders["no-orders"], 0)
        fill(folders["orders"], ORDERS)
        shutil.copyfile(folders["orders"] / ".stretto/state" / EVENTS, self.kept)
        yield from (
            ("no store", case) for case in (*everywhere(folders["no-store"]), *our_commands(folders["no-store"]))
        )
        yield from ((f"{WORKFLOWS} workflows", case) for case in everywhere(folders["no-orders"]))
        yield from ((f"{ORDERS} orders", case) for case in about_orders(folders["orders"]))

    def hook(self, case: Case) -> Took:
        """One hook; what it stores is taken away again."""
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.data),
            "CLAUDE_PLUGIN_DATA": str(self.data),
            "CLAUDE_PROJECT_DIR": str(case.project),
            "CLAUDE_PID": str(os.getpid()),
        }
        took, done = timed(["sh", str(RUN), case.event], json.dumps(case.payload).encode(), environment)
        if case.kind == "stores":
            shutil.copyfile(self.kept, case.project / ".stretto/state" / EVENTS)
            Path(path_of(str(case.project / ".stretto/state" / EVENTS))).unlink(missing_ok=True)  # of the newer file
            os.sync()
        if done.returncode or done.stderr or bool(done.stdout) != case.said:
            raise RuntimeError(f"{case.event} {case.about}: {done.returncode} {done.stdout!r} {done.stderr!r}")
        return took


def timed(
    argv: Sequence[str], stdin: bytes = b"", environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> tuple[Took, "subprocess.CompletedProcess[bytes]"]:
    """Run a program; what it took, and what it said."""
    before, began = cpu(), time.perf_counter()
    done = subprocess.run(argv, input=stdin, env=environment, cwd=cwd, capture_output=True, check=False)
    return Took((time.perf_counter() - began) * 1000, cpu() - before), done


def cpu() -> float:
    """Milliseconds of the processor that the programs took which have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1000


def commit(path: Path) -> float:
    """Milliseconds of one write that waits for the disk."""
    began = time.perf_counter()
    with path.open("ab") as file:
        file.write(b"x" * 16_384)
        file.flush()
        os.fsync(file.fileno())
    return (time.perf_counter() - began) * 1000


def middle(times: Sequence[Took]) -> Took:
    """The medians."""
    return Took(statistics.median(t.wall for t in times), statistics.median(t.cpu for t in times))


def main() -> None:
    """Print a row for each hook in each situation, and the worst."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--python", default=str(Path(sys.executable).resolve()))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary).resolve()
        bench = Bench(root, args.python)
        cases = list(bench.cases(root))
        for _, case in cases:  # makes the byte code
            bench.hook(case)
        used = (bench.data / "python").read_text("utf-8").strip()
        if used != args.python:
            raise SystemExit(f"{args.python} is not the interpreter that the hooks ran on, but a way to {used}")
        times: list[list[Took]] = [[] for _ in cases]
        starts: list[Took] = []
        storing: list[Took] = []
        disk: list[float] = []
        for _ in range(args.rounds):
            for column, (_, case) in zip(times, cases, strict=True):
                starts.append(timed([args.python, "-I", "-S", "-c", "pass"])[0])
                column.append(bench.hook(case))
            storing.append(timed([args.python, "-I", "-S", "-c", STORING])[0])
            disk.append(commit(root / "disk"))
    start = middle(starts)
    show([(*case, middle(column)) for case, column in zip(cases, times, strict=True)], start)
    print(f"a bare start takes {start.wall:.1f} ms: median of {len(starts)}; a hook's is of {args.rounds}")
    parts = middle(storing).wall / start.wall, statistics.median(disk) / start.wall
    print(NOTE)
    print(f"what storing takes from the standard library, imported alone: {parts[0]:.2f} x a bare start")
    print(f"one fsync on this disk: {parts[1]:.2f} x a bare start; a hook that stores waits for five")


def show(rows: Sequence[tuple[str, Case, Took]], start: Took) -> None:
    """The table, and the worst."""
    print(f"{'situation':<14} {'hook':<14} {'about':<22} {'ms':>6} {'x bare':>7} {'x cpu':>6}")
    for situation, case, took in rows:
        ratio = took.wall / start.wall
        mark = " ".join(word for word in (case.kind, "" if ratio <= LIMIT else f"over {LIMIT:g}") if word)
        row = f"{situation:<14} {case.event:<14} {case.about:<22} {took.wall:6.1f} {ratio:7.2f}"
        print(f"{row} {took.cpu / start.cpu:6.2f}  {mark}".rstrip())
    worst, of = max((t.wall / start.wall, f"{s}: {c.event} {c.about}".strip()) for s, c, t in rows)
    print(f"the worst, where {LIMIT:g} is the limit: {worst:.2f} ({of})")


if __name__ == "__main__":
    main()
