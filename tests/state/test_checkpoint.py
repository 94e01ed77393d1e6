"""What the official suite leaves out: damage, order, odd names, locks, forks, copies and what lies on the disk."""

import asyncio
import copy
import os
import pickle
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, CheckpointTuple, empty_checkpoint
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT

from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.documents import Place, Write, dump_writes
from stretto.state.errors import BadInput, StoreDamaged, StrettoError
from stretto.state.keys import below, join, split

KINDS = {"c": b"c", "w": b"c", "s": b"s"}


class Bomb:
    """Leaves a folder behind wherever it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.path,)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


@pytest.fixture
def saver(folder: Path) -> Iterator[DiskCacheSaver]:
    with DiskCacheSaver(folder, durability="process") as opened:
        yield opened


def config(thread: str = "t", namespace: str = "", checkpoint: str | None = None) -> RunnableConfig:
    found: dict[str, str] = {"thread_id": thread, "checkpoint_ns": namespace}
    if checkpoint:
        found["checkpoint_id"] = checkpoint
    return {"configurable": found}


def checkpoint(number: int, **values: object) -> Checkpoint:
    made = empty_checkpoint()
    made["id"], made["channel_values"] = f"{number:04d}", values
    made["channel_versions"] = dict.fromkeys(values, number)
    return made


def put(saver: DiskCacheSaver, at: RunnableConfig, number: int = 1, **values: object) -> RunnableConfig:
    made = checkpoint(number, **values)
    return saver.put(at, made, {"source": "loop", "step": number}, made["channel_versions"])


def got(saver: DiskCacheSaver, at: RunnableConfig) -> CheckpointTuple:
    found = saver.get_tuple(at)
    assert found is not None
    return found


def sql(folder: Path, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Do what somebody with a SQLite shell can do to the store."""
    connection = sqlite3.connect(folder / "cache.db", isolation_level=None)
    try:
        return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


def rows(folder: Path, kind: str) -> list[tuple[bytes, bytes]]:
    """Checkpoints (c), what tasks wrote (w), and segments of values (s), in order of their keys."""
    found = sql(folder, "SELECT key, value FROM Cache WHERE substr(key, 1, 1) = ? ORDER BY key", (KINDS[kind],))
    return [row for row in found if kind == "s" or (row[0].count(b"\0") > 3) == (kind == "w")]


def connection(saver: DiskCacheSaver) -> sqlite3.Connection:
    """Its own connection: pragmas belong to a connection, not to the file."""
    return saver._store._table._con  # pyright: ignore[reportPrivateUsage] - no caller has any business with it


def plant_write(saver: DiskCacheSaver, kind: str, data: bytes) -> None:
    """A row with the right checksum, as anyone can make who has read the source."""
    value = dump_writes(saver.serde, [Write(0, "", "x", [kind, data])])
    saver._store.set(Place("t", "", "0001").key + join("task"), value)  # pyright: ignore[reportPrivateUsage] - as it does


def reopened(folder: Path) -> DiskCacheSaver:
    """Another saver on the same store, which remembers nothing."""
    return DiskCacheSaver(folder, durability="process")


# What lies on the disk


def test_an_unchanged_channel_is_not_written_again(saver: DiskCacheSaver, folder: Path) -> None:
    first = checkpoint(1, big="x" * 5000, small=1)
    at = saver.put(config(), first, {}, first["channel_versions"])
    second = checkpoint(2, big="x" * 5000, small=2)
    second["channel_versions"]["big"] = 1
    assert len(rows(folder, "s")) == 1
    at = saver.put(at, second, {}, {"small": 2})
    assert len(rows(folder, "s")) == 1
    assert got(saver, at).checkpoint["channel_values"] == {"big": "x" * 5000, "small": 2}


def test_an_unchanged_channel_is_not_even_serialised(saver: DiskCacheSaver) -> None:
    at = put(saver, config(), 1, x="as it was")
    second = checkpoint(2, x=object())  # would raise
    second["channel_versions"]["x"] = 1
    assert got(saver, saver.put(at, second, {}, {})).checkpoint["channel_values"] == {"x": "as it was"}


def test_two_forks_of_one_version_keep_their_own_values(saver: DiskCacheSaver) -> None:
    at = put(saver, config(), 1, x="root")
    left, right = checkpoint(2, x="left"), checkpoint(3, x="right")
    right["channel_versions"]["x"] = 2
    one = saver.put(at, left, {}, {"x": 2})
    two = saver.put(at, right, {}, {"x": 2})
    assert got(saver, one).checkpoint["channel_values"] == {"x": "left"}
    assert got(saver, two).checkpoint["channel_values"] == {"x": "right"}


def test_a_megabyte_lies_in_the_database_and_in_no_file(saver: DiskCacheSaver, folder: Path) -> None:
    at = put(saver, config(), 1, blob=os.urandom(1_000_000))
    saver.put_writes(at, [("blob", os.urandom(1_000_000))], "task")
    assert len(got(saver, at).checkpoint["channel_values"]["blob"]) == 1_000_000
    known = {"cache.db", "cache.db-wal", "cache.db-shm", "cache.tide", "open.lock", "write.lock"}
    assert {path.name for path in folder.iterdir()} <= known


def test_nobody_else_may_enter_the_folder(saver: DiskCacheSaver, folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700


def test_deleting_a_thread_leaves_nothing_of_it_and_all_of_its_neighbours(saver: DiskCacheSaver, folder: Path) -> None:
    for thread in ("a", "a\0", "ab", ""):
        saver.put_writes(put(saver, config(thread), 1, x=thread), [("x", thread)], "task")
    saver.delete_thread("a")
    assert saver.get_tuple(config("a")) is None
    assert [got(saver, config(t)).checkpoint["channel_values"]["x"] for t in ("a\0", "ab", "")] == ["a\0", "ab", ""]
    assert len(sql(folder, "SELECT key FROM Cache")) == 6


def test_a_failed_write_leaves_nothing_and_the_next_one_works(saver: DiskCacheSaver, folder: Path) -> None:
    at = put(saver, config(), 1, x=os.urandom(50_000))
    before = len(sql(folder, "SELECT key FROM Cache"))
    with pytest.raises(TypeError):  # the second channel cannot be serialised, after the first was written
        put(saver, at, 2, a=os.urandom(50_000), b=object())
    assert len(sql(folder, "SELECT key FROM Cache")) == before
    assert got(saver, config()).checkpoint["id"] == "0001"
    put(saver, at, 3, x="after")
    assert got(saver, config()).checkpoint["channel_values"] == {"x": "after"}


def test_a_commit_that_fails_does_not_block_the_next(saver: DiskCacheSaver) -> None:
    at = put(saver, config(), 1, x=1)
    own = connection(saver)
    own.execute("PRAGMA foreign_keys = 1")
    own.execute("CREATE TABLE fails (id INTEGER PRIMARY KEY, up REFERENCES fails DEFERRABLE INITIALLY DEFERRED)")
    own.execute("CREATE TRIGGER fail AFTER INSERT ON Cache BEGIN INSERT INTO fails (up) VALUES (-1); END")
    with pytest.raises(StrettoError, match="FOREIGN KEY"):
        put(saver, at, 2, x=2)
    own.execute("DROP TRIGGER fail")
    put(saver, at, 3, x=3)
    assert [found.checkpoint["id"] for found in saver.list(config())] == ["0003", "0001"]


def test_a_full_disk_is_an_error_that_loses_nothing(saver: DiskCacheSaver, folder: Path) -> None:
    at = put(saver, config(), 1, x=1)
    connection(saver).execute("PRAGMA max_page_count = 40")
    with pytest.raises(StrettoError, match="full"):
        put(saver, at, 2, x=os.urandom(1_000_000))
    connection(saver).execute("PRAGMA max_page_count = 100000")
    assert got(saver, config()).checkpoint["id"] == "0001"
    put(saver, at, 2, x=2)
    assert got(saver, config()).checkpoint["id"] == "0002"


def test_another_durability_opens_the_same_store(folder: Path) -> None:
    with DiskCacheSaver(folder) as power:
        put(power, config(), 1, x=1)
        assert connection(power).execute("PRAGMA synchronous").fetchone() == (2,)
    with DiskCacheSaver(folder, durability="process") as process:
        assert got(process, config()).checkpoint["channel_values"] == {"x": 1}
        assert connection(process).execute("PRAGMA synchronous").fetchone() == (1,)
        assert connection(process).execute("PRAGMA mmap_size").fetchone() in ((0,), None)


# Damage


@pytest.mark.parametrize("kind", ["c", "w", "s"])
def test_a_flipped_byte_is_found_and_named(saver: DiskCacheSaver, folder: Path, kind: str) -> None:
    saver.put_writes(put(saver, config("jwt_001"), 7, x="y" * 500), [("x", "z" * 500)], "task")
    key, value = rows(folder, kind)[0]
    for at in (0, 1, 3, 6, len(value) // 2, len(value) - 1):
        flipped = value[:at] + bytes((value[at] ^ 0x40,)) + value[at + 1 :]
        sql(folder, "UPDATE Cache SET value = ? WHERE key = ?", (flipped, key))
        with reopened(folder) as another:
            with pytest.raises(StoreDamaged, match=r"'0007' of thread 'jwt_001'"):
                another.get_tuple(config("jwt_001"))
            with pytest.raises(StoreDamaged):
                list(another.list(config("jwt_001")))
    sql(folder, "UPDATE Cache SET value = ? WHERE key = ?", (value, key))
    assert got(saver, config("jwt_001")).checkpoint["channel_values"] == {"x": "y" * 500}


def test_a_row_moved_to_another_key_is_found(saver: DiskCacheSaver, folder: Path) -> None:
    put(saver, config(), 1, x=1)
    put(saver, config(), 2, x=2)
    (_, old), (newest, _) = sorted(rows(folder, "c"))
    sql(folder, "UPDATE Cache SET value = ? WHERE key = ?", (old, newest))
    with pytest.raises(StoreDamaged, match="checksum"):
        saver.get_tuple(config())


def test_a_missing_value_is_found(saver: DiskCacheSaver, folder: Path) -> None:
    put(saver, config(), 1, x="x" * 500)
    sql(folder, "DELETE FROM Cache WHERE substr(key, 1, 1) = ?", (b"s",))
    with reopened(folder) as another, pytest.raises(StoreDamaged, match=r"'0001'.*missing"):
        another.get_tuple(config())


@pytest.mark.parametrize("kind", ["c", "w", "s"])
def test_a_planted_pickle_is_an_error_and_not_code(saver: DiskCacheSaver, folder: Path, kind: str) -> None:
    bomb = folder.parent / "exploded"
    saver.put_writes(put(saver, config(), 1, x="x" * 500), [("x", 1)], "task")
    ((key, _),) = rows(folder, kind)
    sql(folder, "UPDATE Cache SET value = ?, mode = 4 WHERE key = ?", (pickle.dumps(Bomb(bomb)), key))
    with reopened(folder) as another:
        with pytest.raises(StoreDamaged, match="not loaded"):
            another.get_tuple(config())
        with pytest.raises(StoreDamaged):
            list(another.list(None))
    assert not bomb.exists()


def test_a_pickle_in_a_file_is_neither_loaded_nor_deleted(saver: DiskCacheSaver, folder: Path) -> None:
    bomb, outside = folder.parent / "exploded", folder.parent / "precious"
    outside.write_bytes(pickle.dumps(Bomb(bomb)))
    put(saver, config(), 1, x=1)
    sql(folder, "UPDATE Cache SET value = NULL, mode = 4, filename = '../precious'")
    with pytest.raises(StoreDamaged):
        saver.get_tuple(config())
    with pytest.raises(StoreDamaged, match="not written by Stretto"):
        put(saver, config(), 1, x=1)
    assert outside.exists()
    assert not bomb.exists()


def test_a_planted_pickled_key_is_an_error_and_not_code(saver: DiskCacheSaver, folder: Path) -> None:
    bomb = folder.parent / "exploded"
    put(saver, config(), 1, x=1)
    ((key, _),) = rows(folder, "c")
    sql(folder, "UPDATE Cache SET raw = 0 WHERE key = ?", (key,))
    sql(folder, "INSERT INTO Cache (key, raw, mode, value) VALUES (?, 0, 1, x'00')", (pickle.dumps(Bomb(bomb)),))
    with pytest.raises(StoreDamaged, match="key"):
        list(saver.list(None))
    with pytest.raises(StoreDamaged, match="key"):
        saver.get_tuple(config())
    assert not bomb.exists()


def test_an_encoding_that_builds_objects_is_refused_even_with_a_right_checksum(saver: DiskCacheSaver) -> None:
    at = put(saver, config(), 1, x=1)
    for kind in ("pickle", "json"):
        plant_write(saver, kind, b"{}")
        with pytest.raises(StoreDamaged, match=kind):
            saver.get_tuple(at)


def test_a_planted_class_is_not_imported(saver: DiskCacheSaver, folder: Path) -> None:
    """LangGraph's default would call any importable class or function that a checkpoint names."""
    import ormsgpack

    bomb = folder.parent / "exploded"
    call = ormsgpack.packb(ormsgpack.Ext(0, ormsgpack.packb(["os", "mkdir", str(bomb)])))
    at = put(saver, config(), 1, x=1)
    plant_write(saver, "msgpack", call)
    assert got(saver, at).pending_writes == [("task", "x", str(bomb))]
    assert not bomb.exists()


def test_a_store_that_is_something_else_is_refused(folder: Path) -> None:
    folder.mkdir()
    (folder / "cache.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreDamaged, match="not a database"):
        DiskCacheSaver(folder)


def test_a_planted_trigger_is_refused(folder: Path) -> None:
    DiskCacheSaver(folder).close()
    sql(folder, "CREATE TRIGGER eat AFTER INSERT ON Cache BEGIN DELETE FROM Cache; END")
    with pytest.raises(StoreDamaged, match="eat"):
        DiskCacheSaver(folder)


def test_a_folder_that_diskcache_would_rename_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="variable"):
        DiskCacheSaver(tmp_path / "$HOME")
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="cannot hold"):
        DiskCacheSaver(tmp_path / "file")


# The contract


def test_pending_writes_come_in_the_order_of_the_live_run(saver: DiskCacheSaver) -> None:
    at = put(saver, config(), 1, x=1)
    saver.put_writes(at, [("x", n) for n in range(12)], "a", "path, 2")
    saver.put_writes(at, [("x", "second")], "z", "path, 1")
    saver.put_writes(at, [("x", "first")], "b", "path, 1")
    saver.put_writes(at, [("x", "input")], "y")
    writes = got(saver, at).pending_writes
    assert writes is not None
    assert [value for _, _, value in writes] == ["input", "first", "second", *range(12)]


def test_a_task_that_runs_again_keeps_its_first_writes_but_renews_its_interrupt(saver: DiskCacheSaver) -> None:
    at = put(saver, config(), 1, x=1)
    saver.put_writes(at, [("x", "old"), (INTERRUPT, "old"), (ERROR, "old")], "task")
    saver.put_writes(at, [("x", "new"), (INTERRUPT, "new")], "task")
    writes = got(saver, at).pending_writes
    assert writes is not None
    assert {channel: value for _, channel, value in writes} == {"x": "old", INTERRUPT: "new", ERROR: "old"}


def test_writing_and_reading_inside_a_list_does_not_deadlock(saver: DiskCacheSaver) -> None:
    at = config()
    for number in range(1, 4):
        at = put(saver, at, number, x=number)
    seen: list[str] = []
    for found in saver.list(config()):
        seen.append(found.checkpoint["id"])
        assert got(saver, found.config) == found
        put(saver, config("other"), 9, x=9)
        worker = threading.Thread(target=put, args=(saver, config("third"), 9))
        worker.start()
        worker.join(5)
        assert not worker.is_alive()
    assert seen == ["0003", "0002", "0001"]


def test_a_checkpoint_deleted_during_a_list_is_left_out(saver: DiskCacheSaver) -> None:
    put(saver, put(saver, config(), 1, x=1), 2, x=2)
    found = saver.list(config())
    assert next(found).checkpoint["id"] == "0002"
    saver.delete_thread("t")
    assert list(found) == []


def test_all_threads_are_listed_newest_first(saver: DiskCacheSaver) -> None:
    for number, thread in enumerate(["b", "a", "c"]):
        put(saver, config(thread, "child:1" if thread == "a" else ""), number)
    listed = [found.config.get("configurable", {})["thread_id"] for found in saver.list(None)]
    assert listed == ["c", "a", "b"]


def test_a_copy_with_another_serializer_shares_the_store(saver: DiskCacheSaver) -> None:
    clone = copy.copy(saver)
    put(clone, config(), 1, x=1)
    assert got(saver, config()).checkpoint["channel_values"] == {"x": 1}
    allowed = saver.with_allowlist([("stretto.state.ids", "WorkflowId")])
    assert allowed is not saver
    assert got(saver, config()) == allowed.get_tuple(config())
    clone.close()
    with pytest.raises(StrettoError, match="closed"):
        saver.get_tuple(config())


def test_the_async_methods_do_the_same(saver: DiskCacheSaver) -> None:
    async def drive() -> list[str]:
        at = put(saver, config(), 1, x=1)
        await asyncio.gather(*(saver.aput_writes(at, [("x", n)], f"task {n}") for n in range(20)))
        assert await saver.aget_tuple(at) == saver.get_tuple(at)
        return [found.checkpoint["id"] async for found in saver.alist(config())]

    assert asyncio.run(drive()) == ["0001"]
    writes = got(saver, config()).pending_writes
    assert writes is not None
    assert len(writes) == 20


ODD = ["", "\0", "a\0b", "../../etc", "ünïcode ☃ 𝄞", "\ud800", "\xff", "a" * 5000, "%s {} '; DROP TABLE Cache; --"]


def test_odd_thread_ids_are_safe(saver: DiskCacheSaver) -> None:
    for number, thread in enumerate(ODD):
        saver.put_writes(put(saver, config(thread, thread), number, x=thread), [("x", 1)], thread, thread)
    for number, thread in enumerate(ODD):
        found = got(saver, config(thread, thread))
        assert found.config == config(thread, thread, f"{number:04d}")
        assert found.pending_writes == [(thread, "x", 1)]
        listed = saver.list({"configurable": {"thread_id": thread}})
        assert [each.config for each in listed] == [found.config]
        saver.delete_thread(thread)
        assert saver.get_tuple(config(thread, thread)) is None


texts = st.lists(st.text(alphabet=st.characters(codec=None), max_size=4), min_size=1, max_size=4)


@given(texts, texts)
def test_keys_sort_as_their_parts_and_never_meet(one: list[str], two: list[str]) -> None:
    assert split(join(*one), len(one))[0] == one
    assert (join(*one) == join(*two)) == (one == two)
    if len(one) == len(two):
        assert (join(*one) < join(*two)) == (one < two)
    low, high = below(join(*one))
    assert (low <= join(*two) < high) == (two[: len(one)] == one)


def test_a_durability_that_there_is_not_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    unknown: Any = "fast"

    with pytest.raises(BadInput, match=r"There is no durability 'fast'\.") as told:
        DiskCacheSaver(tmp_path / "store", durability=unknown)

    assert (told.value.field, told.value.allowed) == ("durability", ("power", "process"))
    assert not (tmp_path / "store").exists()
