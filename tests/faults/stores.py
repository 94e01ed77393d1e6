"""A store with something in everything, and every door through which it is read."""

import json
import operator
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.types import Command, interrupt

from stretto.commands import workflow_status
from stretto.commands.app import App
from stretto.commands.invocation import Invocation
from stretto.state import lease, orders, standing
from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.errors import StoreDamaged
from stretto.state.log import Log
from stretto.state.node_cache import DiskNodeCache
from stretto.state.rows import Taker
from stretto.state.subscription import Pace, Subscription
from stretto.state.subscription_rows import DeadLetter, put_dead_letter

WORKFLOWS = ("shop_001", "jwt_002")
CHECKPOINTS, CACHE = "checkpoints", "cache"
NOBODY = Taker("s", "a", 0, "", "", "")
KEPT: Any = (("node",), "key")
AT_ONCE = Pace(20, 0)
Answers = Mapping[str, object]


class Clock:
    """Seconds of the epoch; each look is a quarter of a second later."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        self.now += 0.25
        return self.now


class State(TypedDict):
    """What the graph of every thread below holds."""

    messages: Annotated[list[AnyMessage], add_messages]
    steps: Annotated[list[int], operator.add]
    text: str


def _work(state: State) -> dict[str, Any]:
    number = len(state["steps"])
    return {"steps": [number], "messages": [AIMessage(f"{number} " * 150, id=f"m{number}")]}


def _ask(_: State) -> dict[str, Any]:
    return {"text": f"answered {interrupt('go on?')}"}


def _next(state: State) -> str:
    return "work" if len(state["steps"]) < 6 else "ask"


def graph(saver: DiskCacheSaver) -> Any:
    """Six steps, then a question."""
    made: Any = StateGraph(State)
    made.add_node("work", _work).add_node("ask", _ask).add_edge(START, "work")
    return made.add_conditional_edges("work", _next, ["work", "ask"]).add_edge("ask", END).compile(checkpointer=saver)


def at(thread: str) -> Any:
    return {"configurable": {"thread_id": thread}}


def fill_log(log: Log) -> None:
    """Two workflows that are under way, with a row in every table and pages enough for a tree."""
    for name in WORKFLOWS:
        with log.write() as tx:
            tx.create_workflow(name, kind="feature", description=f"Add {name}", spec={"a": [1]}, runner="r")
            tx.set_status(name, "SCHEDULED", {"start_time": "immediate"})
            tx.set_status(name, "RUNNING", {"branch": "b"})
            tx.put_fact(name, "base", "abc")
            tx.put_fact(name, "large", "l" * 6000)
        fence = lease.acquire(log, name)
        for number in range(12):
            with log.write(fence) as tx:
                task = f"plan/T{number}"
                tx.start_attempt(name, task, 1, f"{name}/{task}#1", "plan", {"agent_id": "a"})
                tx.record_outcome(name, task, 1, {"status": "completed"}, "TASK_COMPLETED", "plan", {"n": number})
                tx.event("PHASE_PROGRESS", name, "plan", {"text": f"{number} " * 60})
    for number in range(3):
        with log.write() as tx:
            order = f"{WORKFLOWS[0]}/code/T{number}#1"
            work = {"phase": "code", "started": {"agent_id": "a"}}
            orders.make(tx, order, work, {"agent_id": "a"})
            if number:
                orders.take(tx, order, NOBODY)
            orders.note(tx, order, "careful")
    with log.write() as tx:
        tx.request(WORKFLOWS[0], "drain")
        put_dead_letter(tx.database, DeadLetter("keeper", 3, 3, "ValueError: no", tx.now))


def _hear(store: Path) -> list[int]:
    heard: list[int] = []
    with Subscription.open(store, "keeper", after=0, pace=AT_ONCE, delays=()) as keeper:
        keeper.catch_up(lambda batch: heard.extend(event.seq for event in batch))
    return heard


def fill_saver(saver: DiskCacheSaver) -> None:
    app = graph(saver)
    for thread in ("waiting", "done"):
        app.invoke({"messages": [HumanMessage("hello", id="h")], "text": "long " * 300, "steps": []}, at(thread))
    app.invoke(Command(resume="yes"), at("done"))


def make(store: Path, *, killed: bool) -> None:
    """Make the store, at rest or as a driver leaves it that is killed: what it wrote last is in the WALs alone."""
    aside = store.with_name("under way")
    log = Log.open(aside, durability="process", clock=Clock())
    saver = DiskCacheSaver(aside / CHECKPOINTS, durability="process")
    cache = DiskNodeCache(aside / CACHE)
    with log, saver, cache:
        fill_log(log)
        _hear(aside)
        fill_saver(saver)
        cache.set({KEPT: ({"result": "r" * 600}, None)})
        if killed:
            copy(aside, store)
    if not killed:
        copy(aside, store)
    shutil.rmtree(aside)


def copy(store: Path, target: Path) -> None:
    """Sockets, on which nobody listens any more, are left out."""
    shutil.copytree(store, target, ignore=shutil.ignore_patterns("wake"))


def files(store: Path) -> list[str]:
    """What lies in the store and is read again: not the locks, which are empty."""
    return sorted(str(path.relative_to(store)) for path in store.rglob("*") if path.is_file() and path.stat().st_size)


# The doors. Each gives an answer that is the same every time: nothing of it depends on the clock.


def _log(read: Callable[[Log], object], store: Path) -> object:
    found = Log.find(store)
    assert found is not None
    with found:
        return read(found)


def _status(store: Path, *ids: str) -> object:
    reply = workflow_status.handle(Invocation("workflow-status", ids=ids), App(str(store), str(store)))
    return json.loads(json.dumps(reply.result), object_hook=_timeless)


def _timeless(found: dict[str, object]) -> dict[str, object]:
    """Without how long it has taken until now."""
    return {name: part for name, part in found.items() if "second" not in name and "elapsed" not in name}


def _hook(store: Path) -> object:
    with standing.look(str(store)) as reader:
        mine = [(order.id, order.state, order.taken_in, order.unread) for order in standing.orders(reader)]
        return mine, standing.begun(reader), [standing.driven(reader, name) for name in WORKFLOWS]


def _saver(read: Callable[[DiskCacheSaver], object], store: Path) -> object:
    with DiskCacheSaver(store / CHECKPOINTS, durability="process") as saver:
        return read(saver)


def _plain(found: Any) -> object:
    checkpoint = {**found.checkpoint, "channel_values": found.checkpoint["channel_values"]}
    return found.config, checkpoint, found.metadata, found.parent_config, found.pending_writes


def _newest(thread: str, saver: DiskCacheSaver) -> object:
    found = saver.get_tuple(at(thread))
    return _plain(found) if found else None


def _listed(saver: DiskCacheSaver) -> object:
    return [_plain(found) for found in saver.list(None)]


def _resumed(saver: DiskCacheSaver) -> object:
    return graph(saver).invoke(Command(resume="yes"), at("waiting"))


def _cached(store: Path) -> object:
    with DiskNodeCache(store / CACHE) as cache:
        return cache.get([KEPT])


def _written(store: Path) -> object:
    """A subscriber goes on where it was, and a driver that resumes does not do again what is done."""
    with Log.open(store, durability="process") as log:
        fresh = [task for task in range(12) if f"plan/T{task}" not in log.outcomes(WORKFLOWS[0])]
        return fresh, log.last_seq(), log.fact(WORKFLOWS[0], "base"), [e.seq for e in log.events()]


READS: dict[str, Callable[[Path], object]] = {
    "events": partial(_log, lambda log: [*log.events()]),
    "events of one": partial(_log, lambda log: [*log.events(WORKFLOWS[0])]),
    "workflows": partial(_log, lambda log: log.workflows()),
    "newest": partial(_log, lambda log: (log.newest_workflows(9), log.count_workflows())),
    "attempts": partial(_log, lambda log: log.attempts(WORKFLOWS[0])),
    "outcomes": partial(_log, lambda log: log.outcomes(WORKFLOWS[0])),
    "facts": partial(_log, lambda log: log.facts(WORKFLOWS[0])),
    "lease": partial(_log, lambda log: log.lease(WORKFLOWS[1])),
    "requests": partial(_log, lambda log: log.requests(WORKFLOWS[0])),
    "orders": partial(_log, lambda log: log.standing_orders()),
    "subscriptions": partial(_log, lambda log: (log.subscriptions(), log.dead_letters())),
    "workflow-status": _status,
    "workflow-status ID": lambda store: _status(store, WORKFLOWS[0]),
    "hooks": _hook,
    "newest checkpoint": partial(_saver, partial(_newest, "waiting")),
    "list of checkpoints": partial(_saver, _listed),
    "node cache": _cached,
}
"""Nothing is changed by them, except that a WAL is brought home."""
WRITES: dict[str, Callable[[Path], object]] = {
    "subscriber": _hear,
    "writer": _written,
    "resume": partial(_saver, _resumed),
}
DOORS = READS | WRITES


class Verdict(NamedTuple):
    """Through which doors the right answer came, an error that says so, or neither."""

    right: tuple[str, ...]
    damaged: dict[str, StoreDamaged]
    wrong: dict[str, object]


def ask(store: Path, door: Callable[[Path], object]) -> object:
    """What a door answers, or the error with which it refuses."""
    try:
        return door(store)
    except Exception as error:  # noqa: BLE001 - whether it is a good one is for the test to say
        return error


def answers(store: Path) -> Answers:
    return {name: ask(store, door) for name, door in DOORS.items()}


def judge(store: Path, expected: Answers) -> Verdict:
    """Hold every door's answer against the right one."""
    verdict = Verdict((), {}, {})
    for name, given in answers(store).items():
        if isinstance(given, StoreDamaged):
            verdict.damaged[name] = given
        elif isinstance(given, Exception) or given != expected[name]:
            verdict.wrong[name] = given
        else:
            verdict = verdict._replace(right=(*verdict.right, name))
    return verdict


def sql(path: Path, *statements: str) -> None:
    """What somebody with a SQLite shell can do to a file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
