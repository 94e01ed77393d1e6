"""Checkpoints and state through /workflow-recovery: listed, checked, gone back to, cleared away."""

from pathlib import Path
from typing import Any

import pytest

from stretto.graph import coordination, savepoints
from stretto.state import wire
from stretto.state.errors import BadInput, NotFound
from tests.commands.clocked import Clocked


@pytest.fixture
def shop(tmp_path: Path) -> Clocked:
    found = Clocked(tmp_path)
    (tmp_path / "a.txt").write_text("one")
    found.hub("create", "shop_001", phases=["plan", "move"])
    found.hub("start-phase", "shop_001", "plan")
    return found


def recover(shop: Clocked, *args: str, **body: Any) -> Any:
    return shop.run("workflow-recovery", *args, **body)


def test_checkpoints_are_made_listed_checked_and_gone_back_to(shop: Clocked) -> None:
    made = recover(shop, "create-checkpoint", "shop_001", "here")
    (shop.root / "a.txt").write_text("two")
    listed = recover(shop, "list-checkpoints", "shop_001")
    checked = recover(shop, "validate-checkpoint", "shop_001", "here")

    back = recover(shop, "restore", "shop_001", "here")

    assert [c["name"] for c in listed.result["checkpoints"]] == ["pre_plan", "here"]
    assert checked.result["valid"] is True
    assert (shop.root / "a.txt").read_text() == "one"
    assert back.command == made.command == "workflow-recovery"
    assert {"CHECKPOINT_CREATED", "CHECKPOINT_RESTORED"} <= set(shop.types())


def test_a_checkpoint_that_was_changed_is_told_from_sound_ones(shop: Clocked) -> None:
    with shop.writing() as tx:
        (kept,) = savepoints.savepoints(tx.database, "shop_001")
        tx.database.execute("DELETE FROM savepoints")
        tx.database.put("savepoints", (*kept[:5], wire.compact({**kept.snapshot, "phase": "move"}), kept.digest))

    reply = recover(shop, "validate-checkpoint", "shop_001")

    assert reply.exit_code == 4
    assert reply.result["checkpoints"][0]["valid"] is False


def test_files_of_a_checkpoint_that_are_gone_are_found(shop: Clocked) -> None:
    objects = [p for p in (shop.root / "store").rglob("objects/??/*") if p.is_file()]
    assert objects
    for path in objects:
        path.chmod(0o644)
        path.unlink()

    assert recover(shop, "validate-checkpoint", "shop_001", "pre_plan").exit_code == 4


def test_the_oldest_go_and_what_the_phase_at_work_needs_stays(shop: Clocked) -> None:
    for name in ("a", "b", "c"):
        (shop.root / "a.txt").write_text(name)
        recover(shop, "create-checkpoint", "shop_001", name)

    dry = recover(shop, "cleanup-checkpoints", "shop_001", keep=1, dry_run=True)
    assert len(dry.result["removed"]) == 2
    recover(shop, "cleanup-checkpoints", "shop_001", keep=1)

    left = recover(shop, "list-checkpoints", "shop_001").result["checkpoints"]
    assert [c["name"] for c in left] == ["pre_plan", "c"]
    assert len(shop.told("WORKFLOW_STATE_UPDATED")["checkpoints_removed"]) == 2
    assert recover(shop, "validate-checkpoint", "shop_001").result["valid"] is True


def test_state_agrees_or_the_difference_is_named(shop: Clocked) -> None:
    assert recover(shop, "validate-state").result == {"valid": True, "checked": 1, "differences": {}}

    with shop.writing() as tx:
        row = coordination.row_of(tx, "shop_001")._replace(status="PAUSED")
        tx.database.put("workflows", (*row[:5], wire.compact(row.spec), *row[6:]))
    reply = recover(shop, "validate-state", "shop_001")

    assert reply.exit_code == 4
    assert reply.result["differences"]["shop_001"] == ["status: the row says 'PAUSED', the events say 'RUNNING'"]


def test_a_backup_is_checked_and_never_replaces_anything(shop: Clocked) -> None:
    target = shop.root / "copy.tar.gz"

    assert recover(shop, "backup-state", target=str(target)).result["damage"] == []

    with pytest.raises(BadInput):
        recover(shop, "backup-state", target=str(target))


@pytest.mark.parametrize(
    ("args", "body", "error"),
    [
        (("validate-checkpoint", "shop_001", "nothing"), {}, NotFound),
        (("list-checkpoints", "shop_001"), {"filter_by_type": "good"}, BadInput),
        (("cleanup-checkpoints",), {"keep": 0}, BadInput),
        (("cleanup-checkpoints",), {"older_than": "soon"}, BadInput),
        (("backup-state",), {}, BadInput),
        (("validate-state", "nobody_001"), {}, NotFound),
    ],
)
def test_what_makes_no_sense_is_refused(shop: Clocked, args: tuple[str, ...], body: Any, error: Any) -> None:
    before = shop.types()

    with pytest.raises(error):
        recover(shop, *args, **body)

    assert shop.types() == before
