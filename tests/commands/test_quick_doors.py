"""What the quick commands import: their cost, without a clock. `benchmarks/bench_doors.py` measures it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stretto.state import orders
from stretto.state.log import Log
from stretto.state.rows import Taker

ROOT = Path(__file__).parents[2]
W = "shop_001"
OPEN, TAKEN = f"{W}/plan/T1#1", f"{W}/plan/T2#1"

# The program as it starts itself, with the package made by hand: nothing of an environment's own hides what is ours.
START = """
import sys
stretto = type(sys)("stretto")
stretto.__path__ = [sys.argv.pop(1)]
sys.modules["stretto"] = stretto
sys.path.append(sys.argv.pop(1))
from stretto.commands.__main__ import main
main()
"""
LINE = "import collections.abc, gc, importlib, os, types, operator, _json, __future__"
STORE = f"{LINE}, _sqlite3, _datetime, binascii, contextlib, fcntl, time"
WRITES = f"""{STORE}, pathlib
try:
    import _sha2
except ImportError:
    import _sha256
"""
LISTS = f"{STORE}, re, fnmatch, urllib.parse, itertools"
HINT = f"{LINE}, difflib, unicodedata"
"""What is paid for: whatever these bring along on this Python is allowed too."""
_HEAVY = """
langgraph langchain_core pydantic yaml rich asyncio dataclasses typing argparse diskcache tenacity subprocess threading
inspect traceback logging email shutil
"""
HEAVY = frozenset(_HEAVY.split())
PLAN = "# Shop\n\n## Implementation Phases\n\n### Phase 1: Build\nTasks:\n- [ ] **T1** Build\n  - Writes: `a.py`\n"
ROOMS = ("commands.", "state")
"""Nothing of `graph` and `agents`, but for what `logs` reads."""
ATTEMPTS = {"agents", "agents.attempt_log"}
DOCUMENTS = {
    "graph",
    *(f"graph.{name}" for name in ("inventory", "markdown", "numbering", "plan_lines", "plan_reading")),
}
"""What reads plans, reports and summaries: as small as the rest."""

LOOKING: dict[str, tuple[list[str], int, str]] = {
    "all workflows": (["workflow-status"], 0, STORE),
    "all workflows for a program": (["workflow-status", "--json"], 0, STORE),
    "all workflows as a line": (["line", "/workflow-status"], 0, STORE),
    "one workflow": (["workflow-status", W], 0, STORE),
    "one workflow in detail": (["workflow-status", W, "--detailed"], 0, STORE),
    "a workflow that is none": (["workflow-status", "nobody_001"], 2, STORE),
    "all events": (["events"], 0, STORE),
    "the events of a workflow": (["events", W, "--json"], 0, STORE),
    "the events of a class": (["events", "--class=error", "--severity", "warning"], 0, STORE),
    "what an agent did": (["logs", W, "plan/T2"], 0, STORE),
    "the plans": (["list-plans"], 0, LISTS),
    "the reports that are ready, for a program": (["list-reports", "--orchestration-ready", "--json"], 0, LISTS),
    "the summaries of a name": (["list-summaries", "shop"], 0, LISTS),
    "cancelling what is none": (["cancel", "nobody_001"], 2, STORE),
}
WRITING: dict[str, tuple[list[str], int, str]] = {
    "taking an order": (["brief", OPEN], 0, WRITES),
    "steering an agent": (["steer", TAKEN, "Be quick."], 0, WRITES),
    "reporting an order": (["report", TAKEN, "--failed", "It is gone."], 0, WRITES),
}
ANYWHERE: dict[str, tuple[list[str], int, str]] = {
    "no words at all": ([], 0, LINE),
    "help": (["--help"], 0, LINE),
    "help on a command": (["orchestrate", "--help"], 0, LINE),
    "help on a verb": (["help", "events"], 0, LINE),
    "the version": (["--version"], 0, LINE),
    "an unknown flag": (["orchestrate", "x", "--bogus"], 2, HINT),
    "an unknown flag, for a program": (["plan", "x", "--bogus", "--json"], 2, f"{HINT}, _datetime"),
    "a number that is none": (["orchestrate", "x", "--max-agents=x"], 2, HINT),
    "a quote that is open": (["line", "/report 'x"], 2, HINT),
    "JSON that is none": (["subagents", "{", "{}"], 2, f"{HINT}, json, math, bisect"),
    "an unknown command": (["bogus"], 2, HINT),
    "an argument too many": (["events", "a", "b"], 2, LINE),
    "an order that is none": (["brief", "x"], 2, STORE),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a workflow of which one order is open and one is taken."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "specs" / "plans").mkdir(parents=True)
    (tmp_path / "specs" / "plans" / "001_shop.md").write_text(PLAN, "utf-8")
    with Log.open(tmp_path / ".stretto" / "state", durability="process") as log, log.write() as tx:
        tx.create_workflow(W, kind="feature", description="Add a shop", spec={"a": 1}, runner="host")
        for status in ("SCHEDULED", "RUNNING", "PAUSED"):
            tx.set_status(W, status)
        tx.event("PHASE_COMPLETED", W, "plan", {"artifacts": ["specs/plans/001_shop.md"]})
        for order in (OPEN, TAKEN):
            orders.make(tx, order, {"phase": "plan", "started": {}, "brief": {}, "text": "Do"}, {})
        orders.take(tx, TAKEN, Taker("", "a", 0, "", "", ""))
    return tmp_path


def python(*args: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-X", "importtime", "-I", "-S", *args]
    return subprocess.run(argv, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def imports(done: subprocess.CompletedProcess[str]) -> set[str]:
    """Every module that a Python has imported, before it was there for the program and after."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def hold(done: subprocess.CompletedProcess[str], paid: str, folder: Path) -> None:
    """See that what was imported is ours and of the quick rooms, or paid for."""
    found = imports(done)
    ours = {name.removeprefix("stretto.") for name in found if name.startswith("stretto.")}
    rest = {name for name in found if name.partition(".")[0] != "stretto"}
    assert not rest & HEAVY
    assert rest - imports(python("-c", paid, folder=folder)) == set()
    documents = DOCUMENTS if "graph.inventory" in ours else set[str]()
    assert {name for name in ours if not f"{name}.".startswith(ROOMS)} <= ATTEMPTS | documents | {"commands"}
    assert {"commands.cli", "commands.free"} & ours


def console(folder: Path, words: list[str], code: int, paid: str) -> None:
    """Run a command as the program does, and hold it to what is paid for."""
    (folder / "installed" / "stretto-9.9.dist-info").mkdir(parents=True)
    done = python("-c", START, str(ROOT), str(folder / "installed"), *words, folder=folder, HOME=str(folder))
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    hold(done, paid, folder)


@pytest.mark.parametrize("case", [*LOOKING, *WRITING])
def test_a_command_on_the_store_imports_what_it_takes_to_read_or_write_it(project: Path, case: str) -> None:
    console(project, *(LOOKING | WRITING)[case])


@pytest.mark.parametrize("case", [*ANYWHERE, "all workflows", "all events"])
def test_without_a_store_no_more_is_imported(tmp_path: Path, case: str) -> None:
    (tmp_path / ".git").mkdir()

    console(tmp_path, *(ANYWHERE | LOOKING)[case])


@pytest.mark.parametrize(
    ("name", "arguments", "paid"),
    [
        ("workflow-status", "", STORE),
        ("workflow-status", W, STORE),
        ("workflow-status", f"{W} --json", STORE),
        ("workflow-status", "--help", LINE),
        ("workflow-status", "--bogus", HINT),
        ("list-plans", "", LISTS),
        ("list-plans", f"shop --workflow-context={W} --json", f"{LISTS}, _datetime"),
    ],
)
def test_the_answer_to_a_typed_command_imports_no_more(
    project: Path, tmp_path_factory: pytest.TempPathFactory, name: str, arguments: str, paid: str
) -> None:
    typed = {"command_name": f"stretto:{name}", "command_args": arguments, "cwd": str(project)}
    data = tmp_path_factory.getbasetemp() / "data"
    argv = [sys.executable, "-X", "importtime", "-I", "-S", str(ROOT / "hooks" / "hook.py"), "expansion"]
    done = subprocess.run(
        argv,
        input=json.dumps({"session_id": "s", "prompt_id": "p", **typed}),
        env={"CLAUDE_PLUGIN_DATA": str(data)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout)["decision"] == "block"
    hold(done, paid, project)


def test_the_list_holds_what_it_is_meant_to_keep_out(tmp_path: Path) -> None:
    for paid in (LINE, STORE, WRITES, HINT):
        assert not imports(python("-c", paid, folder=tmp_path)) & HEAVY, paid
    assert not imports(python("-c", STORE, folder=tmp_path)) & {"pathlib", "hashlib", "difflib", "re", "json", "math"}
    assert HEAVY & imports(python("-c", "import argparse, asyncio", folder=tmp_path))
