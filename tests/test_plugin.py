"""The repository as a plugin of Claude Code: its manifests, its commands and roles, and the program in `bin/`."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from stretto.agents.roles import ROLES
from stretto.commands.cli import HANDLERS
from stretto.commands.help import definition
from stretto.commands.tables import COMMANDS

ROOT = Path(__file__).parents[1]
INSTALLED = (ROOT / ".venv" / "bin" / "stretto").exists()


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

    flags = {line.split()[0].partition("=")[0].removeprefix("--") for line in lines if line.startswith("--")}

    assert flags or not lines
    assert flags <= set(COMMANDS[name].flags)


def test_in_this_repository_the_commands_go_without_a_prefix() -> None:
    link = ROOT / ".claude" / "commands"

    assert link.is_symlink()
    assert link.readlink() == Path("../commands")
    assert link.resolve() == ROOT / "commands"


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


def run(program: Path, *arguments: str, cwd: Path, path: str = "/usr/bin:/bin") -> subprocess.CompletedProcess[str]:
    environment = {"PATH": path, "HOME": str(cwd)}
    return subprocess.run(
        [str(program), *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(not INSTALLED, reason="this checkout has no .venv with Stretto in it")
def test_the_program_finds_its_folder_through_links(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(ROOT / "bin" / "stretto")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "two").symlink_to("../one")

    done = run(tmp_path / "sub" / "two", "--version", cwd=tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (0, f"stretto {project()['version']}\n", "")


@pytest.mark.skipif(not INSTALLED, reason="this checkout has no .venv with Stretto in it")
def test_the_program_runs_no_code_of_the_folder_it_is_called_in(tmp_path: Path) -> None:
    for name in ("stretto/commands/__main__.py", "json.py", "argparse.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("raise SystemExit('code of the project ran')\n")

    done = run(ROOT / "bin" / "stretto", "workflow-status", cwd=tmp_path)

    assert done.returncode == 0
    assert done.stdout.startswith("No workflow has run here yet.")


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A plugin's folder before its first use, and `tools/`, a PATH with what the program itself calls."""
    plugin, tools = tmp_path / "plugin", tmp_path / "tools"
    (plugin / "bin").mkdir(parents=True)
    tools.mkdir()
    for name in ("bin/stretto", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, plugin / name)
    for name in ("sh", "readlink", "dirname", "cat", "cksum", "cut", "rm", "mkdir", "ln"):
        found = shutil.which(name)
        assert found
        (tools / name).symlink_to(found)
    return plugin


def tool(fresh: Path, name: str, script: str) -> None:
    path = fresh.parent / "tools" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_without_python_the_program_says_what_it_needs_and_writes_nothing(fresh: Path) -> None:
    before = sorted(p.name for p in fresh.iterdir())

    done = run(fresh / "bin" / "stretto", "--version", cwd=fresh.parent, path=str(fresh.parent / "tools"))

    assert done.returncode == 1
    assert done.stderr == "stretto: Python 3.11 or newer is needed, and none was found on PATH.\n"
    assert (done.stdout, sorted(p.name for p in fresh.iterdir())) == ("", before)


def test_a_failed_installation_leaves_nothing_and_keeps_stdout_clean(fresh: Path) -> None:
    tool(fresh, "python3", f'exec {sys.executable} "$@"')
    tool(fresh, "uv", 'case $1 in --version) ;; venv) mkdir "$5"; echo made ;; *) echo "no network"; exit 7 ;; esac')

    done = run(fresh / "bin" / "stretto", "--version", cwd=fresh.parent, path=str(fresh.parent / "tools"))

    assert (done.returncode, done.stdout) == (1, "")
    assert "made\nno network\n" in done.stderr
    assert done.stderr.endswith("Nothing was left behind.\n")
    assert [p.name for p in fresh.iterdir() if p.name.startswith(".venv")] == []


def test_the_first_use_makes_one_environment_that_later_ones_share(fresh: Path) -> None:
    tool(fresh, "python3", f'exec {sys.executable} "$@"')
    make = 'mkdir -p "$5/bin"; ln -s "$0-python" "$5/bin/python"'
    tool(fresh, "uv", f'case $1 in --version) ;; venv) echo "$$" >> "$0.log"; {make} ;; esac')
    tool(fresh, "uv-python", f'case $1 in -I) shift; echo "$@" ;; *) exec {sys.executable} "$@" ;; esac')
    tools = str(fresh.parent / "tools")

    first = run(fresh / "bin" / "stretto", "plan", "a  b", cwd=fresh.parent, path=tools)
    second = run(fresh / "bin" / "stretto", "events", cwd=fresh.parent, path=tools)

    assert (first.returncode, first.stdout) == (0, "-m stretto.commands plan a  b\n")
    assert "preparing its Python environment" in first.stderr
    assert (second.stdout, second.stderr) == ("-m stretto.commands events\n", "")
    assert len([p.name for p in fresh.iterdir() if p.name.startswith(".venv")]) == 1
    assert len((fresh.parent / "tools" / "uv.log").read_text().splitlines()) == 1


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("claude") is None, reason="Claude Code is not installed")
def test_claude_code_takes_the_plugin(tmp_path: Path) -> None:
    claude = shutil.which("claude")
    assert claude
    environment = {**os.environ, "HOME": str(tmp_path), "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}

    done = subprocess.run(
        [claude, "plugin", "validate", str(ROOT)], capture_output=True, text=True, check=False, env=environment
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert all(f"stretto:{name}" in done.stdout for name in (*HANDLERS, *ROLES))
