"""Where nobody uses Stretto, a session with the plugin is one without it: no hook says a word, and few run at all."""

from collections import Counter

import pytest

from tests.client.api import Api
from tests.client.claude import Claude
from tests.client.reply import call, reply, say

pytestmark = [pytest.mark.client, pytest.mark.slow]

LISTED = ("- stretto:", "mcp__plugin_stretto_stretto__")
"""How the lines begin with which the client lists our commands, agents and tools."""


def test_in_a_project_without_a_store_no_hook_says_anything(api: Api, calc: Claude) -> None:
    new = calc.project / "src/calc/new.py"
    tools = (
        call("Read", file_path=str(calc.project / "README.md")),
        call("Bash", command="ls src", description="List"),
        call("Write", file_path=str(new), content="x = 1\n"),
    )
    api.on(lambda r: r.turn == 0, reply(*tools))
    api.on(lambda r: r.turn == 1, say("Done."))

    session = calc.say("Look and write", "--include-hook-events", "--permission-mode", "acceptEdits")

    ran = Counter(str(e["hook_name"]) for e in session.of("system", "hook_started"))
    assert ran == {"SessionStart:startup": 2, "PreToolUse:Write": 1, "Stop": 1}
    answers = session.of("system", "hook_response")
    assert [(a["exit_code"], a["stdout"]) for a in answers] == [(0, "")] * len(answers)
    assert len(api.requests) == 2
    ours = [line for line in api.requests[-1].text.splitlines() if "stretto" in line.lower()]
    assert [line for line in ours if not line.startswith(LISTED)] == []
    assert new.is_file()
    assert not (calc.project / ".stretto").exists()
