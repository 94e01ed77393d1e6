"""A template is plain data with holes; what fills a hole stays the text that it is."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stretto.graph.analyze import PHASES, analyze
from stretto.graph.holes import SUBJECT, TITLE, subject
from stretto.graph.spec import Limits, Spec
from stretto.graph.template import instantiate, list_templates, load_template
from stretto.graph.template_model import Template, parse_template
from stretto.state.errors import BadInput

DESCRIPTION = "Add JWT authentication"
BUILT_IN = sorted(PHASES)
FEATURE = load_template("feature-development", None)


def made(template: Template, description: str = DESCRIPTION, **overrides: Any) -> Spec:
    return instantiate(template, description, analysis=analyze("x"), workflow_id="w_001", **overrides)


def text_of(**changes: Any) -> str:
    """A small valid template, with top-level keys replaced."""
    base: dict[str, Any] = {
        "name": "own",
        "description": "d",
        "variables": [
            {"name": "topics", "type": "array", "default": ["one: {{subject}}", "two"], "at_least": 2},
            {"name": "deep", "type": "boolean", "default": False},
            {"name": "note", "type": "string", "default": "none"},
        ],
        "phases": [
            {
                "name": "research",
                "kind": "research",
                "tasks": [
                    {
                        "id": "look",
                        "for_each": "topics",
                        "title": "{{item}}",
                        "role": "researcher",
                        "prompt": "{{note}}",
                    },
                    {"id": "extra", "when": "deep", "title": "e", "role": "researcher", "prompt": "{{ description }}"},
                    {"id": "sum", "title": "s", "role": "researcher", "prompt": "p", "depends_on": ["look", "extra"]},
                ],
            }
        ],
    }
    return yaml.safe_dump({**base, **changes}, sort_keys=False)


def own(**changes: Any) -> Template:
    return parse_template(text_of(**changes), name="own", where="own.yaml")


def one_task(**keys: Any) -> Template:
    task = {"id": "t", "title": "t", "role": "researcher", "prompt": "p", **keys}
    return own(phases=[{"name": "research", "kind": "research", "tasks": [task]}])


def refusal(text: str) -> BadInput:
    with pytest.raises(BadInput) as caught:
        parse_template(text, name="own", where="own.yaml")
    assert "own.yaml" in caught.value.message
    return caught.value


# ── the built-in ones ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_template_makes_a_valid_spec_with_the_phases_that_analysis_names(name: str) -> None:
    spec = made(load_template(name, None))

    assert tuple(p.name for p in spec.phases) == PHASES[name]
    assert all(DESCRIPTION in task.prompt for phase in spec.phases for task in phase.tasks)
    assert not any("{{" in task.model_dump_json() for phase in spec.phases for task in phase.tasks)


@pytest.mark.parametrize("name", BUILT_IN)
def test_research_fans_out_and_no_implementation_is_without_a_plan(name: str) -> None:
    spec = made(load_template(name, None))
    kinds = [p.kind for p in spec.phases]

    first = spec.phases[0]
    if first.kind == "research":
        assert len(first.tasks) == (3 if name in ("feature-development", "research", "research-implementation") else 2)
        assert all(task.role == "researcher" and DESCRIPTION in task.title for task in first.tasks)
        assert len({task.title for task in first.tasks}) == len(first.tasks)
    if "implement" in kinds:
        assert "plan" in kinds[: kinds.index("implement")]
        assert spec.phases[kinds.index("implement")].tasks == ()


def test_the_five_promised_templates_are_among_the_built_in_ones() -> None:
    promised = {"feature-development", "bug-fix", "research-implementation", "documentation-update", "refactoring"}

    assert promised <= {row.name for row in list_templates(None)}
    assert all(row.source == "built-in" and not row.error for row in list_templates(None))


def test_topics_of_ones_own_replace_those_derived_from_the_description() -> None:
    topics = ["a", "b", "c", "d"]

    spec = made(load_template("bug-fix", None), variables={"research_topics": topics})

    assert [t.title for t in spec.phases[0].tasks] == topics
    assert [t.id for t in spec.phases[0].tasks] == ["topic-1", "topic-2", "topic-3", "topic-4"]


def test_a_single_researcher_is_too_few() -> None:
    with pytest.raises(BadInput, match="2 to 20 texts"):
        made(load_template("bug-fix", None), variables={"research_topics": ["alone"]})


def test_what_the_caller_overrides_reaches_the_spec() -> None:
    spec = made(
        load_template("feature-development", None),
        complexity="very_high",
        priority="critical",
        gates=["plan"],
        merge="ask",
        test_command="pytest -q",
        limits=Limits(agents=2),
    )

    assert (spec.complexity, spec.priority, spec.gates, spec.merge) == ("very_high", "critical", ("plan",), "ask")
    assert (spec.test_command, spec.limits.agents) == ("pytest -q", 2)


def test_an_override_outside_its_values_is_refused_by_field() -> None:
    with pytest.raises(BadInput) as caught:
        made(load_template("bug-fix", None), priority="urgent")

    assert caught.value.field == "priority"


def test_a_gate_on_a_plan_that_the_template_has_not_is_refused() -> None:
    with pytest.raises(BadInput, match="kind 'plan'"):
        made(load_template("documentation-update", None), gates=["plan"])


# ── holes ────────────────────────────────────────────────────────────────────────────────────────────────────────────

NASTY = st.text(max_size=60) | st.sampled_from(
    [
        "{{note}}",
        "{{ item }}",
        "'\"`",
        "a: b\n- c: &x *x",
        "!!python/object:os.system",
        "\\1 \\g<0> %s {0} $HOME",
        "}}{{",
    ]
)


@given(description=NASTY, note=NASTY, topics=st.lists(NASTY.filter(str.strip), min_size=2, max_size=5))
def test_values_stay_the_text_that_they_are(description: str, note: str, topics: list[str]) -> None:
    task = {
        "id": "t",
        "for_each": "topics",
        "title": "t",
        "role": "researcher",
        "prompt": "<{{item}}|{{note}}|{{description}}>",
    }
    template = own(phases=[{"name": "research", "kind": "research", "tasks": [task]}])

    spec = made(template, description, variables={"topics": topics, "note": note})

    assert [t.prompt for t in spec.phases[0].tasks] == [f"<{topic}|{note}|{description}>" for topic in topics]
    assert spec.description == description


@given(NASTY)
def test_a_value_stays_within_its_word_of_a_check(note: str) -> None:
    spec = made(one_task(checks=["pytest -k {{ note }} 'two words'"]), variables={"note": note})

    assert shlex.split(spec.phases[0].tasks[0].checks[0]) == ["pytest", "-k", note, "two words"]


@given(st.text(max_size=400).filter(str.strip))
def test_titles_are_one_short_line_whatever_the_description(description: str) -> None:
    spec = made(FEATURE, description)

    titles = [task.title for phase in spec.phases for task in phase.tasks]
    assert all(len(title) <= TITLE and len(title.splitlines()) <= 1 for title in titles)
    assert len(subject(description)) <= SUBJECT


def test_the_subject_is_the_first_sentence() -> None:
    assert subject("Fix version 2.3 of the parser.\nIt crashes. Often.") == "Fix version 2.3 of the parser"


def test_a_default_may_use_the_description_but_is_read_only_once() -> None:
    spec = made(own(), "say {{note}}")

    assert spec.phases[0].tasks[0].title == "one: say {{note}}"


def test_a_path_list_takes_an_array_as_its_entries_and_a_value_as_part_of_a_path() -> None:
    spec = made(one_task(writes=["{{topics}}", "docs/{{note}}.md"]), variables={"topics": ["a", "b"], "note": "x"})

    assert spec.phases[0].tasks[0].writes == ("a", "b", "docs/x.md")


def test_a_value_cannot_lead_a_declared_path_out_of_the_project() -> None:
    with pytest.raises(BadInput) as caught:
        made(one_task(writes=["docs/{{note}}.md"]), variables={"note": "../../etc/x"})

    assert caught.value.field == "phases.research.tasks.t.writes"


def test_when_keeps_or_drops_a_task_and_for_each_is_waited_for_as_a_whole() -> None:
    without = made(own()).phases[0].tasks
    with_it = made(own(), variables={"deep": True}).phases[0].tasks

    assert [t.id for t in without] == ["look-1", "look-2", "sum"]
    assert without[-1].depends_on == ("look-1", "look-2")
    assert with_it[-1].depends_on == ("look-1", "look-2", "extra")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"nope": "x"}, "has no variable 'nope'. It has: topics, deep, note"),
        ({"note": 3}, "3 is no string"),
        ({"deep": "yes"}, "'yes' is no boolean"),
        ({"topics": "a,b"}, "'a,b' is no array"),
        ({"topics": ["a", ""]}, "none of them empty"),
        ({"topics": ["a", 1]}, "none of them empty"),
        ({"topics": [str(n) for n in range(21)]}, "2 to 20 texts"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(variables: Mapping[str, object], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        made(own(), variables=variables)

    assert message in caught.value.message
    assert caught.value.field == next(iter(variables))


def test_a_required_variable_must_be_given() -> None:
    template = own(variables=[{"name": "note", "type": "string", "required": True}], phases=[_plain("{{note}}")])

    with pytest.raises(BadInput, match="needs the variable 'note'"):
        made(template)
    assert made(template, variables={"note": "n"}).phases[0].tasks[0].prompt == "n"


def _plain(prompt: str) -> dict[str, Any]:
    task = {"id": "t", "title": "t", "role": "researcher", "prompt": prompt}
    return {"name": "research", "kind": "research", "tasks": [task]}


# ── broken files ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _task(**keys: Any) -> str:
    task = {"id": "t", "title": "t", "role": "researcher", "prompt": "p", **keys}
    return text_of(phases=[{"name": "research", "kind": "research", "tasks": [task]}])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (_task(role="wizard"), ["phase 'research', task 't', key 'role'", "'wizard'"]),
        (_task(prompts="x"), ["phase 'research', task 't', key 'prompts'", "no key of a template"]),
        (_task(prompt=3), ["phase 'research', task 't', key 'prompt'"]),
        (
            _task(prompt="{{ghost}}"),
            ["phase 'research', task 't', key 'prompt'", "{{ghost}} names no variable", "note"],
        ),
        (_task(prompt="{{#each topics}}"), ["task 't', key 'prompt'", "no expressions"]),
        (_task(title="{{item}}"), ["key 'title'", "{{item}} names no variable"]),
        (_task(for_each="note"), ["key 'for_each'", "'note' is no array variable", "topics"]),
        (_task(when="topics"), ["key 'when'", "'topics' is no boolean variable", "deep"]),
        (_task(checks=["echo 'open"]), ["key 'checks'", "cannot be split"]),
        (_task(checks=[" "]), ["key 'checks'", "empty"]),
        (_task(depends_on=["ghost"]), ["phase 'research', tasks, 't', key 'depends_on'", "'ghost' is not there"]),
        (_task(id="a/b"), ["key 'id'"]),
        (text_of(phases=[]), ["key 'phases'"]),
        (text_of(phases=[{"name": "r", "kind": "dance", "tasks": []}]), ["phase 'r', key 'kind'", "'dance'"]),
        (text_of(phases=[{"name": "r", "kind": "review"}]), ["phase 'r', key 'tasks'", "needs a task"]),
        (text_of(phases=[{**_plain("p"), "after": ["x"]}]), ["phases, 'research', key 'after'", "'x' is not there"]),
        (text_of(phases=[{**_plain("p"), "after": ["research"]}]), ["research → research"]),
        (text_of(phases=[_plain("p"), _plain("p")]), ["'research' is there twice"]),
        (text_of(phases="none"), ["key 'phases'"]),
        (text_of(name="other"), ["name", "'other'", "'own'"]),
        (text_of(variables=[{"name": "v", "type": "number", "default": "1"}]), ["variable 'v', key 'type'"]),
        (text_of(variables=[{"name": "v", "type": "string"}]), ["variable 'v'", "needs a default or"]),
        (text_of(variables=[{"name": "v", "type": "string", "default": True}]), ["variable 'v', key 'default'"]),
        (text_of(variables=[{"name": "item", "type": "string", "default": ""}]), ["variable 'item'", "always there"]),
        (text_of(variables=[{"name": "v", "type": "string", "default": "{{w}}"}]), ["variable 'v', key 'default'"]),
        ("just text", ["the whole file"]),
        ("", ["the whole file"]),
    ],
)
def test_a_broken_template_is_refused_with_its_file_phase_and_key(text: str, parts: list[str]) -> None:
    message = refusal(text).message

    assert [part for part in parts if part not in message] == [], message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: &x [1]\nb: *x", "line 1: uses an anchor"),
        ("a: !!python/object/apply:os.system [echo]", "line 1: uses the tag"),
        ("a: !mine x", "uses the tag"),
        ("name: own\nname: own", "line 2: key 'name' is there twice"),
        ("a: " + "[" * 1000, "nested deeper"),
        ("a: [", "is not YAML: line 1"),
        ("a: 1\n---\nb: 2", "another document"),
        ("a: 2024-99-99", "is not YAML"),
        ("a: \x00", "is not YAML"),
        ("a: " + "x" * 70_000, "characters; at most"),
    ],
)
def test_yaml_that_is_more_than_data_is_refused(text: str, part: str) -> None:
    assert part in refusal(text).message


def test_a_bomb_of_aliases_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]

    assert "anchor" in refusal("\n".join(lines)).message


# ── a project's own ──────────────────────────────────────────────────────────────────────────────────────────────────


def put(project: Path, name: str, text: str) -> Path:
    folder = project / ".stretto" / "templates"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(text, "utf-8")
    return path


def test_a_project_adds_its_own_template(tmp_path: Path) -> None:
    put(tmp_path, "own", text_of())

    spec = made(load_template("own", tmp_path))

    assert spec.template == "own"
    assert [row.name for row in list_templates(tmp_path) if row.source != "built-in"] == ["own"]


def test_an_unknown_template_is_refused_with_all_that_are_known(tmp_path: Path) -> None:
    put(tmp_path, "own", text_of())

    with pytest.raises(BadInput) as caught:
        load_template("feature", tmp_path)

    assert caught.value.allowed == (*BUILT_IN, "own")
    assert "feature-development" in caught.value.message


@pytest.mark.parametrize("name", ["../own", "/etc/passwd", "own.yaml", "OWN", "", "a/b", "."])
def test_a_template_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    put(tmp_path, "own", text_of())

    with pytest.raises(BadInput) as caught:
        load_template(name, tmp_path)
    assert caught.value.field == "template"


def test_a_project_cannot_replace_a_built_in_template(tmp_path: Path) -> None:
    put(tmp_path, "bug-fix", text_of(name="bug-fix"))

    with pytest.raises(BadInput, match="cannot be replaced"):
        load_template("bug-fix", tmp_path)


def test_a_broken_template_is_listed_with_its_error_and_breaks_no_other(tmp_path: Path) -> None:
    put(tmp_path, "own", text_of())
    put(tmp_path, "broken", "a: [")

    rows = {row.name: row for row in list_templates(tmp_path)}

    assert "is not YAML" in rows["broken"].error
    assert rows["own"].error == ""
    load_template("bug-fix", tmp_path)


def test_a_template_that_leads_out_of_the_project_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text(text_of(), "utf-8")
    project = tmp_path / "project"
    put(project, "other", text_of(name="other"))
    (project / ".stretto" / "templates" / "own.yaml").symlink_to(secret)

    with pytest.raises(BadInput, match="leads out of the project"):
        load_template("own", project)


def test_a_template_that_is_no_text_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "own", "").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(BadInput, match="cannot be read"):
        load_template("own", tmp_path)
