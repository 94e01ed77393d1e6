"""What the phases of a workflow hold to, seen from the command line."""

import json
import venv
from pathlib import Path

import pytest

from tests.commands.door import CALC, Project
from tests.scripted_agent import PLAN

pytestmark = pytest.mark.slow  # each runs whole workflows

ADD = ("orchestrate", "Add multiplication and subtraction", "--workflow-id", "w_001")


def with_testing(command: str) -> dict[str, object]:
    first, second = PLAN["phases"]
    return {"outcome": {"data": {**PLAN, "phases": [first, {**second, "testing": [command]}]}}}


def test_a_command_that_the_plan_names_under_testing_must_pass(project: Project) -> None:
    project.agent({"planner": with_testing("python -c 'import calc.absent'")})

    ran = project.work(*ADD, "--debug-rounds=0")

    assert ran.code == 1
    assert "calc.absent" in ran.out
    assert "PHASE_FAILED" in project.types("w_001")
    assert project.subjects() == ["Begin"]


def test_a_command_that_the_plan_names_is_run_once_however_often_it_stands_there(project: Project) -> None:
    project.agent({"planner": with_testing("python -c 'import calc.mul'")})

    assert project.work(*ADD).code == 0
    done = [e.data for e in project.events("w_001") if e.type == "TASK_COMPLETED" and "planned" in e.data["task_id"]]
    assert len(done) == 1


def test_a_plan_that_was_sent_back_is_replaced_and_its_successor_knows_why(project: Project) -> None:
    assert project.work(*ADD, "--gate=plan").code == 3
    project.agent({"planning/plan~2": {"outcome": {"data": {**PLAN, "title": "Sums and products"}}}})

    assert project.run("orchestrate", "--resume", "w_001", "--reject", "Name it after what it does").code == 3
    assert project.run("orchestrate", "--resume", "w_001", "--approve").code == 0

    assert [p.name for p in (project.root / "specs/plans").iterdir()] == ["001_sums_products.md"]
    told = next(b for b in project.briefs() if b["task_id"] == "planning/plan~2")
    assert "Name it after what it does" in told["prompt"]


def test_a_merge_that_is_rejected_stays_on_its_branch_also_after_a_plan_was_sent_back(project: Project) -> None:
    assert project.work(*ADD, "--gate=plan,merge").code == 3
    assert project.run("orchestrate", "--resume", "w_001", "--reject", "again").code == 3
    assert project.run("orchestrate", "--resume", "w_001", "--approve").code == 3

    ran = project.run("orchestrate", "--resume", "w_001", "--reject", "not today")

    assert ran.code == 0
    assert "not today" in ran.out
    assert project.subjects() == ["Begin"]
    project.git("merge", "-q", "stretto/w_001")
    assert (project.root / "src/calc/mul.py").exists()


def test_a_workflow_goes_on_in_its_own_folder_wherever_it_is_resumed_from(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = project.root / "packages" / "calc"
    inner.mkdir(parents=True)
    for name in ("src", "tests", "pyproject.toml"):
        (project.root / name).replace(inner / name)
    project.git("add", "-A")
    project.git("commit", "-qm", "Move")
    monkeypatch.chdir(inner)
    assert project.work(*ADD, "--gate=plan").code == 3
    monkeypatch.chdir(project.root)

    assert project.run("orchestrate", "--resume", "w_001", "--approve").code == 0

    assert (inner / "src/calc/mul.py").exists()
    assert not (project.root / "specs").exists()


def test_a_name_whose_work_git_still_has_is_not_given_again(project: Project) -> None:
    assert project.work(*ADD).code == 0
    assert project.run("undo", "w_001").code == 0
    for folder in sorted((project.root / ".stretto").rglob("*"), reverse=True):
        folder.rmdir() if folder.is_dir() else folder.unlink()

    ran = project.work(*ADD, "--json")

    assert ran.code == 2
    assert ran.json["error"]["code"] == "WORKFLOW_EXISTS"


def test_an_outcome_is_stored_with_what_its_role_returns_and_nothing_else(project: Project) -> None:
    project.agent({"documenter": {"outcome": {"data": {"files": ["README.md"], "mood": "good"}}}})

    assert project.work(*ADD).code == 0
    logs = json.loads(project.run("logs", "w_001", "documentation/document", "--json").out)
    assert logs["result"]["outcome"]["data"] == {"files": ["README.md"]}


def test_no_variable_that_nobody_named_reaches_the_projects_tests(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", "t0ken")
    monkeypatch.setenv("DATABASE_URL", "sqlite://")
    seen = "import os\n\n\ndef test_it():\n    assert os.environ.get('DATABASE_URL') == 'sqlite://'\n"
    seen += "    assert 'SERVICE_TOKEN' not in os.environ\n"
    project.commit({"tests/test_env.py": seen, ".stretto/config.toml": 'environment = ["DATABASE_URL"]\n'})

    assert project.work(*ADD).code == 0


def test_a_cure_that_bears_the_name_of_an_unfinished_task_is_another_task(project: Project) -> None:
    cure = {"id": "T3", "title": "Write the test", "writes": ["tests/test_ops.py"]}
    project.agent(
        {
            "implementation/T3": {"outcome": {"status": "failed", "summary": "no idea"}},
            "debugger": {"outcome": {"data": {"cause": "no idea", "evidence": [], "tasks": [cure]}}},
            "cure-T3": {"files": {"tests/test_ops.py": "def test_it():\n    assert True\n"}},
        }
    )

    assert project.work(*ADD, "--attempts=1").code == 0

    done = [e.data["task_id"] for e in project.events("w_001") if e.type == "TASK_COMPLETED"]
    assert {"implementation/cure-T3~2", "implementation/T3~2"} <= set(done)
    assert "[x] **T3**" in (project.root / "specs/plans/001_arithmetic.md").read_text()


def test_tests_that_cannot_be_run_cost_no_debug_round_and_run_on_the_resume_after_they_can(project: Project) -> None:
    venv.create(project.root / ".venv", symlinks=True)
    # what is borrowed below knows of Stretto's plugin, and not of Stretto
    alone = CALC["pyproject.toml"].replace("no:cacheprovider", "no:cacheprovider -p no:stretto.testing.plugin")
    project.commit({".gitignore": ".venv/\n__pycache__/\n", "pyproject.toml": alone})

    ran = project.work(*ADD)

    assert ran.code == 1
    assert "pytest is not installed for" in ran.out
    assert "debugging" not in {e.phase for e in project.events("w_001")}
    (packages,) = (project.root / ".venv" / "lib").glob("python*/site-packages")
    (packages / "borrowed.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")
    assert project.run("orchestrate", "--resume", "w_001").code == 0
    assert (project.root / "src/calc/mul.py").exists()
