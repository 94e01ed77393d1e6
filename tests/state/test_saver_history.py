"""Threads over time: what pruning leaves, what is found when rows are taken away or back, copies, delta channels."""

import operator
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import Checkpoint, empty_checkpoint
from langgraph.graph import END, START, StateGraph

from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.errors import BadInput, StoreDamaged
from stretto.state.serving import open_saver


@pytest.fixture
def saver(tmp_path: Path) -> Iterator[DiskCacheSaver]:
    with DiskCacheSaver(tmp_path / "c", durability="process") as opened:
        yield opened


class State(TypedDict):
    steps: Annotated[list[str], operator.add]


def joined(state: list[str] | None, writes: Sequence[list[str]]) -> list[str]:
    return [*(state or []), *(each for write in writes for each in write)]


class Deltas(TypedDict):
    steps: Annotated[list[str], DeltaChannel(joined, snapshot_frequency=4)]


def step(state: dict[str, Any]) -> dict[str, Any]:
    return {"steps": [f"{len(state['steps'])} " + "text " * 100]}


def app(saver: DiskCacheSaver, schema: Any = State) -> Any:
    graph: Any = StateGraph(schema)
    graph.add_node(step)
    return graph.add_edge(START, "step").add_edge("step", END).compile(checkpointer=saver)


def config(thread: str = "t", checkpoint: str | None = None) -> RunnableConfig:
    found = {"thread_id": thread, "checkpoint_ns": ""}
    return {"configurable": {**found, "checkpoint_id": checkpoint} if checkpoint else found}


def steps(graph: Any, thread: str = "t") -> list[str]:
    values: dict[str, list[str]] = graph.get_state(config(thread)).values
    return [each.split()[0] for each in values["steps"]]


def history(saver: DiskCacheSaver, thread: str = "t") -> list[str]:
    return [found.checkpoint["id"] for found in saver.list(config(thread))]


def sql(saver: DiskCacheSaver, statement: str, *values: object) -> list[Any]:
    connection = sqlite3.connect(Path(saver.directory) / "cache.db", isolation_level=None)
    try:
        return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


def documents(saver: DiskCacheSaver) -> list[tuple[bytes, bytes]]:
    rows = sql(saver, "SELECT key, value FROM Cache WHERE key >= x'63' AND key < x'64' ORDER BY key")
    return [row for row in rows if row[0].count(b"\0") == 3]


def put(saver: DiskCacheSaver, at: RunnableConfig, number: int, **values: object) -> RunnableConfig:
    made: Checkpoint = empty_checkpoint()
    made["id"], made["channel_values"] = f"{number:04d}", values
    made["channel_versions"] = dict.fromkeys(values, number)
    return saver.put(at, made, {"step": number}, made["channel_versions"])


# Pruning


def test_pruning_keeps_the_newest_and_gives_the_space_back(saver: DiskCacheSaver) -> None:
    graph = app(saver)
    for _ in range(30):
        graph.invoke({"steps": []}, config())
    newest, values = history(saver)[0], steps(graph)
    before = sql(saver, "PRAGMA page_count")[0][0]
    saver.prune(["t", "no such thread"])
    assert history(saver) == [newest]
    assert steps(graph) == values == [str(number) for number in range(30)]
    assert saver.verify("t") == 1
    after, free = sql(saver, "PRAGMA page_count")[0][0], sql(saver, "PRAGMA freelist_count")[0][0]
    assert after < before / 2, "the file shrinks"
    assert free == 0
    graph.invoke({"steps": []}, config())
    assert len(steps(graph)) == 31
    assert saver.verify("t") == 4


def test_pruning_to_nothing_leaves_no_row(saver: DiskCacheSaver) -> None:
    app(saver).invoke({"steps": []}, config())
    saver.prune(["t"], strategy="delete")
    assert sql(saver, "SELECT count(*) FROM Cache") == [(0,)]


def test_an_unknown_strategy_is_refused(saver: DiskCacheSaver) -> None:
    app(saver).invoke({"steps": []}, config())
    with pytest.raises(BadInput) as caught:
        saver.prune(["t"], strategy="keep_some")
    assert caught.value.allowed == ("keep_latest", "delete")
    assert len(history(saver)) == 3


def test_pruning_keeps_what_a_delta_channel_is_made_of(saver: DiskCacheSaver) -> None:
    graph = app(saver, Deltas)
    for _ in range(7):
        graph.invoke({"steps": []}, config())
    full = history(saver)
    saver.prune(["t"])
    assert 1 < len(history(saver)) < len(full)
    with DiskCacheSaver(saver.directory, durability="process") as another:
        assert steps(app(another, Deltas)) == [str(number) for number in range(7)]
        app(another, Deltas).invoke({"steps": []}, config())
        assert steps(app(another, Deltas)) == [str(number) for number in range(8)]


def test_deleting_a_run_keeps_what_a_delta_channel_of_a_later_one_is_made_of(saver: DiskCacheSaver) -> None:
    graph = app(saver, Deltas)
    for number in range(3):
        graph.invoke({"steps": []}, {**config(), "metadata": {"run_id": f"run {number}"}})
    saver.delete_for_runs(["run 1"])
    assert steps(graph) == ["0", "1", "2"]
    saver.delete_for_runs(["run 0", "run 1", "run 2"])
    assert history(saver) == []


def test_a_deleted_run_in_the_middle_is_no_damage(saver: DiskCacheSaver) -> None:
    for number in range(3):
        app(saver).invoke({"steps": []}, {**config(), "metadata": {"run_id": f"run {number}"}})
    saver.delete_for_runs(["run 1"])
    assert {found.metadata.get("run_id") for found in saver.list(config())} == {"run 0", "run 2"}
    assert saver.verify("t") == 6
    assert steps(app(saver)) == ["0", "1", "2"]


def test_the_history_of_a_delta_channel_stops_at_its_snapshot(saver: DiskCacheSaver) -> None:
    graph = app(saver, Deltas)
    for _ in range(9):
        graph.invoke({"steps": []}, config())
    told = saver.get_delta_channel_history(config=config(), channels=["steps", "no such channel"])
    assert "seed" in told["steps"]
    assert 0 < len(told["steps"]["writes"]) <= 8
    assert told["no such channel"] == {"writes": []}
    default = super(DiskCacheSaver, saver).get_delta_channel_history(config=config(), channels=["steps"])
    assert default["steps"] == told["steps"]


# Copies and lists


def test_a_copy_is_whole_and_goes_its_own_way(saver: DiskCacheSaver) -> None:
    graph = app(saver)
    for _ in range(3):
        graph.invoke({"steps": []}, config())
    saver.copy_thread("t", "copy")
    graph.invoke({"steps": []}, config("copy"))
    assert (steps(graph), steps(graph, "copy")) == (["0", "1", "2"], ["0", "1", "2", "3"])
    saver.delete_thread("t")
    with DiskCacheSaver(saver.directory, durability="process") as another:
        assert another.verify("copy") == 12
        assert steps(app(another), "copy") == ["0", "1", "2", "3"]


def test_threads_are_listed_without_their_checkpoints(saver: DiskCacheSaver) -> None:
    names = ["", "a", "a\0b", "ab", "ü", "\ud800"]
    for thread in names:
        put(saver, put(saver, config(thread), 1, x=1), 2, x=2)
    saver.put_writes(config("only writes", "0001"), [("x", 1)], "task")
    sql(saver, "UPDATE Cache SET value = x'00'")  # whoever read one would notice
    assert set(saver.threads()) == {*names, "only writes"}


# What is found


def test_a_checkpoint_that_was_removed_is_missed_by_the_next(saver: DiskCacheSaver) -> None:
    put(saver, put(saver, put(saver, config(), 1, x=1), 2, x=2), 3, x=3)
    sql(saver, "DELETE FROM Cache WHERE key = ?", documents(saver)[1][0])
    with pytest.raises(StoreDamaged, match=r"'0003' of thread 't'.*'0002' that it follows is missing"):
        saver.get_tuple(config())
    with pytest.raises(StoreDamaged, match="missing"):
        saver.verify("t")


def test_a_checkpoint_rolled_back_to_an_earlier_row_is_found(saver: DiskCacheSaver) -> None:
    at = put(saver, config(), 1, x="first")
    (old,) = documents(saver)
    put(saver, config(), 1, x="second")
    put(saver, at, 2, x=2)
    assert saver.verify("t") == 2
    sql(saver, "UPDATE Cache SET value = ? WHERE key = ?", old[1], old[0])
    with pytest.raises(StoreDamaged, match="'0001' that it follows was changed since"):
        saver.get_tuple(config())


def test_a_checkpoint_written_again_on_purpose_is_no_damage(saver: DiskCacheSaver) -> None:
    at = put(saver, config(), 1, x="first")
    put(saver, at, 2, x=2)
    put(saver, config(), 1, x="second")
    assert saver.verify("t") == 2
    found = saver.get_tuple(config(checkpoint="0001"))
    assert found is not None
    assert found.checkpoint["channel_values"] == {"x": "second"}


def test_two_rows_that_were_swapped_are_found(saver: DiskCacheSaver) -> None:
    put(saver, config("a"), 1, x="a")
    put(saver, config("b"), 1, x="b")
    (a, of_a), (b, of_b) = documents(saver)
    sql(saver, "UPDATE Cache SET value = ? WHERE key = ?", of_b, a)
    sql(saver, "UPDATE Cache SET value = ? WHERE key = ?", of_a, b)
    for thread in ("a", "b"):
        with pytest.raises(StoreDamaged, match="checksum"):
            saver.get_tuple(config(thread))


def test_writes_that_were_removed_are_found(saver: DiskCacheSaver) -> None:
    at = put(saver, config(), 1, x=1)
    saver.put_writes(at, [("x", 2)], "task")
    put(saver, at, 2, x=2)
    assert saver.verify("t") == 2
    sql(saver, "DELETE FROM Cache WHERE key NOT IN (?, ?)", *(key for key, _ in documents(saver)))
    with pytest.raises(StoreDamaged, match="writes to the checkpoint '0001'"):
        saver.verify("t")


COLUMNS = {
    "rowid": 1 << 40,
    "key": b"c?",
    "raw": 0,
    "store_time": -1.0,
    "expire_time": 1.0,
    "access_time": 1.0,
    "access_count": 7,
    "tag": "x",
    "size": 99,
    "mode": 4,
    "filename": "../x",
    "value": b"?",
}
FOUND = {"key", "raw", "mode", "filename", "value"}


@pytest.mark.parametrize("column", COLUMNS)
def test_a_change_in_any_column_is_found_or_harmless(saver: DiskCacheSaver, column: str) -> None:
    put(saver, put(saver, config(), 1, x="x" * 500), 2, x="y" * 500)
    key = documents(saver)[0][0]
    sql(saver, f"UPDATE Cache SET {column} = ? WHERE key = ?", COLUMNS[column], key)
    with DiskCacheSaver(saver.directory, durability="process") as another:
        if column in FOUND:
            with pytest.raises(StoreDamaged):
                another.verify("t")
        else:
            assert another.verify("t") == 2


def test_the_factory_for_langgraph_json_opens_the_store_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    async def drive() -> list[str]:
        async with open_saver() as saver:
            await app(saver).ainvoke({"steps": []}, config())
            return steps(app(saver))

    monkeypatch.setenv("STRETTO_STORE", str(tmp_path / "store"))
    assert asyncio.run(drive()) == ["0"]
    assert (tmp_path / "store" / "checkpoints" / "cache.db").exists()
