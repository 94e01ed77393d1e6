"""Several processes write one state: what was saved is there, and whoever came too late is told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import racer
from tests.commands.clocked import Clocked


@pytest.mark.parametrize(
    ("processes", "attempts"), [(3, 40), pytest.param(4, 2500, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_no_write_is_lost_whoever_races(tmp_path: Path, processes: int, attempts: int) -> None:
    world = Clocked(tmp_path)
    world.hub("create", "shop_001", phases=["build"])
    line = [sys.executable, racer.__file__, str(tmp_path), str(attempts)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    running = [subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(processes)]
    told = [json.loads(one.communicate()[0]) for one in running]

    saved, clashed = (sum(one[name] for one in told) for name in ("saved", "clashed"))
    assert [one.returncode for one in running] == [0] * processes
    assert saved + clashed == processes * attempts
    assert world.run("coordination-hub", "load-state", "shop_001").result["state"] == {"count": saved}
    events = [e.data for e in world.events("shop_001") if "shared_version" in e.data]
    assert sum("saved" in data for data in events) == saved
    assert sum("clashes" in data for data in events) == clashed > 0
