"""The tools that models call: useful inside the workspace, harmless beyond it, and never an exception."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from stretto.agents.process import run as execute
from stretto.agents.roles import load_role
from stretto.agents.tools import Result, Toolbox, schemas, shortened


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "src" / "shop.py").write_text("def total(items):\n    return sum(items)\n")
    (root / "README.md").write_text("# Shop\n")
    (root / ".gitignore").write_text("build/\n")
    (root / "build").mkdir()
    (root / "build" / "out.py").write_text("total = 1\n")
    (root / "data.bin").write_bytes(b"\0total\0")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    return root


def box(project: Path, role: str = "implementer", writes: Sequence[str] = ()) -> Toolbox:
    return Toolbox(
        project, load_role(role), writes=writes, execute=execute, environment={"PATH": os.environ["PATH"], "LANG": "C"}
    )


def use(toolbox: Toolbox, name: str, **args: Any) -> Result:
    return asyncio.run(toolbox.use(name, args))


def test_a_file_is_written_read_edited_and_remembered(project: Path) -> None:
    toolbox = box(project)
    assert use(toolbox, "write_file", path="src/new.py", content="a = 1\nb = 2\n").ok
    assert use(toolbox, "edit_file", path="src/new.py", old="b = 2", new="b = 3").ok
    assert use(toolbox, "read_file", path="src/new.py").text == "a = 1\nb = 3\n"
    assert toolbox.written == {"src/new.py"}


def test_a_part_of_a_file_says_which_part_it_is(project: Path) -> None:
    (project / "long.txt").write_text("".join(f"{n}\n" for n in range(1, 1001)))
    assert (
        use(box(project), "read_file", path="long.txt", start=10, lines=2).text == "10\n11\n\n[lines 10 to 11 of 1000]"
    )


@pytest.mark.parametrize(("old", "count"), [("absent", 0), ("items", 2)])
def test_an_edit_needs_exactly_one_place(project: Path, old: str, count: int) -> None:
    before = (project / "src" / "shop.py").read_text()
    result = use(box(project), "edit_file", path="src/shop.py", old=old, new="x")
    assert not result.ok
    assert f"{count} times" in result.text
    assert (project / "src" / "shop.py").read_text() == before


def test_windows_line_ends_survive_an_edit(project: Path) -> None:
    (project / "dos.txt").write_bytes(b"one\r\ntwo\r\n")
    assert use(box(project), "edit_file", path="dos.txt", old="two", new="three").ok
    assert (project / "dos.txt").read_bytes() == b"one\r\nthree\r\n"


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", ".git/config", "a\0b", "", "link"])
@pytest.mark.parametrize("tool", ["read_file", "write_file", "edit_file"])
def test_paths_out_of_the_workspace_are_error_results(project: Path, tmp_path: Path, tool: str, path: str) -> None:
    (tmp_path / "x").write_text("secret")
    (project / "link").symlink_to(tmp_path / "x")
    toolbox = box(project)
    result = use(toolbox, tool, path=path, content="w", old="secret", new="w")
    assert not result.ok
    assert (tmp_path / "x").read_text() == "secret"
    assert toolbox.written == set()


def test_a_write_beside_the_declared_ones_is_refused_before_it_happens(project: Path) -> None:
    toolbox = box(project, writes=("src/", "docs/*.md"))
    assert use(toolbox, "write_file", path="src/a.py", content="").ok
    refused = use(toolbox, "write_file", path="README.md", content="")
    assert not refused.ok
    assert "declared writes" in refused.text
    assert (project / "README.md").read_text() == "# Shop\n"


def test_a_link_to_a_folder_does_not_widen_what_is_declared(project: Path) -> None:
    (project / "docs").mkdir()
    (project / "docs" / "code").symlink_to("../src")
    assert not use(box(project, writes=("docs",)), "write_file", path="docs/code/shop.py", content="").ok


@pytest.mark.parametrize("role", ["researcher", "planner", "debugger", "reviewer"])
def test_roles_that_only_read_have_no_tool_that_writes(project: Path, role: str) -> None:
    result = use(box(project, role), "write_file", path="a", content="b")
    assert not result.ok
    assert "There is no tool 'write_file' here" in result.text
    assert {"write_file", "edit_file"}.isdisjoint(tool["function"]["name"] for tool in schemas(load_role(role)))


def test_wrong_arguments_are_named(project: Path) -> None:
    assert "lines" in use(box(project), "read_file", path="README.md", lines="many").text
    assert "argv" in use(box(project), "run", argv="ls; rm -rf /").text


def test_files_are_listed_without_what_git_ignores(project: Path) -> None:
    assert use(box(project), "list_files", glob="*.py").text == "src/shop.py"


def test_files_are_listed_without_git_too(tmp_path: Path) -> None:
    (tmp_path / "plain" / "sub").mkdir(parents=True)
    (tmp_path / "plain" / "sub" / "a.txt").write_text("x")
    assert use(box(tmp_path / "plain"), "list_files").text == "sub/a.txt"


def test_search_finds_lines_and_skips_binary_files(project: Path) -> None:
    assert use(box(project), "search", pattern=r"tot\w+").text == "src/shop.py:1:def total(items):"
    assert use(box(project), "search", pattern="total", path="README.md").text == "Nothing found in 1 files."


def test_search_does_not_follow_links_out(project: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("total secret")
    (project / "linked.txt").symlink_to(tmp_path / "secret.txt")
    assert "secret" not in use(box(project), "search", pattern="total").text


def test_a_pattern_that_is_none_is_told(project: Path) -> None:
    result = use(box(project), "search", pattern="(")
    assert not result.ok
    assert "not valid" in result.text


@pytest.mark.slow
def test_a_pattern_that_backtracks_for_ever_is_ended(project: Path) -> None:
    (project / "trap.txt").write_text("a" * 60 + "!")
    result = use(box(project), "search", pattern="^(a+)+$")
    assert not result.ok
    assert "simpler pattern" in result.text


def test_a_program_runs_without_a_shell_in_the_workspace(project: Path) -> None:
    result = use(
        box(project), "run", argv=[sys.executable, "-c", "import os, sys; print(os.getcwd(), sys.argv[1])", "$HOME;"]
    )
    assert result.ok
    assert f"{project} $HOME;" in result.text


def test_a_program_sees_only_the_given_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "never-to-be-seen")
    code = "import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))"
    assert "['LANG', 'PATH']" in use(box(project), "run", argv=[sys.executable, "-c", code]).text


def test_a_failing_program_is_an_error_with_its_output(project: Path) -> None:
    result = use(box(project), "run", argv=[sys.executable, "-c", "import sys; sys.exit('broken')"])
    assert not result.ok
    assert result.text == "exit code 1\n--- stderr\nbroken\n"


def test_a_program_that_hangs_is_ended(project: Path) -> None:
    result = use(box(project), "run", argv=[sys.executable, "-c", "import time; time.sleep(60)"], seconds=0.3)
    assert not result.ok
    assert "ended after its 0.3 s" in result.text


@pytest.mark.parametrize("argv", [["no-such-program-here"], ["a\0b"], [""]])
def test_a_program_that_cannot_start_is_an_error(project: Path, argv: list[str]) -> None:
    assert not use(box(project), "run", argv=argv).ok


def test_long_output_keeps_its_end() -> None:
    text = shortened("a" * 10_000 + "the reason", 1000)
    assert len(text) < 1100
    assert text.endswith("the reason")
