"""A pack, exported for Claude Code, in the real client."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stretto.packs.export_table import exported
from stretto.packs.export_writing import write_export
from tests.client.api import Api
from tests.client.claude import Claude
from tests.client.reply import Answer, say, use
from tests.client.request import Request
from tests.client.test_other_clients import HOSTILE, TYPED
from tests.packs.test_export import SOURCE

pytestmark = [pytest.mark.client, pytest.mark.slow]


def test_an_exported_plugin_is_valid_and_what_is_typed_reaches_the_model_and_no_shell(tmp_path: Path, api: Api) -> None:
    plugin = tmp_path / "plugin"
    write_export(plugin, "claude", "team", exported(SOURCE, "claude"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    tool = "mcp__plugin_team_stretto__run"

    def as_the_page_says(request: Request) -> Answer:
        (line,) = re.findall(r"<stretto-line>\n(.*?)\n</stretto-line>", request.text, re.DOTALL)
        (typed,) = re.findall(r"<command-args>(.*?)</command-args>", request.text, re.DOTALL)
        return use(tool, line=line.replace("ARGUMENTS", typed))

    api.on(lambda r: r.turn == 0, as_the_page_says)
    api.on(lambda r: r.turn == 1, say("Refused."))

    with Claude(tmp_path / "user", api, plugins=[plugin], extra={"PATH": path}) as claude:
        claude.command("plugin", "validate", str(plugin))
        session = claude.say(f"/team:release {TYPED}")

    assert "team:release" in session.init["slash_commands"]
    assert "team:clerk" in session.init["agents"]
    (result,) = api.requests[1].results
    assert result.args["line"] == f"/team:release {TYPED}"
    assert "team:release" in result.text
    assert not list(tmp_path.rglob("PWNED*"))


def test_the_command_of_an_installed_pack_runs_with_what_was_typed_to_the_last_character(
    tmp_path: Path, api: Api
) -> None:
    plugin, path = tmp_path / "plugin", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def as_the_page_says(request: Request) -> Answer:
        (line,) = re.findall(r"<stretto-line>\n(.*?)\n</stretto-line>", request.text, re.DOTALL)
        (typed,) = re.findall(r"<command-args>(.*?)</command-args>", request.text, re.DOTALL)
        return use("mcp__plugin_team_stretto__run", line=line.replace("ARGUMENTS", typed))

    api.on(lambda r: r.turn == 0, as_the_page_says)
    api.on(lambda r: r.turn == 1, say("Two orders are waiting."))

    with Claude(tmp_path / "user", api, plugins=[plugin], extra={"PATH": path}) as claude:

        def stretto(*words: str) -> str:
            argv = [sys.executable, "-m", "stretto.commands", *words]
            env = {**os.environ, "HOME": str(tmp_path / "home"), "STRETTO_CACHE": str(tmp_path / "cache")}
            return subprocess.run(argv, cwd=claude.project, env=env, check=True, capture_output=True, text=True).stdout

        claude.git("init", "-q", "-b", "main")
        stretto("pack", "new", "team")
        stretto("pack", "add", "team", "--yes")
        stretto("pack", "export", "team", "--client", "claude", "-o", str(plugin))
        claude.git("add", "-A")
        claude.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-q", "-m", "Begin")
        claude.say(f"/team:hello {TYPED}")
        log = [json.loads(line) for line in stretto("events", "--json").splitlines()]

    created = [event["data"]["description"] for event in log if event["event_type"] == "WORKFLOW_CREATED"]
    assert created == [HOSTILE]
    assert not list(tmp_path.rglob("PWNED*"))
