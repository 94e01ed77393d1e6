"""What the plugin costs a session that does not use it, counted in the client's own first request."""

import re
import shutil
from pathlib import Path

import pytest

from stretto.agents.roles import ROLES
from stretto.commands.handlers import HANDLERS
from tests.client.api import Api
from tests.client.claude import ROOT, Claude
from tests.client.reply import say
from tests.client.request import Request
from tests.client.standing import standing, tokens

pytestmark = [pytest.mark.client, pytest.mark.slow]
MOST = 2_000


@pytest.mark.parametrize("searched", ["true", "false"])
def test_the_plugin_costs_a_session_less_than_two_thousand_tokens(tmp_path: Path, searched: str) -> None:
    """Also where the client sends the schemas of all tools at once instead of having the model search for them."""
    extra = {"ENABLE_TOOL_SEARCH": searched}
    first = list[Request]()
    for plugins in ([], [ROOT]):
        with Api() as api, Claude(tmp_path / "user", api, plugins=plugins, extra=extra) as claude:
            api.on(lambda r: "Good morning" in r.last, say("Good morning to you."))
            claude.say("Good morning")
            first.append(api.requests[0])
        shutil.rmtree(tmp_path / "user")  # the same folder for both: its name is a part of what the model is sent
    without, with_plugin = first

    added = standing(with_plugin, without)

    told = "\n".join(added)
    assert all(re.search(rf"\bstretto:{name}\b", told) for name in (*HANDLERS, *ROLES)), told
    assert "failed to connect" not in told
    assert tokens(added) < MOST, "\n".join(f"{len(p):6} {p[:100]}" for p in sorted(added, key=len, reverse=True))
