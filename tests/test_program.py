"""bin/stretto: finds or makes the Python environment that it runs in, and never in the folder of the plugin."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
INSTALLED = (ROOT / ".venv" / "bin" / "stretto").exists()
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")
Ran = subprocess.CompletedProcess[str]


def version() -> str:
    told: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return str(told["version"])


def run(program: Path, *arguments: str, cwd: Path, path: str = "/usr/bin:/bin", **more: str) -> Ran:
    environment = {"PATH": path, "HOME": str(cwd), **more}
    return subprocess.run(
        [str(program), *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(not INSTALLED, reason="this checkout has no .venv with Stretto in it")
def test_the_program_finds_its_folder_through_links(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(ROOT / "bin" / "stretto")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "two").symlink_to("../one")

    done = run(tmp_path / "sub" / "two", "--version", cwd=tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (0, f"stretto {version()}\n", "")


@pytest.mark.skipif(not INSTALLED, reason="this checkout has no .venv with Stretto in it")
def test_the_program_runs_no_code_of_the_folder_it_is_called_in(tmp_path: Path) -> None:
    for name in ("stretto/commands/__main__.py", "json.py", "argparse.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("raise SystemExit('code of the project ran')\n")

    done = run(ROOT / "bin" / "stretto", "workflow-status", cwd=tmp_path)

    assert done.returncode == 0
    assert done.stdout.startswith("No workflow has run here yet.")


class Fresh:
    """A plugin before its first use, and a PATH with what the program itself calls, a Python and a uv that installs
    nothing: the Python of its environments prints what it is called with."""

    def __init__(self, folder: Path, place: str = "plugin") -> None:
        self.home = folder
        self.plugin = folder / place
        self.tools = folder / "tools"
        self.data = folder / "data"
        for name in ("bin", "hooks"):
            shutil.copytree(ROOT / name, self.plugin / name, ignore=LEFT_OUT)
        for name in ("pyproject.toml", "constraints.txt", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, self.plugin / name)
        for name in ("testing", "commands", "packs", "graph/templates", "agents", "state"):
            (self.plugin / name).mkdir(parents=True)
            (self.plugin / name / "one.py").write_text("")
        (self.plugin / "graph" / "one.py").write_text("")
        self.tools.mkdir()
        for name in ("sh", "readlink", "dirname", "cat", "cksum", "cut"):
            found = shutil.which(name)
            assert found
            (self.tools / name).symlink_to(found)

    def tool(self, name: str, script: str) -> None:
        (self.tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.tools / name).chmod(0o755)

    def with_uv(self, more: str = "") -> "Fresh":
        self.tool("python3", f'exec {sys.executable} "$@"')
        python = '#!/bin/sh\\nshift; echo "$@"\\n'
        make = f'/bin/mkdir -p "$5/bin"; printf \'{python}\' >"$5/bin/python"; /bin/chmod +x "$5/bin/python"'
        self.tool("uv", f'echo "$@" >>"{self.home}/log"; case $1 in venv) {make} ;; pip) {more}: ;; esac')
        return self

    def log(self) -> list[str]:
        """What was really made, a line for each environment."""
        file = self.home / "log"
        return [line for line in file.read_text().splitlines() if line.startswith("venv")] if file.exists() else []

    def run(self, *arguments: str, **more: str) -> Ran:
        environment = {"STRETTO_DATA": str(self.data), **more}
        return run(self.plugin / "bin" / "stretto", *arguments, cwd=self.home, path=str(self.tools), **environment)

    def environments(self, folder: Path | None = None) -> list[str]:
        return sorted(path.name for path in (folder or self.data).glob("*") if path.is_dir())


@pytest.fixture
def fresh(tmp_path: Path) -> Fresh:
    return Fresh(tmp_path)


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_first_use_makes_one_environment_that_later_ones_share(fresh: Fresh) -> None:
    fresh.with_uv()
    before = names(fresh.plugin)

    first, second = fresh.run("plan", "a  b"), fresh.run("events")

    assert (first.returncode, first.stdout) == (0, "-m stretto.commands plan a  b\n")
    assert first.stderr.startswith("stretto: preparing its Python environment in ")
    assert (second.stdout, second.stderr) == ("-m stretto.commands events\n", "")
    assert len(fresh.log()) == len(fresh.environments()) == 1
    assert names(fresh.plugin) == before


@pytest.mark.parametrize("changed", ["pyproject.toml", "constraints.txt", "commands/one.py", "graph/templates/one.py"])
def test_an_update_makes_an_environment_of_its_own(fresh: Fresh, changed: str) -> None:
    fresh.with_uv().run("events")
    with (fresh.plugin / changed).open("a") as file:
        file.write("\n# new\n")

    fresh.run("events")

    assert len(fresh.log()) == len(fresh.environments()) == 2


def test_an_environment_that_nothing_used_for_long_goes_when_a_new_one_comes(fresh: Fresh) -> None:
    fresh.with_uv()
    for name, age in (("env-1", 40), ("env-2", 20)):
        (fresh.data / name).mkdir(parents=True)
        (fresh.data / name / "used").write_text("")
        then = time.time() - age * 86_400
        os.utime(fresh.data / name / "used", (then, then))
    (fresh.data / "new-dead").mkdir()
    (fresh.data / "args").mkdir()

    fresh.run("events")

    left = fresh.environments()
    assert len(left) == 3
    assert {"env-2", "args"} < set(left)


@pytest.mark.parametrize(
    ("place", "given", "expected"),
    [
        ("plugin", {"CLAUDE_PLUGIN_DATA": "{home}/told"}, "told"),
        ("plugin", {"CLAUDE_PLUGIN_DATA": "{home}/told", "STRETTO_DATA": "{home}/chosen"}, "chosen"),
        ("c/plugins/cache/acme/stretto/0.1.0", {}, "c/plugins/data/stretto-acme"),
        ("plugin", {"XDG_DATA_HOME": "{home}/xdg"}, "xdg/stretto"),
        ("plugin", {}, ".local/share/stretto"),
    ],
)
def test_the_environment_lies_where_the_plugins_data_does(
    tmp_path: Path, place: str, given: dict[str, str], expected: str
) -> None:
    fresh = Fresh(tmp_path, place).with_uv()
    environment = {"STRETTO_DATA": "", **{k: v.format(home=tmp_path) for k, v in given.items()}}

    done = fresh.run("events", **environment)

    assert done.returncode == 0, done.stderr
    assert len(fresh.environments(tmp_path / expected)) == 1


def test_a_page_says_where_the_data_is(fresh: Fresh, tmp_path: Path) -> None:
    done = fresh.with_uv().run("typed", "report", str(tmp_path / "a page's data"), STRETTO_DATA="")

    assert done.stdout == f"-m stretto.commands typed report {tmp_path}/a page's data\n"
    assert len(fresh.environments(tmp_path / "a page's data")) == 1


def test_without_python_the_program_says_what_it_needs_and_writes_nothing(fresh: Fresh) -> None:
    before = names(fresh.home)

    done, page, hook = fresh.run("--version"), fresh.run("typed", "report", ""), fresh.run("prepare")

    needed = "Python 3.11 or newer is needed, and none was found."
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"stretto: {needed}\n")
    assert (page.returncode, page.stdout, page.stderr) == (0, f"Nothing was done. stretto: {needed}\n", "")
    assert (hook.returncode, hook.stdout, hook.stderr) == (0, "", "")
    assert names(fresh.home) == before


def test_a_python_that_is_too_old_is_passed_over(fresh: Fresh) -> None:
    fresh.with_uv()
    fresh.tool("python3.14", "exit 1")
    fresh.data.mkdir()
    (fresh.data / "python").write_text("/nowhere/python\n")

    assert fresh.run("events").returncode == 0


def test_a_failed_installation_leaves_nothing_and_keeps_stdout_clean(fresh: Fresh) -> None:
    fresh.with_uv("echo no network; exit 7;")

    done = fresh.run("--version")

    assert (done.returncode, done.stdout) == (1, "")
    assert "could not be made; nothing was left behind. uv said:\nno network" in done.stderr
    assert fresh.environments() == []


def test_a_failed_installation_is_a_text_for_a_page_and_nothing_for_a_hook(fresh: Fresh) -> None:
    fresh.with_uv("echo no network; exit 7;")

    page, hook = fresh.run("typed", "report", str(fresh.data)), fresh.run("prepare")

    assert (page.returncode, page.stderr) == (0, "")
    assert page.stdout.startswith("Nothing was done. stretto: its Python environment could not be made")
    assert "no network" in page.stdout
    assert (hook.returncode, hook.stdout, hook.stderr) == (0, "", "")


def test_a_data_folder_that_cannot_be_made_is_said(fresh: Fresh) -> None:
    fresh.with_uv()
    fresh.data.write_text("a file")

    done = fresh.run("--version")

    assert done.returncode == 1
    assert f"stretto: its Python environment cannot be made in {fresh.data}: " in done.stderr


def test_where_none_may_be_made_there_is_an_exit_code_for_it(fresh: Fresh) -> None:
    done = fresh.with_uv().run("line", "-", STRETTO_BUILD="never")

    assert (done.returncode, done.stdout, done.stderr) == (75, "", "")
    assert fresh.log() == []


def test_a_hook_has_it_made_in_the_background(fresh: Fresh) -> None:
    done = fresh.with_uv().run("prepare")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    until(lambda: any(name.startswith("env-") for name in fresh.environments()))
    assert fresh.run("prepare").stdout == ""
    assert len(fresh.log()) == 1


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux says who waits for a lock")
def test_of_two_first_uses_one_makes_it_and_the_other_waits_and_says_so(fresh: Fresh) -> None:
    gate = fresh.home / "gate"
    fresh.with_uv(f'while [ ! -e "{gate}" ]; do /bin/sleep 0.05; done;')
    argv = [str(fresh.plugin / "bin" / "stretto"), "events"]
    environment = {"PATH": str(fresh.tools), "HOME": str(fresh.home), "STRETTO_DATA": str(fresh.data)}

    def begin() -> subprocess.Popen[bytes]:
        return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    first = begin()
    until(lambda: len(fresh.log()) == 1)
    second = begin()
    until(lambda: waiting(fresh.data / "environment.lock"))
    gate.touch()
    told = [process.communicate(timeout=20) for process in (first, second)]

    assert [out for out, _ in told] == [b"-m stretto.commands events\n"] * 2
    assert b"another process is preparing its Python environment; waiting" in told[1][1]
    assert len(fresh.log()) == len(fresh.environments()) == 1


def waiting(lock: Path) -> bool:
    """Whether a process waits for the lock: the kernel lists it with an arrow."""
    inode = str(lock.stat().st_ino)
    return any("->" in line and f":{inode} " in line for line in Path("/proc/locks").read_text().splitlines())


def test_one_who_died_over_it_is_no_obstacle(fresh: Fresh) -> None:
    fresh.with_uv(f'touch "{fresh.home}/begun"; /bin/sleep 60;')
    argv = [str(fresh.plugin / "bin" / "stretto"), "events"]
    environment = {"PATH": f"{fresh.tools}:/usr/bin:/bin", "HOME": str(fresh.home), "STRETTO_DATA": str(fresh.data)}
    died = subprocess.Popen(argv, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    until((fresh.home / "begun").exists)
    os.killpg(died.pid, signal.SIGKILL)
    died.wait()
    assert [name[:4] for name in fresh.environments()] == ["new-"]

    done = fresh.with_uv().run("events")

    assert done.returncode == 0, done.stderr
    assert [name[:4] for name in fresh.environments()] == ["env-"]
    with (fresh.data / "environment.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.slow
def test_an_installed_plugin_whose_folder_is_read_only_gets_a_real_environment(tmp_path: Path) -> None:
    """With the network: from a copy of the plugin to a command that ran, and a second one that need not wait."""
    plugin = tmp_path / "plugins" / "cache" / "acme" / "stretto" / version()
    for name in ("bin", "hooks", "testing", "commands", "packs", "graph", "agents", "state"):
        shutil.copytree(ROOT / name, plugin / name, ignore=LEFT_OUT)
    for name in ("pyproject.toml", "constraints.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, plugin / name)
    for folder, _, files in os.walk(plugin):
        for name in files:
            (Path(folder) / name).chmod(0o555 if name in {"stretto", "run"} else 0o444)
        Path(folder).chmod(0o555)
    kept = {k: v for k, v in os.environ.items() if k.endswith(("_PROXY", "_proxy", "CERT", "CERTS", "CERT_FILE"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    before = names(plugin)

    first = run(
        plugin / "bin" / "stretto",
        "orchestrate",
        "Add a greeting",
        "--dry-run",
        "--json",
        cwd=tmp_path,
        path=path,
        **kept,
    )
    second = run(plugin / "bin" / "stretto", "--version", cwd=tmp_path, **kept)

    assert json.loads(first.stdout)["command"] == "orchestrate", first.stderr
    assert (second.returncode, second.stdout, second.stderr) == (0, f"stretto {version()}\n", "")
    assert len(list((tmp_path / "plugins" / "data" / "stretto-acme").glob("env-*"))) == 1
    assert names(plugin) == before
    for folder, _, _ in os.walk(plugin):
        Path(folder).chmod(0o755)
