"""Typed lines and what a model puts behind a command: they reach their handler byte for byte, and no shell."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from stretto.commands.arguments import put, take
from stretto.commands.cli import main as stretto
from stretto.commands.handlers import HANDLERS
from stretto.commands.hook_lines import expansion, skill
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.typed import MOST, typed

ROOT = Path(__file__).parents[2]
HOSTILE: list[dict[str, str]] = json.loads((ROOT / "tests" / "data" / "hostile_arguments.json").read_text("utf-8"))
SESSION = "2daca5b7-35f3-41b3-b9b4-fa96fa76fe5e"


class Client(NamedTuple):
    """What a client would do: call hooks, then the page."""

    project: Path
    data: Path

    def types(self, name: str, text: str, **more: str) -> dict[str, Any] | None:
        """`/stretto:NAME TEXT` in the prompt."""
        payload = {
            "session_id": SESSION,
            "cwd": str(self.project),
            "prompt_id": "84d1cb31-e40c-437c-aad7-9fcdd8a10d4c",
            "hook_event_name": "UserPromptExpansion",
            "expansion_type": "slash_command",
            "command_name": f"stretto:{name}",
            "command_args": text,
            "command_source": "plugin",
            "prompt": f"/stretto:{name} {text}",
        }
        return expansion({**payload, **more})

    def calls(self, name: str, text: str, **more: object) -> None:
        """A model's Skill call."""
        tool = {"skill": name, "args": text}
        skill({"session_id": SESSION, "cwd": str(self.project), "prompt_id": "p-1", "tool_input": tool, **more})

    def kept(self) -> list[str]:
        return sorted(path.name for path in self.data.glob("args/*"))


class Seen:
    """A handler's place: remembers the lines that reach it."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, invocation: Invocation) -> Reply:
        self.lines.append(invocation.line)
        return Reply(invocation.command, "seen")


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    project, data = tmp_path / "project", tmp_path / "data" / "stretto-inline"
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setenv("CLAUDE_PLUGIN_DATA", str(data))
    monkeypatch.setenv("CLAUDE_CODE_SESSION_ID", SESSION)
    monkeypatch.delenv("CLAUDE_PROJECT_DIR", raising=False)
    monkeypatch.delenv("STRETTO_STORE", raising=False)
    return Client(project, data)


@pytest.mark.parametrize("text", [h["arguments"] for h in HOSTILE], ids=[h["name"] for h in HOSTILE])
def test_what_a_model_puts_behind_a_command_arrives_byte_for_byte(client: Client, text: str) -> None:
    client.calls("stretto:report", text)

    assert take(str(client.data), SESSION, "report") == text
    assert client.kept() == []


@pytest.mark.parametrize("text", [h["arguments"] for h in HOSTILE], ids=[h["name"] for h in HOSTILE])
def test_what_a_person_typed_arrives_byte_for_byte_or_is_refused_at_once(client: Client, text: str) -> None:
    answered = client.types("report", text)
    seen = Seen()

    if answered is None:
        assert typed(["report", str(client.data)], seen) == "seen"
        assert seen.lines == [f"/report {text}"]
    else:
        assert answered["decision"] == "block"
        assert answered["reason"].startswith("Refused; nothing was done. ")
    assert client.kept() == []
    assert list(client.project.rglob("*")) == []


def test_lines_that_a_shell_would_run_are_texts_for_the_handler(client: Client) -> None:
    client.types("report", """'$(touch PWNED)' --workflow-id=x""")
    seen = list[Invocation]()

    def run(invocation: Invocation) -> Reply:
        seen.append(invocation)
        return Reply("report", "")

    typed(["report", str(client.data)], run)

    (word,) = seen[0].words
    assert (word.text, seen[0].flags) == ("$(touch PWNED)", {"workflow-id": "x"})


@pytest.mark.parametrize("name", ["report", "/stretto:report", "stretto:report"])
def test_a_model_may_name_the_command_in_any_form(client: Client, name: str) -> None:
    client.calls(name, "keys")

    assert take(str(client.data), SESSION, "report") == "keys"


@pytest.mark.parametrize("name", ["dataviz", "other:report", "../report", "help", "", "cli", "stretto:../../x"])
def test_commands_of_others_are_left_alone(client: Client, name: str) -> None:
    client.calls(name, "keys")
    answered = client.types("report", "keys", command_name=name)

    assert (answered, client.kept()) == (None, [])


def page(client: Client, text: str) -> None:
    folder = client.project / ".claude" / "commands"
    folder.mkdir(parents=True)
    (folder / "plan.md").write_text(text)


def test_a_bare_name_is_ours_where_the_project_has_our_page(client: Client) -> None:
    page(client, "!`stretto typed plan`")

    client.types("plan", "a feature", command_name="plan", command_source="projectSettings")

    assert take(str(client.data), SESSION, "plan") == "a feature"


def test_a_bare_name_is_not_ours_where_the_page_is_the_projects_own(client: Client) -> None:
    page(client, "Plan it: $ARGUMENTS")

    assert client.types("plan", "--no-such-flag", command_name="plan", command_source="projectSettings") is None
    assert client.kept() == []


def test_arguments_are_kept_for_their_owner_alone(client: Client) -> None:
    client.types("report", "keys")

    (file,) = client.data.glob("args/*")
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert SESSION in file.name
    assert "report" in file.name
    assert "84d1cb31" in file.name


def test_the_newest_is_read_and_what_is_older_goes_with_it(client: Client) -> None:
    for text in ("one", "two"):
        client.types("report", text)
    client.types("document", "other command")
    put(str(client.data), "other-session", "report", "", "other session")

    assert take(str(client.data), SESSION, "report") == "two"
    assert take(str(client.data), SESSION, "report") is None
    assert take(str(client.data), SESSION, "document") == "other command"
    assert take(str(client.data), "other-session", "report") == "other session"


def test_what_nobody_came_for_is_removed_after_a_day(client: Client) -> None:
    put(str(client.data), "died-long-ago", "report", "", "old")
    (old,) = client.data.glob("args/*")
    os.utime(old, (1, 1))

    client.types("report", "new")

    assert take(str(client.data), SESSION, "report") == "new"
    assert client.kept() == []


@pytest.mark.parametrize("session", ["", "../../etc", "a/b", "a.b", "a b", "ü", "x" * 500, "a\0b"])
def test_an_id_that_is_no_id_names_no_file(client: Client, session: str) -> None:
    with pytest.raises(ValueError, match="no part of a file's name"):
        put(str(client.data), session, "report", "", "text")
    with pytest.raises(ValueError, match="no part of a file's name"):
        put(str(client.data), SESSION, "report", session or "/", "text")

    assert not client.data.exists()


def test_a_planted_link_is_not_followed(client: Client, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (client.data / "args").mkdir(parents=True)
    (client.data / "args" / f"{SESSION}.report.0.-").symlink_to(secret)

    said = typed(["report", str(client.data)], Seen())

    assert "did not arrive" in said
    assert secret.read_text() == "secret"


def test_without_kept_arguments_the_reply_says_what_to_do(client: Client) -> None:
    said = typed(["report", str(client.data)], Seen())

    assert said.startswith("Nothing was done: the arguments of /report did not arrive.")
    assert "stretto report" in said


def test_a_page_without_the_data_folder_finds_it_where_the_client_keeps_such(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "home" / ".claude" / "plugins" / "data" / "stretto-stretto"
    monkeypatch.setenv("CLAUDE_PLUGIN_DATA", str(data))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    client.types("report", "keys")
    seen = Seen()

    assert typed(["report"], seen) == "seen"
    assert seen.lines == ["/report keys"]


class Printed(NamedTuple):
    code: int
    out: str
    err: str


def page_runs(client: Client, name: str, capsys: pytest.CaptureFixture[str]) -> Printed:
    """The constant line of a command's page."""
    code = stretto(["typed", name, str(client.data)])
    told = capsys.readouterr()
    return Printed(code, told.out, told.err)


def test_a_refusal_is_a_text_and_no_failure(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    client.calls("report", "keys --no-such-flag")

    ran = page_runs(client, "report", capsys)

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("Refused; nothing was done. /report has no flag '--no-such-flag'.")


def test_what_a_handler_refuses_is_a_text_and_no_failure(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    client.calls("workflow-status", "unheard_of_001")

    ran = page_runs(client, "workflow-status", capsys)

    assert (ran.code, ran.err) == (0, "")
    assert "There is no workflow 'unheard_of_001'" in ran.out


@pytest.mark.parametrize(("exit_code", "said"), [(1, "This failed."), (3, "This has stopped and can be resumed.")])
def test_how_a_command_ended_is_said_in_words(client: Client, exit_code: int, said: str) -> None:
    client.calls("report", "keys")
    reply = Reply("report", "text", exit_code=exit_code, next_steps=("stretto report again", "stretto diff x", "look"))

    told = typed(["report", str(client.data)], lambda _: reply)

    assert told == f"text\n{said}\n\nnext:\n  /stretto:report again\n  stretto diff x\n  look"


def test_an_error_nobody_foresaw_is_a_text_and_no_failure(client: Client) -> None:
    client.calls("report", "keys")

    def fails(_: Invocation) -> Reply:
        raise RuntimeError("oh")

    assert typed(["report", str(client.data)], fails) == "This failed. An error nobody foresaw: RuntimeError: oh"


def test_progress_and_escape_sequences_stay_out_of_the_prompt(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    client.calls("report", "keys")

    def talks(_: Invocation) -> Reply:
        sys.stderr.write("progress\n")
        return Reply("report", "red \x1b[31m")

    assert "\x1b" not in typed(["report", str(client.data)], talks)
    assert capsys.readouterr().err == ""


def test_a_long_reply_is_cut_where_the_client_would_show_next_to_nothing(client: Client) -> None:
    client.calls("report", "keys")

    told = typed(["report", str(client.data)], lambda _: Reply("report", "ünï line\n" * 20_000))

    assert len(told.encode()) < MOST + 200
    assert told.endswith("\n… This is cut. To see all of it: stretto report … in a terminal.")


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["report", "a", "b"], ["../report", "x"]])
def test_typed_is_for_pages_alone(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert stretto(["typed", *arguments]) == 2
    assert "is for the pages of slash commands" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_no_page_puts_an_argument_in_a_shell(name: str) -> None:
    text = (ROOT / "commands" / f"{name}.md").read_text("utf-8")

    constant = f'"${{CLAUDE_PLUGIN_ROOT}}/bin/stretto" typed {name} "${{CLAUDE_PLUGIN_DATA}}"'
    assert text.count("!`") == 1
    assert f"\n!`{constant}`\n" in text
    assert "$" not in text.replace(constant, "").replace('Bash("${CLAUDE_PLUGIN_ROOT}/bin/stretto"', "")


def test_nothing_of_the_plugin_puts_an_argument_in_a_shell() -> None:
    folders = ("commands", "agents", "hooks", "bin", ".claude-plugin")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]

    found = [str(path) for path in files if path.suffix != ".pyc" and b"$ARGUMENTS" in path.read_bytes()]

    assert len(files) > 100
    assert found == []


def test_the_hooks_come_through_the_launcher_with_the_standard_library_alone(client: Client) -> None:
    text = 'it\'s "$(x)" `y` \\ ü\n🙂'
    payload = {"session_id": SESSION, "prompt_id": "p", "cwd": ".", "tool_input": {"skill": "report", "args": text}}
    client.data.mkdir(parents=True)
    (client.data / "python").write_text(sys.executable + "\n")

    done = subprocess.run(
        ["/bin/sh", str(ROOT / "hooks" / "run"), "skill"],
        input=json.dumps(payload).encode(),
        env={"CLAUDE_PLUGIN_DATA": str(client.data), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert take(str(client.data), SESSION, "report") == text
