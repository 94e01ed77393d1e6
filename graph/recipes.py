"""Specs of the commands that do one part of the work: a report, a plan, code, a diagnosis, documents, agents."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from stretto.agents.task import RoleName
from stretto.graph.analyze import analyze
from stretto.graph.spec import Limits, Merge, PhaseSpec, Spec, TaskSpec, validate
from stretto.state.errors import BadInput

Complexity = Literal["low", "medium", "high", "very_high"]
TESTING = PhaseSpec(name="testing", kind="test")


def spec_of(
    workflow_id: str,
    description: str,
    template: str,
    phases: Sequence[PhaseSpec],
    *,
    limits: Limits,
    merge: Merge = "auto",
    gates: Sequence[str] = (),
    plan_file: str = "",
    first_plan_phase: int = 1,
    complexity: Complexity | None = None,
) -> Spec:
    """A validated spec; type and complexity come from the analysis of its description if nobody said."""
    analysis = analyze(description)
    return validate(
        Spec(
            workflow_id=workflow_id,
            description=description,
            type=analysis.type,
            complexity=complexity or analysis.complexity,
            template=template,
            phases=tuple(phases),
            limits=limits,
            merge=merge,
            gates=tuple(gates),
            plan_file=plan_file,
            first_plan_phase=first_plan_phase,
        )
    )


def report(topic: str) -> tuple[PhaseSpec, ...]:
    """One researcher, one report."""
    return (PhaseSpec(name="research", kind="research", tasks=(_task("topic", "researcher", topic, topic),)),)


def plan(feature: str, reports: Sequence[str]) -> tuple[PhaseSpec, ...]:
    """One planner, given the paths of earlier reports."""
    note = "\nRead these reports first:\n" + "\n".join(f"- {r}" for r in reports) if reports else ""
    task = _task("plan", "planner", f"Plan: {feature}", f"Plan this: {feature}{note}", reads=tuple(reports))
    return (PhaseSpec(name="planning", kind="plan", tasks=(task,)),)


def implement() -> tuple[PhaseSpec, ...]:
    """The tasks of a plan file, then the project's tests."""
    return (PhaseSpec(name="implementation", kind="implement"), TESTING)


def debug(issue: str, context: Sequence[str], known: Sequence[str] = ()) -> tuple[PhaseSpec, ...]:
    """One debugger, who changes nothing; `known` is what a program found out beforehand."""
    note = "\nRead these first:\n" + "\n".join(f"- {c}" for c in context) if context else ""
    task = _task("debug", "debugger", issue, f"Find the cause: {issue}{note}")
    return (PhaseSpec(name="debugging", kind="debug", tasks=(task.model_copy(update={"known": tuple(known)}),)),)


def document(change: str, scope: str, *, links: bool = False, about: str = "") -> tuple[PhaseSpec, ...]:
    """One documenter; a scope that is a folder bounds what it may write. See `PhaseSpec.links`."""
    prompt = f"Bring the project's documentation up to date with this change: {change}"
    writes = (scope,) if scope else ()
    told = "Link each document that you change to what it is about, by relative links that resolve." if links else ""
    said = "\n".join(filter(None, (prompt, about, told)))
    task = _task("document", "documenter", f"Document: {change}", said, writes=writes)
    return (PhaseSpec(name="documentation", kind="document", tasks=(task,), links=links),)


def subagents(
    context: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]], reads: Sequence[str]
) -> tuple[PhaseSpec, ...]:
    """The given tasks as one phase: readers if all of them are, else implementers followed by the project's tests.

    Raises:
        BadInput: A task has no description, an unknown command, or two write one file without an order.
    """
    found = [_subagent(i, t, tuple(reads)) for i, t in enumerate(tasks, 1)]
    ids = {t.id for t in found}
    for task in found:
        if unknown := set(task.depends_on) - ids:
            raise BadInput(
                f"Task {task.id!r} depends on {min(unknown)!r}, which is not there.",
                field="dependencies",
                allowed=sorted(ids),
            )
    name = str(context.get("phase") or "subagents")
    readers = {"researcher", "debugger", "reviewer"}
    if all(t.role in readers for t in found):
        return (PhaseSpec(name=_phase_name(name), kind="research", tasks=tuple(found)),)
    if any(t.role in readers for t in found):
        raise BadInput(
            "Tasks that only read and tasks that write cannot be mixed in one call.",
            field="tasks",
            next_steps=("Run the reports first, then the implementation.",),
        )
    return (PhaseSpec(name=_phase_name(name), kind="implement", tasks=tuple(found)), TESTING)


_COMMANDS: dict[str, RoleName] = {
    "/report": "researcher",
    "/debug": "debugger",
    "/implement": "implementer",
    "/test": "tester",
    "/document": "documenter",
}


def _subagent(number: int, task: Mapping[str, Any], reads: tuple[str, ...]) -> TaskSpec:
    command = str(task.get("command", "/implement"))
    if command not in _COMMANDS:
        raise BadInput(f"Task {number} has the command {command!r}.", field="command", allowed=sorted(_COMMANDS))
    subject = str(task.get("description") or task.get("topic") or task.get("scope") or "").strip()
    if not subject:
        raise BadInput(
            f"Task {number} says nothing to do: it needs a 'description', a 'topic' or a 'scope'.",
            field=f"tasks[{number - 1}]",
            allowed=("description", "topic", "scope"),
        )
    used = {"id", "description", "files", "command", "dependencies", "validation"}
    details = [f"{k}: {v}" for k, v in task.items() if k not in used and str(v) != subject]
    return TaskSpec(
        id=str(task.get("id") or f"task_{number:03d}"),
        title=subject.splitlines()[0][:100],
        role=_COMMANDS[command],
        prompt="\n".join([subject, *details]),
        reads=reads,
        writes=tuple(task.get("files", ())),
        depends_on=tuple(task.get("dependencies", ())),
        checks=tuple(task.get("validation", ())),
    )


def _phase_name(text: str) -> str:
    """The name of a phase as near to the given one as may be: it becomes part of task ids, and so of file names."""
    word = "-".join(re.findall(r"[a-z0-9_]+", text.lower()))[:30].strip("-_")
    return word if word[:1].isalpha() else f"phase-{word}" if word else "subagents"


def _task(
    name: str, role: RoleName, title: str, prompt: str, *, reads: tuple[str, ...] = (), writes: tuple[str, ...] = ()
) -> TaskSpec:
    return TaskSpec(id=name, title=title[:100], role=role, prompt=prompt, reads=reads, writes=writes)
