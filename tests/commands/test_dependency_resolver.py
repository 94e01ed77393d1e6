"""/dependency-resolver through its door."""

import json
from typing import Any

import pytest

from stretto.graph.plan import Plan, PlanPhase, PlanTask
from stretto.graph.plan_file import render
from tests.commands.door import Project, Ran
from tests.commands.test_coordination_hub import hub

DIAMOND = [
    {"id": "a", "duration": "10m"},
    {"id": "b", "duration": "30m", "depends_on": ["a"]},
    {"id": "c", "duration": "5m", "depends_on": ["a"]},
    {"id": "d", "duration": "5m", "depends_on": ["b", "c"]},
]


def resolve(project: Project, operation: str, *args: str, **body: Any) -> Ran:
    extra = [json.dumps(body)] if body else []
    return project.run("dependency-resolver", operation, *args, *extra, "--json")


def test_a_plan_is_read_with_the_orders_that_its_files_impose(project: Project) -> None:
    tasks = (PlanTask(id="T1", title="Build", writes=("src/shop.py",)), PlanTask(id="T2", title="Price"))
    later = (PlanTask(id="T3", title="Sell", reads=("src/shop.py",)),)
    phases = (PlanPhase(number=1, name="A", tasks=tasks), PlanPhase(number=2, name="B", tasks=later))
    plan = Plan(title="Shop", phases=phases)
    project.write({"specs/plans/001_shop.md": render(plan)})

    ran = resolve(project, "analyze", "specs/plans/001_shop.md")

    assert ran.code == 0, ran.out
    assert ran.json["result"]["edges"] == [{"before": "T1", "after": "T3", "reason": "writes src/shop.py"}]
    assert ran.json["result"]["critical_path"] == ["T1", "T3"]
    assert ran.json["result"]["unit"] == "nodes"


def test_the_critical_path_and_the_agents_of_use_are_told(project: Project) -> None:
    result = resolve(project, "report", tasks=DIAMOND).json["result"]

    assert (result["critical_path"], result["length"], result["agents_needed"]) == (["a", "b", "d"], 2700, 2)
    assert result["slack"]["c"] == 1500


def test_phases_of_a_workflow_and_what_it_waits_for_are_shown(project: Project) -> None:
    hub(project, "create", "shop_001", phases=["build", "check"], dependencies=["review"])

    result = resolve(project, "trace", "shop_001").json["result"]

    assert [n["id"] for n in result["nodes"]] == ["build", "check"]
    assert result["external"] == ["review"]


def test_a_circle_is_named_and_the_exit_code_says_so(project: Project) -> None:
    tasks = [{"id": "a", "depends_on": ["b"]}, {"id": "b", "depends_on": ["c"]}, {"id": "c", "depends_on": ["a"]}]

    ran = resolve(project, "validate", tasks=tasks)

    assert ran.code == 1
    assert ran.json["result"]["problems"][0]["nodes"] == ["a", "b", "c"]
    assert resolve(project, "find-paths", tasks=tasks).code == 2
    assert resolve(project, "analyze", tasks=tasks).code == 0


def test_what_would_help_is_measured(project: Project) -> None:
    tasks: list[dict[str, Any]] = [{"id": name, "duration": "10m"} for name in "abcdef"]
    tasks += [
        {"id": "z", "depends_on": ["a"], "duration": "1s"},
        {"id": "y", "depends_on": ["z", "a"], "duration": "1s"},
    ]

    found = resolve(project, "recommend", tasks=tasks).json["result"]["recommendations"]

    assert found[0]["text"].startswith("6 agents instead of 4 would save")
    assert any("y need not name a" in one["text"] for one in found)


def test_chains_are_told_the_longest_first(project: Project) -> None:
    result = resolve(project, "alternative-routes", tasks=DIAMOND, **{"from": "a", "to": "d"}).json["result"]

    assert [one["path"] for one in result["paths"]] == [["a", "b", "d"], ["a", "c", "d"]]


def test_a_scenario_is_compared_with_what_is(project: Project) -> None:
    slower = resolve(project, "scenario-analysis", tasks=DIAMOND, slower={"c": 10}).json["result"]
    without = resolve(project, "scenario-analysis", tasks=DIAMOND, without=["b"]).json["result"]

    assert (slower["before"], slower["after"]) == (2700, 3900)
    assert without["after"] == 1200


@pytest.mark.parametrize(("form", "begins"), [("mermaid", "flowchart"), ("dot", "digraph"), ("gantt", "gantt")])
def test_a_picture_is_a_text_that_another_program_draws(project: Project, form: str, begins: str) -> None:
    ran = project.run("dependency-resolver", "visualize", json.dumps({"tasks": DIAMOND, "format": form}))

    assert ran.code == 0
    assert ran.out.startswith(begins)


@pytest.mark.parametrize(
    ("args", "field"),
    [
        (("analyze",), "subject"),
        (("analyze", "nobody_001"), "subject"),
        (("analyze", '{"tasks": []}'), "tasks"),
        (("analyze", '{"tasks": [{"id": ""}]}'), "tasks[0].id"),
        (("analyze", '{"tasks": [{"id": "a", "needs": []}]}'), "tasks[0].needs"),
        (("analyze", '{"tasks": [{"id": "a", "duration": "soon"}]}'), "tasks[0].duration"),
        (("analyze", '{"tasks": [{"id": "a"}], "deep": true}'), "deep"),
        (("visualize", '{"tasks": [{"id": "a"}], "format": "png"}'), "format"),
        (("find-paths", '{"tasks": [{"id": "a"}], "from": "z"}'), "from"),
        (("scenario-analysis", '{"tasks": [{"id": "a"}], "without": ["z"]}'), "without"),
        (("scenario-analysis", '{"tasks": [{"id": "a"}], "agents": 0}'), "agents"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field_and_nothing_is_written(
    project: Project, args: tuple[str, ...], field: str
) -> None:
    ran = project.run("dependency-resolver", *args, "--json")

    assert (ran.code, ran.json["error"]["details"]["field"]) == (2, field)
    assert not project.store.exists()
