"""The benchmark of admission runs, repeats itself, and compares all policies on the same streams."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "bench_online.py"


def run(*args: str) -> str:
    return subprocess.run([sys.executable, str(SCRIPT), *args], capture_output=True, text=True, check=True).stdout


def test_the_quick_mode_measures_every_policy_and_says_the_same_twice() -> None:
    told = run("--quick", "--loads", "0.95")

    rows = {line.split()[1]: line.split() for line in told.splitlines()[1:5]}
    assert list(rows) == ["fifo", "clairvoyant", "ours", "strict"]
    assert rows["fifo"][3] == "+0.0"
    assert float(rows["clairvoyant"][2]) < float(rows["fifo"][2])
    assert run("--quick", "--loads", "0.95") == told
