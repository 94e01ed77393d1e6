"""A thread with damage in it: each checkpoint is judged for itself, and what is whole stays, byte for byte."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import Checkpoint, empty_checkpoint
from langgraph.graph import END, START, StateGraph

from stretto.state.checkpoint import DiskCacheSaver


@pytest.fixture
def saver(tmp_path: Path) -> Iterator[DiskCacheSaver]:
    with DiskCacheSaver(tmp_path / "c", durability="process") as opened:
        yield opened


def fill(saver: DiskCacheSaver, count: int, thread: str = "t") -> None:
    """Checkpoints 1 to `count`, each the child of the one before it, each with a value of its own and a write."""
    at: RunnableConfig = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
    for number in range(1, count + 1):
        body: Checkpoint = empty_checkpoint()
        body["id"] = f"{number:04}"
        body["channel_values"] = {"x": f"{number} " * 300}
        body["channel_versions"] = {"x": number}
        at = saver.put(at, body, {"step": number}, {"x": number})
        saver.put_writes(at, [("x", f"written {number} " * 100)], f"task-{number}")


def sql(saver: DiskCacheSaver, statement: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(Path(saver.directory, "cache.db"), isolation_level=None)) as connection:
        return connection.execute(statement, values).fetchall()


def spoil(saver: DiskCacheSaver, where: str, *values: object) -> None:
    """Flip a bit in the last byte of each row."""
    for key, value in sql(saver, f"SELECT key, value FROM Cache WHERE {where}", *values):
        sql(saver, "UPDATE Cache SET value = ? WHERE key = ?", value[:-1] + bytes((value[-1] ^ 1,)), key)


def key(number: int) -> bytes:
    return b"ct\0\0%04d\0" % number


def ids(saver: DiskCacheSaver) -> list[str]:
    return [found.checkpoint["id"] for found in saver.list({"configurable": {"thread_id": "t", "checkpoint_ns": ""}})]


def troubles(saver: DiskCacheSaver) -> dict[str, bool]:
    return {one.place.id: one.stays for one in saver.healer.examine("t") if one.why}


def rows(saver: DiskCacheSaver) -> dict[bytes, bytes]:
    return dict(sql(saver, "SELECT key, value FROM Cache WHERE substr(key, 1, 1) <> x'78'"))


def test_a_sound_thread_has_no_trouble_and_nothing_is_changed(saver: DiskCacheSaver) -> None:
    fill(saver, 3)
    before = rows(saver)

    assert [(one.place.id, one.why) for one in saver.healer.examine("t")] == [("0003", ""), ("0002", ""), ("0001", "")]
    assert [one.place.id for one in saver.healer.examine("t", deep=False)] == ["0003"]
    assert [*saver.healer.heal("t")] == []
    assert rows(saver) == before


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_of_a_damaged_row_only_its_own_checkpoint_is_lost(saver: DiskCacheSaver, number: int) -> None:
    fill(saver, 4)
    before = rows(saver)
    spoil(saver, "key = ?", key(number))
    child = {f"{number + 1:04}": True} if number < 4 else {}
    assert troubles(saver) == {f"{number:04}": False} | child

    healed = saver.healer.heal("t")

    assert {one.place.id: one.stays for one in healed} == {f"{number:04}": False} | child
    assert ids(saver) == [name for name in ("0004", "0003", "0002", "0001") if name != f"{number:04}"]
    assert saver.verify("t") == 3
    left = rows(saver)
    assert all(left[name] == before[name] for name in left)
    assert [*saver.healer.heal("t")] == []


def test_one_that_was_taken_away_costs_nothing_but_itself(saver: DiskCacheSaver) -> None:
    fill(saver, 3)
    sql(saver, "DELETE FROM Cache WHERE key = ?", key(2))

    healed = saver.healer.heal("t")

    assert [(one.place.id, one.stays) for one in healed] == [("0003", True)]
    assert "is missing" in healed[0].why
    assert ids(saver) == ["0003", "0001"]
    assert saver.verify("t") == 2


def test_one_whose_writes_were_taken_away_goes_and_what_was_made_of_them_stays(saver: DiskCacheSaver) -> None:
    fill(saver, 3)
    sql(saver, "DELETE FROM Cache WHERE key > ? AND key < ?", key(2), key(2) + b"\xff")
    assert troubles(saver) == {"0003": True}

    healed = saver.healer.heal("t")

    assert {one.place.id: one.stays for one in healed} == {"0002": False, "0003": True}
    assert ids(saver) == ["0003", "0001"]
    assert saver.verify("t") == 2


@pytest.mark.parametrize("what", ["UPDATE Cache SET value = x'00'", "DELETE FROM Cache"])
def test_a_damaged_value_costs_the_checkpoints_that_hold_it(saver: DiskCacheSaver, what: str) -> None:
    fill(saver, 3)
    (name,) = sql(saver, "SELECT min(key) FROM Cache WHERE substr(key, 1, 1) = x'73'")[0]
    sql(saver, f"{what} WHERE key = ?", name)
    bad = [one for one, stays in troubles(saver).items() if not stays]
    assert bad

    saver.healer.heal("t")

    assert set(ids(saver)).isdisjoint(bad)
    assert troubles(saver) == {}
    fill(saver, 4, "t")  # the same text again does not come upon what was damaged
    assert saver.verify("t") == 4


def test_a_damaged_value_that_nothing_holds_is_told_and_deleted(saver: DiskCacheSaver) -> None:
    fill(saver, 1)
    sql(saver, "INSERT INTO Cache (key, raw, mode, value) VALUES (?, 1, 1, x'0200')", b"st\0." + b"\1" * 16)
    assert troubles(saver) == {"": False}

    assert [one.place.id for one in saver.healer.heal("t")] == [""]

    assert troubles(saver) == {}
    assert ids(saver) == ["0001"]


def test_damaged_writes_without_a_checkpoint_are_told_and_deleted(saver: DiskCacheSaver) -> None:
    fill(saver, 2)
    saver.put_writes(
        {"configurable": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": "0009"}}, [("x", 1)], "task"
    )
    assert troubles(saver) == {}
    spoil(saver, "key > ? AND key < ?", key(9), key(9) + b"\xff")
    assert troubles(saver) == {"0009": False}

    saver.healer.heal("t")

    assert troubles(saver) == {}
    assert ids(saver) == ["0002", "0001"]


def test_when_all_are_damaged_nothing_is_left_and_the_thread_begins_anew(saver: DiskCacheSaver) -> None:
    fill(saver, 3)
    spoil(saver, "substr(key, 1, 1) = x'63'")

    saver.healer.heal("t")

    assert rows(saver) == {}
    fill(saver, 2)
    assert saver.verify("t") == 2


def test_threads_are_healed_one_by_one(saver: DiskCacheSaver) -> None:
    fill(saver, 2, "t")
    fill(saver, 2, "u")
    spoil(saver, "substr(key, 1, 2) = x'6375'")
    before = {name: value for name, value in rows(saver).items() if name[1:2] == b"t"}

    assert [*saver.healer.heal("t")] == []
    assert len(saver.healer.heal("u")) == 4 - 2

    assert rows(saver) == before


def joined(state: list[str] | None, writes: Sequence[list[str]]) -> list[str]:
    return [*(state or []), *(each for write in writes for each in write)]


class Deltas(TypedDict):
    steps: Annotated[list[str], DeltaChannel(joined, snapshot_frequency=6)]


def step(state: dict[str, Any]) -> dict[str, Any]:
    return {"steps": [f"{len(state['steps'])}"]}


def test_one_whose_value_is_made_of_what_is_lost_goes_as_well_and_no_value_is_another(saver: DiskCacheSaver) -> None:
    graph: Any = StateGraph(Deltas)
    graph = graph.add_node(step).add_edge(START, "step").add_edge("step", END).compile(checkpointer=saver)
    at: RunnableConfig = {"configurable": {"thread_id": "t"}}
    for _ in range(10):
        graph.invoke({"steps": []}, at)
    before = {state.config["configurable"]["checkpoint_id"]: state.values for state in graph.get_state_history(at)}
    lost = sorted(before)[len(before) // 2]
    spoil(saver, "instr(key, CAST(? AS BLOB)) > 0 AND substr(key, 1, 1) = x'63'", lost)

    saver.healer.heal("t")

    after = {state.config["configurable"]["checkpoint_id"]: state.values for state in graph.get_state_history(at)}
    assert 0 < len(after) < len(before) - 1
    assert after == {name: before[name] for name in after}
    assert max(before) in after
    saver.verify("t")
