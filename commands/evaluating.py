"""`stretto eval SUITE`: how often, how fast and at what cost agents do small tasks, orchestrated and alone."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from types import SimpleNamespace

from stretto.agents.choose import KINDS, parse_runner
from stretto.agents.host import HOST
from stretto.commands.app import App
from stretto.commands.eval_book import Book, Head, opened
from stretto.commands.eval_report import as_data, lines_of, report_of
from stretto.commands.eval_running import MODES, Job, Runs, named, run_job
from stretto.commands.reply import Reply
from stretto.commands.safe import one_line
from stretto.graph.suite import Suite, load_suite
from stretto.state.errors import BadInput

_MOST_REPEATS = 100


def evaluate(app: App, args: SimpleNamespace) -> Reply:
    """Run what the book does not have yet, and report on all of it. Exit code 1 if a runner could not work.

    Raises:
        BadInput: There is no such suite, task or runner, or the book is of another evaluation. Nothing was run.
    """
    folder = Path(app.folder)
    suite = load_suite(folder / str(args.suite))
    jobs = list(_jobs(suite, folder, args))
    _runner_is_one(jobs[0])
    out = folder / str(args.out or f"eval-{suite.name}.jsonl")
    with opened(out, Head(suite.name, suite.digest, str(args.runner))) as book:
        todo = [job for job in jobs if not book.has(job.name, job.mode, job.repeat)]
        had = len(jobs) - len(todo)
        stopped = _run_all(todo, book, app)
        asked = {(job.name, job.mode, job.repeat) for job in jobs}
        runs = [run for run in book.runs if (run.task, run.mode, run.repeat) in asked]
    return _reply(suite, runs, out, had, stopped=stopped, total=len(jobs))


def _jobs(suite: Suite, folder: Path, args: SimpleNamespace) -> Iterator[Job]:
    """Task by task, each in all modes, so that what is compared ran at about the same time."""
    if args.against not in (None, "solo"):
        raise BadInput(
            f"There is nothing called {args.against!r} to compare with.", field="--against", allowed=["solo"]
        )
    repeats = 1 if args.repeat is None else args.repeat
    if not 1 <= repeats <= _MOST_REPEATS:
        raise BadInput(f"--repeat is from 1 to {_MOST_REPEATS}, not {repeats}.", field="--repeat")
    if not args.runner:
        raise BadInput("Who is evaluated? Name a runner.", field="--runner", allowed=KINDS)
    if unknown := [name for name in args.tasks if name not in suite.tasks]:
        raise BadInput(f"The suite has no task {unknown[0]!r}.", field="--tasks", allowed=[*suite.tasks])
    modes = MODES if args.against else MODES[:1]
    records = str(args.record or "")
    for repeat, name, mode in product(range(1, repeats + 1), dict.fromkeys(args.tasks or suite.tasks), modes):
        job = Job(name, suite.tasks[name], mode, repeat, str(args.runner), folder)
        yield job._replace(record=folder / named(records, job)) if records else job
    if records and "{task}" not in records:
        raise BadInput("Each run has a cassette of its own: put {task} and {mode} in the path.", field="--record")


def _runner_is_one(job: Job) -> None:
    """Refuse a runner that cannot be, before anything is written."""
    text = named(job.runner, job)
    if text.strip() == HOST:
        raise BadInput("The host runner waits for somebody outside, and an evaluation does not.", field="--runner")
    runner = parse_runner(text, project=job.base)
    asyncio.run(runner.close())


def _run_all(jobs: list[Job], book: Book, app: App) -> bool:
    """Run them one after the other; True if somebody stopped it on the way."""
    stop = False

    def asked(number: int, frame: object) -> None:
        del number, frame
        nonlocal stop
        if stop:
            raise KeyboardInterrupt
        stop = True
        _note(app, "Stopping after this run; what is done is kept. Ctrl-C again ends it now.")

    before = signal.signal(signal.SIGINT, asked)
    try:
        for number, job in enumerate(jobs, 1):
            if stop:
                return True
            done = asyncio.run(run_job(job))
            book.add(done)
            _note(app, f"{number}/{len(jobs)} {_told(done)}")
    finally:
        signal.signal(signal.SIGINT, before)
    return False


def _told(run: Runs) -> str:
    end = "not counted" if run.broken else "succeeded" if run.success else "FAILED"
    why = "" if run.success else f": {one_line(run.broken or run.why, 200)}"
    return f"{run.task} {run.mode} {end} in {run.seconds:.1f} s{why}"


def _note(app: App, text: str) -> None:
    """Progress on stderr, for people."""
    if not app.json:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def _reply(suite: Suite, runs: list[Runs], out: Path, had: int, *, stopped: bool, total: int) -> Reply:
    report = report_of(suite, runs)
    broken = sum(bool(run.broken) for run in runs)
    head = f"{suite.name} ({suite.digest[:12]}): {len(runs)} of {total} runs"
    kept = f", {had} of them from before" if had else ""
    text = "\n".join([f"{head}{kept}", "", *lines_of(report), "", f"Each run: {out}"])
    result = {
        "suite": suite.name,
        "digest": suite.digest,
        "runs": [run._asdict() for run in runs],
        "planned": total,
        "kept": had,
        "out": str(out),
        **as_data(report),
    }
    steps = ("Give the same command again: it goes on from here.",) if stopped or broken else ()
    return Reply("eval", text, result, next_steps=steps, exit_code=3 if stopped else 1 if broken else 0)
