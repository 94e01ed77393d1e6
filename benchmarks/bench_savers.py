"""LangGraph's checkpoints in Stretto's saver, beside SqliteSaver with the same durability, in one run.

    python benchmarks/bench_savers.py [--rounds 9] [--write docs/performance.md]

Every round runs each workload with each saver, one after the other and in another order each time, so that what else
the machine does is shared out. A ratio is taken within a round, and the median of all rounds is printed with its range.
SqliteSaver as it comes syncs every commit (FULL), as Stretto's saver does with `power`; with synchronous=NORMAL it
survives a killed process, as `process` does.
"""

import argparse
import contextlib
import gc
import json
import math
import operator
import os
import platform
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, Checkpoint
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.types import Send

from stretto.state.blobs import BlobStore
from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.disk import Durability

Saver = BaseCheckpointSaver[Any]
Open = Callable[[Path], contextlib.AbstractContextManager[Saver]]
LEVELS: Mapping[Durability, str] = {"power": "SqliteSaver, FULL", "process": "SqliteSaver, NORMAL"}


class Took(NamedTuple):
    """One workload with one saver, once."""

    times: int
    wall: float
    cpu: float
    size: int


# Savers


@contextlib.contextmanager
def sqlite(directory: Path, synchronous: str) -> Generator[Saver]:
    with SqliteSaver.from_conn_string(str(directory / "checkpoints.db")) as saver:
        saver.serde = JsonPlusSerializer(allowed_msgpack_modules=None)  # as strict as Stretto's
        saver.setup()
        saver.conn.execute(f"PRAGMA synchronous={synchronous}")
        yield saver


@contextlib.contextmanager
def in_memory(directory: Path) -> Generator[Saver]:
    del directory
    yield InMemorySaver()


SAVERS: Mapping[str, Open] = {
    "power": DiskCacheSaver,
    "SqliteSaver, FULL": lambda directory: sqlite(directory, "FULL"),
    "process": lambda directory: DiskCacheSaver(directory, durability="process"),
    "SqliteSaver, NORMAL": lambda directory: sqlite(directory, "NORMAL"),
    "InMemorySaver": in_memory,
}


def on_disk(directory: Path) -> int:
    """Bytes of all files, once the write-ahead log is in the database."""
    for path in directory.glob("*.db"):
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
    return sum(path.stat().st_size for path in directory.iterdir())


# Graphs


def prose(draw: random.Random, size: int) -> str:
    """Text as a coding assistant sees it: of the standard library's sources."""
    start = draw.randrange(len(SOURCES) - size)
    return SOURCES[start : start + size]


SOURCES = "".join(
    Path(os.__file__).with_name(f"{name}.py").read_text("utf-8") for name in ("argparse", "ast", "typing")
)


class Steps(TypedDict):
    number: int
    note: str
    log: Annotated[list[str], operator.add]


class Chat(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    results: Annotated[list[dict[str, Any]], operator.add]


def config(thread: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": ""}, "recursion_limit": 5000}


def stepping(saver: Saver, steps: int) -> Any:
    def step(state: Steps) -> dict[str, Any]:
        return {"number": state["number"] + 1, "note": f"step {state['number']}"}

    def more(state: Steps) -> str:
        return END if state["number"] >= steps else "step"

    graph: Any = StateGraph(Steps)
    graph.add_node(step).add_edge(START, "step").add_conditional_edges("step", more, ["step", END])
    return graph.compile(checkpointer=saver)


def chatting(saver: Saver, draw: random.Random) -> Any:
    def bot(state: Chat) -> dict[str, Any]:
        del state
        return {"messages": [AIMessage(prose(draw, 2048))]}

    graph: Any = StateGraph(Chat)
    return graph.add_node(bot).add_edge(START, "bot").add_edge("bot", END).compile(checkpointer=saver)


def fanning(saver: Saver, draw: random.Random, width: int) -> Any:
    texts = [prose(draw, 400) for _ in range(width)]

    def plan(state: Chat) -> dict[str, Any]:
        del state
        return {"results": []}

    def spread(state: Chat) -> list[Send]:
        del state
        return [Send("work", {"number": number, "text": text}) for number, text in enumerate(texts)]

    def work(state: dict[str, Any]) -> dict[str, Any]:
        return {"results": [{"number": state["number"], "text": state["text"][:200]}]}

    def join(state: Chat) -> dict[str, Any]:
        return {"messages": [AIMessage(f"joined {len(state['results'])}")]}

    graph: Any = StateGraph(Chat)
    graph.add_node(plan).add_node(work).add_node(join)
    graph.add_edge(START, "plan").add_conditional_edges("plan", spread, ["work"])
    graph.add_edge("work", "join").add_edge("join", END)
    return graph.compile(checkpointer=saver)


# Workloads: each makes ready up to its first yield, and does one unit from each yield to the next

Course = Iterator[None]
BATCH = 20
"""So many of what takes less than a millisecond are a unit."""


def trivial(saver: Saver, runs: int = 6, steps: int = 25) -> Course:
    app = stepping(saver, steps)
    app.invoke({"number": steps - 3, "note": "", "log": []}, config("warm"), durability="sync")
    yield
    for run in range(runs):
        app.invoke(Steps(number=0, note="", log=[]), config(f"t{run}"), durability="sync")
        yield


def fan_out(saver: Saver, runs: int = 4) -> Course:
    draw = random.Random(7)
    app = fanning(saver, draw, 32)
    messages = [HumanMessage(prose(draw, 2048)) for _ in range(25)]
    app.invoke({"messages": messages[:1]}, config("warm"), durability="sync")
    yield
    for run in range(runs):
        app.invoke({"messages": messages}, config(f"t{run}"), durability="sync")
        yield


def long_chat(saver: Saver, turns: int = 100) -> Course:
    draw = random.Random(11)
    app = chatting(saver, draw)
    yield
    for _ in range(turns):
        app.invoke({"messages": [HumanMessage(prose(draw, 2048))]}, config("t"), durability="sync")
        yield


def small_change(saver: Saver, puts: int = 200) -> Course:
    draw = random.Random(5)
    messages = [HumanMessage(prose(draw, 2048), id=str(number)) for number in range(50)]
    version = saver.get_next_version(None, None)
    versions: dict[str, Any] = {"messages": version, "number": version}
    at, new = config("t"), dict(versions)
    yield
    for number in range(puts):
        made = Checkpoint(
            v=4,
            id=str(uuid6(clock_seq=number)),
            ts="2026-01-01T00:00:00+00:00",
            channel_values={"messages": messages, "number": number},
            channel_versions=dict(versions),
            versions_seen={"node": dict(versions)},
            updated_channels=["number"],
        )
        at = saver.put(at, made, {"source": "loop", "step": number, "parents": {}}, new)
        saver.put_writes(at, [("number", number + 1)], f"task-{number}", "~p")
        versions["number"] = saver.get_next_version(versions["number"], None)
        new = {"number": versions["number"]}
        if (number + 1) % BATCH == 0:
            yield
    found = saver.get_tuple(config("t"))
    assert found is not None
    assert found.checkpoint["channel_values"] == {"messages": messages, "number": puts - 1}


def get_state(saver: Saver, reads: int = 300) -> Course:
    draw = random.Random(3)
    log = [prose(draw, 200) for _ in range(20)]
    short, app = stepping(saver, 10), stepping(saver, 998)
    for number in range(20):
        short.invoke({"number": 0, "note": "", "log": log}, config(f"other {number}"), durability="exit")
    app.invoke({"number": 0, "note": "", "log": log}, config("t"), durability="sync")
    assert app.get_state(config("t")).values["number"] == 998
    yield
    for _ in range(reads // BATCH):
        for _ in range(BATCH):
            app.get_state(config("t"))
        yield


class Workload(NamedTuple):
    """What is done, how often what it does is counted in, and the ratios that are aimed at: power, process."""

    name: str
    act: Callable[[Saver], Course]
    unit: str
    goals: tuple[float, float]
    most: int


WORKLOADS = (
    Workload("trivial state, 25 steps", trivial, "a run", (1.0, 1.0), 99),
    Workload("fan-out 1-32-1, 50 KB of messages", fan_out, "a run", (1.0, 1.0), 99),
    Workload("chat of 100 turns, 400 KB at the end", long_chat, "a turn", (1.4, 1.6), 9),
    Workload("one small change in a 100 KB state", small_change, f"{BATCH} puts", (1.5, 4.0), 99),
    Workload("get_state among 1,000 checkpoints", get_state, f"{BATCH} reads", (1.0, 1.0), 7),
)
SIZES = {"chat of 100 turns, 400 KB at the end": 2**20, "one small change in a 100 KB state": 1024}
"""What the stored bytes of a workload may be at most: of all of it, or of one put."""


def run(workload: Workload, rounds: int) -> dict[str, list[Took]]:
    """Every round opens new stores of all savers, which then do one unit each in turn, in an order drawn anew."""
    found: dict[str, list[Took]] = {name: [] for name in SAVERS}
    for number in range(min(rounds, workload.most)):
        for name, took in one_round(workload, random.Random(number)).items():
            found[name].append(took)
    return found


def one_round(workload: Workload, draw: random.Random) -> dict[str, Took]:
    took = dict.fromkeys(SAVERS, Took(0, 0.0, 0.0, 0))
    with tempfile.TemporaryDirectory() as folder:
        folders = {name: Path(folder, str(number)) for number, name in enumerate(SAVERS)}
        with contextlib.ExitStack() as stack:
            courses: dict[str, Course] = {}
            for name, own in folders.items():
                own.mkdir()
                courses[name] = workload.act(stack.enter_context(SAVERS[name](own)))
                next(courses[name])
            gc.collect()
            while courses:
                for name in draw.sample(list(courses), len(courses)):
                    cpu, wall = time.process_time(), time.perf_counter()
                    if next(courses[name], took) is took:
                        del courses[name]
                        continue
                    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                    took[name] = Took(took[name].times + 1, took[name].wall + wall, took[name].cpu + cpu, 0)
        return {name: each._replace(size=on_disk(folders[name])) for name, each in took.items()}


def ratio(ours: Sequence[Took], theirs: Sequence[Took], field: str) -> str:
    """How many times as long they took, round by round: the median, and the interval that holds it 19 times of 20."""
    each = sorted(getattr(b, field) / getattr(a, field) for a, b in zip(ours, theirs, strict=True))
    low, high = interval(len(each))
    return f"{statistics.median(each):.2f} ({each[low]:.2f} to {each[high]:.2f})"


def interval(n: int) -> tuple[int, int]:
    """Which of `n` sorted values bound their median with 95 % confidence, whatever they are distributed like."""
    outside = 0
    for low in range(n):
        outside += math.comb(n, low)
        if outside / 2**n > 0.025:
            return low, n - 1 - low
    raise ValueError("no values")


def middle(took: Sequence[Took]) -> float:
    """Microseconds for one."""
    return statistics.median(each.wall / each.times for each in took) * 1e6


# The floor, and what is not a matter of speed


INSERTS = {
    "plain": "INSERT INTO rows VALUES (?, ?)",
    "diskcache": "INSERT INTO Cache (key, raw, store_time, size, mode, value) VALUES (?, 1, 0, 0, 1, ?)",
}


def floor(rounds: int = 300) -> dict[str, float]:
    """Microseconds for a transaction of one row of 1 KB, in a plain table and in diskcache's."""
    took: dict[str, list[float]] = {}
    for durability in LEVELS:
        with tempfile.TemporaryDirectory() as folder:
            BlobStore(folder, durability).close()
            cache = sqlite3.connect(Path(folder, "cache.db"), isolation_level=None)
            plain = sqlite3.connect(Path(folder, "plain.db"), isolation_level=None)
            plain.executescript("PRAGMA journal_mode=WAL; CREATE TABLE rows (key BLOB PRIMARY KEY, value BLOB)")
            for connection in (cache, plain):
                connection.execute(f"PRAGMA synchronous={LEVELS[durability].split()[-1]}")
            for number in range(rounds):
                key, value = b"%d" % number, os.urandom(1024)
                for name, connection in (("plain", plain), ("diskcache", cache)):
                    began = time.perf_counter()
                    connection.execute("BEGIN IMMEDIATE")
                    connection.execute(INSERTS[name], (key, value))
                    connection.execute("COMMIT")
                    took.setdefault(f"{name}_{durability}", []).append(time.perf_counter() - began)
            plain.close()
            cache.close()
    return {name: statistics.median(each) * 1e6 for name, each in took.items()}


def pruned() -> tuple[int, int]:
    """Bytes on the disk before and after pruning a chat to its newest checkpoint."""
    with tempfile.TemporaryDirectory() as folder, DiskCacheSaver(folder, durability="process") as saver:
        for _ in long_chat(saver, 60):
            pass
        before = on_disk(Path(folder))
        saver.prune(["t"])
        return before, on_disk(Path(folder))


CHILD = "import sys; sys.path.insert(0, sys.argv[1]); import bench_savers; bench_savers.share(sys.argv[2], sys.argv[3])"


def share(folder: str, name: str, turns: int = 10) -> None:
    """Chat in eight threads at once, each with a conversation of its own."""
    errors: list[Exception] = []

    def talk(number: int) -> None:
        try:
            app = chatting(saver, random.Random(number))
            for _ in range(turns):
                app.invoke({"messages": [HumanMessage("hello")]}, config(f"{name} {number}"), durability="sync")
            assert len(app.get_state(config(f"{name} {number}")).values["messages"]) == 2 * turns
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            errors.append(error)

    with DiskCacheSaver(folder, durability="process") as saver:
        threads = [threading.Thread(target=talk, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print(json.dumps([repr(error) for error in errors]))


def shared() -> int:
    """How many errors four processes of eight threads each have on one store."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-c", CHILD, str(Path(__file__).parent), folder]
        children = [subprocess.Popen([*argv, str(name)], stdout=subprocess.PIPE, text=True) for name in range(4)]
        said = [child.communicate()[0] for child in children]
        return sum(
            len(json.loads(words)) if child.returncode == 0 else 8 for words, child in zip(said, children, strict=True)
        )


# Telling


def tables(found: Mapping[str, Mapping[str, Sequence[Took]]]) -> Generator[str]:
    present = [workload for workload in WORKLOADS if workload.name in found]
    yield "| Workload | Durability | n | Ratio, wall time | Goal | Reached | Ratio, CPU time | Time for one |"
    yield "|---|---|---|---|---|---|---|---|"
    for workload in present:
        took = found[workload.name]
        for (ours, theirs), goal in zip(LEVELS.items(), workload.goals, strict=True):
            wall = ratio(took[ours], took[theirs], "wall")
            reached = "yes" if float(wall.split()[0]) >= goal else "**no**"
            n = f"{len(took[ours])} x {took[ours][0].times}"
            cpu = ratio(took[ours], took[theirs], "cpu")
            one = f"{middle(took[ours]):,.0f} µs for {workload.unit}"
            yield f"| {workload.name} | {ours} | {n} | {wall} | {goal} | {reached} | {cpu} | {one} |"
    yield ""
    yield "| Workload | Stretto, bytes | SqliteSaver, bytes | Goal | Reached |"
    yield "|---|---|---|---|---|"
    for workload in present:
        took, most = found[workload.name], SIZES.get(workload.name)
        per = BATCH * took["power"][0].times if workload.act is small_change else 1
        bytes_ours = max(each.size for name in LEVELS for each in took[name]) / per
        bytes_theirs = max(each.size for name in LEVELS.values() for each in took[name]) / per
        reached = "" if most is None else "yes" if bytes_ours <= most else "**no**"
        name = f"{workload.name}: one put" if per > 1 else workload.name
        yield f"| {name} | {bytes_ours:,.0f} | {bytes_theirs:,.0f} | {f'{most:,}' if most else ''} | {reached} |"
    yield ""
    yield "| Workload | InMemorySaver, time for one |"
    yield "|---|---|"
    for workload in present:
        memory = middle(found[workload.name]["InMemorySaver"])
        yield f"| {workload.name} | {memory:,.0f} µs for {workload.unit} |"


PAGE = """\
# Performance of the saver

<!-- made by `python benchmarks/bench_savers.py --write docs/performance.md` -->

`DiskCacheSaver` beside LangGraph's `SqliteSaver`, in one run. A ratio says how many times as long SqliteSaver took with
the same durability: above 1, Stretto is faster. In a round all savers take turns, unit by unit (what the last column
counts), each time in another order; a ratio is that of their sums in one round. Printed is the median of the rounds,
with the interval that holds it with 95 % confidence; n is rounds x units. Both serializers are as strict as each other.
Wall time depends on what else the machine does, CPU time less, bytes not at all. A put of "one small change" is that of
a checkpoint, and then of one write of a task to it.

{machine}

{tables}

A transaction of one row of 1 KB in a plain table of SQLite, the least that a saver can take for a checkpoint, took
{plain_power:,.0f} µs with FULL and {plain_process:,.0f} µs with NORMAL; in diskcache's, {diskcache_power:,.0f} and
{diskcache_process:,.0f} (median of 300).

Pruning a chat of 60 turns to its newest checkpoint made the file shrink from {before:,} to {after:,} bytes: pages
that become free are given back to the file system at once (SQLite's `auto_vacuum`).

4 processes with 8 threads each, a chat of 10 turns in each thread, all on one store: {errors} errors.

## Where the time goes

A step of a trivial graph writes a checkpoint, and what its task wrote. SqliteSaver does that in two transactions, and
Stretto mostly in one: what a task wrote waits for up to 5 ms for the checkpoint. Where a commit waits for the disk
(`power`), Stretto also overwrites a write-ahead log that has its size from the start, where appending takes longer.
Where it does not wait (`process`), the time is what Python and SQLite compute, and for a state of a few bytes Stretto
has more to compute: a row of diskcache's
table takes {diskcache_process:,.0f} µs where one of a plain table takes {plain_process:,.0f}; each
transaction asks whether somebody else has written since the last one, each commit is
left in the mark beside the file, and each row gets a digest. Larger values are deflated, which takes a millisecond for
100 KB of text.

In a long chat most of the time is LangGraph's and its serializer's, with either saver: InMemorySaver, too, decodes all
messages at the start of a turn and encodes them twice. Stretto compares what a message holds with what it held, and
encodes it only if that is another; it copies the messages that it has decoded before, for which it keeps up to 16 MB;
and what it stores of the list is its new end.
"""


def page(found: Mapping[str, Mapping[str, Sequence[Took]]]) -> str:
    before, after = pruned()
    return PAGE.format(
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f};"
        f" Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}.",
        tables="\n".join(tables(found)),
        **floor(),
        before=before,
        after=after,
        errors=shared(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--only", default="", help="a part of the names of the workloads to run, to print no more")
    parser.add_argument("--write", type=Path, help="a file for the report, beside printing it")
    args = parser.parse_args()
    workloads = [workload for workload in WORKLOADS if args.only in workload.name]
    found = {workload.name: run(workload, args.rounds) for workload in workloads}
    if args.only:
        print("\n".join(tables(found)))
        return
    report = page(found)
    print(report)
    if args.write:
        args.write.write_text(report, "utf-8")


if __name__ == "__main__":
    main()
