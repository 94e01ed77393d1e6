"""The example projects: reproducible, sound, and wrong where they are said to be wrong."""

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from stretto.state.errors import BadInput

ROOT = Path(__file__).parents[2]
SCRATCH = runpy.run_path(str(ROOT / "examples" / "scratch.py"))
make_environment = cast("Callable[[Path], Path]", SCRATCH["make_environment"])
make_project = cast("Callable[[str, Path], Path]", SCRATCH["make_project"])
history = cast("Callable[[str], Any]", SCRATCH["history"])
names = cast("Callable[[], list[str]]", SCRATCH["names"])

TIPS = {
    "cli-todo": "191442cef3e26910361f59bd2fb2abe01f39e2e4",
    "jwt-api": "863c43aa506eb484c8749adb54a5d9b51558742c",
}


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def _python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": "src",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)


def _tests(folder: Path) -> subprocess.CompletedProcess[str]:
    return _python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider")


@pytest.mark.parametrize("name", sorted(TIPS))
def test_a_project_is_made_with_the_same_commits_everywhere(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make_project(name, tmp_path / "one")
    (tmp_path / "gitconfig").write_text("[user]\nname = Somebody\n[core]\nautocrlf = true\n[commit]\ngpgSign = true\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    two = make_project(name, tmp_path / "two")
    monkeypatch.delenv("GIT_DIR")

    assert _git(one, "rev-parse", "HEAD") == _git(two, "rev-parse", "HEAD") == f"{TIPS[name]}\n"


@pytest.mark.parametrize("name", sorted(TIPS))
def test_a_project_is_whole_and_clean(name: str, tmp_path: Path) -> None:
    made = make_project(name, tmp_path / "made")

    tracked = _git(ROOT, "ls-files", "--", f"examples/{name}/project").split()
    assert _git(made, "status", "--porcelain") == ""
    assert _git(made, "ls-files").split() == sorted(t.removeprefix(f"examples/{name}/project/") for t in tracked)
    assert 4 <= len(_git(made, "log", "--format=%H").split()) <= 6
    assert _git(made, "log", "--format=%an <%ae>").split("\n")[0] == f"{name} <{name}@example.invalid>"


def test_every_project_is_covered_here() -> None:
    assert names() == sorted(TIPS)


@pytest.mark.parametrize("name", sorted(TIPS))
def test_the_tests_of_a_project_pass(name: str, tmp_path: Path) -> None:
    made = make_project(name, tmp_path / "made")

    result = _tests(made)

    assert result.returncode == 0, result.stdout
    assert _git(made, "status", "--porcelain") == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TIPS))
def test_the_tests_of_a_project_pass_at_every_commit_that_has_some(name: str, tmp_path: Path) -> None:
    made = make_project(name, tmp_path / "made")

    for commit in _git(made, "rev-list", "--reverse", "HEAD").split():
        _git(made, "checkout", "--quiet", commit)
        assert not (made / "tests").exists() or _tests(made).returncode == 0


def test_a_copy_has_an_environment_with_pytest_and_nothing_of_ours(tmp_path: Path) -> None:
    python = make_environment(make_project("jwt-api", tmp_path / "made")) / "bin" / "python"
    program = "import importlib.util as u; print([n for n in ('pytest', 'stretto', 'hypothesis') if u.find_spec(n)])"
    clean = {"PATH": os.environ["PATH"]}

    found = subprocess.run([python, "-c", program], check=True, capture_output=True, text=True, env=clean)
    ran = subprocess.run([python, "-m", "pytest", "--version"], check=True, capture_output=True, text=True, env=clean)

    assert found.stdout == "['pytest']\n"
    assert ran.stdout.startswith("pytest ")
    assert _git(tmp_path / "made", "status", "--porcelain") == ""


def test_the_notes_api_does_not_find_a_header_that_came_from_a_server(tmp_path: Path) -> None:
    made = make_project("jwt-api", tmp_path / "made")
    program = (
        "import io; from notes_api.web import read_request; "
        "r = read_request({'REQUEST_METHOD': 'GET', 'wsgi.input': io.BytesIO(), 'HTTP_AUTHORIZATION': 'Bearer x'}, 9); "
        "print([r.header(n) for n in ('Authorization', 'authorization')])"
    )

    assert _python(made, "-c", program).stdout == "['', '']\n"


def test_the_todo_list_turns_dates_to_text(tmp_path: Path) -> None:
    made = make_project("cli-todo", tmp_path / "made")
    program = (
        "from datetime import date; from pathlib import Path; from todo.items import Item; from todo.storage import *; "
        "save(Path('t.json'), [Item(1, date(2025, 3, 1))]); print(load(Path('t.json')))"
    )

    assert _python(made, "-c", program).stdout == "[Item(id=1, text='2025-03-01', done=False)]\n"


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(BadInput, match="is there already"):
        make_project("jwt-api", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_project_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no example project '\.\./x'") as error:
        make_project("../x", tmp_path / "made")

    assert error.value.allowed == ("cli-todo", "jwt-api")
    assert not (tmp_path / "made").exists()
