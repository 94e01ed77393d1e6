"""The advice on 40 plans that it was never fitted to nor tried on, labelled by carrying them out through the engine."""

import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "fresh_labels.py"
LABELS: dict[str, Any] = json.loads(SCRIPT.with_suffix(".json").read_text("utf-8"))


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *args], capture_output=True, text=True, check=False)


def test_on_plans_of_other_shapes_the_cheapest_mode_is_picked_four_times_of_five() -> None:
    ran = run("none", "--check")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = re.search(r"advice right: (\d+) of 40", ran.stdout)
    assert found
    assert int(found[1]) >= 32
    always = [int(n) for n in re.findall(r"always \w+: (\d+) of 40", ran.stdout)]
    assert max(always) < 32  # so no single mode would have done


def test_every_plan_has_its_three_runs() -> None:
    assert len(LABELS) == 40
    for name, row in LABELS.items():
        assert set(row["ran"]) == {"solo", "serial", "parallel"}, name
        assert row["ran"][row["cheapest"]]["done"], name


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_labels_are_found_again_when_plans_are_carried_out_again() -> None:
    """Two, drawn anew each time."""
    names = random.sample(sorted(LABELS), 2)
    ran = run(*names)
    assert ran.returncode == 0, ran.stderr
    assert "labels found again: 2 of 2" in ran.stdout, ran.stdout
