"""A part of a checkpoint goes back, the newest sound one is found, and rows are put right."""

from pathlib import Path
from typing import Any

import pytest

from stretto.graph import coordination, savepoints
from stretto.state import wire
from stretto.state.errors import BadInput, StoreDamaged
from tests.commands.clocked import Clocked
from tests.commands.test_recovery_checkpoints import recover


@pytest.fixture
def shop(tmp_path: Path) -> Clocked:
    """A checkpoint `here`; then two files are changed, one is new, and the phase is done."""
    found = Clocked(tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.txt").write_text("one")
    (tmp_path / "b.txt").write_text("one")
    found.hub("create", "shop_001", phases=["plan", "move"], resource_requirements={"agents": 2})
    found.hub("start-phase", "shop_001", "plan")
    recover(found, "create-checkpoint", "shop_001", "here")
    (tmp_path / "src" / "a.txt").write_text("two")
    (tmp_path / "src" / "new.txt").write_text("new")
    (tmp_path / "b.txt").write_text("two")
    found.hub("complete-phase", "shop_001", "plan")
    return found


def phases(shop: Clocked) -> Any:
    return shop.hub("get-status", "shop_001").result["phases"]


def contents(shop: Clocked) -> dict[str, str]:
    files = [shop.root / "b.txt", *(shop.root / "src").iterdir()]
    return {str(path.relative_to(shop.root)): path.read_text() for path in files}


THEN = {"src/a.txt": "one", "b.txt": "one"}
NOW = {"src/a.txt": "two", "src/new.txt": "new", "b.txt": "two"}


def test_files_alone_go_back_and_the_phases_stand(shop: Clocked) -> None:
    before = phases(shop)

    reply = recover(shop, "partial-restore", "shop_001", "here", components=["files"])

    assert contents(shop) == THEN
    assert phases(shop) == before
    assert reply.result["components"] == ["files"]
    assert shop.hub("get-status", "shop_001").result["status"] == "RUNNING"


def test_only_the_files_that_are_named_go_back(shop: Clocked) -> None:
    reply = recover(shop, "partial-restore", "shop_001", "here", components=["files"], paths=["src/"])

    assert contents(shop) == {"src/a.txt": "one", "b.txt": "two"}
    assert (reply.result["changed"], reply.result["removed"]) == (("src/a.txt",), ("src/new.txt",))


def test_phases_alone_go_back_and_the_files_stand(shop: Clocked) -> None:
    recover(shop, "partial-restore", "shop_001", "here", exclude_components=["files"])

    assert contents(shop) == NOW
    assert shop.told("CHECKPOINT_RESTORED")["phases"] == {"plan": "in_progress", "move": "pending"}
    assert shop.hub("get-status", "shop_001").result["status"] == "RECOVERING"


def test_what_was_there_before_can_be_taken_back(shop: Clocked) -> None:
    reply = recover(shop, "partial-restore", "shop_001", "here", components=["files"], paths=["b.txt"])
    recover(shop, "restore", "shop_001", reply.result["backup"])

    assert contents(shop) == NOW


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"components": ["agents"]}, "components[0]"),
        ({"components": ["files"], "exclude_components": ["files"]}, "components"),
        ({"components": ["phases"], "paths": ["src/"]}, "paths"),
        ({"paths": ["../other"]}, "paths[0]"),
        ({"paths": ["/etc/passwd"]}, "paths[0]"),
        ({"validation_level": "none"}, "validation_level"),
    ],
)
def test_a_part_that_is_none_is_refused_and_nothing_changes(shop: Clocked, body: Any, field: str) -> None:
    before = len(shop.events())
    with pytest.raises(BadInput) as refused:
        recover(shop, "partial-restore", "shop_001", "here", **body)
    assert refused.value.field == field
    assert (contents(shop), len(shop.events())) == (NOW, before)


def test_in_an_emergency_the_newest_sound_checkpoint_is_taken_and_the_others_are_named(shop: Clocked) -> None:
    recover(shop, "create-checkpoint", "shop_001", "later")
    with shop.writing() as tx:
        kept = savepoints.savepoints(tx.database, "shop_001")[-1]
        tx.database.execute("DELETE FROM savepoints WHERE id = ?", (kept.id,))
        tx.database.put("savepoints", (*kept[:5], wire.compact({**kept.snapshot, "phase": "?"}), kept.digest))

    reply = recover(shop, "emergency-restore", "shop_001")

    assert shop.told("CHECKPOINT_RESTORED")["name"] == "here"
    assert contents(shop) == THEN
    assert [name.split()[0] for name in reply.result["passed_over"]] == [kept.id]


def test_in_an_emergency_what_a_restore_kept_of_the_time_before_it_is_not_taken(shop: Clocked) -> None:
    recover(shop, "emergency-restore", "shop_001")
    recover(shop, "emergency-restore", "shop_001")

    assert shop.told("CHECKPOINT_RESTORED")["name"] == "here"
    assert contents(shop) == THEN


def test_in_an_emergency_nothing_unsound_is_restored(shop: Clocked) -> None:
    with pytest.raises(BadInput):
        recover(shop, "emergency-restore", "shop_001", skip_validation=True)
    with shop.writing() as tx:
        for kept in savepoints.savepoints(tx.database, "shop_001"):
            tx.database.execute("DELETE FROM savepoints WHERE id = ?", (kept.id,))
            tx.database.put("savepoints", (*kept[:5], wire.compact({**kept.snapshot, "phase": "?"}), kept.digest))

    with pytest.raises(StoreDamaged):
        recover(shop, "emergency-restore", "shop_001")
    assert contents(shop) == NOW


def test_rows_that_differ_from_their_events_are_put_right(shop: Clocked) -> None:
    with shop.writing() as tx:
        row = coordination.row_of(tx, "shop_001")._replace(status="PAUSED")
        tx.database.put("workflows", (*row[:5], wire.compact(row.spec), *row[6:]))
    assert recover(shop, "validate-state").exit_code == 4
    assert recover(shop, "repair-state", dry_run=True).result["actions"]
    assert recover(shop, "validate-state").exit_code == 4

    recover(shop, "repair-state")

    assert recover(shop, "validate-state").exit_code == 0
    assert shop.hub("get-status", "shop_001").result["status"] == "RUNNING"
