"""Disks that are really full, folders that are read-only, and file systems that lack what SQLite needs."""

import errno
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stretto.state.log import Log
from tests.faults.forks import Forks
from tests.faults.life import W, look, nobody, read, store_in
from tests.faults.shim import CHANGES, FOREVER, Fault
from tests.faults.tally import Ledger

pytestmark = pytest.mark.slow

ROOMS = Path(__file__).parents[2]


def in_a_namespace(prepare: str, folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """A command that sees the folder as `prepare` makes it: by mounts that nobody else sees, and without being root."""
    may = ["unshare", "-rm", "sh", "-c", f"{prepare}", str(folder)]
    if not shutil.which("unshare") or subprocess.run(may, capture_output=True, check=False).returncode:
        pytest.skip("no fault was injected: mount namespaces are not allowed here")
    shell = f'{prepare} && cd "$0" && exec "$@"'
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", shell, str(folder), *argv],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def stretto(*words: str) -> list[str]:
    return [sys.executable, "-m", "stretto.commands", *words]


READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"'


@pytest.mark.parametrize("left", ["at rest", "by a driver that was killed"])
def test_a_store_in_a_read_only_folder_can_be_read_and_writing_says_what_is_wrong(
    forks: Forks, tmp_path: Path, ledger: Ledger, left: str
) -> None:
    row = ledger.tally(
        "the project's folder is read-only", "what is there is read, all of it; a write says what is wrong"
    )
    fault = Fault("kill", CHANGES, 450) if left != "at rest" else None
    assert forks.do("live", tmp_path, fault, durability="process") == (-9 if fault else 0)
    assert (store_in(tmp_path) / "events.db-wal").exists() is bool(fault)
    before = {path: path.read_bytes() for path in store_in(tmp_path).rglob("*") if path.is_file()}

    with row.injection():
        done = in_a_namespace(READ_ONLY, tmp_path, *stretto("workflow-status", W))
        assert done.returncode == 0, done.stderr
        assert "Add a shop" in done.stdout
    with row.injection():
        done = in_a_namespace(READ_ONLY, tmp_path, *stretto("cancel", W))
        assert done.returncode == 1, done.stdout
        assert re.search(r"[Rr]ead-only|writable", done.stderr + done.stdout)
        assert "Traceback" not in done.stderr
    with row.injection():
        done = in_a_namespace(READ_ONLY, tmp_path, *stretto("events", W))
        number = re.findall(r'"number":(\d+)', done.stdout)
        assert done.returncode == 0, done.stderr
        assert {path: path.read_bytes() for path in before} == before
        assert int(number[-1]) == look(tmp_path).number


FILL = 'mount -t tmpfs -o size=5m t "$0" && mkdir "$0/home" && HOME="$0/home"'
FULL = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOMS)!r})
from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.errors import DiskFull, StrettoError
from stretto.state.log import Log
from tests.faults import life

here = Path.cwd()
life.live(here, "power", life.nobody)
ballast, number = here / "ballast", 0

def fill():
    with ballast.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass

with Log.open(life.store_in(here)) as log:
    fill()
    try:
        while True:
            with log.write() as tx:
                tx.put_fact(life.W, "filled", number + 1)
                tx.event("PHASE_PROGRESS", "other", "p", {{"text": "x" * 3000}})
            number += 1
    except DiskFull as error:
        print(type(error).__name__, error.next_steps)
fill()
for what in ("read", "open", "prune"):
    try:
        if what == "read":
            with Log.find(life.store_in(here)) as log:
                assert (log.fact(life.W, "filled") or 0) == number
                log.verify()
        elif what == "open":
            Log.open(life.store_in(here))
        else:
            with DiskCacheSaver(life.store_in(here) / "checkpoints") as saver:
                saver.prune([life.THREAD], strategy="delete")
        print(what, "works")
    except StrettoError as error:
        print(what, type(error).__name__, error.message)
ballast.unlink()
with Log.open(life.store_in(here)) as log:
    with log.write() as tx:
        tx.event("PHASE_PROGRESS", "other", "p", {{}})
    log.verify()
print("healed")
"""


def test_a_disk_that_is_really_full_is_told_can_be_read_and_heals(tmp_path: Path, ledger: Ledger) -> None:
    row = ledger.tally(
        "a small disk (tmpfs) that is filled to the last byte",
        "DiskFull; all that was acknowledged can be read and verified; it heals when there is space",
    )

    with row.injection():
        done = in_a_namespace(FILL, tmp_path, sys.executable, "-c", FULL)
        assert done.returncode == 0, done.stderr
        full, reading, opening, pruning, healed = done.stdout.splitlines()
        assert full == "DiskFull ('Free some space, then resume.',)"
        assert reading == "read works"
        assert opening.startswith("open DiskFull The disk is full, for ")
        assert pruning.startswith(("prune works", "prune DiskFull"))
        assert healed == "healed"
    row.figure("deleting a thread meanwhile", pruning.removeprefix("prune ").partition(" ")[0])


@pytest.mark.parametrize(
    ("lacking", "fault"),
    [
        ("locks (as some network mounts)", Fault("fail", "l", 1, FOREVER, errno.EOPNOTSUPP)),
        ("shared memory maps (as some network and FUSE mounts)", Fault("fail", "p", 1, FOREVER, errno.ENODEV)),
    ],
)
def test_a_file_system_that_lacks_what_a_log_needs_is_refused_and_never_used_otherwise(
    forks: Forks, tmp_path: Path, ledger: Ledger, lacking: str, fault: Fault
) -> None:
    row = ledger.tally(
        "a file system without locks, or without shared memory maps (played by the shim)",
        "an error that names the file and what to look at; nothing is made, or what was there stays",
    )
    with row.injection():
        assert forks.do("live", tmp_path, fault) == 1, lacking
        assert re.search(r"events\.db.*local disk", forks.why())
        with Log.open(store_in(tmp_path)) as log:
            assert log.verify() == 0
    with row.injection():
        assert forks.do("live", tmp_path) == 0
        assert forks.do("live", tmp_path, fault) == 1, lacking
        read(tmp_path, "power", nobody)
        assert look(tmp_path).number == 6
