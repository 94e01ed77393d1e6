"""From what a planner or a debugger returned to a plan and its tasks."""

from typing import Any

import pytest

from stretto.agents.data import DebuggerData
from stretto.graph.plan import Criterion
from stretto.graph.plan_data import cures, from_data
from stretto.graph.plan_file import parse, render
from stretto.state.errors import BadInput


def task(**more: Any) -> dict[str, Any]:
    return {"title": "Sign tokens", **more}


def data(*phases: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    listed = [{"name": f"P{i}", "objective": "", "complexity": "medium", "tasks": p} for i, p in enumerate(phases, 1)]
    return {"title": "JWT authentication", "overview": "Tokens.", "phases": listed, **more}


def test_a_planners_data_becomes_a_plan() -> None:
    given = data(
        [task(id="T1", description="HS256", reads=["src/clock.py"], writes=["src/tokens.py"], checks=["pytest -q"])],
        [task(id="T2", depends_on=["T1"])],
        success_criteria=["All tests pass", " "],
    )

    plan = from_data(given, date="2025-11-22", feature="JWT", scope="api", reports=["specs/reports/001_a.md"])

    assert (plan.title, plan.date, plan.feature, plan.scope) == ("JWT authentication", "2025-11-22", "JWT", "api")
    assert plan.success_criteria == (Criterion(text="All tests pass"),)
    assert [(p.number, p.name, p.complexity) for p in plan.phases] == [(1, "P1", "Medium"), (2, "P2", "Medium")]
    assert plan.tasks[0].writes == ("src/tokens.py",)
    assert plan.tasks[1].depends_on == ("T1",)


def test_the_plan_cites_the_reports_it_was_given() -> None:
    plan = from_data(data([task()]), reports=["specs/reports/001_a.md", "https://example.org/x"])

    text = render(plan)
    assert parse(text).research_reports == ("../reports/001_a.md", "https://example.org/x")
    assert "[001_a.md](../reports/001_a.md)" in text


def test_tasks_without_an_id_get_one_that_is_free() -> None:
    plan = from_data(data([task(), task(id="T1.1"), task(id="")], [task(id=None)]))

    assert [t.id for t in plan.tasks] == ["T1.2", "T1.1", "T1.3", "T2.1"]


def test_null_counts_as_absent_and_unknown_keys_are_dropped() -> None:
    plan = from_data(data([task(reads=None, description=None, estimate="2h")], notes=None, mood="good"))

    assert (plan.tasks[0].reads, plan.tasks[0].description, plan.notes) == ((), "", "")


def test_the_words_implementation_plan_are_not_doubled_in_the_title() -> None:
    plan = from_data({**data([task()]), "title": "JWT Implementation Plan"})

    assert render(plan).startswith("# JWT Implementation Plan\n")


def test_headings_in_the_texts_stay_below_those_of_the_plan() -> None:
    plan = from_data({**data([task()]), "overview": "# Why\nx\n## How"})

    assert plan.overview == "### Why\nx\n#### How"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "title"),
        (data(), "phases"),
        (data([]), "phases.0.tasks"),
        ({**data([task()]), "title": "  "}, "title"),
        (data([task()], [task(), {"id": "T9"}]), "phases.1.tasks.1.title"),
        (data([task(writes=7)]), "phases.0.tasks.0.writes"),
        (data([task(writes=["a", "../x"])]), "phases.0.tasks.0.writes.1"),
        (data([task(id="a b")]), "phases.0.tasks.0.id"),
        (data([task(depends_on=["../T1"])]), "phases.0.tasks.0.depends_on.0"),
        (data([task(id="T1")], [task(id="T1")]), "phases"),
        (data([task(id="T1", depends_on=["T7"])]), "phases"),
    ],
)
def test_data_that_cannot_be_carried_out_is_refused_with_its_field(given: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as error:
        from_data(given)

    assert error.value.field == field


def test_a_debuggers_tasks_are_read_the_same_way() -> None:
    found = DebuggerData.model_validate({"cause": "x", "tasks": [task(id="F1", writes="src/app.py"), task()]})

    assert [(t.id, t.writes) for t in cures(found)] == [("F1", ("src/app.py",)), ("D1", ())]
