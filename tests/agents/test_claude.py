"""Choosing Claude Code, and a program of that name that does not behave. With the real one: tests/client."""

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest

from stretto.agents.choose import parse_runner
from stretto.agents.claude import environment, prompt
from stretto.agents.runner import Surroundings
from stretto.agents.task import Brief, Outcome
from stretto.state.errors import BadInput, PermanentError, StrettoError, TransientError
from tests.agents.test_claude_stream import SESSION, WALL


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program called `claude`, alone on PATH, which does nothing yet."""
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("PATH", str(program.parent))
    behave(program, "")
    return program


def behave(program: Path, body: str) -> None:
    program.write_text(f"#!{sys.executable} -IS\nimport sys, os\n{body}\n", "utf-8")
    program.chmod(0o755)


def brief(folder: Path, **more: object) -> Brief:
    facts = {
        "workflow_id": "w",
        "phase": "p",
        "task_id": "p/T",
        "attempt": 1,
        "idempotency_key": "k",
        "prompt": "Do it.",
    }
    return Brief.model_validate({**facts, "role": "implementer", "title": "T", "cwd": str(folder), **more})


def run(program: Path, runner: str = "claude") -> Outcome:
    chosen = parse_runner(runner, project=program.parent)
    return asyncio.run(chosen.run(brief(program.parents[1] / "work"), Surroundings()))


def test_the_outcome_is_what_the_client_returned(client: Path) -> None:
    behave(client, f"sys.stdin.read(); print({SESSION!r}, end='')")

    assert run(client).summary == "done"


def test_without_any_client_it_says_how_to_get_one(client: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client.unlink()
    monkeypatch.setitem(sys.modules, "claude_agent_sdk", None)  # as on a machine without the extra
    with pytest.raises(BadInput, match="no `claude` on PATH") as caught:
        parse_runner("claude", project=client.parent)
    assert "stretto[claude]" in " ".join(caught.value.next_steps)


@pytest.mark.parametrize("model", ["--dangerously-skip-permissions", "two words", "-p"])
def test_a_model_that_is_no_name_is_refused(client: Path, model: str) -> None:
    with pytest.raises(BadInput, match="not the name of a model"):
        parse_runner(f"claude:{model}", project=client.parent)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("sys.exit(\"error: unknown option '--restricted'\")", "unknown option"),
        ("print('Welcome!')", "said nothing"),
        ("os.kill(os.getpid(), 9)", "exit code -9"),
    ],
)
def test_a_client_that_cannot_work_is_no_failure_of_the_agent(client: Path, body: str, words: str) -> None:
    behave(client, body)
    with pytest.raises(PermanentError, match=words) as caught:
        run(client)
    assert "claude update" in caught.value.next_steps[0]


def test_a_client_that_dies_in_the_middle_is_a_failed_attempt(client: Path) -> None:
    first = SESSION[: SESSION.index('{"type":"user"')]
    behave(client, f"print({first!r}, flush=True); sys.exit('out of memory')")

    outcome = run(client)

    assert outcome.status == "failed"
    assert "exit code 1 and without a result. out of memory" in outcome.error
    assert outcome.usage.output_tokens == 30
    assert outcome.usage.cost_usd is None


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"subtype": "success", "result": "Operation stopped by hook: no"}, "stopped by hook"),
        ({"subtype": "success", "is_error": True, "result": "Prompt is too long"}, "Prompt is too long"),
        ({"subtype": "error_during_execution", "errors": ["it broke"]}, "it broke"),
        ({"subtype": "success", "structured_output": ["completed"]}, "status"),
    ],
)
def test_a_result_that_calls_itself_a_success_is_not_believed(
    client: Path, result: dict[str, object], words: str
) -> None:
    lines = json.dumps({"type": "system", "subtype": "init"}) + "\n" + json.dumps({"type": "result", **result})
    behave(client, f"print({lines!r})")

    outcome = run(client)

    assert outcome.status == "failed"
    assert words in outcome.error


@pytest.mark.parametrize(
    ("kind", "status", "raised"),
    [
        ("authentication_failed", "403", PermanentError),
        ("authentication_failed", "null", PermanentError),
        ("unknown", "403", PermanentError),
        ("server_error", "null", TransientError),
        ("invalid_request", "400", None),
        ("max_output_tokens", "null", None),
    ],
)
def test_an_error_of_the_api_is_told_by_what_it_is(
    client: Path, kind: str, status: str, raised: type[StrettoError] | None
) -> None:
    wall = WALL.replace("529}", f"{status}}}").replace("server_error", kind)
    lines = SESSION.splitlines()[1] + "\n" + wall + '{"type":"result","subtype":"success","is_error":true}'
    behave(client, f"print({lines!r})")
    if raised is None:
        assert "API Error" in run(client).error
        return
    with pytest.raises(raised, match="API Error"):
        run(client)


LIMITED = {"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "resetsAt": 4_000_000_000}}


@pytest.mark.parametrize("told", ["event", "text"])
def test_a_usage_limit_says_when_it_is_over(client: Path, told: str) -> None:
    wall = WALL.replace("529}", "429}").replace("server_error", "rate_limit")
    if told == "text":
        wall = wall.replace("API Error", "API Error: usage limit reached|4000000000")
    event = json.dumps(LIMITED) + "\n" if told == "event" else ""
    lines = SESSION.splitlines()[1] + "\n" + event + wall + '{"type":"result","subtype":"success","is_error":true}'
    behave(client, f"print({lines!r})")

    with pytest.raises(TransientError) as caught:
        run(client)

    assert caught.value.retry_after == pytest.approx(4_000_000_000 - time.time(), abs=60)


def test_a_second_model_is_told_to_the_client_as_the_one_to_fall_back_to(client: Path) -> None:
    behave(client, f"open({str(client) + '.argv'!r}, 'w').write(' '.join(sys.argv)); print({SESSION!r}, end='')")

    assert run(client, "claude:opus,sonnet").summary == "done"

    assert "--model opus --fallback-model sonnet" in Path(f"{client}.argv").read_text()


def test_the_environment_has_the_login_and_nothing_of_a_session_around_it() -> None:
    login = {
        "HOME": "/home/ada",
        "ANTHROPIC_API_KEY": "k",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "CLAUDE_CODE_OAUTH_TOKEN": "t",
        "CLAUDE_CONFIG_DIR": "/c",
        "AWS_PROFILE": "p",
        "HTTPS_PROXY": "http://p",
        "CLAUDE_CODE_MAX_RETRIES": "3",
    }
    around = {
        "CLAUDECODE": "1",
        "CLAUDE_CODE_SESSION_ID": "s",
        "CLAUDE_CODE_CHILD_SESSION": "1",
        "CLAUDE_CODE_ENTRYPOINT": "cli",
        "CLAUDE_PLUGIN_ROOT": "/p",
        "CLAUDE_PROJECT_DIR": "/p",
        "CLAUDE_PID": "1",
        "CLAUDE_ENV_FILE": "/e",
        "AI_AGENT": "claude-code",
        "STRETTO_RUNNER": "claude",
        "GIT_DIR": "/elsewhere",
    }

    found = environment({**login, **around, "PATH": "/user"}, {"PATH": "/project"})

    assert login.items() <= found.items()
    assert not set(around) & set(found)
    assert found["PATH"] == "/project"


@pytest.mark.parametrize("names", [(), ("CLAUDE.md",), ("CLAUDE.md", "AGENTS.md")])
def test_a_brief_names_the_projects_own_conventions(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / name).write_text("Tabs.\n", "utf-8")

    said = prompt(brief(tmp_path))

    assert [name for name in ("CLAUDE.md", "AGENTS.md") if f"- {name}" in said] == list(names)
    assert ("conventions" in said) is bool(names)
