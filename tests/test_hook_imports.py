"""What a hook imports on the way that it takes with every tool call, prompt and session: its cost, without a clock.

`benchmarks/bench_hooks.py` measures it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stretto.state import orders
from stretto.state.log import Log
from stretto.state.rows import Order, Taker

ROOT = Path(__file__).parents[1]
SESSION, W = "session-1", "shop_001"
OPEN, TAKEN = f"{W}/plan/T1#1", f"{W}/plan/T2#1"
MINE = {"agent_type": "stretto:implementer"}

LOADS = "import gc, _json, operator, os, time"
READS = f"{LOADS}, _sqlite3, binascii, fcntl"
JUDGES = f"{READS}, collections.abc, functools, re"
STORES = f"{READS}, __future__, collections.abc"
CHAINS = f"""{STORES}
try:
    import _sha2
except ImportError:
    import _sha256
"""
"""What is paid for: whatever these bring along on this Python is allowed too."""
DOOR = {"commands", "commands.hook", "state", "state.quick_json"}
ORDERS = DOOR | {"commands.hook_orders", "state.errors", "state.ours", "state.places", "state.tracked"}
LOOK = {"state.process", "state.reader", "state.schema", "state.sqlite", "state.standing", "state.tide"}
JUDGE = {"commands.guarding", "agents", "agents.declared", "agents.paths"}
TYPED = DOOR | {"commands.hook_lines", "commands.arguments"}
ON_SESSION = ORDERS | {"commands.hook_session"}
IDS = {"state.ids", "state.light"}
WRITE = (ORDERS | IDS | LOOK - {"state.standing"}) | {
    "commands.taking",
    "state.chain",
    "state.database",
    "state.folders",
    "state.gate",
    "state.lazy",
    "state.log",
    "state.machine",
    "state.moments",
    "state.opening",
    "state.order_rows",
    "state.orders",
    "state.queries",
    "state.registry",
    "state.rows",
    "state.store",
    "state.transaction",
    "state.wake",
    "state.wire",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which one order is open and one is taken."""
    project = tmp_path_factory.mktemp("project")
    with Log.open(project / ".stretto" / "state", durability="process") as log, log.write() as tx:
        tx.create_workflow(W, kind="feature", description="Add a shop", spec={"a": 1}, runner="host")
        for status in ("SCHEDULED", "RUNNING", "PAUSED"):
            tx.set_status(W, status)
        for order in (OPEN, TAKEN):
            copy = str(project / "copy" / order[-4:-2])
            place = {"path": copy, "cwd": copy, "project": str(project)}
            work = {"phase": "plan", "started": {}, "brief": {"role": "implementer", "writes": ["src/"]}, "text": "Do"}
            orders.make(tx, order, {**work, "workspace": place}, {})
        orders.take(tx, TAKEN, Taker(SESSION, "a", 0, "", "", ""))
    return project


def imported(*args: str, stdin: str = "", **environment: str) -> set[str]:
    """Every module that a Python has imported, before it was there for the program and after."""
    argv = [sys.executable, "-X", "importtime", "-I", "-S", *args]
    known = {"XDG_STATE_HOME": os.environ["XDG_STATE_HOME"], **environment}
    done = subprocess.run(argv, input=stdin, env=known, capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    assert all(line.startswith("import time:") for line in lines), done.stderr
    return {line.rpartition("|")[2].strip() for line in lines}


def hook(event: str, project: Path, facts: dict[str, Any]) -> set[str]:
    """What serving an event imports."""
    payload = {"session_id": SESSION, "prompt_id": "p", "cwd": str(project), **facts}
    data = {"CLAUDE_PLUGIN_DATA": str(project.parent / "data"), "CLAUDE_PROJECT_DIR": str(project)}
    return imported(str(ROOT / "hooks" / "hook.py"), event, stdin=json.dumps(payload), **data)


def edit(path: str, **facts: Any) -> dict[str, Any]:
    return {"tool_name": "Edit", "tool_input": {"file_path": path}, **facts}


def run(command: str) -> dict[str, Any]:
    return {"tool_name": "Bash", "tool_input": {"command": command}}


def start(kind: str, prompt: str) -> dict[str, Any]:
    return {"tool_name": "Agent", "tool_input": {"subagent_type": kind, "prompt": prompt}}


ANYWHERE: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "a command of somebody else's": ("expansion", {"command_name": "review"}, TYPED),
    "a skill of somebody else's": ("skill", {"tool_input": {"skill": "pdf"}}, TYPED),
    "a command of ours that the model calls": ("skill", {"tool_input": {"skill": "stretto:plan"}}, TYPED),
    "an agent of somebody else's": ("launch", start("Explore", "Look at shop_001/plan/T1#1"), ORDERS),
    "the end of such an agent": ("subagent-stop", {"agent_type": "Explore"}, ORDERS),
    "an agent of ours without an order": ("launch", start("stretto:tester", "Test it #1"), ORDERS | IDS),
    "a shell command": ("shell", run("cd src && make"), ON_SESSION),
    "a shell command of ours": ("shell", run(f"stretto brief {TAKEN}"), ON_SESSION),
    "a report by a shell command": ("shell", run(f'stretto report {TAKEN} --failed "no"'), ON_SESSION | IDS),
}
WITHOUT_A_STORE: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "the start of a session": ("session-start", {}, ON_SESSION),
    "a change of a file": ("guard", edit("a.py"), ORDERS),
    "the end of a turn": ("stop", {}, ON_SESSION),
}
WITH_ORDERS: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "the start of a session": ("session-start", {}, ON_SESSION | LOOK),
    "a change of a file": ("guard", edit("a.py"), ORDERS | LOOK | JUDGE),
    "a change of a locked file": ("guard", edit("src/a.py"), ORDERS | LOOK | JUDGE),
    "an agent's change": ("guard", edit("copy/T2/src/a.py", **MINE), ORDERS | LOOK | JUDGE),
    "an agent's change elsewhere": ("guard", edit("/elsewhere/a.py", **MINE), ORDERS | LOOK | JUDGE),
    "the end of a turn": ("stop", {"background_tasks": []}, ON_SESSION | LOOK),
}


def check(found: set[str], ours: set[str], paid: str) -> None:
    mine = {name.removeprefix("stretto.") for name in found if name.startswith("stretto.")}
    rest = {name for name in found if name.partition(".")[0] != "stretto"}
    assert mine - ours == set()
    assert ours & DOOR <= mine
    assert rest - imported("-c", paid) == set()


@pytest.mark.parametrize("case", ANYWHERE)
def test_what_is_not_our_business_is_found_out_without_a_look_into_the_store(store: Path, case: str) -> None:
    event, facts, ours = ANYWHERE[case]

    check(hook(event, store, facts), ours, LOADS)


@pytest.mark.parametrize("case", WITHOUT_A_STORE)
def test_without_a_store_no_database_is_imported(tmp_path: Path, case: str) -> None:
    event, facts, ours = WITHOUT_A_STORE[case]

    check(hook(event, tmp_path, facts), ours, LOADS)


@pytest.mark.parametrize("case", WITH_ORDERS)
def test_a_look_into_the_store_imports_what_it_takes_to_read_it_and_nothing_else(store: Path, case: str) -> None:
    event, facts, ours = WITH_ORDERS[case]

    check(hook(event, store, facts), ours, JUDGES if ours >= JUDGE else READS)


@pytest.fixture
def at_work(store: Path) -> Iterator[Path]:
    """The same project while its driver writes."""
    with Log.open(store / ".stretto" / "state") as log:
        with log.write() as tx:
            tx.event("PHASE_PROGRESS", W, "plan", {})
        yield store


@pytest.mark.parametrize("case", WITH_ORDERS)
def test_beside_a_driver_at_work_a_hook_imports_no_more(at_work: Path, case: str) -> None:
    event, facts, ours = WITH_ORDERS[case]

    check(hook(event, at_work, facts), ours, JUDGES if ours >= JUDGE else READS)


def test_to_store_a_report_takes_no_more_than_the_log(store: Path) -> None:
    transcript = store / "agent.jsonl"
    first = {"type": "user", "message": {"role": "user", "content": f"Work order {TAKEN}\n\nDo it."}}
    transcript.write_text(json.dumps(first) + "\n", "utf-8")
    said = {"agent_transcript_path": str(transcript), "last_assistant_message": '{"status": "completed"}'}

    found = hook("subagent-stop", store, {**MINE, **said})

    check(found, WRITE | {"agents", "agents.transcript"}, STORES)
    assert order(store, TAKEN).state == "reported"


def test_to_hand_an_order_out_takes_no_more_than_the_log_and_its_hash(store: Path) -> None:
    found = hook("launch", store, start("stretto:implementer", OPEN))

    check(found, WRITE | {"state.digest"}, CHAINS)
    assert order(store, OPEN).state == "taken"


def order(project: Path, name: str) -> Order:
    log = Log.find(project / ".stretto" / "state")
    assert log
    with log:
        found = log.order(*orders.parse(name))
    assert found
    return found


def test_the_list_holds_what_it_is_meant_to_keep_out() -> None:
    assert not {"typing", "pathlib", "contextlib", "threading", "dataclasses", "hashlib"} & imported("-c", LOADS)
    assert not {"json", "re", "datetime"} & imported("-c", READS)
    assert not {"re", "datetime", "pathlib", "_hashlib"} & imported("-c", CHAINS)
    assert "typing" in imported("-c", "import typing")
