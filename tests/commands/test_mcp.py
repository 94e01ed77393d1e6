"""`stretto mcp` as its clients find it: a process that speaks MCP on stdin and stdout."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp.client.session import ClientSession
from mcp.shared.exceptions import MCPError

from stretto.commands.handlers import HANDLERS
from tests.commands.door import Project, new_project
from tests.commands.mcp_client import SERVER, session, spoken, text

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
HOSTILE = (
    "$(touch pwned) `touch pwned` ${HOME} $HOME",
    "a'; touch pwned; echo 'b",
    'a"; touch pwned; echo "b',
    "line one\nline two\n\nEOF\n$(touch pwned)",
    "--dry-run",
    "create",
    "ünïcödé \N{RIGHT-TO-LEFT OVERRIDE}\N{ZERO WIDTH JOINER} \N{PILE OF POO} \\ \t * ? ~ # & | ; < >",
)


def processes(project: Project) -> str:
    """Those that name the project's folder, or work for it."""
    listed = subprocess.run(["ps", "axww", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in listed.splitlines() if str(project.root.parent) in line)


def gone(project: Project) -> bool:
    until = time.monotonic() + 10
    while processes(project) and time.monotonic() < until:
        time.sleep(0.05)
    return not processes(project)


async def there(path: Path) -> None:
    until = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < until, path
        await asyncio.sleep(0.02)


def wait(project: Project) -> tuple[Path, Path]:
    """A researcher that tells when it begins and waits until it may end: the two files."""
    begun, may_end = project.root.with_name("begun"), project.root.with_name("may-end")
    project.agent({"researcher": {"touch": str(begun), "until": str(may_end)}})
    return begun, may_end


def test_the_lists_cost_little_and_name_every_command(project: Project) -> None:
    async def lists(client: ClientSession) -> Any:
        return await client.list_tools(), await client.list_prompts()

    tools, prompts = spoken(project.root, ask=lists)

    assert [t.name for t in tools.tools] == ["run", "orchestrate", "workflow_status"]
    assert [p.name for p in prompts.prompts] == list(HANDLERS)
    assert all([a.name for a in p.arguments] == ["arguments"] for p in prompts.prompts)
    shown = [{"name": t.name, "description": t.description, "input_schema": t.input_schema} for t in tools.tools]
    assert len(json.dumps(shown, ensure_ascii=False)) / 3.5 < 350
    assert len(prompts.model_dump_json(by_alias=True, exclude_none=True)) / 3.5 < 50 * len(HANDLERS)


def test_a_status_writes_nothing_and_bad_input_is_an_error_that_the_server_survives(project: Project) -> None:
    before = project.everything()

    async def ask(client: ClientSession) -> list[types.CallToolResult]:
        return [
            await client.call_tool("workflow_status", {}),
            await client.call_tool("run", {"line": "/workflow-status --json"}),
            await client.call_tool("run", {"line": "stretto help workflow-status"}),
            await client.call_tool("run", {"line": "/orchestrate x --merge=perhaps"}),
            await client.call_tool("run", {"line": "/orchestrate 'unclosed"}),
            await client.call_tool("run", {"line": "stretto diff 'unclosed"}),
            await client.call_tool("run", {"line": "stretto mcp"}),
            await client.call_tool("run", {"line": "stretto events --follow"}),
            await client.call_tool("run", {"line": "rm -rf /"}),
            await client.call_tool("run", {"line": "a\0b"}),
            await client.call_tool("run", {"lines": "/plan"}),
            await client.call_tool("nothing", {}),
            await client.call_tool("workflow_status", {"workflow_id": "../../etc"}),
            await client.call_tool("workflow_status", {}),
        ]

    first, program, helped, *wrong, last = spoken(project.root, ask=ask)

    assert text(first).startswith("No workflow has run here yet.")
    assert first.structured_content["status"] == "ok"
    assert json.loads(text(program)) == program.structured_content
    assert program.structured_content["result"]["workflows"] == []
    assert "Usage: stretto workflow-status" in text(helped)
    assert [r.is_error for r in wrong] == [True] * len(wrong)
    assert wrong[0].structured_content["error"]["details"]["field"] == "--merge"
    assert wrong[0].structured_content["error"]["details"]["allowed"] == ["auto", "ask", "never"]
    assert all(r.structured_content["error"]["message"] in text(r) or "\0" in text(r) for r in wrong)
    assert text(last) == text(first)
    assert project.everything() == before


def test_a_prompt_that_there_is_not_is_an_error_of_the_protocol(project: Project) -> None:
    async def ask(client: ClientSession) -> types.GetPromptResult:
        with pytest.raises(MCPError, match="no prompt 'nope'"):
            await client.get_prompt("nope", {})
        return await client.get_prompt("plan", {"arguments": '"Sums" --dry-run'})

    (said,) = spoken(project.root, ask=ask).messages

    assert '\n/plan "Sums" --dry-run\n' in said.content.text


def test_a_workflow_runs_to_its_end_and_its_events_are_progress(project: Project) -> None:
    project.agent({})
    seen: list[tuple[float, str]] = []

    async def ask(client: ClientSession) -> Any:
        async def listener(progress: float, total: float | None, message: str | None) -> None:
            assert total is None
            seen.append((progress, message or ""))

        done = await client.call_tool("orchestrate", {"description": "Add multiplication"}, progress_callback=listener)
        types = project.types()
        steps = done.structured_content["next_steps"]
        return done, types, [await client.call_tool("run", {"line": step.partition("   ")[0]}) for step in steps]

    done, types, followed = spoken(project.root, "--runner", project.runner, ask=ask)

    assert done.is_error is False, text(done)
    assert done.structured_content["workflow_id"] in text(done)
    assert types[-1] == "WORKFLOW_COMPLETED"
    assert [number for number, _ in seen] == list(range(1, len(seen) + 1))
    assert [message.split()[0] for _, message in seen] == types
    assert followed
    assert [text(f) for f in followed if f.is_error] == []  # what it says to do next can be done here


def test_other_calls_are_answered_while_a_workflow_runs(project: Project) -> None:
    begun, may_end = wait(project)

    async def ask(client: ClientSession) -> Any:
        work = asyncio.create_task(client.call_tool("orchestrate", {"description": "Add multiplication"}))
        await there(begun)
        status = await client.call_tool("workflow_status", {})
        refused = await client.call_tool("run", {"line": "/nope"})
        assert not work.done()
        may_end.touch()
        return status, refused, await work

    status, refused, done = spoken(project.root, "--runner", project.runner, ask=ask)

    assert "RUNNING" in text(status)
    assert refused.is_error is True
    assert done.is_error is False


def test_a_cancelled_call_leaves_a_workflow_that_can_be_resumed_and_no_process(project: Project) -> None:
    begun, may_end = wait(project)

    async def cancelled() -> tuple[str, str]:
        async with session(project.root, "--runner", project.runner) as client:
            work = asyncio.create_task(client.call_tool("orchestrate", {"description": "Add multiplication"}))
            await there(begun)
            work.cancel()
            await asyncio.wait([work])
            assert work.cancelled()
            alive = text(await client.call_tool("workflow_status", {}))
            may_end.touch()  # what an agent does at that moment, it may finish
            until = time.monotonic() + 30
            while "PAUSED" not in (now := text(await client.call_tool("workflow_status", {}))):
                assert time.monotonic() < until, now
            return alive, now

    alive, _ = asyncio.run(cancelled())

    assert "RUNNING" in alive
    assert gone(project), processes(project)
    assert "TASK_COMPLETED" in project.types()
    (workflow,) = {e.workflow_id for e in project.events()}
    assert project.work("orchestrate", "--resume", workflow).code == 0
    assert project.types()[-1] == "WORKFLOW_COMPLETED"


def started(project: Project, line: str) -> "subprocess.Popen[bytes]":
    """A server that was told to run a line, by a client that speaks by hand."""
    server = subprocess.Popen(
        [*SERVER, "--runner", project.runner], cwd=project.root, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "hand", "version": "1"}}
    for message in (
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "run", "arguments": {"line": line}}},
    ):
        say(server, message)
    return server


def say(server: "subprocess.Popen[bytes]", message: dict[str, Any] | str) -> None:
    assert server.stdin
    line = message if isinstance(message, str) else json.dumps({"jsonrpc": "2.0", **message})
    server.stdin.write(f"{line}\n".encode())
    server.stdin.flush()


@pytest.mark.parametrize("how", ["leaves", signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_ends_takes_its_work_with_it_and_the_workflow_can_be_resumed(
    project: Project, how: str | signal.Signals
) -> None:
    begun, may_end = wait(project)
    with started(project, "/orchestrate 'Add multiplication'") as server:
        asyncio.run(there(begun))
        if isinstance(how, signal.Signals):
            server.send_signal(how)
        else:
            assert server.stdin
            server.stdin.close()
        assert server.wait(timeout=15) == (-how if isinstance(how, signal.Signals) else 0)

    assert gone(project), processes(project)
    may_end.touch()
    (workflow,) = {e.workflow_id for e in project.events()}
    assert project.work("orchestrate", "--resume", workflow).code == 0


def test_stdout_holds_the_protocol_alone_and_unknown_methods_are_errors(project: Project) -> None:
    project.agent({"researcher": {"stderr": "noise on stderr\n"}})
    with started(project, "/report 'What is there'") as server:
        assert server.stdout
        for message in (
            {"id": 3, "method": "server/nothing"},
            {"id": 4, "method": "tools/call", "params": {"name": "run", "arguments": "text"}},
            {"id": 5, "method": "tools/call", "params": {"name": "run", "arguments": {"line": "\ud800"}}},
            {"id": 6, "method": "ping"},
        ):
            say(server, message)
        say(server, "this is no JSON")
        answers: dict[int, Any] = {}
        while not {1, 2, 3, 4, 6} <= set(answers):
            body = json.loads(server.stdout.readline())
            assert body["jsonrpc"] == "2.0"
            answers[body.get("id")] = body
        server.stdin.close() if server.stdin else None
        assert [json.loads(line)["jsonrpc"] for line in server.stdout.read().splitlines()] in ([], ["2.0"])

    assert answers[2]["result"]["isError"] is False, answers[2]
    assert answers[3]["error"]["code"] == -32601
    assert answers[4]["error"]["code"] == -32602
    assert "result" in answers[6]


def test_hostile_arguments_arrive_byte_for_byte_in_a_project_with_a_space_in_its_path(tmp_path: Path) -> None:
    project = new_project(tmp_path / "my projects" / "the calc")
    project.agent({})

    async def ask(client: ClientSession) -> list[types.CallToolResult]:
        typed = [await client.call_tool("orchestrate", {"description": d, "resume": None}) for d in HOSTILE[:1]]
        lines = [f"/report '{d.replace(chr(39), chr(39) + chr(92) + chr(39) * 2)}'" for d in HOSTILE]
        return typed + [await client.call_tool("run", {"line": line}) for line in lines]

    results = spoken(project.root, "--runner", project.runner, ask=ask)

    assert [text(r) for r in results if r.is_error] == []
    described = [e.data["description"] for e in project.events() if e.type == "WORKFLOW_CREATED"]
    assert described == [*HOSTILE[:1], *HOSTILE]
    assert list(tmp_path.rglob("pwned")) == []


WITHOUT = """
import sys, types
package = types.ModuleType("stretto")
package.__path__ = [sys.argv[1]]
sys.modules["stretto"] = package
from stretto.commands.cli import main
sys.exit(main(["mcp"]))
"""


def test_without_the_extra_one_line_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", WITHOUT, str(ROOT)],
        cwd=tmp_path,
        env={**os.environ},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "stretto: `stretto mcp` needs the extra `mcp`, which is not installed: pip install 'stretto[mcp]'\n"
    )
