"""The repository as a plugin of Claude Code: its manifests, its commands and roles, and the program in `bin/`."""

import json
import os
import struct
import subprocess
import tomllib
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from stretto.agents.roles import ROLES
from stretto.commands.handlers import HANDLERS
from stretto.commands.help import definition
from stretto.commands.hook import HOOKS
from stretto.commands.tables import COMMANDS
from tests.client.claude import find_client

ROOT = Path(__file__).parents[1]


def load(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((ROOT / name).read_text("utf-8"))
    return data


def project() -> dict[str, Any]:
    data: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return data


def front_matter(path: Path) -> dict[str, Any]:
    _, head, _ = path.read_text("utf-8").split("---\n", 2)
    return cast("dict[str, Any]", yaml.safe_load(head))


def test_the_manifest_says_what_the_distribution_says() -> None:
    manifest, told = load(".claude-plugin/plugin.json"), project()

    for key in ("name", "version", "description", "license", "keywords"):
        assert manifest[key] == told[key]
    assert manifest["author"]["name"]


def test_the_marketplace_offers_the_folder_that_it_lies_in() -> None:
    (plugin,) = load(".claude-plugin/marketplace.json")["plugins"]

    assert plugin["name"] == load(".claude-plugin/plugin.json")["name"]
    assert plugin["source"] == "./"
    assert "version" not in plugin  # the manifest alone says which


def test_every_command_has_its_handler_and_every_handler_its_command() -> None:
    assert {p.stem for p in (ROOT / "commands").rglob("*.md")} == set(HANDLERS)
    assert set(HANDLERS) <= set(COMMANDS)
    for module in HANDLERS.values():
        assert "\ndef handle(" in (ROOT / "commands" / f"{module}.py").read_text("utf-8")


def test_every_markdown_among_the_agents_is_a_role() -> None:
    assert {p.stem for p in (ROOT / "agents").rglob("*.md")} == set(ROLES)


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_a_command_documents_only_flags_that_its_grammar_knows(name: str) -> None:
    lines = definition(name).metadata.get("options", "").splitlines()

    flags = {line.split()[0].partition("=")[0].removeprefix("--") for line in lines if line.strip().startswith("--")}

    assert flags <= set(COMMANDS[name].flags)


def test_a_session_in_this_repository_has_the_plugin_of_this_checkout() -> None:
    settings = load(".claude/settings.json")
    ((market, told),) = settings["extraKnownMarketplaces"].items()

    assert told["source"] == {"source": "directory", "path": "."}
    assert market == load(".claude-plugin/marketplace.json")["name"]
    assert settings["enabledPlugins"] == {f"stretto@{market}": True}


def test_the_settings_allow_targets_that_the_makefile_has() -> None:
    allowed: list[str] = load(".claude/settings.json")["permissions"]["allow"]
    makefile = (ROOT / "Makefile").read_text("utf-8").splitlines()

    targets = {a.removeprefix("Bash(make ").removesuffix(")") for a in allowed if a.startswith("Bash(make ")}

    assert targets == {t for t in targets if any(line.startswith(f"{t}:") for line in makefile)}
    assert {"check", "quick", "test"} <= targets


def test_a_session_here_finds_the_program_of_this_checkout(tmp_path: Path) -> None:
    (entry,) = load(".claude/settings.json")["hooks"]["SessionStart"]
    (hook,) = entry["hooks"]
    project_folder, exports = tmp_path / "my project", tmp_path / "exports"
    environment = {"CLAUDE_PROJECT_DIR": str(project_folder), "CLAUDE_ENV_FILE": str(exports), "PATH": "/usr/bin:/bin"}

    subprocess.run(["sh", "-c", hook["command"]], env=environment, check=True)

    told = subprocess.run(
        ["sh", "-c", f'. "{exports}"; printf %s "$PATH"'], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert told == f"{project_folder}/bin:/usr/bin:/bin"


@pytest.mark.slow
def test_claude_code_and_its_directory_take_the_plugin_without_a_warning(tmp_path: Path) -> None:
    claude = find_client()
    environment = {**os.environ, "HOME": str(tmp_path), "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    argv = [str(claude), "plugin", "validate", "--strict", "--profile", "directory", str(ROOT)]

    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)

    assert done.returncode == 0, done.stdout + done.stderr
    assert all(f"stretto:{name}" in done.stdout for name in (*HANDLERS, *ROLES))
    assert all(f'hooks/run","{event}"' in done.stdout for event in HOOKS)


def test_the_icon_is_one_that_the_directory_takes() -> None:
    data = (ROOT / load(".claude-plugin/plugin.json")["icon"]).read_bytes()
    width, height = struct.unpack(">II", data[16:24])

    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert 512 <= width == height <= 2048
