import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands.door import Project, copied

TWO_LINES = (
    "stretto: No agent is plugged in, so nothing was started.\n"
    "Give --runner claude (your Claude Code), --runner model:anthropic/NAME (with ANTHROPIC_API_KEY set),"
    " --runner command:./agent, --runner replay:CASSETTE, or, inside an assistant, --runner host.\n"
)


def test_without_a_runner_exactly_two_lines_say_what_to_plug_in(project: Project) -> None:
    ran = project.run("orchestrate", "Add multiplication")

    assert (ran.code, ran.out, ran.err) == (2, "", TWO_LINES)


def test_a_finished_command_is_code_0_with_words_on_stderr_and_the_reply_on_stdout(project: Project) -> None:
    ran = project.work("report", "How adding works")

    assert ran.code == 0
    assert ran.out.startswith("how_adding_works_001 is done: merged into main (1 commit).\n")
    assert "TASK_COMPLETED" in ran.err
    assert "TASK_COMPLETED" not in ran.out


def test_failed_work_is_code_1_and_says_so_first(project: Project) -> None:
    project.agent({"researcher": {"outcome": {"status": "failed", "error": "the library is closed"}}})

    ran = project.work("report", "Sessions", "--attempts=1")

    assert ran.code == 1
    assert ran.out.startswith("sessions_001 FAILED: ")
    assert "the library is closed" in ran.out
    assert "stretto logs sessions_001 research/topic" in ran.out


def test_work_that_waits_for_a_person_is_code_3_and_names_the_answers(project: Project) -> None:
    ran = project.work("report", "Sessions", "--gate=merge")

    assert ran.code == 3
    assert ran.out.startswith("sessions_001 waits for you at the gate 'merge'")
    assert "stretto orchestrate --resume sessions_001 --approve" in ran.out


def test_waiting_is_no_error_in_the_shell_of_an_assistant(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDECODE", "1")

    orders = project.run("report", "Sessions")
    gate = project.work("report", "Keys", "--gate=merge")
    for_a_program = project.run("orchestrate", "--resume", "sessions_001", "--json")

    assert (orders.code, gate.code, for_a_program.code) == (0, 0, 3)
    assert "sessions_001 waits for 1 work order." in orders.out
    assert "keys_001 waits for you at the gate 'merge'" in gate.out
    assert project.run("report", "Ids", "--no-such-flag").code == 2


def test_a_damaged_store_is_code_4(project: Project) -> None:
    project.store.mkdir(parents=True)
    (project.store / "events.db").write_bytes(b"not a database, but long enough to be looked at" * 100)

    ran = project.run("workflow-status", "--json")

    assert (ran.code, ran.json["error"]["code"]) == (4, "STORE_DAMAGED")


GLOBAL_PLACES = [
    ("--json", "workflow-status"),
    ("workflow-status", "--json"),
    ("/workflow-status", "--json"),
    ("stretto:workflow-status", "--json"),
    ("--json", "events", "nobody"),
    ("--json", "--help"),
    ("--json", "help", "plan"),
    ("--version", "--json"),
    ("--json",),
    ("plan", "--help", "--json"),
    ("bogus", "--json"),
    ("--json", "bogus"),
    ("--bogus", "--json"),
    ("workflow-status", "--bogus", "--json"),
    ("workflow-status", "a", "b", "--json"),
    ("coordination-hub", "list-workflows", "--json"),
    ("logs", "--json"),
    ("logs", "a", "b", "c", "--json"),
    ("line", "--json"),
    ("line", "/workflow-status", "--json"),
    ("line", "/workflow-status --json"),
    ("line", "/workflow-status 'open", "--json"),
    ("line", "/workflow-status 'open --json"),
    ("line", "/bogus --json"),
    ("line", "no slash", "--json"),
    ("diff", "nobody", "--json"),
    ("orchestrate", "x", "--json"),
    ("report", "", "--json"),
    ("events", "nobody", "--json"),
    ("test", "--timeout=never", "x", "--json"),
]


@pytest.mark.parametrize("args", GLOBAL_PLACES, ids=" ".join)
def test_with_json_stdout_is_one_object_and_stderr_is_empty_whatever_was_asked(
    project: Project, args: tuple[str, ...]
) -> None:
    ran = project.run(*args)

    assert ran.json["status"] == ("ok" if ran.code in {0, 3} else "error")
    assert ran.json["timestamp"].endswith("Z")
    assert ran.err == ""
    assert not project.store.exists()


def test_the_envelope_of_a_reply_has_its_eight_keys_and_that_of_an_error_its_own(project: Project) -> None:
    good = project.run("workflow-status", "--json").json
    bad = project.run("workflow-status", "nobody", "--json").json

    assert list(good) == [
        "status", "command", "operation", "workflow_id", "timestamp", "result", "events", "next_steps",
    ]  # fmt: skip
    assert (good["command"], good["workflow_id"]) == ("workflow-status", None)
    assert list(bad) == ["status", "command", "timestamp", "error"]
    assert list(bad["error"]) == ["code", "message", "details", "next_steps"]
    assert (bad["command"], bad["error"]["code"]) == ("workflow-status", "NOT_FOUND")
    assert bad["error"]["details"]["field"] == "workflow_id"


def test_with_json_events_are_lines_on_stderr_and_the_reply_names_the_same_events(project: Project) -> None:
    ran = project.work("report", "Sessions", "--json")

    told = [json.loads(line) for line in ran.err.splitlines()]
    assert [e["event_id"] for e in told] == ran.json["events"] == [e.event_id for e in project.events()]
    assert [e["seq"] for e in told] == list(range(1, len(told) + 1))
    result = ran.json["result"]
    assert (result["status"], result["merged"], result["commits"]) == ("completed", True, 1)
    assert result["usage"] == {"input_tokens": 10, "output_tokens": 5, "cost_usd": 0.001, "at_least": {}}
    assert result["artifacts"] == [p for p in result["artifacts"] if (project.root / p).is_file()] != []


def test_failed_work_with_json_is_an_error_that_holds_the_result(project: Project) -> None:
    project.agent({"researcher": {"outcome": {"status": "failed", "error": "closed"}}})

    ran = project.work("report", "Sessions", "--attempts=1", "--json")

    assert (ran.code, ran.json["status"], ran.json["error"]["code"]) == (1, "error", "FAILED")
    assert ran.json["workflow_id"] == "sessions_001"
    assert ran.json["result"]["status"] == "failed"


def test_an_operation_this_version_does_not_have_is_known_and_refused(project: Project) -> None:
    ran = project.run("line", "/workflow-recovery monitor-health")

    assert ran.code == 2
    assert "/workflow-recovery monitor-health is understood, but this version does not have it yet" in ran.err
    assert "list-checkpoints" in ran.err


@pytest.mark.parametrize(
    ("word", "meant"), [("evnts", "events"), ("orchestrat", "orchestrate"), ("/implment", "implement")]
)
def test_an_unknown_command_names_the_known_ones_and_the_one_that_was_meant(
    project: Project, word: str, meant: str
) -> None:
    ran = project.run(word)

    assert ran.code == 2
    assert f"Did you mean {meant!r}?" in ran.err
    for known in ("orchestrate", "subagents", "events", "undo", "line"):
        assert known in ran.err


def test_the_project_may_be_named_before_or_behind_the_command_and_is_where_everything_happens(
    project: Project, pristine: Project, tmp_path: Path
) -> None:
    other = copied(pristine, tmp_path / "elsewhere")

    for args in (("--project", str(other.root), "events"), ("events", f"--project={other.root}")):
        assert project.run(*args).out == "No workflow has run here yet.\n"
    ran = project.work("--project", str(other.root), "report", "Sessions")

    assert ran.code == 0
    assert other.store.is_dir()
    assert not project.store.exists()
    assert project.run("workflow-status", "--project", str(other.root), "--json").json["result"]["workflows"]


def test_the_store_may_be_named_by_flag_or_by_environment_and_the_flag_wins(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, by_environment = tmp_path / "named", tmp_path / "environment"
    monkeypatch.setenv("STRETTO_STORE", str(by_environment))

    assert project.work("report", "One", "--store", str(named)).code == 0
    assert project.work("report", "Two").code == 0

    assert not project.store.exists()
    assert (
        project.run("workflow-status", "--store", str(named), "--json")
        .json["result"]["workflows"][0]["workflow_id"]
        .startswith("one")
    )
    assert [w["description"] for w in project.run("workflow-status", "--json").json["result"]["workflows"]] == ["Two"]
    for verb in ("diff", "undo"):
        assert project.run(verb, "two_001").code == 0


def test_the_runner_comes_from_the_flag_else_the_environment_else_the_settings(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.agent({})
    project.commit({".stretto/config.toml": f"runner = '{project.runner}'\n"})
    assert project.run("report", "From settings").code == 0

    monkeypatch.setenv("STRETTO_RUNNER", "command:./from-environment")
    assert "from-environment" in project.run("report", "x").err
    assert "from-flag" in project.run("report", "x", "--runner", "command:./from-flag").err


NASTY = [
    """$(touch pwned) `touch pwned` ; touch pwned && | > pwned""",
    """it's "quoted", \\ backslashed \\n and 100 % {{braces}} $HOME ${x} ~ * ? [a-z]""",
    "two\nlines\tand a tab",
    "--approve is not a flag here",
    "ünïcödé 漢字 😀 \u202e right to left",
    "[bold]markup[/bold] [link=x]y[/link]",
    "\x1b[31mred\x1b[0m \x07",
    "{'json': [1, 2, {\"a\": null}]}",
    "#!/bin/sh\n# comment",
    " ".join(["long"] * 2000),
]


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_a_description_arrives_byte_for_byte_through_a_slash_line(project: Project, text: str) -> None:
    quoted = "'" + text.replace("'", "'\\''") + "'"

    seen = project.run("line", f"/orchestrate {quoted} --dry-run --json").json

    assert seen["result"]["description"] == text
    assert sorted(p.name for p in project.root.iterdir()) == sorted(
        [".git", ".gitignore", "README.md", "pyproject.toml", "src", "tests"]
    )


def test_a_nasty_description_is_in_the_event_log_and_in_the_brief_as_it_was_written(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = " ".join(NASTY[:8])
    line = "/report '" + text.replace("'", "'\\''") + "'\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(line.encode())))

    ran = project.work("line", "-")

    assert ran.code == 0
    assert project.events()[0].data["description"] == text
    assert text in project.briefs()[0]["prompt"]
    assert project.checkout().keys().isdisjoint({"pwned"})
    assert "\x1b" not in ran.out + ran.err


def test_the_parts_of_argv_arrive_byte_for_byte_too(project: Project) -> None:
    for text in NASTY:
        args = ("orchestrate", "--dry-run", "--json", "--", text)
        assert project.run(*args).json["result"]["description"] == text


def test_a_line_that_is_not_utf_8_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"/report 'caf\xe9'")))

    assert project.run("line", "-", "--json").json["error"]["code"] == "BAD_INPUT"


def test_a_terminal_that_cannot_show_a_character_gets_its_escape(project: Project) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stretto.commands", "--help"],
        capture_output=True,
        check=False,
        cwd=project.root,
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u2026" in done.stdout


def test_the_quick_commands_import_neither_langgraph_nor_pydantic_nor_asyncio(project: Project) -> None:
    assert project.work("report", "Sessions").code == 0
    code = (
        "import sys\nfrom stretto.commands.cli import main\n"
        "codes = [main(a.split()) for a in sys.argv[1:]]\n"
        "heavy = {'langgraph', 'langchain_core', 'pydantic', 'diskcache', 'rich', 'asyncio'}\n"
        "print(codes, sorted(heavy & {m.partition('.')[0] for m in sys.modules}), file=sys.stderr)\n"
    )
    calls = ["workflow-status", "workflow-status sessions_001", "workflow-status sessions_001 --detailed --json",
             "events", "events sessions_001 --json", "--help", "plan --help", "--version"]  # fmt: skip

    told: Any = subprocess.run(
        [sys.executable, "-c", code, *calls], capture_output=True, text=True, check=True, cwd=project.root
    ).stderr

    assert told == f"{[0] * len(calls)} []\n"
