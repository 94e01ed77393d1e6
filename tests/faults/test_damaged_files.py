"""Bits that flip, pages that are zeroed, files that are cut off: in every file of a store."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from langgraph.types import Command

from stretto.state import lease
from stretto.state.care_check import check
from stretto.state.care_repair import repair
from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.documents import Place
from stretto.state.errors import StoreDamaged
from stretto.state.log import Log
from stretto.state.rows import Fence
from tests.faults.stores import (
    CHECKPOINTS,
    DOORS,
    KEPT,
    WORKFLOWS,
    Answers,
    State,
    answers,
    at,
    copy,
    files,
    graph,
    judge,
    make,
)
from tests.faults.tally import Ledger, Tally, times

PAGE = 4096
PROMISE = "what is read is right, or exit 4; never a wrong answer, never another error"


class Made(NamedTuple):
    """A store, and what its doors answer as long as it is whole."""

    store: Path
    expected: Answers


@pytest.fixture(scope="module", params=["at rest", "killed"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    store = tmp_path_factory.mktemp("made") / "store"
    make(store, killed=request.param == "killed")
    whole = store.with_name("whole")
    copy(store, whole)
    expected = answers(whole)
    assert not [name for name, given in expected.items() if isinstance(given, Exception)]
    return Made(store, expected)


def hit(tally: Tally, made: Made, file: str, damage: Callable[[bytearray], object]) -> None:
    """Damage a copy of the store, and ask at every door."""
    store = made.store.with_name("hit")
    copy(made.store, store)
    bytes_ = bytearray((store / file).read_bytes())
    damage(bytes_)
    (store / file).write_bytes(bytes_)
    with tally.injection():
        verdict = judge(store, made.expected)
        wrong = {name: given for name, given in verdict.wrong.items() if (name, given) != ("node cache", {})}
        assert not wrong, (file, wrong)  # results that are gone are made again
        for error in verdict.damaged.values():
            assert error.next_steps
        _count(tally, found=bool(verdict.damaged))
    shutil.rmtree(store)


def _count(tally: Tally, *, found: bool) -> None:
    """Where nothing is found nothing was harmed: free pages, and what lies in a file that SQLite makes anew."""
    seen, harmless = (int(n) for n in tally.figures.get("found / harmless", "0 / 0").split(" / "))
    tally.figure("found / harmless", f"{seen + found} / {harmless + (not found)}")


def flip(chance: random.Random, bytes_: bytearray) -> None:
    where = chance.randrange(len(bytes_))
    bytes_[where] ^= 1 << chance.randrange(8)


@pytest.mark.slow
def test_a_flipped_bit_is_found_or_harms_nothing(made: Made, ledger: Ledger) -> None:
    tally, chance = ledger.tally("a bit flips in any file of the store", PROMISE), random.Random(5)
    for _ in range(times(20, 500)):
        hit(tally, made, chance.choice(files(made.store)), lambda bytes_: flip(chance, bytes_))


@pytest.mark.slow
def test_a_file_that_is_cut_off_is_found_or_nothing_is_missing(made: Made, ledger: Ledger) -> None:
    tally, chance = ledger.tally("a file ends too early: at a page, or anywhere", PROMISE), random.Random(6)
    for file in files(made.store):
        size = (made.store / file).stat().st_size
        ends = {*range(0, size, PAGE), *(chance.randrange(size) for _ in range(4))}
        for end in chance.sample(sorted(ends), min(len(ends), times(1, 40))):
            hit(tally, made, file, lambda bytes_: bytes_.__delitem__(slice(end, None)))  # noqa: B023 - called at once


@pytest.mark.slow
def test_a_zeroed_page_is_found_or_was_not_in_use(made: Made, ledger: Ledger) -> None:
    tally, chance = ledger.tally("a page is zeroed, or filled with noise", PROMISE), random.Random(7)
    for file in files(made.store):
        pages = range(0, (made.store / file).stat().st_size, PAGE)
        for page in chance.sample(pages, min(len(pages), times(1, 30))):
            noise = chance.choice([bytes(PAGE), chance.randbytes(PAGE)])
            hit(tally, made, file, lambda bytes_: overwrite(bytes_, page, noise))  # noqa: B023 - called at once


@pytest.mark.slow
def test_a_damaged_header_is_found_or_says_nothing_that_is_used(made: Made, ledger: Ledger) -> None:
    tally, chance = ledger.tally("a byte of a file's header is another", PROMISE), random.Random(8)
    for file in files(made.store):
        for place in chance.sample(range(100), times(1, 40)):
            hit(tally, made, file, lambda bytes_: overwrite(bytes_, place, chance.randbytes(1)))  # noqa: B023


def overwrite(bytes_: bytearray, place: int, new: bytes) -> None:
    end = min(place + len(new), len(bytes_))
    bytes_[place:end] = new[: end - place]


def test_every_door_is_asked(made: Made) -> None:
    assert len(DOORS) == len(made.expected) == 20
    assert made.expected["node cache"] == {KEPT: {"result": "r" * 600}}


def test_beside_a_damaged_checkpoint_the_older_ones_are_whole(tmp_path: Path, ledger: Ledger) -> None:
    tally = ledger.tally(
        "the newest checkpoint is damaged",
        "exit 4 names it, the older ones are right, and after a repair the thread goes on to the same end",
    )
    chance = random.Random(9)
    make(tmp_path / "store", killed=False)
    with Log.open(tmp_path / "store") as log:
        for name in WORKFLOWS:
            lease.release(log, Fence(name, 1))
    with DiskCacheSaver(tmp_path / "store" / CHECKPOINTS) as saver:
        first, *older = saver.list(at("waiting"))
        newest: dict[str, str] = first.config["configurable"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
    for number in range(times(5, 100)):
        folder = tmp_path / str(number) / CHECKPOINTS
        copy(tmp_path / "store", folder.parent)
        key = Place("waiting", "", newest["checkpoint_id"]).key
        flip_in_row(folder / "cache.db", key, chance)
        with tally.injection(), DiskCacheSaver(folder) as saver:
            for damaged in (at("waiting"), first.config):
                with pytest.raises(StoreDamaged, match=f"{newest['checkpoint_id']}' of thread 'waiting' is damaged"):
                    saver.get_tuple(damaged)
            assert [saver.get_tuple(found.config) for found in older] == older
            assert list(saver.list(at("waiting"), before=first.config)) == older
        with tally.injection():
            assert any(newest["checkpoint_id"] in finding.key for finding in check(folder.parent, deep=True).findings)
            repair(folder.parent, dry_run=False)
            assert ended(folder) == ("answered yes", [*range(6)])
        shutil.rmtree(folder.parent)


def ended(folder: Path) -> tuple[str, list[int]]:
    """What the thread ends with that waits for an answer."""
    with DiskCacheSaver(folder) as saver:
        app = graph(saver)
        app.invoke(None, at("waiting"))
        state: State = app.invoke(Command(resume="yes"), at("waiting"))
        return state["text"], state["steps"]


def flip_in_row(path: Path, key: bytes, chance: random.Random) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        ((value,),) = connection.execute("SELECT value FROM Cache WHERE key = ?", (key,)).fetchall()
        bytes_ = bytearray(value)
        flip(chance, bytes_)
        connection.execute("UPDATE Cache SET value = ? WHERE key = ?", (bytes(bytes_), key))
