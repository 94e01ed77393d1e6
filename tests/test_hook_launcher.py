"""hooks/run and hooks/hook.py: one door for every hook, which finds its Python and never fails the session."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stretto.commands.hook import HOOKS

ROOT = Path(__file__).parents[1]
ECHO = """
def answer(payload):
    return {"told": payload}

def fail(payload):
    raise ValueError("no\\nway \\ud800")

def nothing(payload):
    return None
"""
TABLE = '{"guard": "echoing:answer", "launch": "echoing:fail", "stop": "echoing:nothing", "skill": "gone:answer"}'
NEEDED = "Python 3.11 or newer is needed"


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A plugin with the launcher as it is, and hooks of this test."""
    folder = tmp_path / "a plugin"
    shutil.copytree(ROOT / "hooks", folder / "hooks", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "commands").mkdir()
    text = (ROOT / "commands" / "hook.py").read_text("utf-8")
    head, found, tail = text.partition("HOOKS: dict[str, str] = ")
    assert found
    rest = tail[tail.index('\n"""Events') :]
    (folder / "commands" / "hook.py").write_text(f"{head}{found}{TABLE}{rest}", "utf-8")
    (folder / "commands" / "__init__.py").write_text("")
    (folder / "commands" / "echoing.py").write_text(ECHO)
    (folder / "state").mkdir()
    for name in ("__init__.py", "quick_json.py"):
        shutil.copyfile(ROOT / "state" / name, folder / "state" / name)
    return folder


class Ran:
    def __init__(self, done: subprocess.CompletedProcess[bytes]) -> None:
        self.code, self.out, self.err = done.returncode, done.stdout.decode(), done.stderr.decode()


def run(plugin: Path, event: str, stdin: bytes = b'{"n": 1}', **environment: str) -> Ran:
    data = plugin.parent / "data"
    given = {"PATH": "/usr/bin:/bin", "CLAUDE_PLUGIN_DATA": str(data), "HOME": str(plugin.parent), **environment}
    argv = ["/bin/sh", str(plugin / "hooks" / "run"), event]
    return Ran(subprocess.run(argv, input=stdin, env=given, capture_output=True, check=False, cwd=plugin.parent))


def remember(plugin: Path, text: str) -> Path:
    file = plugin.parent / "data" / "python"
    file.parent.mkdir()
    file.write_text(text)
    return file


def python_on(folder: Path, name: str, script: str = "") -> str:
    """A PATH of one folder, with one program."""
    folder.mkdir()
    (folder / name).write_text("#!/bin/sh\n" + (script or f'exec {sys.executable} "$@"') + "\n")
    (folder / name).chmod(0o755)
    return str(folder)


def tree(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*")}


def test_an_event_reaches_its_hook_and_the_answer_the_client(plugin: Path) -> None:
    remember(plugin, sys.executable + "\n")

    ran = run(plugin, "guard", '{"path": "ü\\ud800"}'.encode())

    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out) == {"told": {"path": "ü\ud800"}}


def test_the_first_python_that_is_new_enough_is_remembered(plugin: Path) -> None:
    path = python_on(plugin.parent / "bin", "python3")

    first = run(plugin, "guard", PATH=path)
    second = run(plugin, "guard", PATH="")

    assert first.out == second.out == '{"told": {"n": 1}}\n'
    assert (plugin.parent / "data" / "python").read_text() == f"{sys.executable}\n"


def test_a_remembered_python_that_is_gone_is_looked_for_again(plugin: Path) -> None:
    file = remember(plugin, f"{plugin.parent}/gone/python3\n")

    ran = run(plugin, "guard", PATH=python_on(plugin.parent / "bin", "python3"))

    assert (ran.code, ran.out) == (0, '{"told": {"n": 1}}\n')
    assert file.read_text() == f"{sys.executable}\n"


@pytest.mark.parametrize("script", ["exit 86", "exit 2", "exit 127", "nonsense-that-is-no-program"])
def test_a_program_that_is_no_python_for_us_leaves_the_event_to_the_next(plugin: Path, script: str) -> None:
    path = python_on(plugin.parent / "bin", "python3.14", script)
    file = remember(plugin, f"{plugin.parent}/bin/python3.14\n")

    ran = run(plugin, "guard", PATH=path + ":" + python_on(plugin.parent / "later", "python3"))

    assert (ran.code, ran.out) == (0, '{"told": {"n": 1}}\n')
    assert file.read_text() == f"{sys.executable}\n"


def test_a_shim_with_nothing_behind_it_is_not_heard(plugin: Path) -> None:
    path = python_on(plugin.parent / "bin", "python3.14", "echo 'python3.14: command not found' >&2; exit 127")

    ran = run(plugin, "guard", PATH=path + ":" + python_on(plugin.parent / "later", "python3"))

    assert (ran.out, ran.err) == ('{"told": {"n": 1}}\n', "")


def test_a_python_that_dies_in_the_middle_is_not_asked_twice(plugin: Path) -> None:
    dies = f'[ "$3" = -c ] || echo once >>"{plugin.parent}/log"; [ "$3" = -c ]'
    path = python_on(plugin.parent / "bin", "python3", dies)

    ran = run(plugin, "guard", PATH=path)

    assert (ran.code, ran.out) == (0, "")
    assert (plugin.parent / "log").read_text() == "once\n"


def test_without_python_one_line_is_said_when_a_session_starts_and_nothing_else(plugin: Path) -> None:
    (plugin.parent / "data").mkdir()

    started = run(plugin, "session-start", PATH=str(plugin.parent))
    later = [run(plugin, event, PATH=str(plugin.parent)) for event in ("guard", "stop", "expansion")]

    assert (started.code, started.err) == (0, "")
    assert NEEDED in json.loads(started.out)["systemMessage"]
    assert len(started.out.splitlines()) == 1
    assert [(r.code, r.out, r.err) for r in later] == [(0, "", "")] * 3


def test_that_there_is_no_python_is_not_found_out_at_every_event(plugin: Path) -> None:
    file = remember(plugin, "\n")
    path = python_on(plugin.parent / "bin", "python3")

    asked_at_once = run(plugin, "guard", PATH=path)
    run(plugin, "session-start", PATH=path)

    assert (asked_at_once.code, asked_at_once.out) == (0, "")
    assert file.read_text() == f"{sys.executable}\n"
    assert run(plugin, "guard", PATH=path).out


def test_a_hook_that_fails_is_one_line_on_stderr_and_no_failure(plugin: Path) -> None:
    remember(plugin, sys.executable + "\n")

    ran, told = run(plugin, "launch"), run(plugin, "launch", STRETTO_DEBUG="1")

    assert (ran.code, ran.out) == (0, "")
    assert ran.err == "stretto: hook launch: ValueError: no way \\ud800\n"
    assert "Traceback" in told.err


@pytest.mark.parametrize(
    ("event", "stdin"),
    [("guard", b""), ("guard", b"[1]"), ("guard", b"\xff{"), ("guard", b"{" * 5000), ("skill", b"{}")],
)
def test_what_cannot_be_served_is_one_line_on_stderr_and_no_failure(plugin: Path, event: str, stdin: bytes) -> None:
    remember(plugin, sys.executable + "\n")

    ran = run(plugin, event, stdin)

    assert (ran.code, ran.out) == (0, "")
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("event", ["stop", "unheard-of", "", "../guard", "--version"])
def test_an_event_without_an_answer_says_nothing(plugin: Path, event: str) -> None:
    remember(plugin, sys.executable + "\n")

    ran = run(plugin, event)

    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_a_damaged_plugin_fails_no_session(plugin: Path) -> None:
    remember(plugin, sys.executable + "\n")
    (plugin / "commands" / "hook.py").write_text("this is no Python")

    damaged = run(plugin, "guard")
    (plugin / "hooks" / "hook.py").unlink()
    (plugin / "hooks" / "find_python.sh").unlink()
    gone = run(plugin, "guard")

    assert (damaged.code, damaged.out, gone.code, gone.out) == (0, "", 0, "")
    assert len(damaged.err.splitlines()) == 1


def test_nothing_is_written_in_the_folder_of_the_plugin(plugin: Path) -> None:
    before = tree(plugin)

    run(plugin, "guard", PATH=python_on(plugin.parent / "bin", "python3"))

    assert tree(plugin) == before
    assert "python" in tree(plugin.parent / "data")


def test_without_a_data_folder_events_are_served_all_the_same(plugin: Path) -> None:
    ran = run(plugin, "guard", CLAUDE_PLUGIN_DATA="", PATH=python_on(plugin.parent / "bin", "python3"))

    assert (ran.code, ran.out) == (0, '{"told": {"n": 1}}\n')


def test_a_data_folder_that_cannot_be_written_costs_a_search_and_nothing_more(plugin: Path) -> None:
    (plugin.parent / "data").write_text("a file stands where the folder should")

    ran = run(plugin, "guard", PATH=python_on(plugin.parent / "bin", "python3"))

    assert (ran.code, ran.out) == (0, '{"told": {"n": 1}}\n')


def test_what_stands_before_the_version_check_can_be_read_by_any_python_3() -> None:
    ast.parse((ROOT / "hooks" / "hook.py").read_text("utf-8"), feature_version=(3, 7))


def test_when_a_session_starts_its_shells_are_told_where_the_data_is(plugin: Path) -> None:
    data, exports = plugin.parent / "it's a $(folder)", plugin.parent / "exports"

    run(plugin, "session-start", CLAUDE_PLUGIN_DATA=str(data), CLAUDE_ENV_FILE=str(exports))
    run(plugin, "guard", CLAUDE_PLUGIN_DATA=str(data), CLAUDE_ENV_FILE=str(exports))

    told = subprocess.run(["sh", "-c", f'. "{exports}"; printf %s "$STRETTO_DATA"'], capture_output=True, check=True)
    assert told.stdout.decode() == str(data)
    assert len(exports.read_text().splitlines()) == 1


def registered() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = json.loads((ROOT / "hooks" / "hooks.json").read_text("utf-8"))["hooks"]
    return found


def test_every_hook_is_started_without_a_shell_line_and_with_a_bound_on_its_time() -> None:
    handlers = [handler for entries in registered().values() for entry in entries for handler in entry["hooks"]]

    for handler in handlers:
        assert (handler["type"], handler["command"]) == ("command", "sh")
        assert 0 < handler["timeout"] <= 60
        if handler.get("async"):
            assert handler["args"] == ["${CLAUDE_PLUGIN_ROOT}/bin/stretto", "prepare"]
        else:
            assert handler["args"][0] == "${CLAUDE_PLUGIN_ROOT}/hooks/run"
    assert {handler["args"][1] for handler in handlers} == {*HOOKS, "prepare"}
    assert os.access(ROOT / "hooks" / "run", os.X_OK)
