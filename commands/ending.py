"""How a drive ended, as a reply: one sentence that cannot be mistaken, the facts behind it, and what to do now.

Every figure is read off the event log.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from stretto.commands import stopped
from stretto.commands.app import App
from stretto.commands.handing_out import handed_out
from stretto.commands.invocation import Invocation
from stretto.commands.leaving import LEFT, taking_up
from stretto.commands.reply import Reply
from stretto.commands.safe import one_line
from stretto.commands.workflows import UNDONE
from stretto.graph.result import Result
from stretto.state import purse
from stretto.state.figures import WorkflowView
from stretto.state.log import Log
from stretto.state.show import as_dict, duration, used
from stretto.state.view import fold

_EXIT = {"completed": 0, "open": 0, "failed": 1, "paused": 3, "cancelled": 1}
_SHOWN = 12


class End(NamedTuple):
    """A result with what the log knows of the workflow.

    `undone` is the command that brings it again, or empty; `spent` what it and what belongs to it used, and its caps.
    `chosen` is how the tasks of its plan were shared out, if somebody asked.
    """

    result: Result
    view: WorkflowView
    artifacts: tuple[str, ...]
    runner: str
    undone: str
    spent: Mapping[str, Any] = {}
    chosen: tuple[Mapping[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """The workflow's id."""
        return self.result.workflow_id

    @property
    def branch(self) -> str:
        """The branch that its work is on until it is merged."""
        return f"stretto/{self.name}"

    @property
    def done(self) -> int:
        """How many tasks are completed."""
        return sum(t.state == "completed" for t in self.view.tasks.values())


def reply(invocation: Invocation, app: App, result: Result) -> Reply:
    """The reply to a command that drove a workflow."""
    end = _end(app, result)
    orders = handed_out(result.workflow_id, result.facts.get("orders", ()))
    text = "\n".join([headline(end), *(f"  {line}" for line in _details(end)), *orders, *_notes(end)])
    seen = as_dict(end.view)
    facts = {
        "status": result.status,
        "why": result.why or None,
        "gate": result.gate or None,
        **result.facts,
        "undone": bool(end.undone),
        **({"parallel": [dict(c) for c in end.chosen]} if end.chosen else {}),
        "artifacts": list(end.artifacts),
        "elapsed_seconds": seen["elapsed_seconds"],
        "usage": seen["usage"],
        "usage_by_task": {task["task_id"]: task["usage"] for task in seen["tasks"]},
        **end.spent,
        "warnings": list(result.warnings),
    }
    return Reply(
        command=invocation.command,
        operation=invocation.operation,
        text=text,
        result=facts,
        workflow_id=result.workflow_id,
        events=result.events,
        next_steps=next_steps(end),
        exit_code=_EXIT[result.status],
    )


def _end(app: App, result: Result) -> End:
    log = Log.find(app.directory)
    if log is None:
        return End(result, fold(()), (), "", "")
    with log:
        events = list(log.events(result.workflow_id))
        undone = str(log.fact(result.workflow_id, UNDONE) or "")
        spent = purse.told(log.database, result.workflow_id, app.clock())
    left = dict.fromkeys(path for event in events for path in _left(event.data))
    runner = next((str(e.data["runner"]) for e in reversed(events) if "runner" in e.data), "")
    chosen = tuple(e.data for e in events if e.type == "PARALLELISM_CHOSEN")
    return End(result, fold(events), tuple(left), runner, undone, spent, chosen)


def _left(data: Mapping[str, Any]) -> Iterator[str]:
    """The artifacts that an event names: of a phase among its metrics, of the whole by itself."""
    metrics: Mapping[str, Any] = data.get("success_metrics") or {}
    yield from metrics.get("artifacts") or ()
    yield from data.get("artifacts") or ()


def headline(end: End) -> str:
    """One sentence that cannot be mistaken for success when it is none."""
    name, result = end.name, end.result
    if words := stopped.told(result.facts, result.why):
        return f"{name} {words}"
    match result.status:
        case "completed":
            return f"{name} {_completed(end)}"
        case "open":
            return f"{name} {_completed(end).rstrip('.')}; it stays open for tests, documents and finalize-workflow."
        case "failed":
            return f"{name} FAILED: {one_line(result.why, 600)}"
        case "paused" if result.gate:
            return f"{name} waits for you at the gate {result.gate!r}: approve it, or send it back."
        case "paused" if result.facts.get("orders") or result.facts.get(LEFT):
            return f"{name} {result.why}."
        case "paused" if "merged" in result.facts:
            return f"{name}: {result.why}; it can be resumed."
        case "paused":
            return f"{name} stopped at a safe point and can be resumed."
        case "cancelled":
            return f"{name} was cancelled."


def _completed(end: End) -> str:
    facts = end.result.facts
    if end.undone:
        return "was done, and has been taken back."
    if facts.get("commits") == 0:
        return "is done; it changed nothing."
    commits = _count(facts.get("commits"), "commit")
    if facts.get("merged"):
        return f"is done: merged into {facts.get('branch') or 'the branch it began on'} ({commits})."
    return f"is done; its work waits on {end.branch} ({commits})."


def _count(number: int | None, noun: str) -> str:
    return f"{'unknown' if number is None else number} {noun}{'' if number == 1 else 's'}"


def _details(end: End) -> Iterator[str]:
    result = end.result
    if result.facts.get("orders"):  # told at every step, and to a model
        if end.done:
            yield _row("done", f"{_count(end.done, 'task')}; kept on {end.branch}")
        return
    if result.status in ("completed", "open") and not (result.facts.get("merged") or end.undone):
        yield _row("not merged", str(result.facts.get("reason", "")))
    if tests := result.facts.get("tests"):
        yield _row("tests", tested(tests))
    if result.status not in ("completed", "open"):
        known = len(end.view.tasks)
        yield _row("done", f"{end.done} of {_count(known, 'task')} begun; what is finished is kept on {end.branch}")
    for number, path in enumerate(end.artifacts[:_SHOWN]):
        yield _row("" if number else "left", path)
    if (more := len(end.artifacts) - _SHOWN) > 0:
        yield _row("", f"and {more} more")
    for event in end.chosen:
        yield _row("who", str(event["why"]), 700)
    yield _row("took", f"{duration(end.view.elapsed())} · {used(end.view.usage)}")


def _row(name: str, text: str, most: int = 400) -> str:
    return f"{name:<11}{one_line(text, most)}".rstrip()


def tested(tests: Mapping[str, Any]) -> str:
    """What the last test run counted, and how it was counted."""
    command = f"`{tests['command']}`"
    if "tests" not in tests:
        return f"exit code {tests['exit_code']} ({command}; single tests are not counted)"
    bad = tests["failures"] + tests["errors"]
    skipped = f", {tests['skipped']} skipped" if tests["skipped"] else ""
    return f"{tests['tests'] - bad - tests['skipped']} passed, {bad} failed{skipped} ({command})"


def _notes(end: End) -> Iterator[str]:
    yield from (f"note: {warning}" for warning in end.result.warnings)
    if end.runner.startswith("replay:"):
        from stretto.agents.replay import REPLAYED

        yield REPLAYED


def _culprit(view: WorkflowView) -> str:
    """The task to look at: the first that failed, or the last of the phase that did, which is its test run."""
    phases = [p.name for p in view.phases.values() if p.state == "failed"]
    last = next((t.task_id for t in reversed(view.tasks.values()) if t.phase in phases[-1:]), "")
    return next((t.task_id for t in view.tasks.values() if t.state == "failed"), last)


def next_steps(end: End) -> tuple[str, ...]:
    """Commands that make sense now."""
    return stopped.steps(end.name, end.result.facts) or _next_steps(end)


def _next_steps(end: End) -> tuple[str, ...]:
    name, again = end.name, f"stretto orchestrate --resume {end.name}"
    match end.result.status:
        case "completed" if end.undone:
            return (f"{end.undone}   (brings it again)",)
        case "open":
            finalize = f"stretto orchestrate finalize-workflow {name} --validation=complete"
            return ("stretto test-all --coverage-analysis", 'stretto document "…"', finalize)
        case "completed":
            merge = end.result.facts.get("command")
            return (*((str(merge),) if merge else ()), f"stretto diff {name}", f"stretto undo {name}")
        case "failed":
            culprit = _culprit(end.view)
            look = f"stretto logs {name} {culprit}" if culprit else f"stretto workflow-status {name}"
            return (look, again, f"stretto undo {name}")
        case "paused" if end.result.gate:
            plan = next((a for a in reversed(end.artifacts) if a.startswith("specs/plans/")), "")
            show = f"git show {end.branch}:{plan}" if plan and end.result.gate == "plan" else f"stretto diff {name}"
            return (show, f"{again} --approve", f'{again} --reject "why"')
        case "paused" if end.result.facts.get("orders"):
            return (f"{again}   (whenever an agent has reported)", f"stretto cancel {name}")
        case "paused" if end.result.facts.get(LEFT):
            return taking_up(name, str(end.result.facts[LEFT]))
        case "paused":
            return (again, f"stretto workflow-status {name}", f"stretto cancel {name}")
        case "cancelled":
            return (f"stretto diff {name}", f"stretto undo {name}")
