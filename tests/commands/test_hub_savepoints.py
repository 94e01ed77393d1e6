"""Named checkpoints through the hub's door: what they keep, what they give back, and what they refuse."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from tests.commands.door import Project
from tests.commands.test_coordination_hub import events, held, hub, told, types


def snapshot(root: Path) -> dict[str, tuple[str, bytes]]:
    """Every file of a project but git's and ours: its mode, and its bytes or where it leads."""
    found: dict[str, tuple[str, bytes]] = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if f not in (".git", ".stretto")]
        for name in [*names, *(f for f in folders if (Path(folder) / f).is_symlink())]:
            path = Path(folder) / name
            content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
            found[str(path.relative_to(root))] = (stat.filemode(path.lstat().st_mode), content)
    return found


@pytest.fixture
def shop(project: Project) -> Project:
    hub(project, "create", "shop_001", phases=["build", "check"], resource_requirements={"agents": 2})
    hub(project, "start-phase", "shop_001", "1")
    return project


def test_before_each_phase_a_checkpoint_is_made(shop: Project) -> None:
    hub(shop, "complete-phase", "shop_001", "1")
    hub(shop, "start-phase", "shop_001", "2")

    made = [e.data["name"] for e in events(shop, "shop_001") if e.type == "CHECKPOINT_CREATED"]
    assert made == ["pre_build", "pre_check"]
    assert told(shop, "CHECKPOINT_CREATED")["trigger"] == "automatic"


def test_none_is_made_where_that_was_chosen(project: Project) -> None:
    hub(project, "create", "shop_001", state_sync={"checkpoints": "manual"})
    hub(project, "start-phase", "shop_001", "1")

    assert "CHECKPOINT_CREATED" not in types(project)


def test_files_come_back_byte_for_byte_whatever_was_done_to_them(shop: Project) -> None:
    root = shop.root
    (root / "crlf.txt").write_bytes(b"a\r\nb\n\0\xff")
    (root / ".gitattributes").write_text("* text eol=lf\n")
    (root / "run").write_text("#!/bin/sh\n")
    (root / "run").chmod(0o755)
    (root / "deep" / "er").mkdir(parents=True)
    (root / "deep" / "er" / "ünï code").write_text("x")
    (root / "link").symlink_to("deep")
    before = snapshot(root)
    assert hub(shop, "checkpoint", "shop_001", "here").code == 0

    (root / "crlf.txt").write_bytes(b"changed")
    (root / "run").chmod(0o644)
    (root / "deep" / "er" / "ünï code").unlink()
    (root / "deep" / "er").rmdir()
    (root / "deep" / "er").write_text("a file in the place of a folder")
    (root / "link").unlink()
    (root / "link").mkdir()
    (root / "link" / "new.txt").write_text("new")
    (root / ".gitattributes").unlink()
    after = snapshot(root)
    ran = hub(shop, "restore", "shop_001", "here", "--json")

    assert ran.code == 0, ran.out
    assert snapshot(root) == before
    backup = ran.json["result"]["backup"]
    assert hub(shop, "restore", "shop_001", backup).code == 0
    assert snapshot(root) == after


def test_phases_and_status_go_back_and_the_log_says_so(shop: Project) -> None:
    hub(shop, "complete-phase", "shop_001", "1")
    hub(shop, "start-phase", "shop_001", "2")
    hub(shop, "fail-phase", "shop_001", "2", reason="no database")

    ran = shop.run(
        "coordination-hub",
        "shop_001",
        "restore",
        '{"checkpoint_id": "pre_check", "prepare_alternative": true}',
        "--json",
    )

    assert ran.code == 0, ran.out
    assert told(shop, "CHECKPOINT_RESTORED")["phases"] == {"build": "completed", "check": "failed"}
    assert ran.json["result"]["alternative_for"] == "check"
    status = shop.run("coordination-hub", "get-status", "shop_001", "--json").json["result"]
    assert status["status"] == "RECOVERING"
    assert hub(shop, "start-phase", "shop_001", "2").code == 0
    assert held(shop)["agents"] == 2


def test_of_several_of_one_name_the_newest_is_taken_and_the_others_are_told(shop: Project) -> None:
    for text in ("one", "two"):
        (shop.root / "note").write_text(text)
        hub(shop, "checkpoint", "shop_001", "here")
    (shop.root / "note").write_text("three")

    ran = hub(shop, "restore", "shop_001", "here")

    assert (shop.root / "note").read_text() == "two"
    assert "1 older checkpoints have the same name" in ran.out


@pytest.mark.parametrize(
    ("args", "code", "why"),
    [
        (("restore", "shop_001", "nowhere"), "NOT_FOUND", "no checkpoint 'nowhere'"),
        (("restore", "shop_001"), "BAD_INPUT", "Which checkpoint"),
        (("checkpoint", "shop_001"), "BAD_INPUT", "needs a name"),
        (("checkpoint", "shop_001", "a:b"), "BAD_INPUT", "no name of a checkpoint"),
        (("restore", "shop_001", '{"checkpoint": "x"}'), "BAD_INPUT", "not known here"),
        (
            ("restore", "shop_001", "pre_build", '{"validate_state": false}'),
            "BAD_INPUT",
            "validate_state cannot be",
        ),
    ],
)
def test_what_cannot_be_gone_back_to_is_refused_and_no_file_touched(
    shop: Project, args: tuple[str, ...], code: str, why: str
) -> None:
    before = snapshot(shop.root), types(shop)

    ran = shop.run("coordination-hub", *args, "--json")

    assert (ran.code, ran.json["error"]["code"]) == (2, code)
    assert why in ran.json["error"]["message"]
    assert (snapshot(shop.root), types(shop)) == before


def test_a_workflow_that_is_done_does_not_go_back(shop: Project) -> None:
    hub(shop, "complete-phase", "shop_001", "1")
    hub(shop, "skip-phase", "shop_001", "2", reason="none needed")
    hub(shop, "complete", "shop_001")

    ran = shop.run("coordination-hub", "restore", "shop_001", "pre_build", "--json")

    assert (ran.code, ran.json["error"]["code"]) == (2, "INVALID_TRANSITION")


def test_a_damaged_checkpoint_is_not_restored_and_an_older_one_is(shop: Project) -> None:
    (shop.root / "note").write_text("kept")
    hub(shop, "checkpoint", "shop_001", "first")
    (shop.root / "note").write_text("later")
    hub(shop, "checkpoint", "shop_001", "second")
    (blob,) = [p for p in objects(shop) if p.stat().st_size < 60 and content(shop, p) == b"later"]
    blob.chmod(0o644)
    blob.write_bytes(b"\x78\x01garbage")
    (shop.root / "note").write_text("now")

    ran = hub(shop, "restore", "shop_001", "second")

    assert (ran.code, (shop.root / "note").read_text()) == (4, "now")
    assert hub(shop, "restore", "shop_001", "first").code == 0
    assert (shop.root / "note").read_text() == "kept"


def test_an_edited_row_is_no_checkpoint(shop: Project) -> None:
    with closing(sqlite3.connect(shop.store / "events.db", isolation_level=None)) as connection:
        connection.execute("UPDATE savepoints SET snapshot = replace(snapshot, 'pending', 'skipped')")

    assert hub(shop, "restore", "shop_001", "pre_build").code == 4


def objects(project: Project) -> list[Path]:
    return [p for p in (project.store / "shadow").glob("*.git/objects/??/*") if p.is_file()]


def content(project: Project, path: Path) -> bytes:
    import zlib

    return zlib.decompress(path.read_bytes()).partition(b"\0")[2]
