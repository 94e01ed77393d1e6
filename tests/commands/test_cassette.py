"""`stretto cassette` through the door: record, replay, import, lint, diff, redact."""

import json
import tempfile
from pathlib import Path

import pytest

from tests.agents.sessions import KEY, work
from tests.agents.wild_sessions import Wild
from tests.commands.door import Project
from tests.commands.host import ADD, Host, orders_of
from tests.commands.test_development_commands import PLAN

TASK = "Compare caches"
LANES = ["analysis/synthesis#1", *(f"research/topic-{n}#1" for n in (1, 2, 3))]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What --keep keeps goes with the test's folder."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))


def script(project: Project) -> None:
    done = {"status": "completed", "summary": "read", "data": {"title": "Caches", "report": "# Caches\n\nTwo.\n"}}
    lines = [{"call": [{"list_files": {"glob": "*.md"}}]}, {"finish": done}]
    told = {"finish": {"status": "completed", "summary": "told", "data": {"files": ["docs/caches.md"]}}}
    document = [{"call": [{"write_file": {"path": "docs/caches.md", "content": "# Caches\n"}}]}, told]
    lanes = {**dict.fromkeys(LANES, lines), "documentation/record#1": document}
    project.write({"script.yaml": json.dumps({"task": TASK, "lanes": lanes})})


@pytest.fixture
def recorded(project: Project) -> Project:
    """A project as it was before its recorded workflow, and the cassette."""
    script(project)
    before = project.git("rev-parse", "HEAD").strip()
    ran = project.run("cassette", "record", "c.jsonl", TASK, "--runner=model:script/script.yaml", "--template=research")
    assert ran.code == 0, ran.err
    assert "Recorded" in ran.out
    project.git("reset", "--hard", "-q", before)
    return project


def test_what_was_recorded_replays_with_one_hash_and_leaves_the_project_alone(recorded: Project) -> None:
    header = json.loads((recorded.root / "c.jsonl").read_text("utf-8").splitlines()[0])
    assert (header["command"], header["options"]) == ("orchestrate", ["--template=research"])
    before = recorded.everything()

    first = recorded.run("cassette", "replay", "c.jsonl", "--strict", "--json").json["result"]
    named = recorded.run("cassette", "replay", "c.jsonl", TASK, "--hash")

    assert (first["holds"], first["status"], first["drift"], first["misses"]) == (True, "completed", [], [])
    assert named.out == f"{first['log_hash']}\n"
    assert recorded.everything() == before
    workflow = recorded.events()[0].workflow_id
    assert recorded.run("events", workflow, "--hash").out == named.out


def test_a_miss_ends_with_1_and_shows_the_nearest(recorded: Project) -> None:
    path = recorded.root / "c.jsonl"
    lines = [line for line in path.read_text("utf-8").splitlines() if "topic-2#1" not in line]
    path.write_text("\n".join(lines) + "\n", "utf-8")

    ran = recorded.run("cassette", "replay", "c.jsonl")

    assert ran.code == 1
    assert "does NOT hold" in ran.out
    assert "the recording has no such lane; the nearest is 'research/topic-" in ran.out
    assert "this run: human: " in ran.out


def test_another_project_is_drift_and_strict_a_miss(recorded: Project) -> None:
    recorded.write({"MORE.md": "# more\n"})
    recorded.git("add", "-A")
    recorded.git("commit", "-qm", "More")

    loose = recorded.run("cassette", "replay", "c.jsonl", "--json").json["result"]
    strict = recorded.run("cassette", "replay", "c.jsonl", "--strict", "--json")

    assert loose["holds"]
    assert {(d["lane"], d["changed"][0]) for d in loose["drift"]} >= {(lane, "tail") for lane in LANES[1:]}
    assert strict.code == 1
    assert "changed: tail" in strict.json["error"]["details"]["misses"][0]


def test_lint_names_file_and_line_and_redact_mends_it(recorded: Project) -> None:
    assert recorded.run("cassette", "lint", "c.jsonl").code == 0
    path = recorded.root / "c.jsonl"
    path.write_text(path.read_text("utf-8").replace('"text": ""', f'"text": "{KEY}"', 1), "utf-8")

    ran = recorded.run("cassette", "lint", "c.jsonl")
    assert ran.code == 1
    assert ran.out.startswith(
        "c.jsonl:2: turn 1 of lane 'analysis/synthesis#1' seems to hold a secret (anthropic-key)\n"
    )

    dirty = path.read_text("utf-8")
    assert "<anthropic-key>" in recorded.run("cassette", "redact", "c.jsonl").out
    assert path.read_text("utf-8") == dirty
    assert recorded.run("cassette", "redact", "c.jsonl", "-o", "clean.jsonl").code == 0
    assert recorded.run("cassette", "redact", "c.jsonl", "--in-place").code == 0
    assert path.read_text("utf-8") == (recorded.root / "clean.jsonl").read_text("utf-8") != dirty
    assert recorded.run("cassette", "lint", "c.jsonl", "clean.jsonl").code == 0
    assert recorded.run("cassette", "redact", "c.jsonl", "--in-place", "--json").json["result"]["changed"] == 0


def test_a_workflow_of_programs_is_recorded_and_replayed_without_them(project: Project) -> None:
    project.agent({})
    before = project.git("rev-parse", "HEAD").strip()
    ran = project.run("cassette", "record", "c.jsonl", "Add operations", "--runner", project.runner)
    assert ran.code == 0, ran.err
    told, tree = len(project.briefs()), project.git("rev-parse", "HEAD:src").strip()
    project.git("reset", "--hard", "-q", before)

    done = project.run("cassette", "replay", "c.jsonl", "--strict", "--keep", "--json").json["result"]

    assert (done["holds"], done["drift"], done["misses"]) == (True, [], [])
    assert len(project.briefs()) == told
    assert project.run("cassette", "lint", "c.jsonl").code == 0
    copied = Project(Path(done["kept"]) / "project")
    assert copied.git("rev-parse", "HEAD:src").strip() == tree


@pytest.mark.slow
def test_what_an_assistants_agents_did_is_recorded_over_all_its_resumes(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(project, monkeypatch)
    before, path = project.git("rev-parse", "HEAD").strip(), project.root.with_name("c.jsonl")
    ran = host.start(*ADD, "--record", str(path))
    while orders := orders_of(ran, "open"):
        for order in orders:
            host.carry_out(order)
        ran = host.go_on("--record", str(path))
    assert ran.json["result"]["status"] == "completed"
    tree = project.git("rev-parse", "HEAD:src").strip()
    project.git("reset", "--hard", "-q", before)

    done = project.run("cassette", "replay", str(path), "--strict", "--keep", "--json").json["result"]

    assert (done["holds"], done["drift"], done["misses"]) == (True, [], [])
    assert Project(Path(done["kept"]) / "project").git("rev-parse", "HEAD:src").strip() == tree


def test_diff_tells_what_changed(recorded: Project) -> None:
    path = recorded.root / "c.jsonl"
    lines = path.read_text("utf-8").splitlines()
    (recorded.root / "d.jsonl").write_text("\n".join(lines[:-2]).replace("Two.", "Three.", 1) + "\n", "utf-8")

    told = recorded.run("cassette", "diff", "c.jsonl", "d.jsonl").out
    facts = recorded.run("cassette", "diff", "c.jsonl", "d.jsonl", "--json").json["result"]

    assert "- lane research/topic-3#1" in told
    assert facts["lanes_removed"] == [LANES[3]]
    assert [(c["lane"], c["turn"]) for c in facts["changed"]] == [(LANES[0], 2)]
    assert recorded.run("cassette", "diff", "c.jsonl", "c.jsonl", "--json").json["result"]["same"] is True


def test_a_session_is_imported_with_a_report_and_replayed(project: Project) -> None:
    project.write({"s.jsonl": "".join(json.dumps(row) + "\n" for row in work().rows) + "{torn"})

    brought = project.run("cassette", "import", "s.jsonl", "-o", "c.jsonl", "--json").json["result"]
    ran = project.run("cassette", "replay", "c.jsonl", "--keep", "--json").json["result"]

    assert (brought["turns"], brought["lanes"], brought["problems"]) == (4, ["main"], [])
    assert brought["usage"] == {"input_tokens": 80, "output_tokens": 20}
    assert brought["skipped"]["line that is not JSON"] == 1
    assert ran["holds"]
    assert (Path(ran["kept"]) / "new" / "b.py").exists()
    assert project.run("cassette", "replay", "c.jsonl", "--hash").out == f"{ran['hash']}\n"
    assert project.run("orchestrate", "Add a greeting", "--runner=replay:c.jsonl").code == 2


@pytest.mark.parametrize("seed", [3, 11, 48, 111])
def test_a_recording_of_any_shape_is_imported_lints_clean_and_replays(project: Project, seed: int) -> None:
    path = Wild(seed).write(project.root.with_name("wild"))
    imported = project.run("cassette", "import", str(path), "-o", "c.jsonl", "--json")
    lint = project.run("cassette", "lint", "c.jsonl")
    replayed = project.run("cassette", "replay", "c.jsonl", "--strict")
    assert (imported.code, lint.code, replayed.code) == (0, 0, 0), imported.out + lint.out + replayed.out


OTHERS = {
    "report": ["How adding works"],
    "plan": ["Arithmetic", "specs/reports/001_a.md"],
    "implement": ["specs/plans/001_arithmetic.md"],
    "debug": ["mul adds", "--attempts=2"],
    "document": ["Arithmetic", "docs"],
    "subagents": ['{"phase": "research", "name": "Look"}', '[{"command": "/report", "topic": "Add"}]'],
}


@pytest.mark.parametrize("command", OTHERS)
def test_every_command_that_runs_agents_is_recorded_and_replayed(project: Project, command: str) -> None:
    project.agent({"documenter": {"files": {"docs/calc.md": "# calc\n"}}, "debugger": {}})
    before = project.commit({"specs/reports/001_a.md": "# A report\n", "specs/plans/001_arithmetic.md": PLAN})
    ran = project.work(command, *OTHERS[command], "--record=c.jsonl")
    recorded = project.root / "c.jsonl"
    if not recorded.exists():
        pytest.fail(ran.out + ran.err)
    project.git("reset", "--hard", "-q", before)

    again = project.run("cassette", "replay", "c.jsonl", "--strict", "--json")

    assert again.code == 0, again.out
    assert again.json["result"]["drift"] == []
    header = json.loads(recorded.read_text("utf-8").splitlines()[0])
    assert header["command"] == command
    assert header.get("options") == (["--attempts=2"] if command == "debug" else None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"command": "mystery"}, "is of /mystery, which `cassette replay` does not run"),
        ({"arguments": []}, "of /report does not tell what that was given"),
        ({"options": ["--workflow-context=w_9"]}, "for a workflow of another store (--workflow-context=w_9)"),
    ],
)
def test_a_command_that_cannot_be_given_again_is_refused_by_name(
    project: Project, change: dict[str, object], message: str
) -> None:
    assert project.work("report", "How adding works", "--record=c.jsonl").code == 0
    place = project.root / "c.jsonl"
    head, rest = place.read_text("utf-8").split("\n", 1)
    place.write_text(json.dumps({**json.loads(head), **change}) + "\n" + rest, "utf-8")

    ran = project.run("cassette", "replay", "c.jsonl", "--json")

    assert ran.code == 2
    assert message in ran.json["error"]["message"]
    assert set(ran.json["error"]["details"]["allowed"]) == {f"/{name}" for name in ("orchestrate", *OTHERS)}


BAD = [
    ((), "needs an operation", "operation"),
    (("rewind", "c.jsonl"), "no operation 'rewind'", "operation"),
    (("lint",), "was given 0 arguments", "arguments"),
    (("diff", "c.jsonl"), "was given 1 argument", "arguments"),
    (("lint", "c.jsonl", "--strict"), "takes no --strict", "--strict"),
    (("redact", "c.jsonl", "--keep"), "takes no --keep", "--keep"),
    (("lint", "missing.jsonl"), "cannot be read", "cassette"),
    (("replay", "missing.jsonl"), "cannot be read", "cassette"),
    (("replay", "c.jsonl", "--strict", "--lenient"), "not both", "--lenient"),
    (("replay", "c.jsonl", "Another task"), "does not know the task", "description"),
    (("redact", "c.jsonl", "--in-place", "-o", "x"), "not both", "--output"),
    (("redact", "c.jsonl", "-o", "README.md"), "is there already", "--output"),
    (("redact", "c.jsonl", "-o", "no/where.jsonl"), "not a file that can be written", "--output"),
    (("record", "c.jsonl", TASK), "is there already", "file"),
    (("record", "new.jsonl", TASK), "No agent is plugged in", "runner"),
    (("record", "new.jsonl", TASK, "--runner=replay:c.jsonl"), "cannot be recorded", "--record"),
    (("record", "new.jsonl", TASK, "--attempts=0", "--runner=model:script/script.yaml"), "--attempts", "--attempts"),
    (("import", "missing.jsonl", "-o", "new.jsonl"), "cannot be read", "file"),
    (("import", "README.md", "-o", "new.jsonl"), "no turn of a model", "file"),
    (("import", "README.md"), "needs --output", "--output"),
]


@pytest.mark.parametrize(("words", "message", "field"), BAD)
def test_what_makes_no_sense_is_refused_and_writes_nothing(
    project: Project, words: tuple[str, ...], message: str, field: str
) -> None:
    script(project)
    header = {"cassette": 1, "task": TASK}
    project.write({"c.jsonl": json.dumps(header) + "\n"})
    before = project.everything()

    ran = project.run("cassette", *words, "--json")

    assert (ran.code, ran.json["error"]["code"]) == (2, "BAD_INPUT")
    assert message in ran.json["error"]["message"]
    assert ran.json["error"]["details"]["field"] == field
    assert project.everything() == before


def test_a_hash_is_of_one_whole_workflow(project: Project) -> None:
    project.work("report", "Sessions")
    for words in (("--hash",), ("sessions_001", "--hash", "--after=1"), ("sessions_001", "--hash", "--severity=error")):
        assert project.run("events", *words, "--json").json["error"]["code"] == "BAD_INPUT"
    assert project.run("events", "sessions_001", "--hash", "--json").json["result"]["counted"] > 3
