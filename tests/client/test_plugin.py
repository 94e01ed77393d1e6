"""The plugin of this checkout in the real Claude Code, offline."""

import pytest

from stretto.commands.handlers import HANDLERS
from tests.client.api import Api
from tests.client.claude import Claude
from tests.client.reply import say

pytestmark = [pytest.mark.client, pytest.mark.slow]


def test_the_client_loads_every_command_and_every_role(claude: Claude, api: Api) -> None:
    api.on(lambda r: "Good morning" in r.last, say("Good morning to you."))

    session = claude.say("Good morning")

    assert "plugin_errors" not in session.init
    assert {f"stretto:{name}" for name in HANDLERS} <= set(session.init["slash_commands"])
    assert "stretto:implementer" in session.init["agents"]
    assert session.text == "Good morning to you."
    assert len(api.requests) == 1
