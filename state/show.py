"""A view as JSON for programs and as text for people. What was not measured is null, or `unknown`; never 0."""

from __future__ import annotations

from collections.abc import Iterator

from stretto.state.figures import Count, PhaseView, Span, TaskView, Usage, WorkflowView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def as_dict(view: WorkflowView, now: float | None = None) -> dict[str, Any]:
    """The view as JSON values. `now`, in seconds since the epoch, ends what still runs."""
    return {
        "workflow_id": view.workflow_id,
        "status": view.status,
        "reason": view.reason,
        "description": view.description,
        "type": view.type,
        "phase": view.phase,
        "elapsed_seconds": view.elapsed(now),
        "phases": [_phase(p, view, now) for p in view.phases.values()],
        "tasks": [_task(t, now) for t in view.tasks.values()],
        "usage": _usage(view.usage),
        "commits": [{"phase": phase, "commit": commit} for phase, commit in view.commits],
        "warnings": list(view.warnings),
        "last_events": [event.envelope() for event in view.last],
        "last_seq": view.seq,
    }


def _phase(phase: PhaseView, view: WorkflowView, now: float | None) -> dict[str, Any]:
    done, known = progress(phase, view)
    return {
        "name": phase.name,
        "state": phase.state,
        "generation": phase.generation,
        "seconds": _seconds(phase, now),
        "tasks_completed": done,
        "tasks": known,
        "commit": phase.commit or None,
        "metrics": dict(phase.metrics),
        "reason": phase.reason,
    }


def _task(task: TaskView, now: float | None) -> dict[str, Any]:
    return {
        "task_id": task.task_id,
        "phase": task.phase,
        "state": task.state,
        "agent": task.agent or None,
        "role": task.role or None,
        "title": task.title,
        "attempts": task.attempts,
        "seconds": _seconds(task, now),
        "usage": _usage(task.usage),
        "summary": task.summary,
        "writes": list(task.writes),
        "reason": task.reason,
    }


def _seconds(span: Span, now: float | None) -> float | None:
    seconds = span.seconds(now)
    return None if seconds is None else round(seconds, 3)


def _usage(usage: Usage) -> dict[str, Any]:
    """Each sum, null when an ended attempt did not tell its part; then `at_least` has what was told."""
    parts = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, "cost_usd": usage.cost_usd}
    return {
        **{name: count.total for name, count in parts.items()},
        "at_least": {name: count.known for name, count in parts.items() if count.unknown},
    }


def progress(phase: PhaseView, view: WorkflowView) -> tuple[int, int | None]:
    """How many tasks of the phase's newest pass are completed, and how many it has, as far as it said."""
    newest = max(phase.generation, 1)
    tasks = [t for t in view.tasks.values() if t.phase == phase.name and _pass(t.task_id) == newest]
    done = sum(t.state == "completed" for t in tasks)
    return done, len(tasks) if phase.expected is None and tasks else phase.expected


def _pass(task_id: str) -> int:
    """`phase/name~2` belongs to the second pass through its phase."""
    number = task_id.rpartition("~")[2] if "~" in task_id else "1"
    return int(number) if number.isascii() and number.isdecimal() else 1


def text(view: WorkflowView, now: float | None = None) -> str:
    """The whole view as lines of plain text, safe for a terminal whatever agents wrote."""
    return "\n".join(_plain(line) for line in _lines(view, now))


def brief(view: WorkflowView, now: float | None = None) -> str:
    """The view in short: a line for each phase, and the tasks that are not done."""
    return "\n".join(_plain(line) for line in _short_lines(view, now))


def _lines(view: WorkflowView, now: float | None) -> Iterator[str]:
    yield from _head(view, now)
    for phase in view.phases.values():
        yield ""
        yield _phase_line(phase, view, now)
        yield from (_task_line(t, now, whole=True) for t in view.tasks.values() if t.phase == phase.name)
    yield from _section("warnings", view.warnings)
    yield from _section("last events", [f"{e.timestamp}  {e.type}  {e.phase}" for e in view.last])


def _short_lines(view: WorkflowView, now: float | None) -> Iterator[str]:
    yield from _head(view, now)
    for phase in view.phases.values():
        yield _phase_line(phase, view, now)
        mine = (t for t in view.tasks.values() if t.phase == phase.name and t.state != "completed")
        yield from (_task_line(t, now) for t in mine if phase.state != "completed")
    if view.warnings:
        yield f"  {len(view.warnings)} warning{'' if len(view.warnings) == 1 else 's'}; the last: {view.warnings[-1]}"


def _head(view: WorkflowView, now: float | None) -> Iterator[str]:
    yield f"{view.workflow_id}  {view.status}  {view.description}".rstrip()
    if view.reason:
        yield f"  {view.reason}"
    yield f"  {duration(view.elapsed(now))} · {used(view.usage)}"


def _phase_line(phase: PhaseView, view: WorkflowView, now: float | None) -> str:
    done, known = progress(phase, view)
    parts = [f"  {phase.name:<16} {phase.state:<12}"]
    if phase.state != "pending":
        parts.append(duration(phase.seconds(now)))
        parts.append(f"{done} of {'unknown' if known is None else known} tasks")
    if phase.generation > 1:
        parts.append(f"pass {phase.generation}")
    if phase.commit:
        parts.append(f"commit {phase.commit[:10]}")
    return " · ".join(parts).rstrip()


def _task_line(task: TaskView, now: float | None, *, whole: bool = False) -> str:
    name = f"    {task.task_id:<24} {task.state:<12} {task.agent or task.role or 'unknown'}"
    tries = f" · attempt {task.attempts}" if task.attempts > 1 else ""
    spent = f" · {used(task.usage)}" if whole and (task.usage.input_tokens.known or task.usage.cost_usd.known) else ""
    return f"{name} · {duration(task.seconds(now))}{tries}{spent}" + (f" · {task.reason}" if task.reason else "")


def _section(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield f"  {title}"
        yield from (f"    {line}" for line in lines)


def used(usage: Usage) -> str:
    """`1,200 tokens in, 300 out, 0.0412 USD`; what is only partly known says `at least`."""
    parts = (
        f"{_amount(usage.input_tokens)} tokens in",
        f"{_amount(usage.output_tokens)} out",
        f"cost {_amount(usage.cost_usd, '.4f', ' USD')}",
    )
    return ", ".join(parts)


def _amount(count: Count, form: str = ",.0f", unit: str = "") -> str:
    if count.known is None or (count.unknown and not count.known):  # "at least 0" would say nothing
        return "unknown"
    return ("at least " if count.unknown else "") + format(count.known, form) + unit


def duration(seconds: float | None) -> str:
    """`8 s`, `3 min 12 s`, `2 h 5 min`, or `unknown`."""
    if seconds is None:
        return "unknown"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {left} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _plain(line: str) -> str:
    """Control and direction characters from a model or another program would steer the terminal."""
    return "".join(c if c.isprintable() else " " for c in line)
