"""Somebody writes into the rows of a store: pickles, payloads that construct, noise, another row's value."""

import os
import pickle
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import ormsgpack
import pytest

from stretto.state.blobs import BlobStore
from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.documents import Place, Write, dump_writes, load_document
from stretto.state.errors import StoreDamaged
from stretto.state.keys import below
from stretto.state.node_cache import DiskNodeCache
from tests.faults.stores import CACHE, CHECKPOINTS, KEPT, Answers, answers, at, copy, judge, make
from tests.faults.tally import Ledger, Tally, times

FILES = ("events.db", f"{CHECKPOINTS}/cache.db", f"{CACHE}/cache.db")
PROMISE = "nothing is run; what is read is right, or exit 4 (what is gone from history, when it is verified)"


class Bomb:
    """Makes a folder wherever it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = str(marker)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.marker,)


def constructors(marker: Path) -> list[bytes]:
    """What LangGraph's serializer would build on reading: a call of each form that its extension types have."""
    path = str(marker)
    calls: list[tuple[int, list[Any]]] = [
        (0, ["os", "mkdir", path]),
        (1, ["os", "mkdir", [path]]),
        (2, ["os", "mkdir", {"path": path}]),
        (3, ["shutil", "os", path, "mkdir"]),
        (4, ["os", "mkdir", {"path": path}]),
        (5, ["os", "mkdir", {"path": path}, "model_validate_json"]),
        (5, ["os", "mkdir", {"path": path}]),
        (0, ["builtins", "eval", f"__import__('os').mkdir({path!r})"]),
        (0, ["importlib", "import_module", "antigravity"]),
        (3, ["pathlib", "Path", path, "touch"]),
        (3, ["pathlib", "Path", path, "mkdir"]),
    ]
    return [ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(call))) for code, call in calls]


class Made(NamedTuple):
    store: Path
    expected: Answers


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    store = tmp_path_factory.mktemp("made") / "store"
    make(store, killed=False)
    copy(store, store.with_name("whole"))
    return Made(store, answers(store.with_name("whole")))


def columns(path: Path) -> Iterator[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]:
                for column in connection.execute(f"PRAGMA table_info({table})").fetchall():
                    yield table, column[1]


def plant(path: Path, table: str, column: str, value: object, chance: random.Random) -> bool:
    """Put a value into a column of one row; whether SQLite takes it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        key = ", ".join(row[1] for row in connection.execute(f"PRAGMA table_info({table})").fetchall() if row[5])
        every = connection.execute(f"SELECT {key or 'key'} FROM {table}").fetchall()
        row = chance.choice(every)
        names = " AND ".join(f"{name} = ?" for name in (key or "key").split(", "))
        try:
            done = connection.execute(f"UPDATE {table} SET {column} = ? WHERE {names}", (value, *row)).rowcount
        except (sqlite3.IntegrityError, OverflowError):
            return False
        return done == 1


def another(path: Path, table: str, column: str, chance: random.Random) -> object:
    with closing(sqlite3.connect(path)) as connection:
        return chance.choice(connection.execute(f"SELECT {column} FROM {table}").fetchall())[0]


def values(path: Path, table: str, column: str, marker: Path, chance: random.Random) -> dict[str, object]:
    text = chance.randbytes(40).hex()
    return {
        "a pickle": pickle.dumps(Bomb(marker)),
        "a payload that constructs": chance.choice(constructors(marker)),
        "noise": chance.choice([chance.randbytes(50), text]),
        "the value of another row": another(path, table, column, chance),
        "NULL, huge or negative": chance.choice([None, 2**63 - 1, -1, 0, -(2**63), 1e308, "", b"", "x" * 1_000_000]),
    }


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_what_is_planted_in_a_column_is_found_and_never_run(
    made: Made, tmp_path: Path, ledger: Ledger, file: str
) -> None:
    chance, marker = random.Random(file), tmp_path / "marker"
    every = [
        (table, column, kind)
        for table, column in columns(made.store / file)
        for kind in values(made.store / file, table, column, marker, chance)
    ]
    for table, column, kind in chance.sample(every, times(min(len(every), 30), len(every))):
        store = tmp_path / "store"
        copy(made.store, store)
        value = values(store / file, table, column, marker, chance)[kind]
        if plant(store / file, table, column, value, chance):
            tally = ledger.tally(f"{kind} is planted in a column of a table", PROMISE)
            ask(tally, made, store, marker, (file, table, column, kind))
        shutil.rmtree(store)


def ask(tally: Tally, made: Made, store: Path, marker: Path, what: tuple[str, ...]) -> None:
    with tally.injection():
        verdict = judge(store, made.expected)
        assert not marker.exists(), what
        wrong = {name: given for name, given in verdict.wrong.items() if (name, given) != ("node cache", {})}
        if [*wrong] == ["list of checkpoints"]:  # writes of long ago, from which the next checkpoint was made
            with DiskCacheSaver(store / CHECKPOINTS) as saver, pytest.raises(StoreDamaged):
                [saver.verify(thread) for thread in saver.threads()]
        else:
            assert not wrong, (what, wrong)


def test_a_payload_with_a_fitting_checksum_is_not_run_either(made: Made, tmp_path: Path, ledger: Ledger) -> None:
    """Whoever computes the digests anew can write what he likes, but data alone."""
    tally = ledger.tally(
        "a payload that constructs is planted with a fitting checksum", "nothing is run; data, or exit 4"
    )
    marker = tmp_path / "marker"
    for payload in [*constructors(marker), pickle.dumps(Bomb(marker))]:
        for kind in ("msgpack", "pickle", "json"):
            store = tmp_path / "store"
            copy(made.store, store)
            with tally.injection():
                sealed(store / CHECKPOINTS, kind, payload)
                with DiskNodeCache(store / CACHE) as cache:
                    rows_of(cache).set(b"nnode\0\xfekey\0", kind.encode() + b"\0\xfe" + payload)
                for name, given in answers(store).items():
                    assert isinstance(given, StoreDamaged) or not isinstance(given, Exception), (name, given)
                with DiskNodeCache(store / CACHE) as cache, suppress(StoreDamaged):
                    cache.get([KEPT])
                assert not marker.exists()
            shutil.rmtree(store)


def rows_of(owner: DiskCacheSaver | DiskNodeCache) -> BlobStore:
    """Where it keeps its rows: as anyone can write them who has read the source."""
    return owner._store  # pyright: ignore[reportPrivateUsage] - no caller has any business with it


def sealed(folder: Path, kind: str, payload: bytes) -> None:
    """As a write after the newest checkpoint, and in the place of its metadata."""
    with DiskCacheSaver(folder, durability="process") as saver:
        for thread in ("waiting", "done"):
            found = saver.get_tuple(at(thread))
            assert found is not None
            place = Place(thread, "", found.checkpoint["id"])
            rows = rows_of(saver)
            row = rows.get(place.key)
            assert row is not None
            document = load_document(saver.serde, place, *row)
            if thread == "done" and kind == "msgpack":
                parts = [*document[1:-1]]
                raw = [ormsgpack.packb(part, default=dict) for part in parts]
                raw[4] = payload
                rows.set(place.key, b"\x96" + b"".join(raw))
            else:
                rows.set(place.key + b"task\0", dump_writes(saver.serde, [Write(0, "", "x", [kind, payload])]))
        assert rows_of(saver).keys(below(b"c"))
