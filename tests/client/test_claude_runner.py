"""The claude runner with the real client, offline: what it is sent, what it may do, and how each end of it is told."""

import asyncio
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stretto.agents.choose import parse_runner
from stretto.agents.data import schema_for
from stretto.agents.declared import undeclared
from stretto.agents.meter import Capped, Meter
from stretto.agents.runner import Surroundings
from stretto.agents.task import Artifact, Brief, Budget, Outcome, RoleName
from stretto.state import lease, purse
from stretto.state.errors import PermanentError, TransientError
from stretto.state.log import Log
from tests.client.api import Answering, Api
from tests.client.claude import Claude
from tests.client.reply import OVERLOADED, UNAUTHORIZED, Failure, Reply, call, reply, say, text, use

pytestmark = [pytest.mark.client, pytest.mark.slow]
Noted = list[tuple[str, Mapping[str, Any]]]


@pytest.fixture
def user(claude: Claude, monkeypatch: pytest.MonkeyPatch) -> Claude:
    """A user of the command line, in a terminal of Claude Code, with `claude` on PATH."""
    for name in [n for n in os.environ if n.startswith(("ANTHROPIC_", "CLAUDE", "AI_AGENT", "STRETTO_"))]:
        monkeypatch.delenv(name)
    around = {"CLAUDECODE": "1", "CLAUDE_CODE_SESSION_ID": "outer", "STRETTO_STORE": "/nowhere"}
    for name, value in {**claude.terminal, **around}.items():
        monkeypatch.setenv(name, value)
    (claude.project / "app.py").write_text("answer = 41\n", "utf-8")
    return claude


def brief(user: Claude, role: RoleName = "implementer", **more: Any) -> Brief:
    facts: dict[str, Any] = {"prompt": "The answer is 42.", **more}
    return Brief(
        workflow_id="w",
        phase="p",
        task_id="p/T1",
        attempt=1,
        idempotency_key="w/p/T1#1",
        role=role,
        title="Mend the answer für alle",
        cwd=str(user.project),
        schema=schema_for(role),
        **facts,
    )


def attempt(user: Claude, task: Brief, *, runner: str = "claude") -> tuple[Outcome, Noted]:
    noted: Noted = []
    around = Surroundings(progress=lambda kind, facts: noted.append((kind, facts)))
    chosen = parse_runner(runner, project=user.project)
    assert chosen.name == runner
    return asyncio.run(chosen.run(task, around)), noted


def finish(**more: Any) -> Reply:
    return use("StructuredOutput", **{"status": "completed", "summary": "It is 42 now.", **more})


def script(api: Api, *answers: Answering) -> None:
    api.talk(lambda r: "Mend the answer für alle" in r.first, *answers)


def edit(user: Claude) -> Reply:
    path = str(user.project / "app.py")
    return use("Edit", file_path=path, old_string="41", new_string="42")


def test_a_file_is_edited_and_the_outcome_counts(user: Claude, api: Api) -> None:
    look = reply(text("I look first."), call("Read", file_path=str(user.project / "app.py")), output_tokens=7)
    script(api, look, edit(user), use("Bash", command="cat app.py"), finish(artifacts=["app.py"]))

    outcome, noted = attempt(user, brief(user))

    assert (user.project / "app.py").read_text("utf-8") == "answer = 42\n"
    assert (outcome.status, outcome.summary) == ("completed", "It is 42 now.")
    assert outcome.artifacts == (Artifact(path="app.py"),)
    told = [(kind, facts.get("name") or facts.get("tools") or facts.get("text")) for kind, facts in noted]
    assert ("text", "I look first.") in told
    assert [what for kind, what in told if kind == "tool"] == ["Read", "Edit", "Bash", "StructuredOutput"]
    assert [what for kind, what in told if kind == "turn"] == [["Read"], ["Edit"], ["Bash"], ["StructuredOutput"]]
    assert next(facts for kind, facts in noted if kind == "usage")["output_tokens"] == 7


def test_usage_counts_each_message_once_and_is_what_the_api_sent(user: Claude, api: Api) -> None:
    two = reply(text("a"), text("b"), call("Bash", command="true"), input_tokens=100, output_tokens=30)
    cached = {"input_tokens": 10, "cache_read_input_tokens": 200, "cache_creation_input_tokens": 5}
    last = reply(*finish().blocks, output_tokens=12, **cached)
    script(api, two, last)

    usage = attempt(user, brief(user))[0].usage

    assert (usage.input_tokens, usage.output_tokens) == (315, 42)
    assert usage.cost_usd is not None
    assert usage.cost_usd > 0


def test_the_request_holds_the_brief_the_role_and_nothing_of_the_users_own(user: Claude, api: Api) -> None:
    plant(user)
    known = json.loads((user.home / ".claude.json").read_text("utf-8"))["projects"]
    script(api, use("Bash", command="env"), finish())

    attempt(user, brief(user, checks=("python app.py",), feedback="It was 40."), runner="claude:claude-opus-4-5")

    request, after = api.requests
    assert "You carry out one task of a plan." in request.system
    for words in ("The answer is 42.", "python app.py", "It was 40.", "- CLAUDE.md"):
        assert words in request.first
    assert {"Read", "Write", "Edit", "Grep", "Glob", "Bash", "StructuredOutput"} == set(request.tools) - {
        "DeferredToolPlaceholder"  # the client's own, which the model cannot call
    }
    assert request.model == "claude-opus-4-5"
    for leak in ("PLANTED", "stretto:", "Co-Authored-By", "Skill"):
        assert leak not in request.all
    assert not list(user.folder.glob("fired-*"))
    inner = dict(line.split("=", 1) for line in after.results[0].text.splitlines() if "=" in line)
    assert inner["CLAUDE_CODE_SESSION_ID"] != "outer"
    assert not [name for name in inner if name.startswith("STRETTO_")]
    assert not list(user.home.glob(".claude/projects/**/*.jsonl"))
    assert json.loads((user.home / ".claude.json").read_text("utf-8"))["projects"] == known


def plant(user: Claude) -> None:
    """Hooks, a CLAUDE.md, an MCP server, and our own plugin, wherever the client looks for such things."""
    user.install()

    def settings(where: str) -> dict[str, Any]:
        command = {"type": "command", "command": f"touch {user.folder}/fired-{where}"}
        events = ("SessionStart", "UserPromptSubmit", "PreToolUse", "Stop")
        return {"hooks": {event: [{"hooks": [command]}] for event in events}, "env": {"STRETTO_PLANTED": "1"}}

    for where in (user.home, user.project):
        (where / ".claude").mkdir(exist_ok=True)
        place = where / ".claude" / "settings.json"
        known: dict[str, Any] = json.loads(place.read_text("utf-8")) if place.exists() else {}
        place.write_text(json.dumps({**known, **settings(where.name)}), "utf-8")
    (user.home / ".claude" / "CLAUDE.md").write_text("PLANTED in the home\n", "utf-8")
    (user.project / "CLAUDE.md").write_text("PLANTED in the project\n", "utf-8")
    server = {"command": "touch", "args": [f"{user.folder}/fired-mcp"]}
    (user.project / ".mcp.json").write_text(json.dumps({"mcpServers": {"planted": server}}), "utf-8")


def test_what_is_planted_does_fire_in_a_session_of_the_users_own(user: Claude, api: Api) -> None:
    """Or the test above would prove nothing."""
    plant(user)
    api.on(lambda r: True, say("Hello."))
    user.plugins = ()

    session = user.say("Hello")

    assert "stretto:orchestrate" in session.init["slash_commands"]
    assert {p.name for p in user.folder.glob("fired-*")} >= {"fired-home", "fired-project"}
    assert "PLANTED in the home" in api.requests[0].all


def test_a_tool_that_is_not_the_roles_is_denied(user: Claude, api: Api) -> None:
    path = str(user.project / "app.py")
    forbidden = (
        call("Bash", command=f"touch {user.folder}/pwned"),
        call("Write", file_path=path, content="pwned"),
        call("Agent", description="x", prompt="x", subagent_type="general-purpose"),
        call("WebFetch", url="http://127.0.0.1/", prompt="x"),
        call("Read", file_path="/etc/hostname"),
    )
    data = {"title": "T", "report": "R"}
    script(api, reply(*forbidden), reply(call("Read", file_path=path)), finish(data=data))

    outcome, noted = attempt(user, brief(user, "researcher"))

    assert outcome.data == data
    results = {r.name: r for r in api.requests[1].results}
    assert set(results) == {"Bash", "Write", "Agent", "WebFetch", "Read"}
    assert all(result.failed for result in results.values()), results
    assert "answer = 41" in api.requests[2].last
    assert (user.project / "app.py").read_text("utf-8") == "answer = 41\n"
    assert not (user.folder / "pwned").exists()
    assert [facts["ok"] for kind, facts in noted if kind == "tool"] == [False] * 5 + [True, True]


@pytest.mark.parametrize(
    ("writes", "allowed"),
    [
        (("src/a.py", "docs", "tests/**/*.py"), {"src/a.py", "docs/deep/b.md", "tests/x/test_c.py", "tests/c.py"}),
        (("./src//a.py", "docs/deep/"), {"src/a.py", "docs/deep/b.md"}),
        (("**/*.py",), {"app.py", "src/a.py", "tests/x/test_c.py", "tests/c.py"}),
        ((".",), {"app.py", "src/a.py", "docs/deep/b.md", "tests/x/test_c.py", "tests/c.py", "tests/c.txt"}),
        ((), {"app.py", "src/a.py", "docs/deep/b.md", "tests/x/test_c.py", "tests/c.py", "tests/c.txt"}),
    ],
)
def test_a_file_that_is_not_declared_is_not_written(
    user: Claude, api: Api, writes: tuple[str, ...], allowed: set[str]
) -> None:
    names = ("app.py", "src/a.py", "docs/deep/b.md", "tests/x/test_c.py", "tests/c.py", "tests/c.txt", "../outside")
    write = [call("Write", file_path=str(user.project / name), content="new") for name in names]
    script(api, use("Read", file_path=str(user.project / "app.py")), reply(*write), finish())

    attempt(user, brief(user, writes=writes))

    done = [Path(r.args["file_path"]).relative_to(user.project) for r in api.requests[2].results if not r.failed]
    assert {str(path) for path in done} == allowed == set(names) - set(undeclared(writes, names)) - {"../outside"}
    assert ((user.project / "app.py").read_text("utf-8") == "new") is ("app.py" in allowed)


def test_a_declared_path_that_no_rule_can_hold_is_written_all_the_same(user: Claude, api: Api) -> None:
    name = "app/[id]/page (1), x.tsx"
    script(api, use("Write", file_path=str(user.project / name), content="new"), finish())

    attempt(user, brief(user, writes=(name,)))

    assert (user.project / name).read_text("utf-8") == "new"


@pytest.mark.parametrize(
    ("role", "last", "words"),
    [
        ("implementer", say("All done!"), "without a usable result. It said: 'All done!'"),
        ("implementer", use("StructuredOutput", status="done"), "structured output"),
        (
            "debugger",
            finish(data={"cause": "c", "evidence": [], "tasks": [{"title": "t", "reads": ["../x"]}]}),
            "reads",
        ),
    ],
)
def test_an_outcome_that_does_not_fit_is_a_failure(
    user: Claude, api: Api, role: RoleName, last: Reply, words: str
) -> None:
    # Blocks get new ids each time: the client takes one that it has seen for the same call.
    api.on(lambda r: True, lambda r: reply(*({**b, "id": f"toolu_{r.turn:024}"} for b in last.blocks)))

    outcome, _ = attempt(user, brief(user, role))

    assert outcome.status == "failed"
    assert words in outcome.error
    assert len(api.requests) <= 6
    assert outcome.usage.output_tokens


def test_json_in_the_last_message_is_an_outcome(user: Claude, api: Api) -> None:
    said = '```json\n{"status": "partial", "summary": "half of it"}\n```'
    api.on(lambda r: True, say(said))

    assert attempt(user, brief(user))[0].summary == "half of it"


@pytest.mark.parametrize(
    ("budget", "requests", "words"),
    [
        (Budget(turns=2), 2, "Stopped after 2 turns without a result."),
        (Budget(usd=0.0001), 1, "USD; the budget is 0.0001."),
        (Budget(output_tokens=1500), 2, "Stopped after 2000 output tokens; the budget is 1500."),
    ],
)
def test_a_budget_ends_it(user: Claude, api: Api, budget: Budget, requests: int, words: str) -> None:
    api.on(lambda r: r.turn < requests, lambda r: reply(call("Bash", command="true"), output_tokens=1000))
    api.on(lambda r: True, Reply([text("too late")], delay=20))  # ended from outside, which takes a moment

    outcome, _ = attempt(user, brief(user, budget=budget))

    assert outcome.status == "failed"
    assert words in outcome.error
    assert outcome.usage.output_tokens == 1000 * requests
    assert requests <= len(api.requests) <= requests + 1


def test_a_result_counts_even_if_the_message_with_it_is_beyond_the_budget(user: Claude, api: Api) -> None:
    script(api, reply(*finish().blocks, output_tokens=1000))

    assert attempt(user, brief(user, budget=Budget(output_tokens=10)))[0].status == "completed"


def test_time_that_is_up_ends_it_with_all_it_started(user: Claude, api: Api) -> None:
    script(api, use("Bash", command="sleep 45"))

    began = time.monotonic()
    outcome, _ = attempt(user, brief(user, budget=Budget(seconds=3)))

    assert outcome.error == "The agent ran longer than its 3 s and was ended."
    assert time.monotonic() - began < 15
    assert user.processes() == {}


def test_a_cancelled_attempt_leaves_no_process(user: Claude, api: Api) -> None:
    script(api, use("Bash", command="sleep 45"))

    def sleeps() -> None:
        while not any("sleep 45" in line for line in user.processes().values()):
            time.sleep(0.02)

    async def cancelled() -> dict[int, str]:
        attempt = asyncio.create_task(parse_runner("claude", project=user.project).run(brief(user), Surroundings()))
        await asyncio.wait_for(asyncio.to_thread(sleeps), 20)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        return user.processes()

    assert asyncio.run(asyncio.wait_for(cancelled(), 30)) == {}


def test_without_a_login_it_says_how_to_get_one(user: Claude, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(PermanentError, match="Not logged in") as caught:
        attempt(user, brief(user))
    assert "ANTHROPIC_API_KEY" in caught.value.next_steps[0]


def test_the_login_in_the_users_home_counts(user: Claude, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    login: dict[str, Any] = {
        "accessToken": "nobody",
        "refreshToken": "nobody",
        "scopes": ["user:inference"],
        "subscriptionType": "max",
    }
    login["expiresAt"] = int(time.time() * 1000) + 86_400_000
    place = user.home / ".claude" / ".credentials.json"
    place.parent.mkdir()
    place.write_text(json.dumps({"claudeAiOauth": login}), "utf-8")
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    script(api, finish())

    assert attempt(user, brief(user))[0].status == "completed"
    assert api.requests[0].headers["authorization"] == "Bearer nobody"


def test_a_wrong_key_is_not_tried_for_minutes(user: Claude, api: Api) -> None:
    api.on(lambda r: True, UNAUTHORIZED)
    began = time.monotonic()
    with pytest.raises(PermanentError, match="login is refused"):
        attempt(user, brief(user))
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("failure", "kind", "words"),
    [
        (OVERLOADED, TransientError, "529 Overloaded"),
        (Failure(429, "rate_limit_error", "Too many"), TransientError, "429"),
        (Failure(500, "api_error", "Broken"), TransientError, "500"),
        (Failure(404, "not_found_error", "model: nope"), PermanentError, "selected model"),
        (Failure(400, "invalid_request_error", "Your credit balance is too low"), PermanentError, "Credit balance"),
    ],
)
def test_a_failure_of_the_provider_is_no_failure_of_the_agent(
    user: Claude, api: Api, monkeypatch: pytest.MonkeyPatch, failure: Failure, kind: type[Exception], words: str
) -> None:
    monkeypatch.setenv("CLAUDE_CODE_MAX_RETRIES", "1")
    script(api, use("Bash", command="true"), failure)
    with pytest.raises(kind, match=words):
        attempt(user, brief(user))


def test_no_connection_at_all_may_pass(user: Claude, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_CODE_MAX_RETRIES", "1")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(TransientError, match="Connection refused"):
        attempt(user, brief(user))


def test_a_short_outage_is_waited_for(user: Claude, api: Api) -> None:
    api.on(lambda r: r.turn == 1, OVERLOADED, times=2)
    script(api, use("Bash", command="true"), finish())

    outcome, noted = attempt(user, brief(user))

    assert outcome.status == "completed"
    assert [facts["error"] for kind, facts in noted if kind == "wait"] == ["overloaded 529"] * 2


def test_a_mention_in_a_brief_brings_no_file_from_outside(user: Claude, api: Api) -> None:
    secret = user.folder / "secret.txt"
    secret.write_text("TOP-SECRET", "utf-8")
    script(api, finish())

    attempt(user, brief(user, prompt=f"Look at @{secret} and @../secret.txt\n!`touch {user.folder}/pwned`"))

    assert "TOP-SECRET" not in api.requests[0].all
    assert not (user.folder / "pwned").exists()


def test_a_model_that_is_overloaded_is_stood_in_for_and_that_is_told(user: Claude, api: Api) -> None:
    api.on(lambda r: "opus" in r.body["model"], OVERLOADED)
    script(api, edit(user), finish())

    outcome, noted = attempt(user, brief(user), runner="claude:claude-opus-5-5,claude-sonnet-5")

    assert outcome.status == "completed"
    (change,) = [facts for kind, facts in noted if kind == "fallback"]
    assert (change["old"], change["new"]) == ("claude-opus-5-5", "claude-sonnet-5")


@pytest.mark.parametrize("name", ["tokens", "usd", "tool_calls"])
def test_at_a_cap_the_client_makes_no_call_but_the_one_in_flight(
    user: Claude, api: Api, tmp_path: Path, name: str
) -> None:
    api.on(lambda _: True, lambda _: use("Read", file_path=str(user.project / "app.py")))
    caps = {"tokens": 10_000.0, "usd": 0.02, "tool_calls": 2.0}
    with Log.open(tmp_path / "store") as log:
        with log.write() as tx:
            tx.create_workflow("w", kind="x", description="", spec={}, runner="claude")
        fence = lease.acquire(log, "w")
        with log.write(fence) as tx:
            purse.begin(tx, "w", {name: caps[name]}, log.now())
        reached: list[purse.Short] = []
        meter = Meter(log, fence, reached.append)
        task = brief(user)
        with log.write(fence) as tx:
            meter.open(tx, task.idempotency_key)
        around = Surroundings(account=meter.account(task.idempotency_key))

        with pytest.raises(Capped):
            asyncio.run(parse_runner("claude:claude-sonnet-5", project=user.project).run(task, around))

        spent = purse.read(log.database, "w").total
    assert [short.name for short in reached] == [name]
    assert 2 <= len(api.requests) <= 3
    assert spent.against(name) >= caps[name]
    assert spent.input_tokens > 0


@pytest.mark.parametrize("name", ["tokens", "usd", "tool_calls"])
def test_clients_at_once_go_beyond_a_cap_by_one_call_at_most(user: Claude, api: Api, tmp_path: Path, name: str) -> None:
    """Each waits before its tools, and so before its next call, until there is room beside the others."""
    same = {"input_tokens": 1000, "output_tokens": 100}
    api.on(lambda _: True, lambda _: Reply([call("Read", file_path=str(user.project / "app.py"))], usage=same))
    cap, one = {"tokens": (7_000.0, 1_100), "usd": (0.02, 0.003), "tool_calls": (5.0, 0)}[name]
    with Log.open(tmp_path / "store") as log:
        with log.write() as tx:
            tx.create_workflow("w", kind="x", description="", spec={}, runner="claude")
        fence = lease.acquire(log, "w")
        with log.write(fence) as tx:
            purse.begin(tx, "w", {name: cap}, log.now())
        meter = Meter(log, fence, lambda _: None)
        tasks = [brief(user).model_copy(update={"idempotency_key": f"w/p/T{n}#1"}) for n in range(3)]
        with log.write(fence) as tx:
            for task in tasks:
                meter.open(tx, task.idempotency_key)
        runner = parse_runner("claude:claude-sonnet-5", project=user.project)

        async def main() -> list[Outcome | BaseException]:
            around = [Surroundings(account=meter.account(task.idempotency_key)) for task in tasks]
            work = (runner.run(task, there) for task, there in zip(tasks, around, strict=True))
            return await asyncio.gather(*work, return_exceptions=True)

        ends = asyncio.run(main())

        spent = purse.read(log.database, "w").total
    assert [type(end) for end in ends] == [Capped] * 3
    assert cap <= spent.against(name) <= cap + one + 1e-9
    assert spent.input_tokens == 1000 * len(api.requests)
    assert spent.uncounted_tokens == 0


def test_under_a_cap_that_is_far_a_client_works_as_without(user: Claude, api: Api, tmp_path: Path) -> None:
    look = reply(call("Read", file_path=str(user.project / "app.py")), call("Grep", pattern="answer"), output_tokens=7)
    script(api, look, edit(user), finish())
    with Log.open(tmp_path / "store") as log:
        with log.write() as tx:
            tx.create_workflow("w", kind="x", description="", spec={}, runner="claude")
        fence = lease.acquire(log, "w")
        with log.write(fence) as tx:
            purse.begin(tx, "w", {"tokens": 1e9, "tool_calls": 100.0}, log.now())
        meter = Meter(log, fence, lambda _: None)
        task = brief(user)
        with log.write(fence) as tx:
            meter.open(tx, task.idempotency_key)
        around = Surroundings(account=meter.account(task.idempotency_key))

        outcome = asyncio.run(parse_runner("claude", project=user.project).run(task, around))

        spent = purse.read(log.database, "w").total
    assert (outcome.status, outcome.summary) == ("completed", "It is 42 now.")
    assert (user.project / "app.py").read_text("utf-8") == "answer = 42\n"
    assert spent.tool_calls == 3
    assert spent.uncounted_usd == 0
    assert (spent.input_tokens, spent.output_tokens) == (outcome.usage.input_tokens, outcome.usage.output_tokens)
