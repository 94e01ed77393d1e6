"""From a clone of the repository to the plugin at work by two lines, and away again by two. Needs the network, once."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.api import Api
from tests.client.claude import ROOT, Claude
from tests.client.reply import say
from tests.snapshot import snapshot

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(300)]

NETWORK = ("_PROXY", "_proxy", "CERT", "CERTS", "CERT_FILE")
MARKS = ".local/state/stretto"
"""By its mark the project's `.stretto/` is known as the user's own, when they come back to it."""
KEPT_BY_THE_CLIENT = (".claude/plugins/cache/stretto/", ".cache/claude-cli-nodejs/", ".claude/projects/")
"""Its own copy of a plugin, which it marks for removal; its logs; its transcripts."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The repository as a user has it: without an environment."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(tmp_path / "clone")], check=True)
    return tmp_path / "clone"


@pytest.fixture
def user(tmp_path: Path, api: Api) -> Iterator[Claude]:
    """A user without any plugin. Packages come from the caches of this machine as far as they are there."""
    extra = {name: value for name, value in os.environ.items() if name.endswith(NETWORK)}
    caches = {"PIP_CACHE_DIR": ".cache/pip", "UV_CACHE_DIR": ".cache/uv"}
    extra |= {name: str(Path.home() / place) for name, place in caches.items()}
    with Claude(tmp_path / "user", api, extra=extra) as claude:
        (claude.project / "README.md").write_text("# shop\n")
        claude.git("init", "-q", "-b", "main")
        claude.git("add", "-A")
        claude.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-q", "-m", "Begin")
        yield claude


def configuration(claude: Claude) -> dict[str, str]:
    """What the client remembers for its user, by file; without its count of how often each command was used."""
    places = [claude.home / ".claude.json", *(claude.home / ".claude").glob("**/*.json")]
    found = {p.relative_to(claude.home): json.loads(p.read_text("utf-8")) for p in places if "cache" not in p.parts}
    return {str(place): json.dumps({**content, "skillUsage": None}) for place, content in found.items()}


def test_two_lines_install_it_and_two_take_it_away(api: Api, user: Claude, clone: Path) -> None:
    api.on(lambda r: True, say("Noted."))
    project, source = snapshot(user.project), snapshot(clone)

    user.command("plugin", "marketplace", "add", str(clone))
    user.command("plugin", "install", "stretto@stretto")
    with user.talk() as session:
        status = session.say("/workflow-status")
        untouched = snapshot(user.project) == project
        session.say('/report "How keys are kept"', 200)  # its environment is made meanwhile
    user.command("plugin", "uninstall", "stretto@stretto")
    user.command("plugin", "marketplace", "remove", "stretto")

    assert "No workflow has run here yet." in status
    assert untouched
    assert "how_keys_are_kept_001 waits for 1 work order." in api.requests[0].last
    assert snapshot(clone) == source
    assert not (user.home / ".claude/plugins/data/stretto-stretto").exists()
    assert [name for name, text in configuration(user).items() if "stretto" in text] == []
    named = [p.relative_to(user.home).as_posix() for p in user.home.rglob("*stretto*")]
    assert [p for p in named if not f"{p}/".startswith(KEPT_BY_THE_CLIENT)] == [MARKS]
    assert [p.read_text("utf-8") for p in (user.home / MARKS / "stores").iterdir()] == [
        f"{user.project / '.stretto' / 'state'}\n"
    ]
    changed = snapshot(user.project, without=(".git", ".stretto"))
    assert changed.keys() - {".git", ".stretto"} == {"README.md"}
    assert user.git("status", "--porcelain") == ""


def test_a_session_after_the_uninstallation_knows_nothing_of_it(api: Api, user: Claude, clone: Path) -> None:
    api.on(lambda r: True, say("Noted."))
    user.install(clone)
    user.command("plugin", "uninstall", "stretto@stretto")
    user.command("plugin", "marketplace", "remove", "stretto")

    session = user.say("Good morning", "--include-hook-events")

    assert session.of("system", "hook_started") == []
    assert session.init["mcp_servers"] == []
    assert "stretto" not in api.requests[0].all
