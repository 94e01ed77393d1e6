"""Care of the checkpoints: what is in their file, and, through the saver's own eyes, what of it can be loaded.

What care looks at is a copy. Rows that the saver did not write are taken out of it before the saver opens it.
"""

import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stretto.state.blobs import FORMAT
from stretto.state.cache_tables import AHEAD, COUNT
from stretto.state.care_finding import Finding, lost
from stretto.state.care_picture import open_picture, picture
from stretto.state.documents import thread_of
from stretto.state.errors import StoreDamaged
from stretto.state.tide import mark

if TYPE_CHECKING:
    from stretto.state.healing import Examined

CACHE = "cache.db"
_WHERE = "checkpoints"
_PLAIN = (1, 1, None)
"""`raw`, `mode` and `filename` of a row that holds its value as plain bytes."""
_ANEW = "`stretto store repair` builds the file anew from what can be read"
_LOST = "None of its thread is whole: after a repair a resume begins the graph anew, and finished tasks stay"
_GO_ON = "`stretto store repair` goes on with what is there"
_BEGIN = "after a `stretto store repair` a resume begins the graph anew, and finished tasks stay"
_COLUMNS = "key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value"


class Unreadable(StoreDamaged):
    """Nothing can be loaded of the checkpoints: they can only be set aside."""


class Looked(NamedTuple):
    """What was found of the checkpoints: what is wrong, how many were loaded, and what a repair says of it all.

    `healed` is a copy of their file without what is damaged; None where nothing is, or where nobody asked for it.
    """

    findings: tuple[Finding, ...]
    loaded: int
    said: tuple[str, ...] = ()
    healed: Path | None = None


def look(directory: Path, *, deep: bool) -> Looked:
    """Look at the checkpoints in a folder: all of them if `deep`, else the newest of each thread and namespace.

    Raises:
        Unreadable: Nothing can be loaded.
        StoreDamaged: They are of a newer Stretto.
    """
    marked = mark(str(directory / CACHE))
    if not (directory / CACHE).exists():
        return Looked((*lost(f"{_WHERE}/{CACHE}", 0, marked, _BEGIN),), 0)
    with picture(directory / CACHE) as copy:
        source, findings = _prepared(copy, marked)
        told, loaded = _examined(source, deep=deep)
        return Looked((*findings, *told), loaded)


def heal(copy: Path, marked: int) -> Looked:
    """Look at a copy, which lies in a folder of its own, and take out of it what is damaged.

    `marked` is how many commits it must have seen.

    Raises:
        Unreadable: Nothing can be loaded.
        StoreDamaged: They are of a newer Stretto.
    """
    source, findings = _prepared(copy, marked)
    told, loaded = _examined(source, deep=True)
    if not (findings or told):
        return Looked((), loaded)
    said = [*dict.fromkeys(_left_out(finding) for finding in findings), *_healed(source)]
    with closing(sqlite3.connect(source)) as connection, connection:  # else it would be taken for an older copy
        connection.execute("UPDATE Settings SET value = max(value, ?) WHERE key = ?", (marked, AHEAD))
    return Looked((*findings, *told), loaded, tuple(said), source)


def _prepared(copy: Path, marked: int) -> tuple[Path, list[Finding]]:
    """A file that the saver opens, with all rows that can be read and are its own; and what is wrong with the copy."""
    try:
        with closing(open_picture(copy)) as connection:
            version = _format(connection)
            _refuse_newer(version)
            findings = [*_structure(connection), *_planted(connection)]
            gone = lost(f"{_WHERE}/{CACHE}", _commits(connection, marked), marked, _GO_ON)
        source = _salvaged(copy, version) if findings else copy
        if (why := _refused(source)) is None:
            return source, [*gone, *findings]
        source, more = _as_it_is(copy, why) if version == FORMAT else _as_of_old(copy, version, why)
    except sqlite3.Error as error:
        raise _unreadable(error) from error
    return source, [*gone, *findings, *more]


def _commits(connection: sqlite3.Connection, marked: int) -> int:
    """How many commits the file has seen, as it says; as many as it must, if that cannot be read."""
    try:
        ((found,),) = connection.execute(COUNT).fetchall()
    except (sqlite3.Error, ValueError):
        return marked
    return found if isinstance(found, int) else marked


def _as_it_is(copy: Path, why: str) -> tuple[Path, list[Finding]]:
    """The rows in tables made anew, where the saver refuses those that are there."""
    source = _salvaged(copy, FORMAT)
    if again := _refused(source):
        raise _unreadable(again)
    return source, [Finding("page", _WHERE, CACHE, why, _ANEW)]


def _as_of_old(copy: Path, version: int, why: str) -> tuple[Path, list[Finding]]:
    """The rows of an older format that can be rewritten, thread by thread; or of today's, if only the number is wrong.

    Rows of one format with the number of another are never left so: none of them would load.
    """
    today = _salvaged(copy, FORMAT)
    if _refused(today) is None and any(not one.why for _, found in _each(today, deep=True) for one in found):
        return today, [Finding("page", _WHERE, "user_version", f"its format is {version}, which it is not", _ANEW)]
    names = _threads(copy)
    broken = {name: told for name in sorted(names) if (told := _refused(_salvaged(copy, version, {name})))}
    source = _salvaged(copy, version, names - broken.keys())
    if again := _refused(source):
        raise _unreadable(again)
    lost = [Finding("thread", _WHERE, name, told, _LOST) for name, told in broken.items()]
    return source, lost or [Finding("page", _WHERE, CACHE, why, _ANEW)]


def _refused(source: Path) -> str | None:
    """Why the saver does not open a file; None if it does, and has rewritten what an older one wrote."""
    try:
        _open(source)
    except StoreDamaged as error:
        return error.message
    return None


def _refuse_newer(found: int) -> None:
    if found > FORMAT:
        raise StoreDamaged(
            f"The checkpoints were written by a newer Stretto, or their first page is damaged: their format is {found},"
            f" this one knows {FORMAT}. They were not touched.",
            next_steps=("Upgrade Stretto, or put a backup of the store back.",),
        )


def _format(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _unreadable(error: object) -> Unreadable:
    return Unreadable(f"The checkpoints cannot be read at all: {error}. They were not touched.")


def _structure(connection: sqlite3.Connection) -> list[Finding]:
    try:
        told = connection.execute("PRAGMA integrity_check(100)").fetchall()
    except sqlite3.Error as error:
        told = [(str(error),)]
    lines = [line for (text,) in told for line in str(text).splitlines()]
    return [
        Finding("page", _WHERE, CACHE, line, _ANEW) for line in lines if line != "ok" and not line.startswith("***")
    ]


def rows(connection: sqlite3.Connection, columns: str) -> Iterator[tuple[Any, ...]]:
    """Every row that can be read: from the front to the first damaged page, then from the back to the last."""
    last = 0
    try:
        for row in connection.execute(f"SELECT rowid, {columns} FROM Cache ORDER BY rowid"):  # noqa: S608 - our words
            yield row
            last = row[0]
    except sqlite3.DatabaseError:
        back = f"SELECT rowid, {columns} FROM Cache WHERE rowid > ? ORDER BY rowid DESC"  # noqa: S608 - our words
        with suppress(sqlite3.DatabaseError):
            yield from connection.execute(back, (last,))


def _is_ours(key: object, raw: object, mode: object, filename: object, kind: object) -> bool:
    """Whether a row is bytes under bytes, which is all that the saver writes, and under a key such as it makes."""
    plain = (raw, mode, filename) == _PLAIN and kind == "blob"
    return plain and isinstance(key, bytes) and thread_of(key) is not None


def _planted(connection: sqlite3.Connection) -> Iterator[Finding]:
    for row, *columns in rows(connection, "key, raw, mode, filename, typeof(value)"):
        if not _is_ours(*columns):
            why = "it is no row such as the saver writes: it was planted, and is never loaded"
            yield Finding("planted", _WHERE, f"row {row}", why, "`stretto store repair` leaves it out")


def _salvaged(copy: Path, version: int, wanted: set[str] | None = None) -> Path:
    """A sound file beside a damaged one, with all rows that can be read of it and are the saver's.

    Of `wanted` threads alone, if any are named. `version` is the format of the rows.
    """
    folder = copy.with_name("salvaged")
    shutil.rmtree(folder, ignore_errors=True)
    _open(folder / CACHE)
    insert = f"INSERT OR IGNORE INTO Cache ({_COLUMNS}) VALUES ({', '.join('?' * 11)})"  # noqa: S608 - our words
    with closing(open_picture(copy)) as source, closing(sqlite3.connect(folder / CACHE)) as target, target:
        for _, *row, kind in rows(source, f"{_COLUMNS}, typeof(value)"):
            ours = _is_ours(row[0], row[1], row[8], row[9], kind)
            if ours and (wanted is None or thread_of(row[0]) in wanted):
                target.execute(insert, row)
        target.execute(f"PRAGMA user_version = {version}")
    return folder / CACHE


def _threads(copy: Path) -> set[str]:
    with closing(open_picture(copy)) as connection:
        keys = [key for _, key in rows(connection, "key") if isinstance(key, bytes)]
    return {thread for key in keys if (thread := thread_of(key)) is not None}


def _open(file: Path) -> None:
    """Have the saver open it once: it makes it, or rewrites what an older one wrote."""
    from stretto.state.checkpoint import DiskCacheSaver  # LangGraph takes a while, and a store may hold none

    DiskCacheSaver(file.parent, durability="process").close()


def _examined(source: Path, *, deep: bool) -> tuple[list[Finding], int]:
    told: list[Finding] = []
    loaded = 0
    for _, found in _each(source, deep=deep):
        loaded += len(found)
        told += (_told(one, found) for one in found if one.why)
    return told, loaded


def _each(source: Path, *, deep: bool) -> Iterator[tuple[str, list["Examined"]]]:
    from stretto.state.checkpoint import DiskCacheSaver

    with DiskCacheSaver(source.parent, durability="process") as saver:
        for thread in saver.threads():
            yield thread, [*saver.healer.examine(thread, deep=deep)]


def _told(one: "Examined", thread: Iterable["Examined"]) -> Finding:
    whole = [e.place.id for e in thread if e.place.namespace == one.place.namespace and (e.stays or not e.why)]
    older = [name for name in whole if name < one.place.id]
    if one.stays:
        cure = "It is whole itself: `stretto store repair` keeps it, and notes that what it followed is lost"
    elif not one.place.id:
        cure = "`stretto store repair` deletes it"
    elif whole and max(whole) > one.place.id:
        cure = "Newer ones are whole; `stretto store repair` leaves this one out"
    elif older:
        cure = f"`stretto store repair` goes back to {max(older)}, the newest that is whole"
    else:
        cure = _LOST
    return Finding("checkpoint", _WHERE, " ".join(filter(None, one.place)), one.why, cure)


def _left_out(finding: Finding) -> str:
    if finding.kind == "lost":
        return f"{finding.where}: what is there was kept, and {finding.why}"
    if finding.kind == "thread":
        return f"{finding.key} has no checkpoint left, and begins anew: {finding.why}"
    if finding.kind == "planted":
        return f"checkpoints: {finding.key} was left out: {finding.why}"
    return "checkpoints: what cannot be read was left out, and the file built anew"


def _healed(source: Path) -> list[str]:
    """Take out what is damaged; say so, one line for each checkpoint, and where each thread goes on."""
    from stretto.state.checkpoint import DiskCacheSaver

    said: list[str] = []
    with DiskCacheSaver(source.parent, durability="power") as saver:
        for thread in [*saver.threads()]:
            healed = saver.healer.heal(thread)
            said += map(_became, healed)
            if healed:
                newest = {one.place.namespace: one.place.id for one in [*saver.healer.examine(thread)][::-1]}
                gone = {one.place.namespace for one in healed} - newest.keys()
                said += [f"{_name(thread, space)} goes on from checkpoint {one}" for space, one in newest.items()]
                said += [f"{_name(thread, space)} has no checkpoint left, and begins anew" for space in gone]
    return said


def _became(one: "Examined") -> str:
    if not one.place.id:
        return f"checkpoints of {_name(*one.place[:2])}: what no checkpoint needs was deleted: {one.why}"
    became = "stays, without the one that it followed" if one.stays else "was left out"
    return f"checkpoint {one.place.id} of {_name(*one.place[:2])} {became}: {one.why}"


def _name(thread: str, namespace: str) -> str:
    return f"{thread} {namespace}".strip()


def threads(directory: Path) -> set[str]:
    """The threads of which anything is stored in a folder.

    Raises:
        StoreDamaged: It cannot be read.
    """
    if not (directory / CACHE).exists():
        return set()
    with picture(directory / CACHE) as copy, closing(open_picture(copy)) as connection:
        try:
            found = connection.execute("SELECT key FROM Cache").fetchall()
        except sqlite3.Error as error:
            raise StoreDamaged(
                f"{CACHE!r} is damaged: {error}.", next_steps=("stretto store check", "stretto store repair")
            ) from error
    return {thread for (key,) in found if isinstance(key, bytes) and (thread := thread_of(key)) is not None}


def bring_up(directory: Path) -> tuple[int, int] | None:
    """Have the saver open a folder once, which rewrites what an older one wrote; its format before and after.

    None, and nothing made, where there is none.
    """
    if not (directory / CACHE).exists():
        return None
    with picture(directory / CACHE) as copy, closing(open_picture(copy)) as connection:
        before = _format(connection) or 1
    _open(directory / CACHE)
    return before, FORMAT


def forget(directory: Path, names: Iterable[str]) -> None:
    """Delete threads, and give their room back."""
    if not (directory / CACHE).exists():
        return
    from stretto.state.checkpoint import DiskCacheSaver

    with DiskCacheSaver(directory) as saver:
        for name in names:
            saver.delete_thread(name)
