"""The benchmark of forecasts runs, reads traces, and fails only when asked."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "bench_forecast.py"


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), "--quick", *args], capture_output=True, text=True, check=False)


def test_the_quick_mode_measures_phases_and_workflows() -> None:
    ran = run()

    assert ran.returncode == 0, ran.stderr
    assert [line.split()[:2] for line in ran.stdout.splitlines()[1:7:2]] == [
        ["steady", "ours"],
        ["outliers", "ours"],
        ["drift", "ours"],
    ]
    assert "50%  chain" in ran.stdout


def test_traces_of_real_workflows_are_read_and_a_missed_goal_fails_when_asked(tmp_path: Path) -> None:
    """Tasks of one kind that all took nearly the same: their own quantiles are exact at once."""
    tasks = [{"id": f"t{n}", "name": f"NF:align_{n}"} for n in range(45)]
    ran = [{"id": f"t{n}", "runtimeInSeconds": 60.0 + n % 2} for n in range(45)]
    workflow = {"specification": {"tasks": tasks}, "execution": {"tasks": ran}}
    (tmp_path / "wfinstances").mkdir()
    (tmp_path / "wfinstances" / "one.json").write_text(json.dumps({"workflow": workflow}), "utf-8")

    told = run("--data", str(tmp_path))
    failed = run("--data", str(tmp_path), "--check")

    assert told.returncode == 0, told.stderr
    assert "traces: interval score" in told.stdout
    assert failed.returncode == 1
