"""How long a dead run takes to work again: a cold `stretto orchestrate --resume` until WORKFLOW_RESUMED is in the log.

    python benchmarks/bench_resume.py [--rounds 10]

Beside it, as whole processes in the same rounds, `python -c "import langgraph.graph"`, without which no checkpoint can
be read, and a bare start of the interpreter. Each round kills the driver with SIGKILL while its agent works, then runs
these and the resume. "Cold" is a new process with its byte code made and its files in the system's cache.
"""

import argparse
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from stretto.state.log import Log
from stretto.state.wake import Bell

LIMIT = 2.0
WORKFLOW = "sessions_001"
AGENT = "import sys, time; sys.stdin.read(); time.sleep(600)"
STORE = Path(".stretto/state")


def project(root: Path) -> Path:
    """A git project with one file."""
    root.mkdir()
    (root / "README.md").write_text("# Sessions\n")
    me = ("-c", "user.name=bench", "-c", "user.email=bench@example.com")
    for words in (("init", "-q"), ("add", "-A"), (*me, "commit", "-q", "-m", "Begin")):
        subprocess.run(["git", *words], cwd=root, check=True)
    return root


def started(root: Path, kind: str, after: int, *words: str) -> "tuple[float, subprocess.Popen[bytes]]":
    """Run `stretto` until an event of this type is in the log; the seconds that took, and the process, which works."""
    command = [sys.executable, "-m", "stretto.commands", "orchestrate", *words]
    with Log.open(root / STORE) as log, closing(Bell.hang(root / STORE)) as bell:
        began = time.perf_counter()
        driver = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while all(e.type != kind for e in log.events(after=after)):
            if driver.poll() is not None or time.perf_counter() - began > 120:
                raise SystemExit(f"{shlex.join(command)} ended with {driver.poll()} before {kind}")
            bell.wait(0.1)
        return time.perf_counter() - began, driver


def working(root: Path) -> int:
    """Wait until an agent works; the number of the newest event."""
    with Log.open(root / STORE) as log, closing(Bell.hang(root / STORE)) as bell:
        while [e.type for e in log.events(after=log.last_seq() - 1)] != ["TASK_STARTED"]:
            bell.wait(0.1)
        return log.last_seq()


def took(*words: str) -> float:
    """Seconds of a Python of its own."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True)
    return time.perf_counter() - began


def row(name: str, times: Sequence[float], bare: Sequence[float]) -> str:
    """Median and worst, and the ratio to a bare start."""
    middle = statistics.median(times)
    return f"{name:<44} {middle:7.2f} {max(times):7.2f} {middle / statistics.median(bare):8.1f}"


def main() -> None:
    """Print a row for each of the three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    agent = f"command:{shlex.join([sys.executable, '-I', '-S', '-c', AGENT])}"
    resumed: list[float] = []
    imports: list[float] = []
    bare: list[float] = []
    with tempfile.TemporaryDirectory() as temporary:
        root = project(Path(temporary).resolve() / "project")
        words = ("Say how sessions are stored", "--workflow-id", WORKFLOW, "--runner", agent)
        _, driver = started(root, "WORKFLOW_STARTED", 0, *words)
        try:
            for _ in range(rounds):
                last = working(root)
                driver.kill()
                driver.wait()
                imports.append(took("-c", "import langgraph.graph"))  # while no driver is at work
                bare.append(took("-c", "pass"))
                seconds, driver = started(root, "WORKFLOW_RESUMED", last, "--resume", WORKFLOW)
                resumed.append(seconds)
        finally:
            driver.kill()
            driver.wait()
    print(f"{'seconds':<44} {'median':>7} {'worst':>7} {'x bare':>8}   n = {rounds}")
    print(row("orchestrate --resume until WORKFLOW_RESUMED", resumed, bare))
    print(row('python -c "import langgraph.graph"', imports, bare))
    print(row("python -c pass", bare, bare))
    middle, graph = statistics.median(resumed), statistics.median(imports)
    print(f"ours beside LangGraph's import: {middle - graph:.2f} s, {middle / graph:.2f} x its time")
    print(f"under {LIMIT:g} s: {'yes' if middle < LIMIT else 'no'} ({sum(s < LIMIT for s in resumed)} of {rounds})")


if __name__ == "__main__":
    main()
