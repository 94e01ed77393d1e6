from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.door import CALC, Project, Ran, copied

CYCLE = """
name: circle
description: Three phases that wait for each other
phases:
  - {name: one, kind: research, after: [three], tasks: [{id: a, title: A, role: researcher, prompt: Look}]}
  - {name: two, kind: plan, after: [one]}
  - {name: three, kind: implement, after: [two]}
"""
HUNGRY = """
name: hungry
description: Wants a word
variables:
  - {name: colour, type: string}
phases:
  - {name: one, kind: research, tasks: [{id: a, title: A, role: researcher, prompt: "Look for {{colour}}"}]}
"""
PLAN = """# Arithmetic Implementation Plan

## Implementation Phases

### Phase 1: Core
- [x] **T1** Multiply

### Phase 2: Rest
- [ ] **T2** Subtract
"""
CLASH = '[{"id": "a", "description": "A", "files": ["x.py"]}, {"id": "b", "description": "B", "files": ["x.py"]}]'
ROUND = '[{"id":"a","description":"A","dependencies":["b"]},{"id":"b","description":"B","dependencies":["a"]}]'

# The words of the request, what the message must hold, and the field that the error names.
BAD: list[tuple[tuple[str, ...], str, str]] = [
    (("subagents", '{"phase": "x"', "[]"), "not JSON", "json"),
    (("subagents", "{}", '[{"description": "a",}]'), "not JSON", "json"),
    (("subagents", "{}", '[{"id": "a", "id": "b"}]'), "twice", "json"),
    (("subagents", "{}"), "needs", "json"),
    (("subagents", "{}", "[]"), "at least one task", "tasks"),
    (("subagents", "{}", "{}"), "not a JSON list", "tasks"),
    (("subagents", "[]", "[]"), "not a JSON object", "context"),
    (("subagents", '{"colour": "red"}', '[{"description": "a"}]'), "unknown key 'colour'", "context.colour"),
    (("subagents", "{}", '[{"description": "a", "colour": 1}]'), "unknown key 'colour'", "tasks[0].colour"),
    (("subagents", "{}", '[{"description": 7}]'), "not a string", "tasks[0].description"),
    (("subagents", "{}", '[{"description": "a", "files": "x.py"}]'), "list of strings", "tasks[0].files"),
    (("subagents", "{}", '[{"description": "a", "files": ["../x.py"]}]'), "not a path inside the project", "writes"),
    (("subagents", "{}", '[{"description": "a", "files": ["/etc/passwd"]}]'), "not a path inside", "writes"),
    (("subagents", "{}", '[{"description": "a", "files": [".git/config"]}]'), "not a path inside", "writes"),
    (("subagents", "{}", '[{"id": "../x", "description": "a"}]'), "'../x' is not an id", "tasks[0].id"),
    (("subagents", "{}", '[{"command": "/rm", "description": "a"}]'), "'/rm'", "command"),
    (("subagents", '{"complexity": "huge"}', '[{"description": "a"}]'), "'huge'", "complexity"),
    (("subagents", '{"workflow_id": "../x"}', '[{"description": "a"}]'), "'../x'", "workflow_id"),
    (("subagents", '{"plan_file": "../x"}', '[{"description": "a"}]'), "outside the project", "context.plan_file"),
    (("subagents", "{}", CLASH), "both write 'x.py'", "depends_on"),
    (("subagents", "{}", ROUND), "circle", ""),
    (("subagents", "{}", '[{"description": "a", "dependencies": ["z"]}]'), "'z'", "dependencies"),
    (("orchestrate", "x", "--colour=red"), "no flag '--colour'", "--colour"),
    (("orchestrate", "x", "--approove"), "Did you mean '--approve'?", "--approove"),
    (("orchestrate", "x", "--priority=urgent"), "critical, high, medium, low", "--priority"),
    (("orchestrate", "x", "--merge=later"), "auto, ask, never", "--merge"),
    (("orchestrate", "x", "--gate=lunch"), "plan, merge", "--gate"),
    (("orchestrate", "x", "--durability=none"), "power, process", "--durability"),
    (("orchestrate", "x", "--dry-run=yes"), "takes no value", "--dry-run"),
    (("orchestrate", "x", "--max-agents"), "needs a value", "--max-agents"),
    (("orchestrate", "x", "--max-agents=0"), "at least 1", "--max-agents"),
    (("orchestrate", "x", "--max-agents=65"), "64", "--max-agents"),
    (("orchestrate", "x", "--max-agents=two"), "whole number", "--max-agents"),
    (("orchestrate", "x", "--attempts=11"), "10", "--attempts"),
    (("orchestrate", "x", "--debug-rounds=99"), "10", "--debug-rounds"),
    (("orchestrate", "x", "--timeout=soon"), "90s, 15m, 4h", "--timeout"),
    (("orchestrate", "x", "--timeout=0"), "not a duration", "--timeout"),
    (("orchestrate", "x", f"--timeout={'9' * 400}"), "at most 30 days", "--timeout"),
    (("orchestrate", "x", "--workflow-id=../x"), "not a usable id", "--workflow-id"),
    (("orchestrate", "x", "--workflow-id=a.lock"), "not a usable id", "--workflow-id"),
    (("orchestrate", "x", "--workflow-id=system"), "not a usable id", "--workflow-id"),
    (("orchestrate", "x", "--template=nope"), "feature-development", "template"),
    (("orchestrate", "x", "--template=../../etc"), "no template", "template"),
    (("orchestrate", "x", "--template=circle"), "circle", ""),
    (("orchestrate", "x", "--template=hungry"), "'colour'", "variable 'colour'"),
    (("orchestrate", "x", "--recovery-mode"), "Recovery of which workflow", "--continue-from"),
    (("orchestrate",), "needs a description", "description"),
    (("orchestrate", "  "), "description is empty", "description"),
    (("orchestrate", "one", "two words"), "no place for", "line"),
    (("orchestrate", "x\0y"), "not allowed in a line", "line"),
    (("orchestrate", "x" * 1_100_000), "longer than 1 MiB", "line"),
    (("orchestrate", "x", "--merge=auto", "--merge=never"), "twice", "--merge"),
    (("orchestrate", "--approve"), "--resume ID", "--resume"),
    (("orchestrate", "--resume=nobody"), "no workflow 'nobody'", "workflow_id"),
    (("orchestrate", "--resume=../x"), "not a usable id", "--resume"),
    (("orchestrate", "--resume=a", "--approve", "--reject=b"), "not both", "--approve"),
    (("orchestrate", "--resume=a", "--merge=never"), "cannot be changed by a resume", "--merge"),
    (("orchestrate", "x", "--resume=a"), "leave the description out", "description"),
    (("orchestrate", "Add x", "--leave=research:0"), "behind the colon", "--leave"),
    (("orchestrate", "Add x", "--leave=research:many"), "behind the colon", "--leave"),
    (("orchestrate", "Add x", "--leave=tea:2"), "is not there", "--leave"),
    (("orchestrate", "continue-workflow", "a"), "cannot do it", "operation"),
    (("orchestrate", "x", "--runner=magic:wand"), "not a runner", "runner"),
    (("orchestrate", "x", "--runner=command:"), "not a runner", "runner"),
    (("orchestrate", "x", "--runner=command:./missing"), "no program", "runner"),
    (("orchestrate", "x", "--runner=command:'open"), "cannot be split", "runner"),
    (("orchestrate", "x", "--runner=replay:missing.jsonl"), "cannot be read", ""),
    (("orchestrate", "x", "--runner=replay:README.md"), "README.md", ""),
    (("orchestrate", "x", "--runner=model:nope/x"), "not a model", "runner"),
    (("orchestrate", "x", "--record=c.jsonl", "--runner=replay:c.jsonl"), "cannot be recorded", "--record"),
    (("orchestrate", "x", "--project=nowhere"), "not a folder", "--project"),
    (("orchestrate", "x", "--project=README.md"), "not a folder", "--project"),
    (("orchestrate", "x", "--store=~nobody-of-that-name/x"), "cannot be found", "store"),
    (("report",), "needs a topic", "topic"),
    (("report", "x", "--max-agents=2"), "does nothing with it", "--max-agents"),
    (("report", "x", "--gate=plan"), "needs a phase of kind 'plan'", "gates"),
    (("plan",), "needs a feature", "feature"),
    (("plan", "x", "../../etc/passwd"), "outside the project", "report"),
    (("plan", "x", "/etc/passwd"), "outside the project", "report"),
    (("plan", "x", "leads_out/secret.md"), "outside the project", "report"),
    (("plan", "x", "specs/reports/missing.md"), "no file 'specs/reports/missing.md'", "reports"),
    (("plan", "x", "--reports=README.md specs/none.md"), "no file 'specs/none.md'", "reports"),
    (("plan", "x", "draft.md"), "in no commit", "reports"),
    (("plan", "x", "a" * 5000), "too long", ""),
    (("implement", "README.md"), "Implementation Phases", ""),
    (("implement", "specs/plans/none.md"), "no file", "plan"),
    (("implement", "binary.md"), "cannot be read", "plan"),
    (("implement", "specs/plans/001_arithmetic.md", "9"), "no phase 9", "phase"),
    (("implement", "specs/plans/001_arithmetic.md", "0"), "no phase 0", "phase"),
    (("implement", "specs/plans/001_arithmetic.md", "last"), "'last' is not the number", "phase"),
    (("implement", "specs/plans/002_done.md"), "nothing to implement", "plan"),
    (("implement", "draft_plan.md"), "in no commit", "plan"),
    (("debug",), "needs an issue", "issue"),
    (("debug", "x", "missing.md"), "no file 'missing.md'", "document"),
    (("document", "x", "../y"), "outside the project", "scope"),
    (("document", "x", "docs", "--scope=src"), "One scope at most", "scope"),
    (("test", "tests/test_add.py", "unit"), "does nothing with it", "level"),
    (("test", "x", "--coverage"), "no flag '--coverage'", "--coverage"),
    (("test-all", "--runner=command:cat"), "does nothing with it", "--runner"),
    (("workflow-status", "nobody"), "no workflow 'nobody'", "workflow_id"),
    (("workflow-status", "../x"), "not a usable id", "workflow_id"),
    (("workflow-status", "--live"), "does nothing with it", "--live"),
    (("coordination-hub", "explode"), "no operation 'explode'", "operation"),
    (("coordination-hub", "start", "x_001"), "No workflow has run here", "store"),
    (("resource-manager",), "needs an operation", "operation"),
    (("bogus",), "no command 'bogus'", "command"),
    (("--bogus",), "No command is named", "command"),
    (("help", "bogus"), "no command 'bogus'", "command"),
    (("events", "nobody"), "no workflow 'nobody'", "workflow"),
    (("events", "--after=-1"), "not a whole number", "arguments"),
    (("events", "a", "b"), "unrecognized arguments: b", "arguments"),
    (("logs", "a"), "required: task", "arguments"),
    (("logs", "nobody", "x"), "not a task id", "task"),
    (("diff", "../x"), "not a usable id", "workflow"),
    (("diff", "--runner=command:cat", "a"), "unrecognized arguments", "arguments"),
    (("cancel", "nobody"), "no workflow 'nobody'", "workflow"),
    (("undo", "nobody"), "no workflow 'nobody'", "workflow"),
    (("line",), "takes one slash line", "line"),
    (("line", "/report 'open"), "not closed", "line"),
    (("line", "/report `date`"), "Only $(find", "line"),
    (("line", "/report $(rm -rf .)"), "Only $(find", ""),
    (("line", "/report x", "--dry-run"), "no flag '--dry-run'", "--dry-run"),
    (("line", "orchestrate x"), "begins with a slash command", ""),
]


@pytest.fixture(scope="module")
def prepared(pristine: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which each bad input is bad for one reason only. No test may change it, so that all share it."""
    project = copied(pristine, tmp_path_factory.mktemp("bad"))
    outside = project.root.with_name("outside")
    outside.mkdir()
    (outside / "secret.md").write_text("secret")
    (project.root / "leads_out").symlink_to(outside)
    (project.root / "binary.md").write_bytes(b"\xff\xfe\x00")
    files = {
        ".stretto/templates/circle.yaml": CYCLE,
        ".stretto/templates/hungry.yaml": HUNGRY,
        "specs/plans/001_arithmetic.md": PLAN,
        "specs/plans/002_done.md": PLAN.replace("[ ]", "[x]")
        .replace("1: Core", "1: Core [COMPLETED]")
        .replace("2: Rest", "2: Rest [COMPLETED]"),
    }
    project.commit(files)
    project.write({"draft.md": "# Draft\n", "draft_plan.md": PLAN})
    project.agent({})
    return project


def refused(project: Project, args: tuple[str, ...]) -> Ran:
    """Run what must be refused, and prove that nothing was written anywhere."""
    before = project.everything()
    ran = project.run(*args)
    assert project.everything() == before
    assert ran.code == 2, ran.err
    return ran


@pytest.mark.parametrize(("args", "said", "field"), BAD, ids=[" ".join(b[0])[:60] for b in BAD])
def test_bad_input_is_code_2_names_the_field_and_writes_nothing(
    prepared: Project, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], said: str, field: str
) -> None:
    monkeypatch.chdir(prepared.root)
    monkeypatch.setenv("STRETTO_RUNNER", prepared.runner)

    ran = refused(prepared, args)
    as_json = refused(prepared, ("--json", *args)).json

    assert said in ran.err
    assert ran.out == ""
    assert as_json["status"] == "error"
    assert as_json["error"]["code"] in {"BAD_INPUT", "NOT_FOUND", "INVALID_TRANSITION", "WORKFLOW_EXISTS"}
    named = as_json["error"]["details"].get("field", "")
    assert named.endswith(field), named


def no_commit(project: Project) -> None:
    project.git("update-ref", "-d", "HEAD")


def bare(project: Project) -> None:
    project.git("config", "core.bare", "true")


def unknown_setting(project: Project) -> None:
    project.write({".stretto/config.toml": 'color = "red"\n'})


def wrong_setting(project: Project) -> None:
    project.write({".stretto/config.toml": "agents = 1000\n"})


def no_toml(project: Project) -> None:
    project.write({".stretto/config.toml": "agents = = 3\n"})


def shadowing_template(project: Project) -> None:
    project.write({".stretto/templates/bug-fix.yaml": "name: bug-fix\n"})


def store_that_leads_out(project: Project) -> None:
    (project.root / ".stretto").mkdir()
    (project.root / ".stretto" / "state").symlink_to(project.root.parent / "elsewhere")


@pytest.mark.parametrize(
    ("spoil", "said", "code"),
    [
        (no_commit, "has no commit yet", 2),
        (bare, "work tree", 2),
        (unknown_setting, "'color'", 2),
        (wrong_setting, "agents = 1000", 2),
        (no_toml, "not TOML", 2),
        (shadowing_template, "name of a built-in template", 2),
        (store_that_leads_out, "is a link", 1),
    ],
)
def test_a_project_that_cannot_be_worked_on_is_refused_and_left_as_it_is(
    project: Project, spoil: Callable[[Project], None], said: str, code: int
) -> None:
    spoil(project)
    project.agent({})
    before = project.everything()

    ran = project.work("orchestrate", "Fix the bug in adding", "--template=bug-fix")

    assert (ran.code, said in ran.err) == (code, True), ran.err
    assert project.everything() == before
    assert project.briefs() == []


def test_an_id_that_is_taken_is_refused_and_neither_workflow_is_touched(project: Project) -> None:
    assert project.work("report", "One", "--workflow-id=mine").code == 0
    before = project.everything()

    ran = project.work("report", "Two", "--workflow-id=mine")

    assert ran.code == 2
    assert "a workflow 'mine' already" in ran.err
    assert project.everything() == before


def test_an_answer_for_a_workflow_that_waits_at_no_gate_changes_nothing(project: Project) -> None:
    project.agent({"researcher": {"outcome": {"status": "failed", "error": "closed"}}})
    assert project.work("report", "One", "--attempts=1").code == 1
    before = project.types()

    ran = project.work("orchestrate", "--resume=one_001", "--approve", "--json")

    assert (ran.code, ran.json["error"]["code"]) == (2, "INVALID_TRANSITION")
    assert project.types() == before


def test_a_recording_that_cannot_begin_leaves_no_file(project: Project) -> None:
    project.write({"script.yaml": "task: Another task\n"})
    before = project.everything()

    for runner in ("model:script/script.yaml", "model:script/missing.yaml", "model:nope/x", "replay:c.jsonl"):
        ran = project.run("orchestrate", "Add x", "--record=c.jsonl", f"--runner={runner}")
        assert (ran.code, project.everything() == before) == (2, True), ran.err
    for place in (".", "README.md/c.jsonl"):
        ran = project.run("orchestrate", "Add x", f"--record={place}", "--runner=model:script/script.yaml")
        assert (ran.code, project.everything() == before) == (2, True), ran.err


def test_nothing_at_all_is_help_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    project = Project(tmp_path / "folder")

    ran = project.run()

    assert (ran.code, project.everything()) == (0, {})
    assert "stretto COMMAND --help" in ran.out


def test_bad_input_in_a_folder_without_git_makes_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path / "plain")
    project.root.mkdir()
    project.write(CALC)
    monkeypatch.chdir(project.root)

    for args in (("report",), ("orchestrate", "x"), ("diff", "a"), ("implement",), ("orchestrate", "x", "--runner=z")):
        refused(project, args)
