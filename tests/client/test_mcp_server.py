"""The MCP server as the plugin brings it to the real client."""

import shutil
from pathlib import Path

import pytest

from tests.client.api import Api
from tests.client.assistant import Assistant
from tests.client.claude import ROOT, Claude
from tests.client.reply import say, use
from tests.test_packaging import LEFT_OUT

pytestmark = [pytest.mark.client, pytest.mark.slow]

TOOL = "mcp__plugin_stretto_stretto__"
ALLOWED = ("--allowedTools", "mcp__plugin_stretto_stretto")
"""In the default mode the client asks the person about every tool of every server, also of those that only read."""

BROKEN = "this environment is broken"


def test_a_model_asks_for_a_status_and_gets_it(api: Api, calc: Claude) -> None:
    api.on(lambda r: r.turn == 0, use(f"{TOOL}workflow_status"))
    api.on(lambda r: r.turn == 1, say("Nothing has run."))

    session = calc.say("How is it going?", *ALLOWED)

    assert [(s["name"], s["status"]) for s in session.init["mcp_servers"]] == [("plugin:stretto:stretto", "connected")]
    (result,) = api.requests[1].results
    assert not result.failed
    assert "No workflow has run here yet." in result.text
    assert not (calc.project / ".stretto").exists()


def test_a_workflow_begun_over_mcp_is_carried_out_by_the_clients_own_subagents(api: Api, calc: Claude) -> None:
    api.on(
        lambda r: not r.agent and r.turn == 0,
        use(f"{TOOL}run", line='/plan "Sums" --workflow-id=sums_001'),
    )
    assistant = Assistant(api)

    calc.say("Plan sums", *ALLOWED)

    assert assistant.launched == assistant.worked == ["sums_001/planning/plan#1"]
    assert any("sums_001 is done: merged into main" in r.last for r in api.requests)
    assert list((calc.project / "specs/plans").glob("*.md"))
    assert calc.git("log", "--format=%s").splitlines()[-1] == "Begin"


def test_a_server_that_cannot_start_harms_no_session(tmp_path: Path, api: Api) -> None:
    plugin = tmp_path / "plugin"
    shutil.copytree(ROOT, plugin, ignore=LEFT_OUT)
    for name in ("stretto", "python"):  # an environment that is broken
        program = plugin / ".venv" / "bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\necho {BROKEN} >&2\nexit 1\n")
        program.chmod(0o755)
    api.on(lambda r: "Good morning" in r.last, say("Good morning to you."))

    with Claude(tmp_path / "user", api, plugins=[plugin]) as claude, claude.talk() as session:
        status = session.say("/workflow-status")
        said = session.say("Good morning")
        (begun, *_) = [e for e in session.events if e.get("subtype") == "init"]

    assert [s["status"] for s in begun["mcp_servers"]] == ["failed"]
    assert "No workflow has run here yet." in status
    assert said == "Good morning to you."
    assert len(api.requests) == 1
    assert BROKEN not in api.requests[0].all
