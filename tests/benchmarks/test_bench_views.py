"""The benchmark of views: decisions are seen by another process, events come under load, both soon."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "bench_views.py"
SECONDS = 20.0
"""The bound of a test on a machine that does other things; the benchmark itself judges by 250 ms."""


@pytest.mark.slow
def test_a_decision_is_seen_by_another_process_and_every_event_comes() -> None:
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), "--decisions", "12", "--seconds", "1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )

    assert ran.returncode == 0, ran.stderr
    rows = re.findall(r"^(overview|events)\D.*?(\d+) +(\d+\.\d) +(\d+\.\d) +(\d+\.\d)$", ran.stdout, re.MULTILINE)
    assert [row[0] for row in rows] == ["overview", "events"]
    assert int(rows[0][1]) == 12
    assert int(rows[1][1]) > 0
    for row in rows:
        assert 0 < float(row[2]) <= float(row[3]) < 1000 * SECONDS
    assert "overview p99 <= 250 ms: " in ran.stdout
