"""The pytest plugin, in processes of its own: what a test with a cassette may do, and what is said when it may not."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2] / "examples" / "tested" / "project"
SETTINGS = '[tool.pytest.ini_options]\nfilterwarnings = ["error"]\naddopts = ["--strict-markers"]\n'
OF_README = "model:script/scripts/readme.yaml"
INNER = """
import asyncio, os, socket, subprocess, sys

import pytest

from stretto.agents import parse_runner
from stretto.graph import PhaseSpec, Spec, TaskSpec, start
from stretto.state import BadInput

KEPT = "cassettes/readme.jsonl"


def spec_of(prompt="Say `1h` in the README.", description="Tell of hours"):
    note = TaskSpec(id="readme", title="Tell of hours", role="implementer", prompt=prompt, writes=("README.md",))
    phases = (PhaseSpec(name="implementation", kind="implement", tasks=(note,)),)
    return Spec(workflow_id="readme_001", description=description, type="documentation_update", template="",
                complexity="low", phases=phases)


def drive(cassette, project, spec):
    return asyncio.run(start(spec, project=project.path, runner=cassette.runner_for(spec, project.path)))


@pytest.mark.cassette(KEPT)
@pytest.mark.parametrize("text", ["claude", "model:anthropic/some", "model:script/a,openai/b", "command:./agent"])
def test_refused(text, tmp_path):
    with pytest.raises(BadInput, match="is live, and nothing live runs here: this test replays readme.jsonl"):
        parse_runner(text, project=tmp_path)


@pytest.mark.cassette(KEPT)
def test_refused_in_a_command():
    words = [sys.executable, "-m", "stretto.commands", "orchestrate", "Add x", "--runner", "command:./agent"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2 and "nothing live runs here" in done.stderr


@pytest.mark.cassette(KEPT)
def test_far():
    with pytest.raises(OSError, match="The network is cut"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(OSError, match="The network is cut"):
        socket.getaddrinfo("example.org", 80)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s, pytest.raises(OSError, match="The network is cut"):
        s.sendto(b"", ("2001:db8::1", 9))


@pytest.mark.cassette(KEPT)
def test_near():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
        socket.create_connection(("localhost", server.getsockname()[1]), timeout=5).close()


def test_without_a_mark(tmp_path):
    assert "STRETTO_OFFLINE" not in os.environ
    assert parse_runner("command:true", project=tmp_path).name == "command:true"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", 9))


@pytest.mark.cassette(KEPT)
def test_drift(scratch_project, cassette):
    project = scratch_project({"README.md": "# other\\n"})
    assert drive(cassette, project, spec_of("Say something else.")).status == "completed"
    assert [(one["lane"], one["turn"]) for one in cassette.drift] == [("implementation/readme#1", n) for n in (1, 2)]


@pytest.mark.cassette(KEPT, mode="strict")
def test_strict(scratch_project, cassette):
    project = scratch_project({"README.md": "# other\\n"})
    assert drive(cassette, project, spec_of("Say something else.")).status == "failed"
    assert "Replay stopped" in cassette.misses[0]


def elsewhere():
    # The agent may not write what it wrote when it was recorded, so its tool answers otherwise.
    spec = spec_of()
    task = spec.phases[0].tasks[0].model_copy(update={"writes": ("OTHER.md",)})
    phase = spec.phases[0].model_copy(update={"tasks": (task,)})
    return spec.model_copy(update={"phases": (phase,), "limits": spec.limits.model_copy(update={"attempts": 1})})


@pytest.mark.cassette(KEPT)
def test_shape(scratch_project, cassette):
    drive(cassette, scratch_project({"README.md": "# other\\n"}), elsewhere())
    assert len(cassette.misses) == 1 and "shape" in cassette.misses[0]


@pytest.mark.cassette(KEPT)
def test_told(scratch_project, cassette):
    drive(cassette, scratch_project({"README.md": "# other\\n"}), elsewhere())
    assert "it is this that failed" == ""


@pytest.mark.cassette(KEPT, mode="lenient")
def test_lenient(scratch_project, cassette):
    drive(cassette, scratch_project({"README.md": "# other\\n"}), elsewhere())
    assert not any("shape" in miss for miss in cassette.misses)
    assert [one["turn"] for one in cassette.drift if "shape" in one.get("changed", ())] == [2]


@pytest.mark.cassette(KEPT)
def test_of_another_task(scratch_project, cassette):
    project = scratch_project({"README.md": "# other\\n"})
    with pytest.raises(BadInput, match="does not know the task"):
        drive(cassette, project, spec_of(description="Tell of days"))


@pytest.mark.cassette(KEPT)
def test_unused():
    pass


@pytest.mark.cassette(KEPT, mode="strict")
def test_unused_strict():
    pass


def test_missing(run_workflow, scratch_project):
    run_workflow("orchestrate", "Tell of hours", project=scratch_project({"a": ""}))


@pytest.mark.cassette(KEPT)
def test_decided(run_workflow, scratch_project):
    run_workflow("orchestrate", "Tell of hours", "--runner=host", project=scratch_project({"a": ""}))


@pytest.mark.cassette(KEPT, mode="loose")
def test_bad_mode():
    pass


@pytest.mark.cassette(KEPT, strict=True)
def test_bad_mark():
    pass


def test_scratch(scratch_project, tmp_path, monkeypatch):
    one, other = scratch_project({"src/a.py": "A = 1\\n"}), scratch_project({"b.txt": "b"})
    assert one.files() == {"src/a.py": "A = 1\\n"} and one.path != other.path
    assert one.git("status", "--porcelain") == "" and one.git("branch", "--show-current").strip() == "main"
    assert os.environ["HOME"].startswith(str(tmp_path)) and "STRETTO_STORE" not in os.environ
    with pytest.raises(BadInput, match="no path of a file in a scratch project"):
        scratch_project({"../out": ""})
    with pytest.raises(BadInput, match="There is no folder"):
        scratch_project("nowhere")
"""


def run(folder: Path, *words: str, cut: bool = False) -> subprocess.CompletedProcess[str]:
    before = ["unshare", "-rn"] if cut and cuts_network() else []
    argv = [*before, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:langsmith_plugin", *words]
    kept = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "COLUMNS": "300", "STRETTO_STORE": str(folder / "elsewhere")}
    return subprocess.run(argv, cwd=folder, env=kept, capture_output=True, text=True, check=False)


def cuts_network() -> bool:
    """Whether this machine lets us run a program without any network."""
    unshare = shutil.which("unshare")
    return (
        bool(unshare) and subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode == 0
    )


def copy_of_the_example(folder: Path) -> Path:
    return shutil.copytree(PROJECT, folder / "durations", ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture(scope="module")
def inner(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says about the tests above."""
    folder = tmp_path_factory.mktemp("inner")
    (folder / "pyproject.toml").write_text(SETTINGS)
    (folder / "test_inner.py").write_text(INNER)
    (folder / "cassettes").mkdir()
    (recorded,) = (PROJECT / "workflows" / "cassettes" / "test_workflows").glob("*.jsonl")
    shutil.copy(recorded, folder / "cassettes" / "readme.jsonl")
    done = run(folder, "-rA", "--tb=short")
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "refused[claude]",
        "refused[model:anthropic/some]",
        "refused[model:script/a,openai/b]",
        "refused[command:./agent]",
        "refused_in_a_command",
        "far",
        "near",
        "without_a_mark",
        "drift",
        "strict",
        "shape",
        "lenient",
        "of_another_task",
        "unused",
        "scratch",
    ],
)
def test_what_the_marked_test_above_says_holds(inner: str, name: str) -> None:
    assert re.search(rf"^PASSED test_inner.py::test_{re.escape(name)}$", inner, re.MULTILINE), inner


@pytest.mark.slow
def test_a_missing_cassette_fails_with_the_line_that_records_it(inner: str) -> None:
    assert "There is no cassette" in inner
    assert "pytest test_inner.py::test_missing --stretto-record --stretto-runner model:PROVIDER/NAME" in inner
    assert re.search(r"^FAILED test_inner.py::test_missing", inner, re.MULTILINE)


@pytest.mark.slow
def test_a_test_that_fails_in_a_program_of_its_own_shows_what_the_cassette_lacked(inner: str) -> None:
    told = inner.partition("it is this that failed")[2].partition("\n___")[0]

    assert "- cassette -" in told
    assert "Replay stopped at lane 'implementation/readme#1', turn 2" in told
    assert "pytest test_inner.py::test_told --stretto-record" in told


@pytest.mark.slow
def test_turns_that_nobody_asked_for_are_reported_and_strictly_they_fail(inner: str) -> None:
    summary = inner.partition("cassettes ===")[2]

    assert "test_unused: readme.jsonl has turns that nobody asked for: implementation/readme#1: turns 1-2" in summary
    assert "test_drift" not in summary.partition("=====")[0]
    assert re.search(r"^FAILED test_inner.py::test_unused_strict - .*nobody asked for", inner, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("bad_mode", "knows no mode 'loose': default, strict, lenient"),
        ("bad_mark", "takes a path, mode=… and runner=…, each once"),
        ("decided", "--runner is decided on by the cassette and the fixtures: leave it out"),
    ],
)
def test_what_a_mark_or_a_test_may_not_say_is_refused(inner: str, name: str, why: str) -> None:
    assert re.search(rf"^(ERROR|FAILED) test_inner.py::test_{name}\b", inner, re.MULTILINE)
    assert why in inner


def test_recording_needs_somebody_to_be_recorded(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text("def test_one(cassette): pass\n")

    nobody = run(tmp_path, "--stretto-record")
    for_nothing = run(tmp_path, "--stretto-runner", "model:a/b")

    assert "Who is recorded? Name it: --stretto-runner" in nobody.stdout
    assert nobody.returncode == 1
    assert "nothing is recorded without --stretto-record" in for_nothing.stderr
    assert for_nothing.returncode == 4


def test_a_run_without_cassettes_loads_nothing_of_stretto(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(
        "import sys\n\n\ndef test_one():\n    print(sorted(m for m in sys.modules if m.startswith('stretto')))\n"
        "    assert not {'pydantic', 'langgraph', 'langchain_core', 'yaml'} & set(sys.modules)\n"
    )

    done = run(tmp_path, "-s", "-q", "-p", "no:anyio")

    assert done.returncode == 0, done.stdout
    assert "['stretto', 'stretto.testing', 'stretto.testing.plugin']" in done.stdout


# ── the example project ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_the_example_passes_without_a_network(tmp_path: Path) -> None:
    project = copy_of_the_example(tmp_path)

    done = run(project, "workflows", "-q", cut=True)

    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


@pytest.mark.slow
def test_the_example_fails_when_its_code_does_not_fit_the_recording_any_more(tmp_path: Path) -> None:
    project = copy_of_the_example(tmp_path)
    code = project / "src" / "durations" / "__init__.py"
    code.write_text(code.read_text("utf-8").replace("{count // 60}h{count", "{count // 60}h {count"), "utf-8")

    done = run(project, "workflows", "-q", "-k", "our_template", cut=True)

    assert done.returncode == 1
    assert "Replay stopped at lane 'implementation/change#1', turn 2" in done.stdout
    assert "zero_parts.jsonl' (authored" in done.stdout
    assert "--stretto-record" in done.stdout


@pytest.mark.slow
def test_the_example_is_recorded_again_to_the_same_turns(tmp_path: Path) -> None:
    project = copy_of_the_example(tmp_path)
    kept = project / "workflows" / "cassettes"
    before = {path: path.read_text("utf-8").splitlines()[1:] for path in kept.rglob("*.jsonl")}
    for path in before:
        path.unlink()

    done = run(project, "workflows", "-q", "--stretto-record")

    assert done.returncode == 0, done.stdout
    assert {path: path.read_text("utf-8").splitlines()[1:] for path in kept.rglob("*.jsonl")} == before
