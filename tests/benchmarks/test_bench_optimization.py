"""The benchmark of the claim runs the product, repeats itself, and says what is not reached."""

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stretto.graph.metrics import Mean

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "bench_optimization.py"


@pytest.fixture(scope="module")
def program() -> dict[str, Any]:
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        return runpy.run_path(str(SCRIPT))
    finally:
        sys.path.remove(str(SCRIPT.parent))


def table(text: str) -> dict[str, list[str]]:
    """The rows of all tables by their first cell."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return {row[0]: row for row in rows}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_quick_mode_measures_every_setup_and_removes_no_work() -> None:
    argv = [sys.executable, str(SCRIPT), "--quick"]
    told = subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    rows = table(told)
    setups = ["everything off", "no barrier", "no barrier, order", "everything on"]
    assert [rows[name][0] for name in setups] == setups
    assert len({rows[name][5] for name in setups}) == 1  # the same work, in agent-hours
    assert float(rows["everything off"][1]) > 0
    assert rows["time, min"][1:3] == ["45 → 32", "-29 %"]
    served = [line.split("|")[2:7] for line in told.splitlines() if line.startswith("| the same once more")]
    off, on = ([cell.strip() for cell in row] for row in served)
    assert (off[0], off[4]) == ("off", "0")
    assert (on[0], on[2]) == ("on", "0")  # no work at all
    assert 0 < int(on[4]) < int(on[3])  # but for the project's own tests, which are always run


@pytest.mark.slow
def test_a_stream_comes_to_the_same_twice(program: dict[str, Any], tmp_path: Path) -> None:
    workflows = program["stream"](6, 1 / 600, 1)

    first, second = (program["run"](workflows, program["SETUPS"][-1], 8, tmp_path / name) for name in ("one", "two"))

    assert first == second
    assert first.work > 0


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(-40, -30, "reached"), (-32, -20, "open"), (-20, -10, "not reached"), (2, 4, "not reached: it is worse")],
)
def test_a_claim_is_reached_open_or_not_by_its_interval(
    program: dict[str, Any], low: float, high: float, word: str
) -> None:
    time = next(claim for claim in program["CLAIMS"] if claim.figure == "time")

    assert program["verdict"](time, Mean(10, (low + high) / 2, low, high)).partition(": the")[0] == word


def test_the_page_holds_a_verdict_for_each_figure_of_the_claim(program: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "optimization.md").read_text("utf-8")
    rows = table(page)

    for claim in program["CLAIMS"]:
        cells = rows[claim.words]
        assert cells[1] == f"{claim.before:g} → {claim.after:g}"
        assert re.match(r"[+-][0-9.]+ ± [0-9.]+ ", cells[5])
        assert re.match("reached|not reached|open", cells[6])
    assert rows["everything on"][5] == rows["everything off"][5]
