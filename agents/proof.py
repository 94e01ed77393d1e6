"""Done means proven: an outcome counts when its files exist, its checks pass and its data fits the role."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from stretto.agents.checks import CheckReport, CheckResult
from stretto.agents.data import check_data
from stretto.agents.declared import undeclared
from stretto.agents.task import Outcome, Task
from stretto.state.errors import StrettoError

Prove = Callable[[Task, Outcome], None]
"""A further proof, given by whoever knows what the outcome is for. Raises StrettoError with the reason."""


class Unproven(NamedTuple):
    """Why an outcome does not count; goes to the next attempt as feedback."""

    reason: str


def said(task: Task, outcome: Outcome, prove: Prove) -> Unproven | None:
    """Check what the agent said, before looking at its files."""
    if outcome.status == "failed":
        return Unproven(outcome.error or outcome.summary or "the agent reported failure without a reason")
    if outcome.status == "partial":
        return Unproven(f"only partly done, as the agent says: {outcome.summary or 'no details'}")
    try:
        check_data(task.role, outcome.data)
        prove(task, outcome)
    except StrettoError as error:
        return Unproven(error.message)
    return None


def left(task: Task, outcome: Outcome, cwd: Path, changed: Sequence[str], *, writes: bool) -> Unproven | None:
    """Check the files the agent left against what it declared and what it claims."""
    if not (outcome.summary.strip() or outcome.data or changed):
        return Unproven("an empty outcome: no summary, no data, no file changed")
    if missing := [a.path for a in outcome.artifacts if not _exists(cwd, a.path)]:
        return Unproven(f"artifacts that were named but do not exist, or are empty: {', '.join(missing)}")
    if not writes:
        return None
    if extra := undeclared(task.writes, changed):
        return Unproven(
            f"it wrote {', '.join(extra)}, which it had not declared (declared: {', '.join(task.writes)}). "
            "Nothing of this attempt was kept"
        )
    promised = [w for w in task.writes if not any(c in w for c in "*?[") and not w.endswith("/")]
    if absent := [w for w in promised if not (cwd / w).exists() and w not in changed]:
        return Unproven(f"declared files that do not exist: {', '.join(absent)}")
    return None


def _exists(cwd: Path, path: str) -> bool:
    target = (cwd / path).resolve()
    return target.is_relative_to(cwd.resolve()) and target.is_file() and target.stat().st_size > 0


def checked(report: CheckReport) -> Unproven | None:
    """Turn a report of failed checks to feedback that an agent can use."""
    if report.passed:
        return None
    return Unproven(report.text)


def instructions(task: Task, inputs: dict[str, Outcome]) -> str:
    """The task's prompt, what is known of it and, for each task it waited for, one line of what that one reported."""
    told = {
        "This is known:": [f"- {line}" for line in task.known],
        "The tasks before this one reported:": [f"- {n}: {o.summary}" for n, o in inputs.items() if o.summary],
    }
    parts = [line for head, lines in told.items() if lines for line in ("", head, *lines)]
    return "\n".join([task.prompt, *parts])


def as_data(report: CheckReport) -> dict[str, object]:
    """A check report as the `data` of a task without an agent."""
    return {"passed": report.passed and bool(report.results), "results": [result_data(r) for r in report.results]}


def result_data(result: CheckResult) -> dict[str, object]:
    """One check as JSON values: `tests` is None where the runner's counts are not known."""
    counts = result.tests
    return {
        "command": result.command,
        "exit_code": result.exit_code,
        "seconds": round(result.seconds, 3),
        "problem": result.problem,
        "ran": result.ran,
        "output": result.output_tail,
        "failures": list(counts.first_failures) if counts else [],
        "tests": {k: getattr(counts, k) for k in ("tests", "failures", "errors", "skipped")} if counts else None,
    }


def summary(report: CheckReport) -> str:
    """What the checks said, in one line for each."""
    return "; ".join(_line(r) for r in report.results) or "no way to test this project was found"


def _line(result: CheckResult) -> str:
    if counts := result.tests:
        bad = counts.failures + counts.errors
        passed = counts.tests - bad - counts.skipped
        skipped = f", {counts.skipped} skipped" if counts.skipped else ""
        said = f"{passed} passed, {bad} failed{skipped}"
        return f"`{result.command}`: {said}" + (f" ({result.problem})" if result.problem and not bad else "")
    return f"`{result.command}`: {result.problem or 'exit code 0, tests not counted'}"
