"""What roles return: loose in what does not matter, strict in what a later phase would stumble over."""

import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.agents.data import BadOutcome, check_data, needs_data, relative_path, schema_for
from stretto.agents.roles import ROLES
from stretto.state.errors import BadInput


def plan(*tasks: dict[str, Any], **phase: Any) -> dict[str, Any]:
    return {"title": "P", "phases": [{"name": "One", "tasks": list(tasks), **phase}]}


def task(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "title": f"Do {name}", **more}


def test_unknown_keys_are_dropped_and_null_lists_are_empty() -> None:
    data = check_data("planner", plan(task("T1", reads=None, mood="good"), colour="red")).model_dump(mode="json")
    assert data["phases"][0]["tasks"][0]["reads"] == []
    assert "mood" not in json.dumps(data)
    assert "colour" not in json.dumps(data)


@pytest.mark.parametrize("word", ["low", "LOW", " Low "])
def test_complexity_is_read_in_any_case(word: str) -> None:
    data = check_data("planner", plan(task("T1"), complexity=word)).model_dump()
    assert data["phases"][0]["complexity"] == "Low"


def test_evidence_may_be_one_sentence() -> None:
    assert check_data("debugger", {"cause": "c", "evidence": "seen"}).model_dump()["evidence"] == ("seen",)


def test_roles_without_data_drop_whatever_comes() -> None:
    assert check_data("implementer", {"anything": 1}).model_dump() == {}


@pytest.mark.parametrize(
    ("role", "data", "field"),
    [
        ("researcher", {"title": "t"}, "data.report"),
        ("researcher", {"title": "t", "report": ""}, "data.report"),
        ("researcher", {"title": 3, "report": "r"}, "data.title"),
        ("researcher", [], "data"),
        ("planner", {"title": "t", "phases": []}, "data.phases"),
        ("planner", plan(), "data.phases.0.tasks"),
        ("planner", plan(task("../T1")), "data.phases.0.tasks.0.id"),
        ("planner", plan(task("T1", writes=["../x"])), "data.phases.0.tasks.0.writes.0"),
        ("planner", plan(task("T1", writes=["/etc/x"])), "data.phases.0.tasks.0.writes.0"),
        ("planner", plan(task("T1", writes=7)), "data.phases.0.tasks.0.writes"),
        ("planner", plan(task("T1", reads=[".GIT/config"])), "data.phases.0.tasks.0.reads.0"),
        ("documenter", {"files": ["a\0b"]}, "data.files.0"),
    ],
)
def test_what_does_not_fit_names_its_field(role: str, data: object, field: str) -> None:
    with pytest.raises(BadOutcome) as caught:
        check_data(role, data)
    assert caught.value.field == field


@pytest.mark.parametrize("role", ["planner", "debugger"])
@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ([task("T1"), task("T1")], "'T1' is there twice"),
        ([task("T1", depends_on=["T9"])], "names 'T9', which is no task"),
        ([task("T1", depends_on=["T2"]), task("T2", depends_on=["T1"])], "goes in a circle"),
        ([task("T1", depends_on=["T1"])], "goes in a circle"),
    ],
)
def test_tasks_that_cannot_run_are_refused(role: str, tasks: list[dict[str, Any]], words: str) -> None:
    data = plan(*tasks) if role == "planner" else {"cause": "c", "tasks": tasks}
    with pytest.raises(BadOutcome, match=words):
        check_data(role, data)


def test_ids_are_unique_over_all_phases() -> None:
    two = {
        "title": "P",
        "phases": [{"name": "One", "tasks": [task("T1")]}, {"name": "Two", "tasks": [task("T1")]}],
    }
    with pytest.raises(BadOutcome, match="twice"):
        check_data("planner", two)


@pytest.mark.parametrize("role", ROLES)
def test_schemas_follow_no_references(role: str) -> None:
    assert "$ref" not in json.dumps(schema_for(role))
    assert "$defs" not in schema_for(role)


def test_the_planners_schema_tells_what_a_task_is() -> None:
    shape = schema_for("planner")["properties"]["phases"]["items"]["properties"]["tasks"]["items"]
    assert set(shape["properties"]) == {"id", "title", "description", "reads", "writes", "depends_on", "checks"}


def test_only_some_roles_are_nothing_without_data() -> None:
    assert {role for role in ROLES if needs_data(role)} == {"researcher", "planner", "debugger"}


def test_an_unknown_role_has_no_schema() -> None:
    with pytest.raises(BadInput):
        schema_for("poet")


@given(st.text(alphabet="abg./~ GIT\0-", max_size=20))
def test_a_path_that_is_accepted_stays_inside_and_out_of_git(text: str) -> None:
    try:
        accepted = relative_path(text)
    except ValueError:
        return
    where = os.path.normpath(f"/project/{accepted}")
    assert where == "/project" or where.startswith("/project/")
    assert ".git" not in where.lower().split("/")
