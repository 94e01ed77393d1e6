"""The linter of the plugin finds what the client's own validator lets pass."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stretto.commands.lint import faults

ROOT = Path(__file__).parents[2]


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    for name in ("commands", "agents", "hooks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_this_plugin_has_no_faults() -> None:
    assert faults(ROOT) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("commands/plan.md", "---\nname", "name", "has no front matter"),
        ("commands/plan.md", "name: plan", "name: [plan", "is no YAML"),
        ("commands/plan.md", "name: plan", "name: other", "is named 'other'"),
        ("commands/plan.md", "name: plan\n", "", "needs 'name', a text"),
        ("commands/plan.md", "name: plan", "name: plan\nmodle: opus", "has the key 'modle'"),
        ("commands/plan.md", "description: ", "description: " + "long " * 50, "has a description of"),
        ("commands/plan.md", "typed plan *)", "*)", "must allow Bash("),
        ("commands/plan.md", '"${CLAUDE_PLUGIN_DATA}"`', '"${CLAUDE_PLUGIN_DATA}" $ARGUMENTS`', "does not call its"),
        ("commands/plan.md", "That is", "$ARGUMENTS That is", "a placeholder"),
        ("commands/plan.md", "That is", "!`ls` That is", "a second command for a shell"),
        ("commands/plan.md", "That is", "```!\nls\n```\nThat is", "a second command for a shell"),
        ("commands/plan.md", "That is", "word " * 200, "has a body of"),
        ("commands/plan.py", "def handle(", "def handles(", "has no handler: plan.py defines no handle()"),
        ("agents/planner.md", "tools: Read", "tools: Raed", "names a tool that there is not: 'Raed'"),
        ("agents/planner.md", "name: planner", "name: planner\nmodel: gpt", "has the model 'gpt'"),
        ("agents/planner.md", "name: planner", "name: planner\nhooks: {}", "has the key 'hooks'"),
        ("hooks/hooks.json", '"SubagentStop"', '"SubagentStopped"', "names the event 'SubagentStopped'"),
        ("hooks/hooks.json", '"args"', '"arguments"', "is not in exec form"),
        ("hooks/hooks.json", '"timeout": 20', '"timeout": 6000', "needs a timeout of at most 60 s"),
        ("hooks/hooks.json", "{", "", "cannot be read"),
    ],
)
def test_a_fault_is_found_and_named(plugin: Path, file: str, old: str, new: str, said: str) -> None:
    change(plugin / file, old, new)

    found = faults(plugin)

    assert any(said in line for line in found), found
    assert all(line.startswith(file.removesuffix("py").removesuffix("md")) for line in found)


def test_a_page_without_a_handler_and_a_handler_without_a_page_are_found(plugin: Path) -> None:
    (plugin / "commands" / "plan.md").rename(plugin / "commands" / "plans.md")

    found = faults(plugin)

    assert "commands/plan.md: is missing; cli.py has a handler for it" in found
    assert "commands/plans.md: has no handler in cli.py" in found


def test_it_runs_as_a_program(plugin: Path) -> None:
    def run() -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "stretto.commands.lint", str(plugin)]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    sound = run()
    change(plugin / "commands" / "plan.md", "name: plan", "name: other")
    broken = run()

    assert (sound.returncode, sound.stdout) == (0, "The plugin has no faults.\n")
    assert broken.returncode == 1
    assert broken.stdout.startswith("commands/plan.md: is named 'other'")
