"""From a clone of the repository to the plugin at work by two lines, and away again by two. Needs the network, once."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from tests.client.api import Api
from tests.client.claude import ROOT, Claude
from tests.client.reply import say
from tests.snapshot import snapshot

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(300)]

NETWORK = ("_PROXY", "_proxy", "CERT", "CERTS", "CERT_FILE")
COPY = ".claude/plugins/cache/stretto/"
"""The client's own copy of a plugin, which it marks when the plugin is uninstalled."""
KEPT_BY_THE_CLIENT = (
    COPY,
    ".claude/plugins/installed_plugins.json",  # what is installed: nothing
    ".claude/plugins/known_marketplaces.json",  # the same
    ".claude/plugins/marketplaces/",  # empty
    ".claude/plugins/data/",  # empty
    ".claude/plugins/store/",  # of a plugin that it brings itself
    ".claude/settings.json",
    ".claude/mcp-needs-auth-cache.json",  # which servers asked for a login: it names none of ours
    ".claude/.last-cleanup",  # when it last took old ones of its files away
    ".claude/backups/",  # of ~/.claude.json
    ".claude/projects/",  # its transcripts
    ".claude/session-env/",  # what a session's shells were told at its start: by us, the name of the data folder
    ".claude/sessions/",
    ".claude/shell-snapshots/",
    ".cache/claude-cli-nodejs/",  # its logs
)
"""What the client writes to a home by itself, and keeps after an uninstallation."""
KEPT_AFTER_DAYS = 14


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The repository as a user has it: without an environment."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(tmp_path / "clone")], check=True)
    return tmp_path / "clone"


@pytest.fixture
def user(tmp_path: Path, api: Api) -> Iterator[Claude]:
    """A user without any plugin. Packages come from the caches of this machine as far as they are there.

    pip asks a machine with Rust for its version, and rustup makes a folder in a home that it does not know.
    """
    extra = {name: value for name, value in os.environ.items() if name.endswith(NETWORK)}
    caches = {"PIP_CACHE_DIR": ".cache/pip", "UV_CACHE_DIR": ".cache/uv", "RUSTUP_HOME": ".rustup"}
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


def left(claude: Claude, before: Collection[str]) -> list[str]:
    """What has come to a home since and is not the client's own."""
    found = {name: kind for name, (kind, _, _) in snapshot(claude.home).items() if name not in before}
    new = [f"{name}/" if kind == "folder" else name for name, kind in found.items()]
    return [name for name in new if not any(name.startswith(own) or own.startswith(name) for own in KEPT_BY_THE_CLIENT)]


def test_two_lines_install_it_and_three_take_it_away(api: Api, user: Claude, clone: Path) -> None:
    api.on(lambda r: True, say("Noted."))
    project, source, home = snapshot(user.project), snapshot(clone), snapshot(user.home)

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
    assert left(user, home) == []
    assert list((user.home / COPY).glob("*/*/.orphaned_at")) != []
    assert f"    rm -r ~/{COPY.rstrip('/')}\n" in (ROOT / "docs" / "claude-code.md").read_text("utf-8")
    shutil.rmtree(user.home / COPY)
    ours = [str(p.relative_to(user.home)) for p in user.home.rglob("*stretto*")]
    assert [name for name in ours if not name.startswith((".claude/projects/", ".cache/claude-cli-nodejs/"))] == []
    assert not (user.home / ".local").exists()
    changed = snapshot(user.project, without=(".git", ".stretto"))
    assert changed.keys() - {".git", ".stretto"} == {"README.md"}
    assert user.git("status", "--porcelain") == ""
    assert len(list((user.project / ".git" / "stretto" / "stores").iterdir())) == 1


def test_a_session_after_the_uninstallation_knows_nothing_of_it(api: Api, user: Claude, clone: Path) -> None:
    api.on(lambda r: True, say("Noted."))
    user.install(clone)
    user.command("plugin", "uninstall", "stretto@stretto")
    user.command("plugin", "marketplace", "remove", "stretto")

    session = user.say("Good morning", "--include-hook-events")

    assert session.of("system", "hook_started") == []
    assert session.init["mcp_servers"] == []
    assert "stretto" not in api.requests[0].all


def test_the_clients_copy_goes_with_a_session_after_its_days_if_another_plugin_is_installed(
    api: Api, user: Claude, clone: Path, tmp_path: Path
) -> None:
    api.on(lambda r: True, say("Noted."))
    user.install(clone)
    user.command("plugin", "uninstall", "stretto@stretto")
    user.command("plugin", "marketplace", "remove", "stretto")
    (mark,) = (user.home / COPY).glob("*/*/.orphaned_at")
    long_ago = time.time() - (KEPT_AFTER_DAYS + 1) * 86_400
    os.utime(mark, (long_ago, long_ago))

    user.say("Good morning")
    kept_without_another = mark.exists()
    user.install(another(tmp_path / "another"), "notes@another")
    with user.talk() as session:
        session.say("Good morning")
        deadline = time.monotonic() + 30
        while (user.home / COPY).exists() and time.monotonic() < deadline:
            time.sleep(0.1)

    assert kept_without_another
    assert not (user.home / COPY).exists()


def another(folder: Path) -> Path:
    """A marketplace of somebody else's, with a plugin that does nothing."""
    plugin = {"name": "notes", "version": "1.0.0", "description": "Nothing"}
    entry = {"name": "notes", "source": "./notes", "description": "Nothing"}
    files = {
        ".claude-plugin/marketplace.json": {"name": "another", "owner": {"name": "Ada"}, "plugins": [entry]},
        "notes/.claude-plugin/plugin.json": plugin,
    }
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_text(json.dumps(content), "utf-8")
    return folder
