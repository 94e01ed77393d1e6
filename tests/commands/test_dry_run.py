import os
import shlex
from pathlib import Path

import pytest

from tests.commands.door import CALC, Project

COMMANDS = [
    ("orchestrate", "Add multiplication and subtraction"),
    ("orchestrate", "Fix the crash in adding", "--template=bug-fix", "--gate=plan,merge", "--merge=never"),
    ("report", "How adding works"),
    ("plan", "Multiply", "README.md"),
    ("implement",),
    ("debug", "Adding is wrong", "README.md"),
    ("document", "Adding", "docs"),
    (
        "subagents",
        '{"phase": "research"}',
        '[{"command": "/report", "topic": "a"}, {"command": "/report", "topic": "b"}]',
    ),
]
PLAN = """# Arithmetic Implementation Plan

## Implementation Phases

### Phase 1: Operations

Tasks:
- [ ] **T1** Multiply
  - Writes: `src/calc/mul.py`
- [ ] **T2** Subtract
  - Writes: `src/calc/sub.py`
- [ ] **T3** Divide
  - Writes: `src/calc/div.py`
  - Depends on: T1
"""


@pytest.fixture
def busy(project: Project) -> Project:
    """A project in the middle of its owner's work: changes in the index, in files, and files that git does not know."""
    project.commit({"specs/plans/001_arithmetic.md": PLAN, "other.txt": "one\n"})
    project.write(
        {"src/calc/__init__.py": CALC["src/calc/__init__.py"] + "# later\n", "new.txt": "new", "x.log": "log"}
    )
    project.git("rm", "-q", "other.txt")
    project.write({"staged.txt": "staged"})
    project.git("add", "staged.txt")
    # The index holds stat data, which a careless `git status` would refresh.
    os.utime(project.root / "tests" / "test_add.py", (1, 1))
    return project


@pytest.mark.parametrize("args", COMMANDS, ids=lambda a: a[0])
def test_a_dry_run_leaves_everything_byte_for_byte_and_needs_no_runner(busy: Project, args: tuple[str, ...]) -> None:
    before, index = busy.everything(), (busy.root / ".git" / "index").stat()

    ran = busy.run(*args, "--dry-run")

    assert ran.code == 0, ran.err
    assert busy.everything() == before
    assert (busy.root / ".git" / "index").stat().st_mtime_ns == index.st_mtime_ns
    assert "nothing was written, nothing was started" in ran.out
    assert "```mermaid" in ran.out


def test_a_dry_run_beside_a_store_leaves_the_store_byte_for_byte(project: Project) -> None:
    assert project.work("report", "How adding works").code == 0
    before = project.everything()

    ran = project.run("report", "How adding works", "--dry-run", "--json")

    assert project.everything() == before
    assert ran.json["result"]["workflow_id"] not in {e.workflow_id for e in project.events()}


def test_a_dry_run_passes_over_workflows_that_are_moved_by_hand(project: Project) -> None:
    project.run("coordination-hub", "create", "shop_001")

    ran = project.run("orchestrate", "Add multiplication and subtraction", "--dry-run")

    assert (ran.code, "no history: default of the template" in ran.out) == (0, True)


def test_a_dry_run_says_phases_tasks_parallelism_estimates_with_their_basis_and_warnings(busy: Project) -> None:
    ran = busy.run("orchestrate", "Add multiplication and subtraction", "--dry-run")

    assert "at most 4 agents at once" in ran.out
    assert "1. research (research): 3 tasks, 3 at once" in ran.out
    assert "no history: default of the template" in ran.out
    assert "tokens unknown" in ran.out
    assert "git branch stretto/" in ran.out
    assert "The checkout has changes that are in no commit" in ran.out


def test_the_dry_run_of_a_plan_knows_its_tasks_and_their_order(busy: Project) -> None:
    seen = busy.run("implement", "--dry-run", "--json").json["result"]

    implementation, testing = seen["phases"]
    assert [t["id"] for t in implementation["tasks"]] == ["T1", "T2", "T3"]
    assert implementation["tasks"][2]["depends_on"] == ["T1"]
    assert (implementation["assumed"], implementation["parallel"], testing["kind"]) == (False, 2, "test")


def test_estimates_come_from_the_history_once_there_is_one(project: Project) -> None:
    assert project.work("report", "How adding works").code == 0

    estimate = project.run("report", "Sessions", "--dry-run", "--json").json["result"]["estimate"]

    assert estimate["tokens"]["likely"] == 15
    assert "1" in estimate["tokens"]["basis"]


@pytest.mark.slow
def test_running_the_tests_is_no_history_of_an_agents(project: Project) -> None:
    tasks = '[{"id": "T1", "description": "Multiply"}]'
    assert project.work("subagents", "{}", tasks).code == 0

    tested = project.run("workflow-status", "subagents_1_task_001", "--json").json["result"]["tasks"][-1]
    estimate = project.run("subagents", "{}", tasks, "--dry-run", "--json").json["result"]["estimate"]

    assert (tested["task_id"], tested["agent"], tested["role"]) == ("testing/tests", "checks", "tester")
    assert any("no history" in a and "tester" in a for a in estimate["assumptions"])


def test_several_writers_that_do_not_say_where_are_announced(project: Project) -> None:
    tasks = '[{"description": "a"}, {"description": "b"}]'

    ran = project.run("subagents", "{}", tasks, "--dry-run")

    assert "several tasks run at once and do not say what they write" in ran.out


def test_what_would_be_written_is_what_is_written(project: Project) -> None:
    assert "specs/summaries" not in project.run("report", "Sessions", "--dry-run").out
    assert "specs/summaries" in project.run("orchestrate", "Add multiplication", "--dry-run").out
    assert "specs/reports/NNN_debug_*.md" in project.run("debug", "Adding is wrong", "--dry-run").out


@pytest.mark.parametrize("text", ['it\'s $HOME `date` "quoted"', "two\nlines", "plain words"], ids=range(3))
def test_the_command_it_names_is_quoted_for_a_shell(project: Project, text: str) -> None:
    (step,) = project.run("report", "--attempts=2", "--dry-run", "--json", "--", text).json["next_steps"]
    command = step.removesuffix("   (the same without --dry-run)")
    name, *args = shlex.split(command)

    assert name == "stretto"
    assert "--dry-run" not in args
    seen = project.run(*args, "--dry-run", "--json").json["result"]
    assert (seen["description"], seen["limits"]["attempts"]) == (text, 2)


def test_a_dry_run_in_a_folder_without_git_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Project(tmp_path / "plain")
    plain.root.mkdir()
    plain.write(CALC)
    monkeypatch.chdir(plain.root)
    before = plain.everything()

    assert plain.run("orchestrate", "Add multiplication", "--dry-run").code == 0
    assert plain.everything() == before
