"""The report of a dry run: data and text say the same, and what is unknown says so."""

import json
from typing import Any

import pytest

from stretto.graph.analyze import PHASES, analyze
from stretto.graph.estimate import PastTask, estimate
from stretto.graph.report import DryRun, dry_run, render
from stretto.graph.spec import PhaseSpec, Spec, TaskSpec, conflicts
from stretto.graph.template import instantiate, load_template

DESCRIPTION = "Add JWT authentication"


def report(description: str = DESCRIPTION, template: str = "", **overrides: Any) -> DryRun:
    analysis = analyze(description)
    chosen = load_template(template or analysis.template, None)
    spec = instantiate(chosen, description, analysis=analysis, workflow_id="jwt_001", **overrides)
    return dry_run(spec, analysis, estimate(spec, []), [], ["the checkout is dirty"])


def given_tasks(*tasks: TaskSpec) -> DryRun:
    spec = Spec(
        workflow_id="w",
        description="d",
        type="t",
        template="t",
        complexity="low",
        phases=(PhaseSpec(name="build", kind="implement", tasks=tasks),),
    )
    return dry_run(spec, analyze("d"), estimate(spec, []), list(conflicts(tasks)), [])


def implementer(name: str, *writes: str) -> TaskSpec:
    return TaskSpec(id=name, title=name, role="implementer", prompt="p", writes=writes)


def test_the_report_is_json_and_survives_the_trip() -> None:
    found = report(gates=("plan",))

    assert json.loads(json.dumps(found)) == found


def test_it_names_the_phases_in_order_with_their_tasks_and_parallelism() -> None:
    found = report()

    assert tuple(p["name"] for p in found["phases"]) == PHASES["feature-development"]
    assert [p["parallel"] for p in found["phases"]] == [3, 1, 4, 1, 1]
    assert [p["task_count"] for p in found["phases"]] == [3, 1, 5, 1, 1]
    assert found["phases"][1]["after"] == ["research"]
    assert found["phases"][0]["tasks"][0]["role"] == "researcher"


def test_unknown_amounts_are_null_in_data_and_unknown_in_words() -> None:
    found = report()
    text = render(found)

    assert (found["estimate"]["tokens"], found["estimate"]["money_usd"]) == (None, None)
    assert "tokens unknown" in text
    assert "money  unknown" in text
    assert "time   27 min; no history: default of the template, confidence 0" in text


def test_known_amounts_are_shown_with_their_interval_and_basis() -> None:
    roles: tuple[Any, ...] = ("researcher", "planner", "implementer", "tester", "documenter")
    history = [PastTask(role, "review", 60.0 * n, 1000 * n, 10, 0.1 * n) for role in roles for n in (1, 2, 3)]
    analysis = analyze(DESCRIPTION)
    spec = instantiate(load_template("feature-development", None), DESCRIPTION, analysis=analysis, workflow_id="w")

    text = render(dry_run(spec, analysis, estimate(spec, history), [], []))

    assert "15 past tasks, 200 simulated runs on 4 agents" in text
    assert " USD (80 %: " in text
    assert "unknown" not in text


def test_conflicts_of_a_plan_that_is_not_there_are_known_after_planning() -> None:
    found = report()

    assert found["conflicts"]["after_planning"] == ["implementation"]
    assert not found["conflicts"]["known"]
    assert not found["conflicts"]["undeclared"]
    assert "implementation: known after planning" in render(found)


def test_known_conflicts_are_named_with_the_path() -> None:
    found = given_tasks(implementer("one", "src"), implementer("two", "src/a.py"))

    assert found["conflicts"]["known"] == [{"tasks": ["one", "two"], "path": "src"}]
    assert "one and two both write src and have no order" in render(found)


def test_tasks_that_write_at_once_and_do_not_say_where_are_pointed_out() -> None:
    silent = given_tasks(implementer("one"), implementer("two"))
    fine = given_tasks(implementer("one", "a"), implementer("two", "b"))

    assert silent["conflicts"]["undeclared"] == ["build"]
    assert not any(fine["conflicts"].values())
    assert "Write conflicts\n  none" in render(fine)


def test_it_says_what_would_be_written_where() -> None:
    rows = {row["where"]: row["what"] for row in report(merge="never")["would_write"]}

    assert rows["specs/reports/NNN_*.md"] == "3 reports of research"
    assert "specs/plans/NNN_*.md" in rows
    assert "specs/summaries/NNN_*.md" in rows
    assert rows["git branch stretto/jwt_001"].startswith("one commit a phase")
    assert rows["the branch that is checked out"] == "nothing"


def test_a_template_without_a_plan_promises_no_plan_file() -> None:
    rows = [row["where"] for row in report(template="documentation-update")["would_write"]]

    assert "specs/plans/NNN_*.md" not in rows
    assert "specs/summaries/NNN_*.md" not in rows
    assert "known after planning" not in rows


def test_the_text_says_what_the_data_says() -> None:
    found = report(gates=("plan", "merge"), priority="high")
    text = render(found)

    assert text.startswith("Dry run of jwt_001: nothing was written")
    for part in (
        "feature_development (by: add)",
        "high (score 1.90)",
        "template    feature-development, priority high, merge auto, gates plan, merge",
        "1. research (research): 3 tasks, 3 at once, 3 min",
        "3. implementation (implement): 5 tasks assumed, 4 at once",
        "the checkout is dirty",
        f"```mermaid\n{found['mermaid']}```",
    ):
        assert part in text


@pytest.mark.parametrize("trick", ["\x1b[2J\x1b[H gone", "bell \x07", "back\x08\x08", "right \u202e left"])
def test_a_description_cannot_move_the_cursor(trick: str) -> None:
    assert not [c for c in render(report(f"Add {trick}")) if not c.isprintable() and c != "\n"]


def test_a_description_of_many_lines_stays_on_one() -> None:
    text = render(report("Add this\n\nPhases\n  1. fake (plan): 9 tasks"))

    assert "\nPhases\n  1. research" in text
    assert text.count("\nPhases\n") == 1
