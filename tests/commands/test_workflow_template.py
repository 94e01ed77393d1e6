"""/workflow-template as somebody types it."""

from typing import Any

import pytest

from tests.commands.door import Project

OWN = """\
name: note
description: A note.
variables:
  - name: topics
    type: array
    required: true
    at_least: 2
  - name: loud
    type: boolean
    default: false
phases:
  - name: research
    kind: research
    tasks:
      - id: topic
        for_each: topics
        title: "{{item}}"
        role: researcher
        prompt: "{{description}}: {{item}}"
      - id: shout
        when: loud
        title: "Shout"
        role: researcher
        prompt: Be loud.
"""
TOPICS = '{"topics": ["In memory", "On disk"]}'


@pytest.fixture
def noted(project: Project) -> Project:
    project.write({".stretto/templates/note.yaml": OWN})
    return project


def result(project: Project, *words: str) -> Any:
    return project.run("workflow-template", *words, "--json").json["result"]


def test_the_templates_are_listed_the_projects_own_too(noted: Project) -> None:
    rows = {row["name"]: row for row in result(noted, "list")["templates"]}

    assert rows["bug-fix"]["source"] == "built-in"
    assert rows["note"] == {
        "name": "note",
        "source": ".stretto/templates/note.yaml",
        "description": "A note.",
        "phases": ["research"],
        "error": None,
    }


def test_one_is_shown_with_its_variables_phases_and_tasks(noted: Project) -> None:
    ran = noted.run("workflow-template", "show", "note")

    assert "variable topics (array), required" in ran.out
    assert "variable loud (boolean), by default false" in ran.out
    assert "topic: researcher, for each of topics: {{item}}" in ran.out
    assert "shout: researcher, when loud: Shout" in ran.out
    assert result(noted, "show", "note")["phases"][0]["tasks"][0]["for_each"] == "topics"


def test_each_is_tried_and_one_that_is_not_sound_ends_with_1(noted: Project) -> None:
    assert noted.run("workflow-template", "validate").code == 0
    noted.write({".stretto/templates/broken.yaml": OWN.replace("name: note", "name: broken", 1) + "  - name: x\n"})

    ran = noted.run("workflow-template", "validate", "--json")

    problems = {row["name"]: row["problem"] for row in ran.json["result"]["templates"]}
    assert ran.code == 1
    assert "broken.yaml" in problems["broken"]
    assert [name for name, problem in problems.items() if problem] == ["broken"]
    assert noted.run("workflow-template", "check", "note").out == "note: sound, 1 phases, 2 tasks; needs topics\n"


def test_a_dry_run_shows_the_tasks_that_the_variables_make_and_writes_nothing(noted: Project) -> None:
    before = noted.everything()

    shown = result(noted, "instantiate", "note", "Compare caches", TOPICS, "--dry-run")

    assert [t["title"] for p in shown["phases"] for t in p["tasks"]] == ["In memory", "On disk"]
    assert noted.everything() == before


def test_it_starts_the_workflow_as_orchestrate_does(noted: Project) -> None:
    noted.commit({"NOTES.md": "Begin.\n"})

    ran = noted.work("workflow-template", "instantiate", "note", "Compare caches", TOPICS, "--json", "--priority=high")

    assert ran.code == 0, ran.err
    assert (ran.json["command"], ran.json["operation"]) == ("workflow-template", "instantiate")
    name = ran.json["workflow_id"]
    created, *_ = noted.events(name)
    assert created.data["priority"] == "high"
    assert "WORKFLOW_COMPLETED" in noted.types(name)
    assert sorted(b["title"] for b in noted.briefs()) == ["In memory", "On disk"]


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["show", "nothing"], "template"),
        (["validate", "nothing"], "template"),
        (["instantiate", "nothing", "Compare"], "template"),
        (["instantiate", "../note", "Compare"], "template"),
        (["instantiate", "note", "Compare"], "topics"),
        (["instantiate", "note", "Compare", '{"topics": ["one"]}'], "topics"),
        (["instantiate", "note", "Compare", '{"topics": "one"}'], "topics"),
        (["instantiate", "note", "Compare", '{"topcs": []}'], "topcs"),
        (["instantiate", "note", "Compare", "[]"], "variables"),
        (["instantiate", "note", "Compare", TOPICS, "--attempts=99"], "--attempts"),
        (["instantiate", "note"], "description"),
        (["instantiate"], "name"),
        (["list", "--dry-run"], "--dry-run"),
        (["lst"], "operation"),
        ([], "operation"),
    ],
)
def test_bad_input_names_its_field_and_writes_nothing(noted: Project, words: list[str], field: str) -> None:
    before = noted.everything()

    ran = noted.run("workflow-template", *words, "--json")

    assert ran.code == 2
    assert ran.json["error"]["details"]["field"] == field
    assert noted.everything() == before
