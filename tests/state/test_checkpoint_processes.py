"""The saver under a real LangGraph graph, in processes that are killed, that share a store, or that are strict."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from stretto.state.blobs import BlobStore
from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.keys import below

GRAPH = """
import sys
from operator import add
from typing import Annotated, TypedDict
from langgraph.graph import END, START, StateGraph
from stretto.state.checkpoint import DiskCacheSaver

class State(TypedDict):
    steps: Annotated[list[int], add]
    ballast: str

def step(state):
    print(len(state["steps"]), flush=True)
    return {"steps": [len(state["steps"])]}

def more(state):
    return "step" if len(state["steps"]) < 40 else END

folder, durability = sys.argv[1:]
graph = StateGraph(State).add_node(step).add_edge(START, "step").add_conditional_edges("step", more, ["step", END])
config = {"configurable": {"thread_id": "t"}, "recursion_limit": 100}
with DiskCacheSaver(folder, durability=durability) as saver:
    app = graph.compile(checkpointer=saver)
    begun = bool(app.get_state(config).values)
    done = app.invoke(None if begun else {"steps": [], "ballast": "b" * 100_000}, config, durability="sync")
    assert done["steps"] == list(range(40)), done["steps"]
    assert done["ballast"] == "b" * 100_000
    print("done", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["power", "process"])
def test_a_graph_killed_between_its_steps_goes_on_where_it_was(tmp_path: Path, durability: str) -> None:
    argv = [sys.executable, "-W", "error", "-c", GRAPH, str(tmp_path / "c"), durability]
    ran: list[int] = []
    kills = 0
    while True:
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines: list[str] = []
            for line in process.stdout:
                lines.append(line.strip())
                if len(lines) == 6:
                    process.kill()
                    break
            lines += process.stdout.read().split()
        finished = "done" in lines
        ran += [int(line) for line in lines if line != "done"]
        if finished:
            break
        kills += 1
        assert kills < 20
    assert kills >= 3
    assert sorted(set(ran)) == list(range(40))
    assert all(after in (before, before + 1) for before, after in pairwise(ran))
    assert len(ran) <= 40 + kills


STRICT = """
import logging, sys
from dataclasses import dataclass
from datetime import datetime, UTC
from typing import Annotated, TypedDict
from langchain_core.messages import AIMessage, AnyMessage
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.types import Command, Send, interrupt
from stretto.state.checkpoint import DiskCacheSaver

@dataclass
class Point:
    x: int

class State(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    when: datetime
    point: Point

def ask(state):
    return {"messages": [AIMessage(interrupt("go on?"))], "point": Point(state["point"].x + 1)}

graph = StateGraph(State).add_node(ask).add_edge(START, "ask").add_edge("ask", END)
config = {"configurable": {"thread_id": "t"}}
log = []
logging.getLogger().addHandler(type("Keep", (logging.Handler,), {"emit": lambda self, record: log.append(record)})())
with DiskCacheSaver(sys.argv[1]) as saver:
    app = graph.compile(checkpointer=saver)
    assert app.checkpointer is not saver, "strict mode copies the saver"
    assert app.checkpointer._store is saver._store
    app.invoke({"messages": [("user", "hi")], "when": datetime.now(UTC), "point": Point(1)}, config)
    done = app.invoke(Command(resume="yes"), config)
    assert done["messages"][-1].content == "yes"
    state = app.get_state(config).values
    assert state["point"] == Point(2), state["point"]
    assert isinstance(state["when"], datetime)
assert log == [], [record.getMessage() for record in log]
"""


def test_strict_mode_works_without_a_warning(tmp_path: Path) -> None:
    environment = {"LANGGRAPH_STRICT_MSGPACK": "true", "PATH": ""}
    argv = [sys.executable, "-W", "error", "-c", STRICT, str(tmp_path / "c")]
    finished = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")


WRITER = """
import sys
from langgraph.checkpoint.base import empty_checkpoint
from stretto.state.checkpoint import DiskCacheSaver

folder, name = sys.argv[1:]
with DiskCacheSaver(folder, durability="process") as saver:
    for thread in ("shared", name):
        at = {"configurable": {"thread_id": thread, "checkpoint_ns": name}}
        for number in range(40):
            made = empty_checkpoint()
            made.update(id=f"{number:04d}", channel_values={"x": name * 500, "n": number})
            made.update(channel_versions={"x": 1, "n": number})
            at = saver.put(at, made, {"step": number}, {"n": number, **({} if number else {"x": 1})})
            saver.put_writes(at, [("n", number)], f"task {name}", "path")
            found = saver.get_tuple(at)
            assert found.checkpoint["channel_values"] == {"x": name * 500, "n": number}
"""


def test_processes_that_open_and_write_one_store_at_once_lose_nothing(tmp_path: Path) -> None:
    names = ["one", "two", "three"]
    argv = [sys.executable, "-W", "error", "-c", WRITER, str(tmp_path / "c")]
    writers = [subprocess.Popen([*argv, name], stderr=subprocess.PIPE, text=True) for name in names]
    assert [(writer.communicate(timeout=60)[1], writer.returncode) for writer in writers] == [("", 0)] * 3
    with DiskCacheSaver(tmp_path / "c") as saver:
        for name in names:
            for thread in ("shared", name):
                found = list(saver.list({"configurable": {"thread_id": thread, "checkpoint_ns": name}}))
                assert [each.checkpoint["id"] for each in found] == [f"{n:04d}" for n in range(39, -1, -1)]
                assert all(each.pending_writes == [(f"task {name}", "n", n)] for n, each in enumerate(reversed(found)))


CROWD = """
import operator, sys
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, TypedDict
from langgraph.graph import END, START, StateGraph
from stretto.state.checkpoint import DiskCacheSaver

class State(TypedDict):
    steps: Annotated[list[str], operator.add]

def step(state):
    return {"steps": [f"{len(state['steps'])} " + "text " * 200]}

def talk(thread):
    app = graph.compile(checkpointer=saver)
    for turn in range(6):
        app.invoke({"steps": []}, {"configurable": {"thread_id": thread}})
        if turn % 3 == 2:
            saver.prune([thread])
    steps = app.get_state({"configurable": {"thread_id": thread}}).values["steps"]
    assert [each.split()[0] for each in steps] == [str(number) for number in range(6)], steps
    saver.verify(thread)

graph = StateGraph(State).add_node(step).add_edge(START, "step").add_edge("step", END)
folder, name = sys.argv[1:]
with DiskCacheSaver(folder, durability="process") as saver, ThreadPoolExecutor(8) as pool:
    list(pool.map(talk, [f"{name} {number}" for number in range(8)]))
"""


@pytest.mark.slow
def test_four_processes_of_eight_threads_write_and_prune_one_store_without_an_error(tmp_path: Path) -> None:
    argv = [sys.executable, "-W", "error", "-c", CROWD, str(tmp_path / "c")]
    crowd = [subprocess.Popen([*argv, str(name)], stderr=subprocess.PIPE, text=True) for name in range(4)]
    assert [(each.communicate(timeout=100)[1], each.returncode) for each in crowd] == [("", 0)] * 4
    with DiskCacheSaver(tmp_path / "c") as saver:
        assert len([*saver.threads()]) == 32


ABORT = """
import os, signal, sys
from stretto.state.blobs import BlobStore

store = BlobStore(sys.argv[1], "process")
with store.transaction():
    store.set(b"a", b"old" * 400_000)
    store.set(b"b", b"old" * 400_000)
with store.transaction():
    store.set(b"a", b"new" * 400_000)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def overwrite(store: BlobStore, *values: Any) -> None:
    with store.transaction():
        for value in values:
            store.set(b"a", value)


def test_a_kill_inside_a_transaction_leaves_the_old_megabytes(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", ABORT, str(tmp_path / "c")], check=False)
    assert killed.returncode == -9
    store = BlobStore(tmp_path / "c", "process")
    assert [row.value for _, row in store.rows(below(b""))] == [b"old" * 400_000] * 2
    with pytest.raises(TypeError):
        overwrite(store, b"new" * 400_000, "not bytes")
    assert [row.value for _, row in store.rows(below(b""))] == [b"old" * 400_000] * 2
    store.close()


FORK = """
import gc, os, sys
from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.errors import StrettoError

def refused(act):
    try:
        act()
    except StrettoError as error:
        return "fork" in error.message
    return False

folder = sys.argv[1]
saver = DiskCacheSaver(folder)
config = {"configurable": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": "1"}}
saver.put_writes(config, [("x", 1)], "task")
child = os.fork()
if not child:
    try:
        assert refused(lambda: saver.put_writes(config, [("x", 2)], "child"))
        assert refused(lambda: saver.get_tuple(config))
        assert refused(lambda: DiskCacheSaver(folder))
        saver.close()  # harmless
        DiskCacheSaver(folder + " of its own").close()
    except BaseException as error:
        os.write(2, repr(error).encode())
        os._exit(1)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
saver.put_writes(config, [("x", 3)], "parent")
saver.close()
child = os.fork()
if not child:
    DiskCacheSaver(folder).close()  # closed before the fork: free to open
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


def test_a_fork_is_refused_since_it_would_corrupt_the_store(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK, str(tmp_path / "c")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
