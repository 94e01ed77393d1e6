"""The cache of node results: in a graph, in time, in namespaces, and in the hands of somebody hostile."""

import asyncio
import pickle
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.cache.base import FullKey
from langgraph.graph import END, START, StateGraph
from langgraph.types import CachePolicy

from stretto.state.errors import StoreDamaged
from stretto.state.node_cache import DiskNodeCache

ONE: FullKey = (("graph", "node"), "one")
TWO: FullKey = (("graph", "node", ".x"), "two")


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[DiskNodeCache]:
    with DiskNodeCache(tmp_path / "cache") as opened:
        yield opened


class State(TypedDict):
    x: int
    y: int


def test_a_node_with_a_policy_runs_once_for_the_same_input_also_in_the_next_process(tmp_path: Path) -> None:
    ran: list[int] = []

    def double(state: State) -> dict[str, int]:
        ran.append(state["x"])
        return {"y": state["x"] * 2}

    for _ in range(2):
        with DiskNodeCache(tmp_path / "cache") as cache:
            graph: Any = StateGraph(State)
            graph.add_node("double", double, cache_policy=CachePolicy(ttl=60))
            app = graph.add_edge(START, "double").add_edge("double", END).compile(cache=cache)
            assert app.invoke({"x": 2})["y"] == 4
            assert asyncio.run(app.ainvoke({"x": 3}))["y"] == 6
    assert ran == [2, 3]


def test_a_result_is_kept_for_as_long_as_was_said(cache: DiskNodeCache) -> None:
    cache.set({ONE: ("short", 1), TWO: ("for ever", None)})
    assert cache.get([ONE, TWO]) == {ONE: "short", TWO: "for ever"}
    time.sleep(1.1)
    assert cache.get([ONE, TWO]) == {TWO: "for ever"}
    cache.set({ONE: ("again", 100)})
    assert cache.get([ONE]) == {ONE: "again"}


def test_what_has_expired_is_deleted_when_the_cache_is_opened(tmp_path: Path) -> None:
    with DiskNodeCache(tmp_path) as cache:
        cache.set({ONE: ("x", 0), TWO: ("y", 100)})
    DiskNodeCache(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "cache.db")
    assert connection.execute("SELECT count(*) FROM Cache").fetchone() == (1,)
    connection.close()


def test_a_namespace_is_cleared_and_its_neighbours_are_not(cache: DiskNodeCache) -> None:
    cache.set({ONE: (1, None), TWO: (2, None)})
    cache.clear([("graph", "node")])
    assert cache.get([ONE, TWO]) == {TWO: 2}
    asyncio.run(cache.aset({ONE: (3, None)}))
    asyncio.run(cache.aclear())
    assert asyncio.run(cache.aget([ONE, TWO])) == {}


def test_a_planted_pickle_is_an_error_and_not_code(cache: DiskNodeCache, tmp_path: Path) -> None:
    cache.set({ONE: (1, None)})
    connection = sqlite3.connect(tmp_path / "cache" / "cache.db", isolation_level=None)
    connection.execute("UPDATE Cache SET mode = 4, value = ?", (pickle.dumps(1),))
    connection.close()
    with pytest.raises(StoreDamaged, match="not loaded"):
        cache.get([ONE])
    cache.clear()
    assert cache.get([ONE]) == {}


def test_a_damaged_result_is_named_with_what_to_do(cache: DiskNodeCache, tmp_path: Path) -> None:
    cache.set({ONE: ("something", None), TWO: (2, None)})
    connection = sqlite3.connect(tmp_path / "cache" / "cache.db", isolation_level=None)
    connection.execute("UPDATE Cache SET value = CAST(replace(value, 'some', 'any_') AS BLOB)")
    connection.close()

    with pytest.raises(StoreDamaged, match=r"A cached result in .*cache' is damaged: a row does not match") as told:
        cache.get([ONE])

    assert told.value.next_steps == (f"Remove '{tmp_path / 'cache'}': what was cached in it is made again.",)
    assert cache.get([TWO]) == {TWO: 2}


class Point:
    """Not a type that LangGraph vouches for."""

    def __init__(self, x: int = 0) -> None:
        self.x = x


def test_a_result_that_cannot_be_serialised_is_refused(cache: DiskNodeCache) -> None:
    with pytest.raises(TypeError):
        cache.set({ONE: (Point(), None)})
    assert cache.get([ONE]) == {}
