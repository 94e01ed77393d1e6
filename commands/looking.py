"""Looking at the work: what an agent did in a task, and what a workflow changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stretto.agents import attempt_log
from stretto.commands.app import App
from stretto.commands.reply import Reply
from stretto.commands.safe import one_line, safe
from stretto.commands.workflows import find
from stretto.state.errors import NotFound
from stretto.state.ids import task_id
from stretto.state.light import cast
from stretto.state.quick_json import dumps
from stretto.state.rows import AttemptRow
from stretto.state.store import LOGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def logs(app: App, workflow: str, task: str, number: int | None) -> Reply:
    """What was noted of an attempt while it ran, and how it ended; the newest attempt unless another is named.

    Raises:
        NotFound: There is no such workflow, task or attempt.
    """
    name = task_id(task, field="task")
    log, row = find(app, workflow)
    with log:
        attempts = log.attempts(row.id)
    attempt = _attempt(attempts, row.id, name, number)
    lines = list(attempt_log.read(f"{app.state}/{LOGS}", row.id, name, attempt.attempt))
    outcome = dict(attempt.outcome or {})
    facts = {"task_id": name, "attempt": attempt.attempt, "state": attempt.state, "lines": lines, "outcome": outcome}
    tried = [a for a in attempts if a.task_id == name]
    shown = [
        f"{name}, attempt {attempt.attempt} of {len(tried)}: {attempt.state}",
        *(f"  {_told(line)}" for line in lines),
        *_outcome(outcome),
    ]
    others = (f"stretto logs {row.id} {name} --attempt {a.attempt}" for a in tried if a.attempt != attempt.attempt)
    return Reply("logs", "\n".join(shown), facts, workflow_id=row.id, next_steps=tuple(others))


def _attempt(attempts: list[AttemptRow], workflow: str, task: str, number: int | None) -> AttemptRow:
    tried = {a.attempt: a for a in attempts if a.task_id == task}
    if not tried:
        known = sorted({a.task_id for a in attempts})
        raise NotFound(f"Workflow {workflow!r} has begun no task {task!r}.", field="task", allowed=known)
    if number is not None and number not in tried:
        known = [str(n) for n in tried]
        raise NotFound(f"Task {task!r} has no attempt {number}.", field="--attempt", allowed=known)
    return tried[number if number is not None else max(tried)]


def _told(line: Mapping[str, Any]) -> str:
    """One noted line: what was said as it was said, the rest as facts."""
    if line.get("kind") == "text":
        return safe(str(line.get("text", ""))).replace("\n", "\n  ")
    facts = (f"{k}={v if isinstance(v, str) else dumps(v)}" for k, v in line.items() if k not in {"at", "kind"})
    return one_line(f"[{line.get('kind', '')}] {' '.join(facts)}", 300)


def _outcome(outcome: Mapping[str, Any]) -> Iterator[str]:
    """How it ended: the error or the summary, what was written, what its checks printed."""
    if said := outcome.get("error") or outcome.get("summary"):
        yield f"outcome: {said}"
    if writes := outcome.get("writes"):
        yield f"wrote: {', '.join(writes)}"
    data: Mapping[str, Any] = outcome.get("data") or {}
    for result in cast("list[Mapping[str, Any]]", data.get("results") or []):
        yield f"$ {result.get('command')}   (exit code {result.get('exit_code')})"
        yield str(result.get("output", "")).rstrip("\n")


def diff(app: App, workflow: str) -> Reply:
    """What a workflow changed, as a patch that git applies.

    Raises:
        NotFound: There is no such workflow, or it has done no work in this repository.
    """
    import asyncio  # here: `logs` is quick

    log, row = find(app, workflow)
    log.close()
    patch = asyncio.run(_patch(app, row.id))
    return Reply("diff", patch.removesuffix("\n"), {"diff": patch}, workflow_id=row.id, exact=True)


async def _patch(app: App, workflow: str) -> str:
    from stretto.agents.repository import open_repository

    return await (await open_repository(app.project, app.directory)).diff(workflow)
