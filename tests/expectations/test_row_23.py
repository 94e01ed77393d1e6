"""Row 23: research becomes a plan, which cites its reports and is the draft of the workflow that it came from."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from stretto.graph.plan import Plan
from stretto.graph.plan_file import parse
from stretto.state.log import Log
from tests.commands.door import Project
from tests.expectations.scene import raw, run_lines

pytestmark = pytest.mark.slow
W, PLAN = "research_auth_001", "specs/plans/005_jwt_authentication.md"


class Left(NamedTuple):
    """What lines 19 to 23 left."""

    outcomes: list[str]
    plan: Plan
    draft: Any


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """Lines 19 to 23, and one that takes the plan for granted, so that 001 to 004 are there."""
    root: Path = tmp_path_factory.mktemp("plan")
    lines = [*(raw(n) for n in range(19, 24)), f"/dependency-resolver analyze {PLAN}"]
    ran, _ = run_lines(lines, root)
    text = (root / PLAN).read_text("utf-8")
    with Log.open(root / ".stretto" / "state") as log:
        draft = log.fact(W, "draft_plan")
    return Left([one.outcome for one in ran.steps], parse(text), draft)


def test_the_title_names_the_file_behind_the_plans_that_are_there(left: Left) -> None:
    assert set(left.outcomes) == {"done"}
    assert left.plan.title == "JWT authentication"


def test_the_plan_cites_each_report_that_was_found(project: Project) -> None:
    found = ["specs/reports/001_jwt_security.md", "specs/reports/002_auth_flows.md"]
    project.commit(dict.fromkeys([*found, "specs/reports/003_other.md"], "# A report\n"))
    project.run("coordination-hub", "create", W)

    ran = project.work("line", raw(23))

    assert ran.code == 0, ran.out + ran.err
    (path,) = (project.root / "specs" / "plans").iterdir()
    plan = parse(path.read_text("utf-8"))
    assert [Path(one).name for one in plan.research_reports] == [Path(one).name for one in found]


def test_five_phases_and_their_tasks_parse_back(left: Left) -> None:
    assert len(left.plan.phases) == 5
    assert all(phase.tasks for phase in left.plan.phases)
    assert {task.id for phase in left.plan.phases for task in phase.tasks} == {"T1", "T2", "T3", "T4", "T5"}


def test_it_is_staged_as_a_draft_of_the_research(left: Left) -> None:
    assert (left.draft["path"], left.draft["phases"], left.draft["complexity"]) == (PLAN, 5, "high")
