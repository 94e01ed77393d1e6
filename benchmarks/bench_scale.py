"""What `workflow-status` takes in a large store, beside a small one: whole processes, and their memory.

    python benchmarks/bench_scale.py [--workflows 10000] [--events 1000000] [--rounds 20] [--keep DIR]

The large store holds 10,000 workflows with specs of the usual size and 1,000,000 events, sealed and chained as
ours are. It is made once, verified event by event, and kept in DIR (default: a folder in the system's temporary one).
The small one holds the workflow that is asked for and nothing else; for the list, it holds no workflow at all. Each
round runs every command once, so that whatever else the machine does meets all alike. The times on the clock are shown
with the processor's, which other programs disturb less; the limit holds for both. MB is the most memory of a process.
"""

import argparse
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from stretto.graph.analyze import analyze
from stretto.graph.template import instantiate, load_template
from stretto.state import chain, wire
from stretto.state.log import Log
from stretto.state.moments import stamp
from stretto.state.reader import seal
from stretto.state.schema import INSERT

LIMIT = 1.3
BEGAN = 1_790_000_000.0
SENTENCE = "Add multiplication, subtraction and division to the calculator, with tests and a page of documentation"
PHASES = ("research", "planning", "implementation", "testing", "documentation")
PROGRAM = """
import sys
from stretto.commands.cli import main
code = main(sys.argv[1:])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(peak.split()[1], file=sys.stderr)
sys.exit(code)
"""
STATUSES = ("COMPLETED",) * 92 + ("FAILED",) * 4 + ("CANCELLED",) * 3 + ("PAUSED",)


class Took(NamedTuple):
    """One process: seconds on the clock and of the processor, and the most memory that it had, in MB."""

    wall: float
    cpu: float
    memory: float


def name(number: int) -> str:
    """The id of a workflow."""
    return f"calculator_{number:05d}"


def history(number: int, length: int, status: str) -> Iterator[tuple[str, str, str]]:
    """Type, phase and data of the events of one workflow: tasks that start and end, phase by phase."""
    yield "WORKFLOW_CREATED", "setup", wire.compact({"description": SENTENCE, "type": "feature", "phases": PHASES})
    yield "WORKFLOW_SCHEDULED", "setup", wire.compact({"start_time": "immediate"})
    yield "WORKFLOW_STARTED", "setup", wire.compact({"branch": f"stretto/{name(number)}", "base": f"{number:040x}"})
    usage = {"input_tokens": 1200 + number, "output_tokens": 300, "cost_usd": 0.0123}
    each = max((length - 4) // (2 * len(PHASES)) - 1, 1)
    for phase in PHASES:
        yield "PHASE_STARTED", phase, wire.compact({"phase_id": phase, "tasks": each, "generation": 1})
        for task in range(each):
            facts = {"task_id": f"{phase}/T{task}", "attempt": 1, "agent_id": "implementer", "title": "A part"}
            yield "TASK_STARTED", phase, wire.compact(facts)
            results = {"summary": "Added a part and its tests.", "usage": usage, "writes": [f"src/part_{task}.py"]}
            yield "TASK_COMPLETED", phase, wire.compact({**facts, "results": results})
        yield "PHASE_COMPLETED", phase, wire.compact({"phase_id": phase, "success_metrics": {"tasks": each}})
    for step in range(length - 4 - len(PHASES) * (2 * each + 2)):
        yield "PHASE_PROGRESS", "documentation", wire.compact({"progress_percentage": step})
    reason = {"failure_reason": "no", "pause_reason": "stopped", "cancellation_reason": "asked for"}
    yield f"WORKFLOW_{status}", "finalization", wire.compact(reason)


def fill(directory: Path, workflows: Sequence[int], events: int) -> None:
    """Make a store of these workflows, with as many events together, interleaved as those of parallel runs are."""
    Log.open(directory).close()
    template, analysis = load_template("feature-development", None), analyze(SENTENCE)
    spec = instantiate(template, SENTENCE, analysis=analysis, workflow_id="x", variables={}).model_dump(mode="json")
    text, length = wire.compact(spec), events // len(workflows)
    with closing(sqlite3.connect(directory / "events.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        connection.executemany(INSERT["events"], _events(workflows, length))
        connection.executemany(INSERT["workflows"], (_workflow(n, text) for n in workflows))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _status(number: int) -> str:
    return STATUSES[number % len(STATUSES)]


def _workflow(number: int, spec: str) -> tuple[str | int, ...]:
    at = stamp(BEGAN + number)
    row = (name(number), "orchestrate", SENTENCE, _status(number), "finalization", spec, "host", 14, at, at)
    return (*row, seal(row))


def _events(workflows: Sequence[int], length: int) -> Iterator[tuple[str | int, ...]]:
    """Four workflows run at once."""
    seq = 0
    for first in range(0, len(workflows), 4):
        running = [(n, history(n, length, _status(n))) for n in workflows[first : first + 4]]
        heads = dict.fromkeys(workflows[first : first + 4], chain.GENESIS)
        while running:
            number, told = running[seq % len(running)]
            if (event := next(told, None)) is None:
                running.remove((number, told))
                continue
            seq += 1
            kind, phase, data = event
            words = (f"evt_{seq:024x}", kind, name(number), phase, stamp(BEGAN + number), "stretto", "info", data, "")
            prev, values = heads[number], (seq, *words)
            heads[number] = chain.link(prev, values)
            row = (*values, prev, heads[number])
            yield (*row, seal(row))


def made(root: Path, workflows: int, events: int) -> Path:
    """The large store, which may be there already."""
    store = root / f"scale-{workflows}-{events}"
    if not (store / "whole").exists():
        began = time.perf_counter()
        fill(store, range(1, workflows + 1), events)
        with Log.open(store) as log:
            found = log.verify()
        (store / "whole").write_text(f"{found}\n")
        print(f"made and verified {found:,} events of {workflows:,} workflows in {time.perf_counter() - began:.0f} s")
    return store


def run(store: Path, *words: str) -> Took:
    """One command, as a process of its own."""
    command = [sys.executable, "-c", PROGRAM, "workflow-status", *words, "--store", str(store)]
    before, began = _cpu(), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Took(time.perf_counter() - began, _cpu() - before, int(done.stderr) / 1024)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def middle(times: Sequence[Took]) -> Took:
    """The medians; of memory the most."""
    wall, cpu = statistics.median(t.wall for t in times), statistics.median(t.cpu for t in times)
    return Took(wall, cpu, max(t.memory for t in times))


def main() -> None:
    """Print a row for each command in each store, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--workflows", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "stretto-bench")
    args = parser.parse_args()
    large = made(args.keep, args.workflows, args.events)
    asked = random.Random(4).randrange(1, args.workflows)
    length = args.events // args.workflows
    with tempfile.TemporaryDirectory() as temporary:
        one, empty = Path(temporary) / "one", Path(temporary) / "empty"
        fill(one, [asked], length)
        Log.open(empty).close()
        cases = [(f"workflow-status {name(asked)}", one, (name(asked),)), ("workflow-status", empty, ())]
        times: list[tuple[list[Took], list[Took]]] = [([], []) for _ in cases]
        for _ in range(args.rounds + 1):
            for columns, (_, small, words) in zip(times, cases, strict=True):
                columns[0].append(run(small, *words))
                columns[1].append(run(large, *words))
        size = (large / "events.db").stat().st_size / 1e6
    print(f"large: {args.workflows:,} workflows, {args.events:,} events, {size:,.0f} MB; n = {args.rounds} each")
    print(f"{'command':<34} {'store':<6} {'ms':>8} {'cpu ms':>8} {'MB':>7} {'x ms':>6} {'x cpu':>6}")
    for columns, (case, *_) in zip(times, cases, strict=True):
        show(case, *(middle(column[1:]) for column in columns))


def show(case: str, less: Took, more: Took) -> None:
    """Two rows."""
    ratios = more.wall / less.wall, more.cpu / less.cpu
    mark = "" if max(ratios) <= LIMIT else f"  over {LIMIT:g}"
    print(f"{case:<34} small  {less.wall * 1e3:8.1f} {less.cpu * 1e3:8.1f} {less.memory:7.1f}")
    row = f"{case:<34} large  {more.wall * 1e3:8.1f} {more.cpu * 1e3:8.1f} {more.memory:7.1f}"
    print(f"{row} {ratios[0]:6.2f} {ratios[1]:6.2f}{mark}")


if __name__ == "__main__":
    main()
