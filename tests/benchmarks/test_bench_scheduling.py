"""The benchmark of the what-if scheduler runs, reads the files of PSPLIB and MPLIB, and tells a missed goal."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "bench_scheduling.py"
STARS = "*" * 72
SINGLE = f"""{STARS}
PRECEDENCE RELATIONS:
jobnr.    #modes  #successors   successors
   1        1          2           2   3
   2        1          1           4
   3        1          1           4
   4        1          0
{STARS}
REQUESTS/DURATIONS:
jobnr. mode duration  R 1  R 2
------------------------------------------------------------------------
  1      1     0       0    0
  2      1     3       2    0
  3      1     4       2    1
  4      1     0       0    0
{STARS}
RESOURCEAVAILABILITIES:
  R 1  R 2
    3    1
{STARS}
"""
"""Two activities that cannot run at once: 7."""
SEVERAL = """
  2
  1
   2

  3    0
   1
   0   0   1 1:2
   4   2   1 1:3
   0   0   0
  3    1
   1
   0   0   1 2:2
   5   1   1 2:3
   0   0   0
"""
"""Two projects of one activity, which both need all there is: 4 + 5."""


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *args], capture_output=True, text=True, check=False)


def test_random_projects_are_scheduled_soundly() -> None:
    ran = run("--quick")

    assert ran.returncode == 0, ran.stderr
    assert "the gap is to a lower bound" in ran.stdout
    assert "unsound" not in ran.stdout


def test_files_are_read_and_the_gap_is_to_the_best_known(tmp_path: Path) -> None:
    (tmp_path / "j30").mkdir()
    (tmp_path / "j30" / "x.sm").write_text(SINGLE, "utf-8")
    (tmp_path / "MPLIB1_x.txt").write_text(SEVERAL, "utf-8")
    known = [{"file": "j30/x.sm", "bks": 7}, {"file": "MPLIB1_x.txt", "bks": 9}, {"file": "other.json"}]
    (tmp_path / "index.json").write_text(json.dumps(known), "utf-8")

    ran = run("--data", str(tmp_path), "--budgets", "0", "--check")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    rows = [line.split() for line in ran.stdout.splitlines()[1:3]]
    assert [(row[0], row[1], row[3]) for row in rows] == [("j30", "1", "0.00"), ("mplib1", "1", "0.00")]


def test_a_missed_goal_is_told_and_fails_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "j30").mkdir()
    (tmp_path / "j30" / "x.sm").write_text(SINGLE, "utf-8")
    (tmp_path / "index.json").write_text(json.dumps([{"file": "j30/x.sm", "bks": 5}]), "utf-8")

    told = run("--data", str(tmp_path), "--budgets", "0")
    failed = run("--data", str(tmp_path), "--budgets", "0", "--check")

    assert "j30: 40.00 % is above 1.5 %" in told.stdout
    assert (told.returncode, failed.returncode) == (0, 1)
