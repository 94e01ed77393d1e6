"""Slash commands by their bare names, in the real client."""

import pytest

from stretto.commands.app import App
from stretto.commands.handlers import HANDLERS
from stretto.commands.setup import TAKEN, setup
from tests.client.api import Api
from tests.client.claude import Claude

pytestmark = [pytest.mark.client, pytest.mark.slow]


def test_every_bare_name_that_the_client_leaves_us_is_answered(claude: Claude, api: Api) -> None:
    names = sorted({*HANDLERS} - {*TAKEN})

    with claude.talk() as session:
        said = [session.say(f"/{name} --no-such-flag") for name in names]

    for name, answer in zip(names, said, strict=True):
        assert answer.startswith("UserPromptExpansion operation blocked by hook:\n")
        assert f"/{name} has no flag '--no-such-flag'" in answer
        assert "Original prompt" not in answer
    assert api.requests == []


def test_names_that_the_client_keeps_are_ours_after_setup(claude: Claude, api: Api) -> None:
    with claude.talk() as session:
        prefixed = [session.say(f"/stretto:{name} --no-such-flag") for name in TAKEN]
    setup(App(str(claude.project)), remove=False)
    with claude.talk() as session:
        bare = [session.say(f"/{name} --no-such-flag") for name in TAKEN]

    assert (claude.project / ".claude" / "commands").is_dir()
    for name, *answers in zip(TAKEN, prefixed, bare, strict=True):
        assert all(f"/{name} has no flag '--no-such-flag'" in answer for answer in answers)
    assert api.requests == []
