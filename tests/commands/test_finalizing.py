"""/orchestrate finalize-workflow: four criteria with their evidence, and what happens when one does not hold."""

from typing import Any

import pytest

from stretto.state.allocation import in_use
from stretto.state.log import Log
from tests.commands.door import Project, Ran


def made(project: Project) -> None:
    """A coordinated workflow that is running, with its phase begun."""
    project.run("coordination-hub", "create", "impl_001")
    assert project.run("coordination-hub", "start", "impl_001").code == 0


def finalize(project: Project, level: str = "complete", *more: str) -> Ran:
    return project.run("orchestrate", "finalize-workflow", "impl_001", f"--validation={level}", *more)


def criteria(ran: Ran) -> dict[str, tuple[bool, str]]:
    found: list[dict[str, Any]] = ran.json["result"]["criteria"]
    return {c["name"]: (c["holds"], c["evidence"]) for c in found}


@pytest.mark.slow
def test_what_does_not_hold_is_named_and_nothing_is_changed(project: Project) -> None:
    project.write({"docs/a.md": "[gone](../gone.md) [there](../README.md#x) [web](https://example.org)\n"})
    made(project)
    before = project.types("impl_001")

    ran = finalize(project, "complete", "--json")

    assert ran.code == 1
    assert ran.json["result"]["missing"] == ["phases", "documentation", "links"]
    found = criteria(ran)
    assert found["phases"] == (False, "not done: main")
    assert found["tests"] == (True, "`pytest`: 1 passed, 0 failed")
    assert found["links"] == (False, "lead nowhere: docs/a.md → ../gone.md")
    assert project.types("impl_001") == before


@pytest.mark.slow
def test_when_all_hold_it_is_completed_and_what_it_held_is_free(project: Project) -> None:
    made(project)
    project.run("coordination-hub", "complete-phase", "impl_001", "main")
    assert project.work("document", "Arithmetic").code == 0

    ran = finalize(project, "complete", "--json")

    assert ran.code == 0, ran.out
    assert all(holds for holds, _ in criteria(ran).values())
    done = next(e for e in project.events("impl_001") if e.type == "WORKFLOW_COMPLETED")
    assert (done.phase, done.data["success"]) == ("finalization", True)
    assert done.data["total_duration"]
    assert done.event_id in ran.json["events"]
    log = Log.find(project.store)
    assert log
    with log:
        assert not any(in_use(log.allocations("impl_001", live=True)).values())
    again = finalize(project)
    assert (again.code, "is completed already" in again.out) == (0, True)


@pytest.mark.slow
def test_a_lower_level_asks_for_less_and_says_so(project: Project) -> None:
    made(project)
    project.run("coordination-hub", "complete-phase", "impl_001", "main")
    project.write({"tests/test_bad.py": "def test_bad():\n    assert False\n"})

    assert finalize(project, "standard").code == 1
    ran = finalize(project, "basic")

    assert (ran.code, "NO  tests" in ran.out, "not asked for at this level" in ran.out) == (0, True, True)


def test_a_driven_workflow_is_completed_by_its_driver(project: Project) -> None:
    assert project.work("report", "How adding works", "--workflow-id=impl_001").code == 0
    assert "is completed already" in finalize(project).out
    project.agent({"researcher": {"exit": 3}})
    assert project.work("report", "How adding works", "--workflow-id=bad_001", "--attempts=1").code == 1

    ran = project.run("orchestrate", "finalize-workflow", "bad_001")

    assert (ran.code, "--resume bad_001" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["impl_001", "--validation=perfect"], "--validation"),
        (["impl_001", "--complex"], "--complex"),
        (["impl_001", '{"a": 1}'], "no JSON"),
        (["nobody_001"], "nobody_001"),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(project: Project, words: list[str], named: str) -> None:
    made(project)
    ran = project.run("orchestrate", "finalize-workflow", *words)
    assert (ran.code, named in ran.err) == (2, True), ran
