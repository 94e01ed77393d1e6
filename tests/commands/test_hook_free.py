"""Free answers: what a hook says to a typed command itself, so that no model is asked."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from stretto.commands import hook_dry
from stretto.commands.free import MOST, answer
from stretto.commands.handlers import HANDLERS
from stretto.commands.help import command_help
from stretto.commands.hook_lines import expansion
from tests.commands.door import Project


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # a hook goes to the folder that the client names, and does not come back
    monkeypatch.setenv("CLAUDE_PLUGIN_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("STRETTO_STORE", raising=False)


def types(project: Project, name: str, text: str) -> dict[str, Any] | None:
    return expansion(
        {
            "session_id": "s-1",
            "cwd": str(project.root),
            "prompt_id": "p-1",
            "command_name": f"stretto:{name}",
            "command_args": text,
            "prompt": f"/stretto:{name} {text}",
        }
    )


def untouched(project: Project) -> bool:
    return not project.store.exists() and not (Path(os.environ["CLAUDE_PLUGIN_DATA"]) / "args").exists()


def test_a_status_is_said_without_a_model_and_without_a_store(project: Project) -> None:
    said = types(project, "workflow-status", "")

    assert said is not None
    assert said["decision"] == "block"
    assert said["hookSpecificOutput"] == {"hookEventName": "UserPromptExpansion", "suppressOriginalPrompt": True}
    assert said["reason"] == 'No workflow has run here yet.\n\nnext:\n  /stretto:orchestrate "…"'
    assert untouched(project)


def test_a_status_for_programs_is_the_envelope(project: Project) -> None:
    said = answer("workflow-status", "--json", str(project.root))

    assert said is not None
    assert json.loads(said)["result"]["workflows"] == []


def test_a_status_of_what_is_not_there_is_a_refusal(project: Project) -> None:
    said = answer("workflow-status", "unheard_of_001", str(project.root))

    assert said is not None
    assert said.startswith("Refused; nothing was done. There is no workflow 'unheard_of_001'")


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_help_is_said_without_a_model(project: Project, name: str) -> None:
    said = types(project, name, "--help")

    assert said is not None
    whole = command_help(name, HANDLERS)
    shown, cut, rest = said["reason"].partition("\n… To see the rest: ")
    assert whole.startswith(shown.rstrip()) if cut else shown == whole
    assert not cut or rest == f"stretto {name} … in a terminal."
    assert len(said["reason"]) <= MOST + 100
    assert untouched(project)


def test_the_word_help_within_a_text_is_a_text(project: Project) -> None:
    assert types(project, "orchestrate", '"add a --help flag"') is None


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("orchestrate", "", "a description"),
        ("orchestrate", '"open quote', "This quote is not closed."),
        ("plan", '"x" --no-such-flag', "/plan has no flag '--no-such-flag'."),
        ("report", "x --attempts=many", "--attempts"),
        ("subagents", "'{}' '[1,'", "This is not JSON"),
        ("report", "`rm -rf .`", "Backticks are not executed."),
        ("report", "$(rm -rf .)", "find"),
    ],
)
def test_what_cannot_be_read_is_refused_without_a_model(project: Project, name: str, text: str, said: str) -> None:
    told = types(project, name, text)

    assert told is not None
    assert told["reason"].startswith("Refused; nothing was done. ")
    assert said in told["reason"]
    assert untouched(project)


def test_what_asks_for_work_is_for_the_command(project: Project) -> None:
    assert types(project, "orchestrate", '"Add JWT authentication"') is None
    assert not untouched(project)  # the arguments were kept


def program(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    path = folder / "program"
    path.write_text(f"{script}\n")
    monkeypatch.setattr(hook_dry, "PROGRAM", path)


def test_a_dry_run_goes_to_the_program_as_one_line_on_stdin(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(monkeypatch, tmp_path, 'echo "$@ $STRETTO_BUILD"; pwd; cat; echo; echo warned >&2')

    said = types(project, "plan", "'$(x)' --dry-run")

    assert said is not None
    assert said["reason"] == f"line - never\n{project.root}\n/plan '$(x)' --dry-run"


def test_a_dry_run_that_is_refused_says_why(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(monkeypatch, tmp_path, "echo why >&2; exit 2")

    assert answer("plan", "x --dry-run", str(project.root)) == "why"


def test_without_an_environment_a_dry_run_is_for_the_command(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(monkeypatch, tmp_path, "exit 75")

    assert types(project, "plan", "x --dry-run") is None
    assert not untouched(project)


def test_a_dry_run_that_takes_too_long_is_for_the_command(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(monkeypatch, tmp_path, "exec sleep 60")
    monkeypatch.setattr(hook_dry, "SECONDS", 0.2)

    assert types(project, "plan", "x --dry-run") is None


def test_a_long_answer_is_cut_before_the_client_cuts_it(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(monkeypatch, tmp_path, "yes line | head -n 5000")

    said = answer("plan", "x --dry-run", str(project.root))

    assert said is not None
    assert len(said.encode()) < 10_000
    assert said.endswith("\n… To see the rest: stretto plan … in a terminal.")
