"""A store of each format that the saver ever wrote, and formats that nobody knows."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.types import Command, interrupt

from stretto.state.blobs import FORMAT
from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.errors import StoreDamaged
from stretto.state.node_cache import DiskNodeCache

FORMATS = Path(__file__).parents[1] / "data" / "checkpoints"
"""The statements that make the file of each format. Two threads of the graph below: `done` was answered, `waiting` not.
"""


class State(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    text: str


def ask(state: State) -> dict[str, Any]:
    return {"messages": [AIMessage(interrupt("go on?"), id="two")]}


def app(saver: DiskCacheSaver) -> Any:
    graph: Any = StateGraph(State)
    return graph.add_node(ask).add_edge(START, "ask").add_edge("ask", END).compile(checkpointer=saver)


def written(folder: Path, version: int) -> Path:
    """A folder with a store of that format."""
    with closing(sqlite3.connect(folder / "cache.db")) as connection:
        connection.executescript((FORMATS / f"{version}.sql").read_text("utf-8"))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path, 1)


def sql(folder: Path, statement: str, *values: object) -> list[Any]:
    connection = sqlite3.connect(folder / "cache.db", isolation_level=None)
    try:
        return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


def test_there_is_a_store_of_each_format_there_was() -> None:
    assert {path.stem for path in FORMATS.iterdir()} == {str(number + 1) for number in range(FORMAT)}


@pytest.mark.parametrize("version", range(1, FORMAT + 1))
def test_a_store_of_any_format_is_brought_up_and_goes_on_where_it_was(tmp_path: Path, version: int) -> None:
    folder = written(tmp_path, version)
    for _ in range(2):
        with DiskCacheSaver(folder) as saver:
            assert [*saver.threads()] == ["done", "waiting"]
            state = app(saver).get_state({"configurable": {"thread_id": "done"}})
            assert [message.content for message in state.values["messages"]] == ["hello", "yes"]
            assert state.values["text"] == "long " * 100
            assert len([*app(saver).get_state_history({"configurable": {"thread_id": "done"}})]) == 3
            assert saver.verify("done") == 3
    with DiskCacheSaver(folder) as saver:
        waiting = {"configurable": {"thread_id": "waiting"}}
        assert app(saver).get_state(waiting).interrupts[0].value == "go on?"
        assert app(saver).invoke(Command(resume="now"), waiting)["messages"][-1].content == "now"
    assert sql(folder, "PRAGMA user_version") == [(FORMAT,)]
    assert {row[0] for row in sql(folder, "SELECT DISTINCT substr(key, 1, 1) FROM Cache")} == {b"c", b"s"}


def test_a_damaged_store_of_format_1_is_refused_and_left_as_it_is(folder: Path) -> None:
    ((key, value),) = sql(folder, "SELECT key, value FROM Cache WHERE key >= x'76' ORDER BY key LIMIT 1")
    sql(folder, "UPDATE Cache SET value = ? WHERE key = ?", value[:-1] + b"?", key)
    before = sql(folder, "SELECT key, value FROM Cache ORDER BY key")
    with pytest.raises(StoreDamaged, match="is not what was written"):
        DiskCacheSaver(folder)
    assert sql(folder, "SELECT key, value FROM Cache ORDER BY key") == before


def test_rows_of_nobody_knows_whom_are_refused(folder: Path) -> None:
    sql(folder, "UPDATE Cache SET key = x'6301' WHERE rowid = (SELECT max(rowid) FROM Cache WHERE key < x'64')")
    with pytest.raises(StoreDamaged, match="format 1"):
        DiskCacheSaver(folder)


def test_a_format_that_this_version_does_not_know_is_refused(folder: Path) -> None:
    sql(folder, "PRAGMA user_version = 7")
    before = sql(folder, "SELECT key, value FROM Cache ORDER BY key")
    with pytest.raises(StoreDamaged, match="of format 7, and this version of Stretto reads format 2"):
        DiskCacheSaver(folder)
    with pytest.raises(StoreDamaged, match="format 7"):
        DiskNodeCache(folder)
    assert sql(folder, "SELECT key, value FROM Cache ORDER BY key") == before
