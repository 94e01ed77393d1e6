"""A WAL that is gone or zeroed, and older copies that are put back: loss that SQLite does not notice."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from stretto.commands import workflow_status
from stretto.commands.app import App
from stretto.commands.invocation import Invocation
from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.errors import StoreDamaged
from stretto.state.log import Log
from stretto.state.standing import look
from stretto.state.subscription import Subscription
from tests.faults.stores import CHECKPOINTS, WORKFLOWS, at, copy, graph
from tests.faults.tally import Ledger, Tally, times

LOST = "has lost what was written to it last"
LOG, SAVER = "events", f"{CHECKPOINTS}/cache"
HEAD, FRAME = 32, 24 + 4096  # of a WAL, and of each page in it; what comes behind the last may be room for more
PROMISE = "exit 4 at every door, and it says how much is lost"


class Alive:
    """A store that is written to, and copied while it is: as a killed driver leaves it."""

    def __init__(self, store: Path, durability: str) -> None:
        self.store = store
        self.log = Log.open(store, durability=durability)
        self.saver = DiskCacheSaver(store / CHECKPOINTS, durability="power" if durability == "power" else "process")
        self.steps = 0

    def step(self) -> None:
        with self.log.write() as tx:
            if not self.steps:
                tx.create_workflow(WORKFLOWS[0], kind="feature", description="d", spec={}, runner="r")
            tx.put_fact(WORKFLOWS[0], "step", self.steps)
        graph(self.saver).invoke({"messages": [], "text": f"{self.steps}", "steps": []}, at(f"thread {self.steps}"))
        self.steps += 1

    def left(self, name: str) -> Path:
        copy(self.store, self.store.with_name(name))
        return self.store.with_name(name)

    def close(self) -> None:
        self.log.close()
        self.saver.close()


@pytest.fixture(params=["power", "process"])
def alive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Alive]:
    made = Alive(tmp_path / "store", request.param)
    made.step()
    yield made
    made.close()


LOG_DOORS: dict[str, Callable[[Path], object]] = {
    "read": Log.find,
    "write": Log.open,
    "subscribe": lambda store: Subscription.open(store, "keeper"),
    "workflow-status": lambda store: workflow_status.handle(Invocation("workflow-status"), App(str(store), str(store))),
    "hook": lambda store: look(str(store)),
}


def open_saver(store: Path) -> DiskCacheSaver:
    return DiskCacheSaver(store / CHECKPOINTS)


def refused(store: Path, *, log: bool, saver: bool) -> None:
    doors = {**(LOG_DOORS if log else {}), **({"saver": open_saver} if saver else {})}
    for name, door in doors.items():
        before = {path: path.read_bytes() for path in store.rglob("*.db*") if path.stat().st_size}
        with pytest.raises(StoreDamaged, match=LOST) as found:
            door(store)
        assert found.value.details["lost_commits"] > 0, name
        assert "events.tide" in found.value.next_steps[1] or "cache.tide" in found.value.next_steps[1]
        assert all(path.read_bytes() == bytes_ for path, bytes_ in before.items() if "-shm" not in path.name), name


def whole(store: Path) -> None:
    with Log.open(store) as log, DiskCacheSaver(store / CHECKPOINTS) as saver:
        assert log.workflow(WORKFLOWS[0])
        assert saver.get_tuple(at("thread 0"))


def end_wal(tally: Tally, alive: Alive, name: str, end: Callable[[Path], object]) -> None:
    store = alive.left("left")
    with tally.injection():
        end(store / f"{name}.db-wal")
        refused(store, log=name == LOG, saver=name == SAVER)
        (store / f"{name}.tide").unlink()  # as the error says: to go on with what is there
        Log.open(store).close()
        DiskCacheSaver(store / CHECKPOINTS).close()
    shutil.rmtree(store)


@pytest.mark.parametrize("name", [LOG, SAVER])
def test_a_wal_that_is_gone_zeroed_or_cut_off_is_found(alive: Alive, ledger: Ledger, name: str) -> None:
    tally = ledger.tally("the WAL of a killed driver is removed, zeroed or cut off", PROMISE)
    for _ in range(times(1, 10)):
        alive.step()
        end_wal(tally, alive, name, Path.unlink)
        end_wal(tally, alive, name, lambda wal: wal.write_bytes(b""))
        end_wal(tally, alive, name, lambda wal: wal.write_bytes(bytes(wal.stat().st_size)))
        end_wal(tally, alive, name, lambda wal: os.truncate(wal, FRAME * 2))
        end_wal(tally, alive, name, lambda wal: os.truncate(wal, HEAD + FRAME * 5 - 1))
        whole(alive.left("whole"))
        shutil.rmtree(alive.store.with_name("whole"))


@pytest.mark.parametrize("names", [(LOG,), (SAVER,), (LOG, SAVER)])
def test_an_older_copy_is_found(alive: Alive, ledger: Ledger, names: tuple[str, ...]) -> None:
    tally = ledger.tally("an older copy of events.db, of the checkpoints, or of both is put back", PROMISE)
    older = alive.left("older")
    for _ in range(times(2, 12)):
        alive.step()
        store = alive.left("left")
        with tally.injection(), ExitStack() as cleared:
            cleared.callback(shutil.rmtree, store)
            for name in names:
                for end in (".db", ".db-wal", ".db-shm"):
                    shutil.copy(older / f"{name}{end}", store / f"{name}{end}")
            refused(store, log=LOG in names, saver=SAVER in names)


def test_a_database_that_is_gone_is_not_made_anew(alive: Alive, ledger: Ledger) -> None:
    tally = ledger.tally("events.db or the checkpoints' file is removed", PROMISE)
    for name in (LOG, SAVER):
        store = alive.left("left")
        for end in (".db", ".db-wal", ".db-shm"):
            (store / f"{name}{end}").unlink()
        with tally.injection():
            doors: list[Callable[[Path], object]] = [Log.find, Log.open] if name == LOG else [open_saver]
            for door in doors:
                with pytest.raises(StoreDamaged, match=LOST):
                    door(store)
            assert not (store / f"{name}.db").exists()
        shutil.rmtree(store)


def test_a_mark_that_is_lost_or_damaged_costs_nothing_but_its_help(alive: Alive, ledger: Ledger) -> None:
    tally = ledger.tally("the mark beside a database is lost, or says nothing", "the store is used as it is")
    for content in (None, b"", b"9" * 66):
        store = alive.left("left")
        with tally.injection():
            for name in (LOG, SAVER):
                mark = store / f"{name}.tide"
                mark.unlink() if content is None else mark.write_bytes(content)
            whole(store)
        shutil.rmtree(store)


def test_what_another_boot_did_not_sync_may_be_lost_without_an_error(tmp_path: Path, ledger: Ledger) -> None:
    tally = ledger.tally(
        "after a reboot, commits that were not to survive it are gone",
        "the store is used as it is (durability process)",
    )
    for durability in ("process", "power"):
        alive = Alive(tmp_path / durability / "store", durability)
        alive.step()
        store = alive.left("left")
        alive.close()
        for name in (LOG, SAVER):
            (store / f"{name}.db-wal").write_bytes(b"")
            mark = (store / f"{name}.tide").read_text("ascii")
            assert ("synced" in mark) == (durability == "power")
            rebooted(store / f"{name}.tide")
        with tally.injection():
            if durability == "power":
                refused(store, log=True, saver=True)
            else:
                Log.open(store).close()
                DiskCacheSaver(store / CHECKPOINTS).close()


def rebooted(mark: Path) -> None:
    from binascii import crc32

    commits, boot, _ = mark.read_text("ascii").split()
    text = f"{commits} {boot if boot == 'synced' else 'another-boot'}"
    mark.write_text(f"{text} {crc32(text.encode()):08x}", "ascii")
