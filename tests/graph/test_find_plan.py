"""Which plan is gone on with."""

import pytest

from stretto.graph.find_plan import newest_unfinished
from stretto.graph.plan import Plan, PlanPhase, PlanTask
from stretto.graph.plan_file import complete_phase, render, tick
from stretto.state.errors import BadInput

OPEN = render(Plan(title="x", phases=(PlanPhase(number=1, name="y", tasks=(PlanTask(id="T1", title="z"),)),)))
DONE = complete_phase(tick(OPEN, ["T1"]), 1)


def test_the_newest_unfinished_plan_is_found_whatever_its_name() -> None:
    plans = [
        ("specs/plans/005_jwt_authentication.md", OPEN, 20.0),
        ("specs/plans/004_older.md", OPEN, 10.0),
        ("specs/plans/006_finished.md", DONE, 30.0),
    ]

    assert newest_unfinished(plans) == "specs/plans/005_jwt_authentication.md"


def test_a_plan_in_a_folder_of_a_monorepo_counts() -> None:
    assert newest_unfinished([("api/specs/plans/x.md", OPEN, 1.0)]) == "api/specs/plans/x.md"


@pytest.mark.parametrize(
    "path", ["specs/reports/001_x.md", "plans/001_x.md", "specs/plans/old/001_x.md", "specs/plans/x.txt"]
)
def test_other_files_do_not_count(path: str) -> None:
    assert newest_unfinished([(path, OPEN, 1.0)]) is None


def test_nothing_is_found_where_everything_is_finished() -> None:
    assert newest_unfinished([("specs/plans/001_x.md", DONE, 1.0)]) is None
    assert newest_unfinished([]) is None


def test_of_two_files_of_one_time_the_higher_number_is_the_newer() -> None:
    plans = [(f"specs/plans/00{i}_x.md", OPEN, 1.0) for i in (1, 3, 2)]

    assert newest_unfinished(plans) == "specs/plans/003_x.md"


def test_words_that_claim_completion_do_not_finish_a_plan() -> None:
    text = OPEN.replace("## Metadata", "# IMPLEMENTATION COMPLETE\n\ncompleted\n\n## Metadata")

    assert newest_unfinished([("specs/plans/001_x.md", text, 1.0)]) == "specs/plans/001_x.md"


def test_notes_beside_the_plans_are_passed_over() -> None:
    plans = [("specs/plans/README.md", "# Plans\n\n- [ ] write more\n", 9.0), ("specs/plans/001_x.md", OPEN, 1.0)]

    assert newest_unfinished(plans) == "specs/plans/001_x.md"


def test_a_broken_plan_is_named_rather_than_passed_over_for_an_older_one() -> None:
    broken = OPEN.replace("### Phase 1", "### Phase one")

    with pytest.raises(BadInput, match=r"specs/plans/002_x\.md, line 8: "):
        newest_unfinished([("specs/plans/002_x.md", broken, 9.0), ("specs/plans/001_x.md", OPEN, 1.0)])
    assert newest_unfinished([("specs/plans/002_x.md", broken, 1.0), ("specs/plans/001_x.md", OPEN, 9.0)]) is not None
