"""A workflow rehearsed in test mode: run as a whole, checked, and gone."""

from typing import Any

import pytest

from tests.commands.door import Project

WHOLE = ["research", "planning", "implementation", "testing", "documentation"]
TASK = "Add a count of the open items"


def rehearse(project: Project, *flags: str) -> tuple[int, Any]:
    ran = project.run("orchestrate", TASK, "--test-mode", *flags, "--json")
    return ran.code, ran.json["result"]


def criteria(result: Any) -> dict[str, tuple[bool, bool]]:
    """By name: whether it holds, and whether it is needed."""
    return {one["name"]: (one["holds"], one["needed"]) for one in result["criteria"]}


def test_the_whole_flow_runs_and_nothing_of_the_project_changes_but_one_record(project: Project) -> None:
    project.run("performance-monitor", "test-mode", "{}")  # so that there is a store
    before, events = project.everything(), len(project.events())

    code, result = rehearse(project, "--validation=comprehensive")

    assert (code, result["passed"], result["status"], result["test"]) == (0, True, "completed", True)
    names = ("phases", "tests", "documentation", "links", "state", "attempts", "resources")
    assert criteria(result) == dict.fromkeys(names, (True, True))
    (record,) = project.events()[events:]
    assert (record.type, record.workflow_id, record.data["kind"]) == ("METRICS_RECORDED", "system", "rehearsal")
    assert record.data["metrics"]["criteria"] == result["criteria"]
    after = project.everything()
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert {path for path in changed if not path.startswith(".stretto/state/events.")} <= {".stretto/state"}
    assert project.run("workflow-status", "--json").json["result"]["total"] == 0


def test_every_check_is_named_with_its_evidence(project: Project) -> None:
    _, result = rehearse(project, "--validation=complete")

    said = {one["name"]: one["evidence"] for one in result["criteria"]}
    assert said["phases"] == f"done: {', '.join(WHOLE)}"
    assert "passed, 0 failed" in said["tests"]
    assert "documented it (event " in said["documentation"]
    assert "equals that of a replay of" in said["state"]


def test_a_level_needs_no_more_than_it_says(project: Project) -> None:
    project.commit({"docs/index.md": "[gone](nowhere.md)\n"})

    basic, standard, comprehensive = (
        rehearse(project, f"--validation={level}") for level in ("basic", "standard", "comprehensive")
    )

    assert (basic[0], standard[0], comprehensive[0]) == (0, 0, 1)
    assert comprehensive[1]["missing"] == ["links"]
    needed = [name for name, (_, needed) in criteria(standard[1]).items() if needed]
    assert needed == ["phases", "tests"]


def test_gates_are_passed_by_themselves_and_counted(project: Project) -> None:
    code, result = rehearse(project, "--gate=plan,merge", "--validation=basic")

    assert (code, result["gates"]) == (0, ["plan", "merge"])


def test_tests_that_fail_fail_the_rehearsal(project: Project) -> None:
    project.commit({"tests/test_add.py": "def test_add():\n    assert False\n"})

    code, result = rehearse(project, "--debug-rounds=0", "--validation=standard")

    assert (code, result["status"], result["missing"]) == (1, "failed", ["phases", "tests"])


@pytest.mark.parametrize(
    "flags",
    [
        ("--test-mode", "--dry-run"),
        ("--test-mode", "--runner=command:true"),
        ("--test-mode", "--merge=never"),
        ("--test-mode", "--resume=x_001"),
        ("--test-mode", "--validation=some"),
        ("--test-mode", "--template=none"),
        ("--validation=basic",),
    ],
)
def test_what_means_nothing_here_is_refused(project: Project, flags: tuple[str, ...]) -> None:
    assert project.run("orchestrate", TASK, *flags).code == 2
    assert not project.store.exists()


def test_a_project_without_a_commit_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = Project(project.root.with_name("bare"))
    bare.root.mkdir()
    monkeypatch.chdir(bare.root)

    ran = bare.run("orchestrate", TASK, "--test-mode", "--json")

    assert (ran.code, ran.json["error"]["details"]["field"]) == (2, "project")
