"""The advice on 240 plans that were replayed all three ways: fitted on one half, judged on the other."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stretto.graph.mode_cost import Figures

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "bench_advice.py"


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *args], capture_output=True, text=True, check=False)


def test_on_plans_that_it_was_not_fitted_to_the_cheapest_mode_is_picked_four_times_of_five() -> None:
    ran = run("--check")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    held_out = ran.stdout.partition("held out: 120")[2]
    found = re.search(r"right: (\d+) of 120", held_out)
    assert found
    assert int(found[1]) >= 96
    always = [int(n) for n in re.findall(r"always \w+: (\d+) of 120", held_out)]
    assert max(always) < 0.55 * 120 < int(found[1])  # so no single mode would have done


def test_the_published_figures_are_those_that_the_other_half_gives() -> None:
    fitted = {name: float(value) for name, value in (row.split() for row in run("--fit").stdout.splitlines())}

    published = {name: value for name, value in Figures()._asdict().items() if name in fitted}
    assert len(published) == 7
    assert fitted == pytest.approx(published, rel=0.05, abs=0.005)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_the_simulator_says_is_what_happens_when_the_engine_carries_plans_out() -> None:
    """Real git, merges, checks and tool loop: the same attempts, clashes, output and time, the input within 3 %."""
    script = SCRIPT.with_name("engine_plans.py")
    ran = subprocess.run([sys.executable, str(script), "--json"], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    rows = [json.loads(row) for row in ran.stdout.splitlines()]
    assert {row["mode"] for row in rows} == {"solo", "serial", "parallel"}
    assert sum(row["real"]["failures"] for row in rows if row["mode"] == "parallel") >= 3  # clashes did happen
    for row in rows:
        foreseen, happened = row["simulated"], row["real"]
        for exact in ("output", "attempts", "failures", "done"):
            assert happened[exact] == foreseen[exact], row
        assert happened["seconds"] == pytest.approx(foreseen["seconds"], abs=0.01), row
        assert happened["input"] == pytest.approx(foreseen["input"], rel=0.03), row
