"""`stretto store`: from check to migrate, as a person finds it, on real workflows."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from stretto.commands.amounts import size, some
from tests.commands.door import Project


def spoil(project: Project, statement: str) -> None:
    with closing(sqlite3.connect(project.store / "events.db", isolation_level=None)) as connection:
        assert connection.execute(statement).rowcount


@pytest.fixture
def worked(project: Project) -> Project:
    """A project with a workflow that is over."""
    assert project.work("report", "Sessions").code == 0
    return project


def test_without_a_store_there_is_nothing_to_check_and_none_is_made(project: Project) -> None:
    before = project.everything()

    assert project.run("store", "check").code == 0
    assert project.run("store", "stats", "--json").json["result"]["parts"] == {}
    refused = [project.run("store", verb).code for verb in ("repair", "prune", "migrate")]

    assert refused == [2, 2, 2]
    assert project.run("store", "backup", "../copy").code == 2
    assert project.everything() == before


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("chick",),
        ("check", "--refs"),
        ("check", "somewhere"),
        ("repair", "--deep"),
        ("stats", "--dry-run"),
        ("backup",),
        ("prune", "--older-than", "soon"),
        ("prune", "--older-than", "-1d"),
        ("prune", "--keep", "many"),
        ("migrate", "--keep", "1"),
        ("check", "--colour"),
    ],
)
def test_what_an_operation_does_not_take_is_refused_and_nothing_written(
    worked: Project, words: tuple[str, ...]
) -> None:
    before = worked.everything()

    ran = worked.run("store", *words, "--json")

    assert (ran.code, ran.json["error"]["code"]) == (2, "BAD_INPUT")
    assert worked.everything() == before


@pytest.mark.slow
def test_the_store_of_real_workflows_is_sound_whatever_became_of_them(project: Project) -> None:
    project.work("orchestrate", "Add multiplication", "--workflow-id=whole_001")
    project.work("report", "Sessions", "--gate=merge", "--workflow-id=gate_001")
    project.agent({"research/topic": {"exit": 3}})
    assert project.work("report", "Tokens", "--workflow-id=failed_001", "--attempts=2").code != 0
    project.agent({})
    assert project.work("orchestrate", "--resume=failed_001").code == 0
    project.run("cancel", "gate_001")
    project.run("undo", "whole_001")
    before = project.everything()

    ran = project.run("store", "check", "--deep")

    assert (ran.code, ran.out.splitlines()[0].startswith("The store is sound: ")) == (0, True), ran.out
    assert project.everything() == before


def test_damage_is_exit_code_4_names_the_row_and_is_repaired(worked: Project) -> None:
    spoil(worked, "UPDATE workflows SET status = 'RUNNING'")

    ran = worked.run("store", "check")
    found = worked.run("store", "check", "--json")
    dry = worked.run("store", "repair", "--dry-run")
    done = worked.run("store", "repair", "--json")

    assert (ran.code, "damaged  workflows id=sessions_001" in ran.out) == (4, True)
    assert (found.code, found.json["error"]["code"]) == (4, "STORE_DAMAGED")
    assert found.json["result"]["findings"][0]["key"] == "id=sessions_001"
    assert (dry.code, "nothing was changed" in dry.out) == (0, True)
    assert done.code == 0
    assert done.json["result"]["actions"]
    assert [e.event_id for e in worked.events("system")] == done.json["events"]
    assert worked.run("store", "check", "--deep").code == 0
    assert worked.run("workflow-status", "sessions_001").code == 0
    assert "nothing to repair" in worked.run("store", "repair").out.lower()


@pytest.mark.slow
def test_a_workflow_goes_on_after_its_checkpoints_were_lost_and_does_no_finished_task_twice(project: Project) -> None:
    assert project.work("report", "Sessions", "--gate=merge").code == 3
    told = len(project.briefs())
    (project.store / "checkpoints" / "cache.db").write_bytes(b"nothing of ours " * 4096)
    assert project.run("store", "check").code == 4

    repaired = project.run("store", "repair")
    resumed = project.work("orchestrate", "--resume=sessions_001")

    assert (repaired.code, "all checkpoints were set aside" in repaired.out) == (0, True)
    assert resumed.code == 3, resumed.err
    assert project.work("orchestrate", "--resume=sessions_001", "--approve").code == 0
    assert len(project.briefs()) == told
    assert project.run("store", "check", "--deep").code == 0


def test_a_backup_is_made_once_and_can_be_read_as_a_store(worked: Project) -> None:
    copy = worked.root.with_name("copy")

    done = worked.run("store", "backup", "../copy", "--json")
    again = worked.run("store", "backup", "../copy")

    assert (done.code, done.json["result"]["sound"], done.json["result"]["path"]) == (0, True, str(copy))
    assert again.code == 2
    there = worked.run("workflow-status", "sessions_001", "--store", str(copy), "--json").json["result"]
    assert there["status"] == "COMPLETED"


def test_pruning_gives_room_back_and_leaves_what_can_be_resumed(worked: Project) -> None:
    worked.work("report", "Tokens", "--gate=merge")
    assert "nothing to prune" in worked.run("store", "prune").out.lower()
    before = worked.everything()

    dry = worked.run("store", "prune", "--older-than=0m", "--dry-run", "--json").json["result"]
    assert worked.everything() == before
    kept = worked.run("store", "prune", "--older-than=0m", "--keep=1", "--json").json["result"]
    assert worked.everything() == before
    done = worked.run("store", "prune", "--older-than=0m", "--json").json["result"]

    assert (dry["workflows"], dry["freed_bytes"]) == (["sessions_001"], None)
    assert kept["workflows"] == []
    assert done["workflows"] == ["sessions_001"]
    assert done["freed_bytes"] == sum(done["freed"].values())
    assert worked.run("store", "check", "--deep").code == 0
    found = worked.run("store", "stats", "--json").json["result"]["largest"]
    assert {one["workflow_id"]: one["checkpoints"] > 0 for one in found} == {"sessions_001": False, "tokens_001": True}
    assert worked.work("orchestrate", "--resume=tokens_001", "--approve").code == 0
    assert worked.run("undo", "sessions_001").code in (0, 1)  # its refs are there; what came after may forbid it
    assert worked.git("for-each-ref", "refs/stretto/sessions_001/")


def test_refs_go_only_when_asked_for_and_only_of_what_is_merged(worked: Project) -> None:
    worked.work("report", "Tokens", "--gate=merge")
    worked.run("cancel", "tokens_001")

    ran = worked.run("store", "prune", "--older-than=0m", "--refs", "--json").json["result"]

    assert [*ran["refs"]] == ["sessions_001"]
    assert ran["refs_kept"] == ["tokens_001"]
    assert worked.git("for-each-ref", "refs/stretto/sessions_001/") == ""
    assert worked.git("for-each-ref", "refs/stretto/tokens_001/")


def test_stats_and_migrate_say_what_is(worked: Project) -> None:
    told = worked.run("store", "stats").out
    migrated = worked.run("store", "migrate", "--json").json["result"]

    assert "1 workflow: 1 COMPLETED" in told
    assert migrated["before"] == migrated["after"]


@pytest.mark.slow
def test_a_repair_refuses_while_a_driver_lives(project: Project, tmp_path: Path) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    project.agent({"topic": {"touch": str(begun), "until": str(go)}})
    tasks = [{"command": "/report", "id": "topic", "topic": "Sessions"}]
    context = {"phase": "research", "workflow_id": "sessions_001"}
    driver = project.start("subagents", json.dumps(context), json.dumps(tasks), "--runner", project.runner)
    try:
        while not begun.exists():
            assert driver.poll() is None
        (project.store / "logs" / "gone_001").mkdir(parents=True)

        refused = project.run("store", "repair", "--json")

        assert (refused.code, refused.json["error"]["code"]) == (1, "WORKFLOW_DRIVEN")
        assert project.run("store", "check", "--deep").code == 0
        assert project.run("store", "backup", str(tmp_path / "copy")).code == 0
    finally:
        go.touch()
        driver.communicate(timeout=60)


def test_amounts_are_told_with_their_unit() -> None:
    assert [size(n) for n in (0, 999, 1000, 1_234_567, 10**15)] == ["0 B", "999 B", "1.0 kB", "1.2 MB", "1000.0 TB"]
    assert [some(n, "event") for n in (0, 1, 2)] == ["0 events", "1 event", "2 events"]


def test_a_workflow_in_a_project_with_a_strict_log_runs_as_in_any_other(project: Project) -> None:
    project.commit({".stretto/config.toml": "strict = true\n"})

    assert project.work("orchestrate", "Add multiplication").code == 0
    assert project.work("report", "Sessions", "--gate=merge").code == 3
    assert project.run("cancel", "sessions_001").code == 0
    assert project.run("store", "prune", "--older-than=0m").code == 0
    assert project.run("store", "check", "--deep").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("check",),
        ("check", "--deep"),
        ("repair",),
        ("repair", "--dry-run"),
        ("backup", "../copy"),
        ("backup", "../copy.tar.gz"),
        ("prune",),
        ("prune", "--older-than=0m", "--dry-run"),
        ("prune", "--older-than=0m"),
        ("stats",),
        ("migrate",),
    ],
)
def test_every_reply_says_what_to_do_next(worked: Project, words: tuple[str, ...]) -> None:
    ran = worked.run("store", *words, "--json")

    assert ran.code == 0
    assert ran.json["next_steps"]
