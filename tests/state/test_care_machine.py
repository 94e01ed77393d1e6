"""What the machine is judged by."""

from pathlib import Path

import pytest

from stretto.state import care_machine as machine
from stretto.state.log import Log
from tests.snapshot import snapshot

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home/me/share\\040one rw,relatime - nfs4 server:/x rw
31 22 0:41 / /home rw,relatime - btrfs /dev/sdb rw
32 22 0:42 / /mnt/far rw - fuse.sshfs me@far: rw
"""


@pytest.mark.parametrize(
    ("place", "kind", "level"),
    [
        ("/srv/store", "ext4", "ok"),
        ("/home/me/store", "btrfs", "ok"),
        ("/home/me/share one/store", "nfs4", "problem"),
        ("/mnt/far", "fuse.sshfs", "problem"),
    ],
)
def test_a_network_file_system_is_named(place: str, kind: str, level: str) -> None:
    assert machine.mounted(Path(place), MOUNTS) == kind
    assert machine.file_system(Path(place), MOUNTS).level == level


def test_a_system_that_does_not_tell_is_no_problem() -> None:
    assert machine.file_system(Path("/x"), "").level == "note"


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 7, 17), "problem"), ((3, 40, 1), "note"), ((3, 51, 2), "note"), ((3, 51, 3), "ok"), ((4, 0, 0), "ok")],
)
def test_the_wal_reset_bug_is_told_of_the_versions_that_have_it(version: tuple[int, ...], level: str) -> None:
    assert machine.sqlite(version).level == level


def test_an_old_python_a_full_disk_and_a_wrong_clock_are_found(tmp_path: Path) -> None:
    assert [machine.python(v).level for v in ((3, 10, 9), (3, 11, 0), (3, 14, 1))] == ["problem", "ok", "ok"]
    assert [machine.room(n).level for n in (10**6, 10**8, 10**10)] == ["problem", "warning", "ok"]
    assert [machine.clock(n, None).level for n in (0.0, 2e9)] == ["warning", "ok"]
    assert [machine.clock(2e9, n).level for n in (2e9 + 10, 2e9 + 4000)] == ["ok", "warning"]


def test_a_store_that_others_may_read_is_a_warning(tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert machine.rights(store).level == "ok"
    store.mkdir(mode=0o755)
    assert machine.rights(store).level == "warning"
    store.chmod(0o700)
    assert machine.rights(store).level == "ok"


def test_looking_at_the_machine_changes_nothing(tmp_path: Path) -> None:
    with Log.open(tmp_path / "store", clock=lambda: 4e9) as log, log.write() as tx:
        tx.event("SYSTEM_STARTUP", "system", "setup", {})
    before = snapshot(tmp_path)

    seen = machine.look(tmp_path / "store")

    assert snapshot(tmp_path) == before
    assert {s.name: s.level for s in seen}["clock"] == "warning"
