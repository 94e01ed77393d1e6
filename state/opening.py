"""How `events.db` is made and opened.

SQLite 3.7.0 to 3.51.2, which many a Python brings, can corrupt a WAL when two connections write or checkpoint in the
same instant. So whoever makes the file, writes, or closes after writing holds `events.lock` meanwhile. Readers do
neither and need no lock.
"""

from __future__ import annotations

import os
import sys

from stretto.state import folders
from stretto.state.database import Database
from stretto.state.errors import BadInput, StrettoError
from stretto.state.gate import PATIENCE_SECONDS, held, held_now, open_gate
from stretto.state.light import suppress
from stretto.state.ours import vouch
from stretto.state.reader import FAULTS, beside_writers, check, check_head, connect, explain
from stretto.state.schema import APPLICATION_ID, DDL, MIGRATIONS, VERSION
from stretto.state.sqlite import sqlite3
from stretto.state.tide import Tide, check_tide, mark

SYNCHRONOUS = {"power": "FULL", "process": "NORMAL"}


def writer(path: str, *, durability: str) -> Database:
    """Open `path` for writing, and make it when there is none.

    Raises:
        StoreDamaged: It is another program's file, damaged, or of another schema; it was not touched.
        StrettoError: The folder is not writable, or the disk is full.
        BadInput: An unknown durability.
    """
    if durability not in SYNCHRONOUS:
        raise BadInput(f"There is no durability {durability!r}.", field="durability", allowed=tuple(SYNCHRONOUS))
    gate = None
    try:
        gate = open_gate(_beside(path, ".lock"))
        with held(gate, path):
            if not os.path.exists(path):
                check_tide(path, mark(path), 0)
                vouch(os.path.dirname(path))  # first: a store that is there and unmarked was made by somebody else
                make(path)
            connection = _ready(path, durability)
            return Database(path, connection, gate, Tide(path, synced=durability == "power"))
    except BaseException as error:
        if gate is not None:
            os.close(gate)
        if isinstance(error, FAULTS):
            raise explain(error, path) from error
        if isinstance(error, OSError):
            step = "See whether the folder, and the files in it, can be written."
            raise folders.refusal(error, f"Cannot write {path!r}", step) from error
        raise


def _ready(path: str, durability: str) -> sqlite3.Connection:
    """A connection that may write, to a file that is ours and lacks nothing.

    One that may write brings a `-wal` home and takes it away, also a damaged one, and mends other programs' files that
    were cut off. So where there is something that could be lost, the file is first looked at by one that may not.
    """
    check_head(path)
    if _holds_something(f"{path}-wal") and (first := reader(path)):
        first.close()
    marked = mark(path)
    connection = _connect(path, "rw")
    try:
        check(connection, path, marked)
        _make_durable(connection, path, durability)
        _migrate(connection)
        if durability == "power":
            _settle(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _holds_something(path: str) -> bool:
    return os.path.exists(path) and os.path.getsize(path) > 0


def reader(path: str) -> Database | None:
    """Open `path` for reading, beside a living writer or not; None when there is none. Makes nothing.

    Raises:
        StoreDamaged: As for `writer`.
        StrettoError: It cannot be read.
    """
    marked = mark(path)
    if not os.path.exists(path):
        check_tide(path, marked, 0)
        return None
    connection, gate = beside_writers(os.path.abspath(path), PATIENCE_SECONDS)
    return Database(path, connection, None, tidy=tidy if gate is None else lambda _: os.close(gate))


def tidy(path: str) -> None:
    """Take away the empty `-wal` and `-shm` that reading a resting log leaves, so that whoever looks changes nothing.

    SQLite does it when the last connection that may write closes; if another one is there, or the lock is held, then
    they are in use and stay. A `-wal` that holds something was left by a driver that died, and the next writer's.
    """
    with suppress(OSError, sqlite3.Error):
        if os.stat(f"{path}-wal").st_size:
            return
        gate = os.open(_beside(path, ".lock"), os.O_RDWR | os.O_CLOEXEC)
        try:
            with held_now(gate) as alone:
                if alone:
                    _touch(path)
        finally:
            os.close(gate)


def _touch(path: str) -> None:
    connection = _connect(path, "rw")
    try:
        connection.execute("PRAGMA user_version").fetchall()
    finally:
        connection.close()


def _beside(path: str, suffix: str) -> str:
    return f"{os.path.splitext(path)[0]}{suffix}"


def _connect(path: str, mode: str) -> sqlite3.Connection:
    return connect(os.path.abspath(path), mode, PATIENCE_SECONDS)


def make(path: str) -> None:
    """Make the file under another name first, so that `events.db` is complete from the moment it is there."""
    new = _beside(path, ".new")
    for end in ("", "-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            os.unlink(f"{new}{end}")
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    connection = _connect(new, "rw")
    try:
        connection.execute("BEGIN IMMEDIATE")
        for statement in DDL:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
        _use_wal(connection, path)  # last: what a WAL holds would not come along, and closing may fail to bring it home
    finally:
        connection.close()
    folders.anchor(os.path.dirname(path))
    os.rename(new, path)
    folders.sync(os.path.dirname(path))


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring an older file up, a version at a time: each step is one transaction, so a crash leaves a whole version."""
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    for old in range(version, VERSION):
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            for statement in MIGRATIONS[old]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {old + 1}")


def _use_wal(connection: sqlite3.Connection, path: str) -> None:
    ((mode,),) = connection.execute("PRAGMA journal_mode = WAL").fetchall()
    if mode != "wal":
        raise StrettoError(
            f"{path!r} lies where SQLite can use no write-ahead log (it says {mode!r}): on a network file system, most"
            " likely. Nothing was written.",
            next_steps=("Name a store on a local disk with --store DIR or STRETTO_STORE.",),
        )


def _settle(connection: sqlite3.Connection, path: str) -> None:
    """Make what was found durable, also a commit whose sync failed, of which nobody was told: see `folders.rewrite`."""
    folders.rewrite(f"{path}-wal")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # so that the next one has less to do
    folders.sync(os.path.dirname(path))  # the name of the WAL: when SQLite fails at it, it does not say


def _make_durable(connection: sqlite3.Connection, path: str, durability: str) -> None:
    _use_wal(connection, path)
    connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS[durability]}")
    if durability == "power" and sys.platform == "darwin":  # there, a plain fsync leaves data in the drive's cache
        connection.execute("PRAGMA fullfsync = ON")
        connection.execute("PRAGMA checkpoint_fullfsync = ON")
