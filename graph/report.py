"""The report of a dry run: what would run, how long it may take, and what it would write. Nothing is written for it.

`dry_run` gives it as data, `render` the same data as text, so that both say the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict

from stretto.graph.advice import Advice, told
from stretto.graph.analyze import Analysis
from stretto.graph.estimate import Amount, Estimate, PhaseEstimate
from stretto.graph.mermaid import mermaid
from stretto.graph.spec import PhaseSpec, Spec, order, waits

_WRITERS = ("implementer", "tester", "documenter")
Conflict = tuple[str, str, str]
"""Two tasks and the path that both would write, as `graph.spec.conflicts` finds them."""


class PhaseRow(TypedDict):
    """One phase. `assumed` tells that its tasks are a guess until the plan is there; `seconds` is the likely time."""

    name: str
    kind: str
    after: list[str]
    assumed: bool
    task_count: int
    parallel: int
    seconds: float
    tasks: list[dict[str, Any]]


class ConflictRows(TypedDict):
    """Predicted write conflicts.

    `known` are pairs of tasks; `after_planning` phases whose tasks are not known yet; `undeclared` phases in which
    several tasks that may write run at once and do not say where.
    """

    known: list[dict[str, Any]]
    after_planning: list[str]
    undeclared: list[str]


class DryRun(TypedDict):
    """The report, JSON-able. None in `estimate` is unknown."""

    dry_run: bool
    workflow_id: str
    description: str
    template: str
    type: str
    complexity: str
    score: float
    parallelism: str
    evidence: list[dict[str, Any]]
    priority: str
    gates: list[str]
    merge: str
    limits: dict[str, Any]
    phases: list[PhaseRow]
    conflicts: ConflictRows
    estimate: dict[str, Any]
    would_write: list[dict[str, str]]
    advice: list[dict[str, Any]]
    warnings: list[str]
    mermaid: str


def dry_run(
    spec: Spec,
    analysis: Analysis,
    estimate: Estimate,
    conflicts: Sequence[Conflict],
    warnings: Sequence[str],
    advice: Sequence[tuple[PhaseSpec, Advice, bool]] = (),
) -> DryRun:
    """The report on a valid spec. `conflicts` are those of tasks that are known; `warnings` the caller's own.

    `advice` is who is to do the tasks of a phase, and whether those are assumed; see `graph.advising.foreseen`.
    """
    expected = {phase.name: phase for phase in estimate.phases}
    leads = waits(spec)
    return DryRun(
        dry_run=True,
        workflow_id=spec.workflow_id,
        description=spec.description,
        template=spec.template,
        type=spec.type,
        complexity=spec.complexity,
        score=analysis.score,
        parallelism=analysis.parallelism,
        evidence=[e._asdict() for e in analysis.evidence],
        priority=spec.priority,
        gates=list(spec.gates),
        merge=spec.merge,
        limits=spec.limits.model_dump(),
        phases=[_phase(phase, expected[phase.name], leads[phase.name]) for phase in order(spec)],
        conflicts=_conflicts(spec, expected, conflicts),
        estimate=_estimate(estimate),
        would_write=list(_would_write(spec)),
        advice=[{"phase": phase.name, "assumed": assumed, **told(one)} for phase, one, assumed in advice],
        warnings=list(warnings),
        mermaid=mermaid(spec),
    )


def _phase(phase: PhaseSpec, expected: PhaseEstimate, after: Sequence[str]) -> PhaseRow:
    return PhaseRow(
        name=phase.name,
        kind=phase.kind,
        after=list(after),
        assumed=expected.assumed,
        task_count=expected.tasks,
        parallel=expected.parallel,
        seconds=round(expected.seconds, 1),
        tasks=[task.model_dump(mode="json", exclude={"prompt", "budget"}) for task in phase.tasks],
    )


def _conflicts(spec: Spec, expected: Mapping[str, PhaseEstimate], found: Sequence[Conflict]) -> ConflictRows:
    silent = [
        phase.name
        for phase in spec.phases
        if expected[phase.name].parallel > 1
        and sum(task.role in _WRITERS and not task.writes for task in phase.tasks) > 1
    ]
    return ConflictRows(
        known=[{"tasks": [one, two], "path": path} for one, two, path in found],
        after_planning=[name for name, phase in expected.items() if phase.assumed],
        undeclared=silent,
    )


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {
        "agents": _amount(estimate.agents),
        "seconds": _amount(estimate.seconds),
        "tokens": _amount(estimate.tokens),
        "money_usd": _amount(estimate.money),
        "assumptions": list(estimate.assumptions),
    }


def _amount(amount: Amount | None) -> dict[str, Any] | None:
    return None if amount is None else amount._asdict()


def _would_write(spec: Spec) -> Iterator[dict[str, str]]:
    for phase in order(spec):
        if reports := sum(task.role == "researcher" for task in phase.tasks):
            yield {"where": "specs/reports/NNN_*.md", "what": f"{_count(reports, 'report')} of {phase.name}"}
        if phase.kind == "plan":
            yield {"where": "specs/plans/NNN_*.md", "what": f"the plan of {phase.name}"}
        if phase.kind == "debug":
            yield {"where": "specs/reports/NNN_debug_*.md", "what": f"the findings of {phase.name}"}
        yield from _of_tasks(phase)
    kinds = {phase.kind for phase in spec.phases}
    if "implement" in kinds and (spec.plan_file or "plan" in kinds):
        yield {"where": "specs/summaries/NNN_*.md", "what": "the summary"}
    yield {"where": f"git branch stretto/{spec.workflow_id}", "what": "one commit a phase, in a worktree of its own"}
    yield {"where": "the branch that is checked out", "what": _MERGES[spec.merge]}
    yield {"where": ".stretto/state/", "what": "events, checkpoints and cache of the workflow"}


_MERGES = {
    "auto": "merged at the end, if it is clean and has not moved",
    "ask": "merged at the end, after you agreed",
    "never": "nothing",
}


def _of_tasks(phase: PhaseSpec) -> Iterator[dict[str, str]]:
    if phase.kind == "implement" and not phase.tasks:
        yield {"where": "known after planning", "what": f"files of {phase.name}"}
    for task in phase.tasks:
        if task.role in _WRITERS:
            yield {
                "where": ", ".join(task.writes) or "anywhere in the worktree, recorded",
                "what": f"files of {phase.name}/{task.id}",
            }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def render(report: DryRun) -> str:
    """The report as plain text."""
    parts = (
        _head(report),
        ("Phases", *_phase_lines(report)),
        ("Write conflicts", *_conflict_lines(report["conflicts"])),
        ("Estimate", *_estimate_lines(report["estimate"])),
        ("Who does it", *_advice_lines(report["advice"])),
        ("Would write", *(f"{row['where']}: {row['what']}" for row in report["would_write"])),
        ("Warnings", *report["warnings"]),
    )
    blocks = ["\n".join((first, *(f"  {line}" for line in rest))) for first, *rest in parts if rest]
    text = "\n\n".join([*blocks, f"```mermaid\n{report['mermaid']}```"]) + "\n"
    # A description may hold what moves a terminal's cursor; shown, it is data.
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _line(text: str) -> str:
    return " ".join(text.split())


def _head(report: DryRun) -> tuple[str, ...]:
    words = [e["word"] for e in report["evidence"] if e["counts_for"] == report["type"]]
    return (
        f"Dry run of {report['workflow_id']}: nothing was written, nothing was started.",
        _line(report["description"]),
        f"type        {report['type']}" + (f" (by: {', '.join(words)})" if words else ""),
        f"complexity  {report['complexity']} (score {report['score']:.2f})",
        f"parallelism {report['parallelism']}, at most {report['limits']['agents']} agents at once",
        f"template    {report['template']}, priority {report['priority']}, merge {report['merge']},"
        f" gates {', '.join(report['gates']) or 'none'}",
    )


def _phase_lines(report: DryRun) -> Iterator[str]:
    for number, phase in enumerate(report["phases"], start=1):
        tasks = _count(phase["task_count"], "task") + (" assumed" if phase["assumed"] else "")
        yield (
            f"{number}. {phase['name']} ({phase['kind']}): {tasks}, {phase['parallel']} at once,"
            f" {_span(phase['seconds'])}"
        )
        for task in phase["tasks"]:
            yield f"   - {task['id']} [{task['role']}] {_line(task['title'])}" + _links(task)
        if phase["assumed"]:
            yield "   - tasks are known after planning"


def _links(task: Mapping[str, Any]) -> str:
    parts = [f"{key} {', '.join(task[name])}" for key, name in _SHOWN if task[name]]
    return f" ({'; '.join(parts)})" if parts else ""


_SHOWN = (("after", "depends_on"), ("reads", "reads"), ("writes", "writes"), ("checks", "checks"))


def _conflict_lines(rows: ConflictRows) -> Iterator[str]:
    for row in rows["known"]:
        yield f"{' and '.join(row['tasks'])} both write {row['path']} and have no order"
    for name in rows["after_planning"]:
        yield f"{name}: known after planning; two writers of a path run in the order of the plan"
    for name in rows["undeclared"]:
        yield f"{name}: several tasks run at once and do not say what they write; found when they are merged"
    if not any(rows.values()):
        yield "none"


def _estimate_lines(estimate: Mapping[str, Any]) -> Iterator[str]:
    yield f"agents {_shown(estimate['agents'], _thousands)}"
    yield f"time   {_shown(estimate['seconds'], _span)}"
    yield f"tokens {_shown(estimate['tokens'], _thousands)}"
    yield f"money  {_shown(estimate['money_usd'], _dollars)}"
    for assumption in estimate["assumptions"]:
        yield f"- {assumption}"


def _advice_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for row in rows:
        guessed = " As the tasks are not planned yet, it is decided when they are." if row["assumed"] else ""
        yield f"{row['phase']}: {row['why']}{guessed}"


def _shown(amount: Mapping[str, Any] | None, unit: Any) -> str:
    if amount is None:
        return "unknown"
    span = "" if amount["low"] is None else f" (80 %: {unit(amount['low'])} to {unit(amount['high'])})"
    return f"{unit(amount['likely'])}{span}; {amount['basis']}"


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _thousands(number: float) -> str:
    return f"{number:,.0f}"


def _dollars(amount: float) -> str:
    return f"{amount:.2f} USD" if amount >= 1 else f"{amount:.4f} USD"
