"""One run of an evaluation: a task in a scratch project of its own, by the whole graph or one agent alone, graded."""

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from stretto.agents.choose import header_for, parse_runner
from stretto.agents.process import run as execute
from stretto.agents.record import Recorder
from stretto.agents.retry import Patience
from stretto.agents.runner import Runner, Surroundings
from stretto.agents.task import Brief, Outcome
from stretto.commands.eval_grading import Grade, grade
from stretto.commands.scenario_ground import commit, give_python
from stretto.graph.analyze import analyze
from stretto.graph.result import Result
from stretto.graph.run import start
from stretto.graph.spec import Caps, Limits, PhaseSpec, Spec, TaskSpec
from stretto.graph.suite import EvalTask
from stretto.graph.template import instantiate, load_template
from stretto.state.errors import PermanentError, StrettoError, TransientError
from stretto.state.log import Log
from stretto.state.view import fold

Mode = Literal["orchestrated", "solo"]
MODES: Final = ("orchestrated", "solo")
ALONE: Final = "implementation"
"""The phase, and the task `alone` in it, of an agent that works alone."""
_EXCLUDE: Final = ".stretto/\n.venv/\n__pycache__/\n.pytest_cache/\n"


class Job(NamedTuple):
    """One run: which task, how, for which time, by whom. `record` is where its cassette is to lie, if anywhere."""

    name: str
    task: EvalTask
    mode: Mode
    repeat: int
    runner: str
    base: Path
    record: Path | None = None


class Runs(NamedTuple):
    """What one run came to; JSON as it stands. None is unknown, never 0.

    `broken` says why the runner itself could not work: then nothing was learnt about it, and the run does not count.
    """

    task: str
    mode: str
    repeat: int
    success: bool
    status: str
    why: str
    tests: int
    tests_failed: int
    attempts: int
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    seconds: float
    broken: str = ""


class _Noting:
    """A runner whose own failures are noted: they say nothing about its agents."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.failures: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)  # what it can count, and the like

    @property
    def name(self) -> str:
        return self._runner.name

    async def run(self, brief: Brief, surroundings: Surroundings) -> Outcome:
        try:
            return await self._runner.run(brief, surroundings)
        except PermanentError as error:
            self.failures.append(error.message)
            raise
        except TransientError as error:
            self.failures.append(f"{error.message} (it did not pass in time)")
            raise

    async def close(self) -> None:
        await self._runner.close()


def named(text: str, job: Job) -> str:
    """A runner or path with its places filled: `{task}`, `{mode}`, `{repeat}`."""
    filled = {"{task}": job.name, "{mode}": job.mode, "{repeat}": str(job.repeat)}
    for place, value in filled.items():
        text = text.replace(place, value)
    return text


async def run_job(job: Job, clock: Callable[[], float] = time.monotonic) -> Runs:
    """Run a task once and grade what it left.

    Raises:
        BadInput: There is no such runner, or it cannot be recorded.
        StrettoError: The scratch project cannot be made.
    """
    with tempfile.TemporaryDirectory(prefix="stretto-eval-", ignore_cleanup_errors=True) as folder:
        project = Path(folder).resolve() / "project"
        project.mkdir()
        store = project / ".stretto" / "state"  # whatever STRETTO_STORE says
        await commit(project, job.task.project)
        exclude = project / ".git" / "info" / "exclude"
        exclude.parent.mkdir(exist_ok=True)
        exclude.write_text(_EXCLUDE, "utf-8")
        give_python(project)
        spec = _held(job, spec_of(job))
        runner = _Noting(_runner(job, spec))
        began = clock()
        try:
            result = await start(spec, project=project, runner=runner, store=store, durability="process")
        except StrettoError as error:
            if not runner.failures:
                raise
            result = Result(spec.workflow_id, "failed", error.message)
        seconds = clock() - began
        return _told(job, store, result, seconds, await grade(project, job.task.hidden), runner.failures)


def spec_of(job: Job) -> Spec:
    """The work: the template that the description chooses, or one agent with one task. Budgets are the task's."""
    caps = Caps(tokens=job.task.tokens, seconds=job.task.seconds)
    limits = Limits(caps=caps, task_seconds=job.task.seconds)
    name, said = f"{job.name}_{job.mode}", job.task.description
    analysis = analyze(said)
    if job.mode == "orchestrated":
        found = load_template(analysis.template, None)
        return instantiate(found, said, analysis=analysis, workflow_id=name, limits=limits)
    alone = TaskSpec(id="alone", title=said.partition("\n")[0][:100], role="implementer", prompt=said)
    return Spec(
        workflow_id=name,
        description=said,
        type=analysis.type,
        template="",
        complexity=analysis.complexity,
        limits=limits.model_copy(update={"attempts": 1}),
        phases=(PhaseSpec(name=ALONE, kind="implement", tasks=(alone,)),),
    )


def _runner(job: Job, spec: Spec) -> Runner:
    text = named(job.runner, job)
    recorder = None
    if job.record:
        header = header_for(
            text,
            project=job.base,
            task=spec.description,
            template=spec.template,
            workflow=spec.workflow_id,
            recorded_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        recorder = Recorder(job.record, header)
    patience = Patience(min(spec.limits.patience_seconds, job.task.seconds))
    return parse_runner(text, project=job.base, execute=execute, patience=patience, record=recorder)


def _held(job: Job, spec: Spec) -> Spec:
    """The spec, without the cap on tokens where agents may not tell theirs: whoever says nothing is charged all of it.

    Such a run is measured against its budget when it is over.
    """
    text = job.runner.strip()
    if text.startswith(("model:", "claude")) and not text.startswith("model:script/"):
        return spec
    caps = spec.limits.caps.model_copy(update={"tokens": None})
    return spec.model_copy(update={"limits": spec.limits.model_copy(update={"caps": caps})})


def _told(job: Job, store: Path, result: Result, seconds: float, graded: Grade, failures: list[str]) -> Runs:
    with Log.open(store) as log:
        usage = fold(log.events(result.workflow_id)).usage
        tried = len(log.attempts(result.workflow_id))
    read, wrote = _whole(usage.input_tokens.total), _whole(usage.output_tokens.total)
    tokens = None if read is None or wrote is None else read + wrote
    over = tokens is not None and tokens > job.task.tokens
    ended = "" if result.status == "completed" else f"the workflow {result.status}: {result.why or result.gate}"
    spent = f"it took {tokens} tokens, and the budget is {job.task.tokens}" if over else ""
    return Runs(
        task=job.name,
        mode=job.mode,
        repeat=job.repeat,
        success=graded.passed and not over and not failures,
        status=result.status,
        why="; ".join(filter(None, (graded.why, spent, ended))),
        tests=graded.tests,
        tests_failed=graded.failed,
        attempts=tried,
        input_tokens=read,
        output_tokens=wrote,
        cost_usd=usage.cost_usd.total,
        seconds=round(seconds, 3),
        broken=failures[0] if failures else "",
    )


def _whole(count: float | None) -> int | None:
    return None if count is None else int(count)
