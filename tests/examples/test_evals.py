"""The suite that is shipped: each task can be failed, and can be done."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from stretto.commands.eval_grading import Grade, grade
from stretto.commands.scenario_ground import commit, give_python
from stretto.graph.suite import EvalTask, load_suite

FOLDER = Path(__file__).parents[2] / "examples" / "evals" / "small"
SUITE = load_suite(FOLDER)
EACH = pytest.mark.parametrize("name", SUITE.tasks)


def graded(root: Path, task: EvalTask, files: Mapping[str, str], hidden: Mapping[str, str]) -> Grade:
    root.mkdir()
    asyncio.run(commit(root, files))
    give_python(root)
    return asyncio.run(grade(root, hidden))


def visible(task: EvalTask) -> dict[str, str]:
    return {name: text for name, text in task.project.items() if name.startswith("tests/")}


def test_there_are_thirty_tasks_and_more_of_every_kind() -> None:
    kinds = Counter(task.kind for task in SUITE.tasks.values())

    assert len(SUITE.tasks) >= 30
    assert min(kinds.values()) >= 3
    assert set(kinds) == {"bug fix", "feature", "refactoring", "documentation", "multi-file"}


@EACH
def test_what_is_hidden_is_nowhere_in_the_project(name: str) -> None:
    task = SUITE.tasks[name]

    assert not task.hidden.keys() & task.project.keys()
    assert not task.solution.keys() & task.hidden.keys()
    assert not any(path.startswith("tests/") for path in task.solution)


@pytest.mark.slow
@EACH
def test_the_hidden_tests_fail_before_and_the_visible_ones_pass(name: str, tmp_path: Path) -> None:
    task = SUITE.tasks[name]

    before = graded(tmp_path / "hidden", task, task.project, task.hidden)

    assert not before.passed
    assert before.failed > 0, before.why
    assert graded(tmp_path / "visible", task, task.project, visible(task)).passed


@pytest.mark.slow
@EACH
def test_a_solution_passes_both(name: str, tmp_path: Path) -> None:
    task = SUITE.tasks[name]

    after = graded(tmp_path / "both", task, {**task.project, **task.solution}, {**visible(task), **task.hidden})

    assert after.passed, after.why
