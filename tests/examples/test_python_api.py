"""The example of the Python API runs as it stands, with the example agent."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
def test_the_example_compiles_watches_answers_and_merges(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / "python_api.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "__start__ --> research;" in done.stdout
    assert [line.split()[1:] for line in lines if "WORKFLOW_STARTED" in line] == [["WORKFLOW_STARTED", "setup"]]
    assert lines[-2] == "paused at the gate 'plan'"
    assert lines[-1].startswith("completed, merged: True, ")
    assert "not i.done" in (tmp_path / "todo" / "src" / "todo" / "counting.py").read_text()
