"""The documents of a project: plans, reports and summaries, how far each is, and which belongs to which.

Standard library only, and nothing is refused: what cannot be read is listed with what is wrong. Pure: texts come in.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence

from stretto.graph.markdown import one_line
from stretto.graph.numbering import number_of
from stretto.graph.plan_lines import Item, Outline, PhaseLines
from stretto.graph.plan_reading import below, identified, inside, linked, listed, read_metadata, task_id, words
from stretto.state.errors import BadInput
from stretto.state.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KINDS: Mapping[str, str] = {"plan": "specs/plans", "report": "specs/reports", "summary": "specs/summaries"}
"""Where each kind lies, from the project's root."""
PLAN_TITLE, SUMMARY_TITLE = " Implementation Plan", " Implementation Summary"


class Task(NamedTuple):
    """One task of a plan: its line (from 0), its id, whether it is ticked, and the tasks that it names as needed."""

    line: int
    id: str
    done: bool
    needs: tuple[str, ...]


class Document(NamedTuple):
    """One file. `problem` says what is wrong with it, or is empty; `facts` are those of its kind.

    `plans`, `reports` and `summaries` are paths from the project's root that it links to.
    """

    kind: str
    path: str
    title: str = ""
    date: str = ""
    workflow: str = ""
    plans: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    summaries: tuple[str, ...] = ()
    problem: str = ""
    facts: Mapping[str, Any] = {}

    @property
    def number(self) -> int | None:
        """The number with which its name begins."""
        return number_of(self.path)


def read(kind: str, path: str, text: str) -> Document:
    """What one file says. Never an error: a file that cannot be read has a `problem`."""
    outline = Outline(text, path)
    found = Document(kind, path)
    try:
        title = outline.title()
        meta = read_metadata(outline.body("metadata"))
        found = _described(found, title, meta)
        if kind == "plan":
            return found._replace(facts=_plan_facts(outline))
        return found._replace(facts=_report_facts(meta) if kind == "report" else _summary_facts(outline, meta))
    except BadInput as error:
        return found._replace(problem=error.message)


def _described(found: Document, title: str, meta: Mapping[str, Sequence[str]]) -> Document:
    reports = "related reports" if found.kind == "report" else "research reports"
    date = (*meta.get("date", ()), *meta.get("date completed", ()), "")[0]
    suffix = {"plan": PLAN_TITLE, "summary": SUMMARY_TITLE}.get(found.kind, "")
    return found._replace(
        title=title.removesuffix(suffix) or title,
        date=one_line(date),
        workflow=(*meta.get("workflow", ()), "")[0],
        plans=_near(found.path, meta.get("plan", ())),
        reports=_near(found.path, meta.get(reports, ())),
        summaries=_near(found.path, meta.get("summary", ())),
    )


def _near(path: str, values: Sequence[str]) -> tuple[str, ...]:
    """Links as paths from the project's root; those that lead out of it stay as they are."""
    folder = posixpath.dirname(path)
    return tuple(posixpath.normpath(posixpath.join(folder, target)) for target in linked(filter(None, values)))


# ── plans ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _plan_facts(outline: Outline) -> dict[str, Any]:
    """Ticks, counted.

    Raises:
        BadInput: It is no plan, or a task has an id or a path that none can have.
    """
    phases = outline.phases()
    tasks = [task for phase in phases for task in _tasks(outline, phase)]
    criteria = outline.criteria()
    unfinished = [p for p in phases if not p.completed or not all(item.done for item in p.items)]
    known = {task.id for task in tasks}
    unknown = sorted({need for task in tasks for need in task.needs} - known)
    return {
        "phases": {"done": len(phases) - len(unfinished), "total": len(phases)},
        "tasks": {"done": sum(t.done for t in tasks), "total": len(tasks)},
        "criteria": {"done": sum(c.done for c in criteria), "total": len(criteria)},
        "next_phase": unfinished[0].number if unfinished else None,
        "unknown_dependencies": unknown,
        "begun": any(t.done for t in tasks) or any(p.completed for p in phases),
    }


def _tasks(outline: Outline, phase: PhaseLines) -> Iterator[Task]:
    return (_task(outline, item, name, title) for item, name, title in identified(phase))


def _task(outline: Outline, item: Item, name: str, title: str) -> Task:
    """What `plan_file` makes of it, with the same words where it cannot."""
    fields, _ = below(item.below)
    needs = tuple(one_line(w.strip("`*")) for w in words(fields.get("depends on", "")))
    paths = {key: listed(fields.get(key, "")) for key in ("reads", "writes")}
    place = "id"
    try:
        task_id(one_line(name))
        place = "title"
        _some(one_line(title))
        for key, values in paths.items():
            for n, value in enumerate(values):
                place = f"{key}.{n}"
                inside(one_line(value))
        for n, need in enumerate(needs):
            place = f"depends_on.{n}"
            task_id(need)
    except ValueError as error:
        raise outline.error(item.line, f"task {name!r}: {place} {error}.") from None
    return Task(item.line, name, item.done, needs)


def _some(text: str) -> None:
    if not text:
        raise ValueError("is empty")


# ── reports and summaries ────────────────────────────────────────────────────────────────────────────────────────────


def _report_facts(meta: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    names = {"scope": "scope", "type": "type", "severity": "severity"}
    return {key: meta[name][0] for key, name in names.items() if name in meta}


def _summary_facts(outline: Outline, meta: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    done, _, total = (*meta.get("phases", ()), "")[0].partition("/")
    counted = done.strip().isdecimal() and total.strip().isdecimal()
    tests = read_metadata(outline.body("test results")).get("result", ["unknown"])[0]
    return {"phases": {"done": int(done), "total": int(total)} if counted else None, "tests": tests or "unknown"}


# ── which belongs to which ───────────────────────────────────────────────────────────────────────────────────────────


class Inventory:
    """All documents of a project, and what they are to each other."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._all = {d.path: d for d in documents}

    def of(self, kind: str) -> list[Document]:
        """Those of one kind, by number and name."""
        found = [d for d in self._all.values() if d.kind == kind]
        return sorted(found, key=lambda d: (d.number is None, d.number or 0, d.path))

    def row(self, document: Document) -> dict[str, Any]:
        """One document with its status, its links in both directions, and whether work can go on from it."""
        related = self._related(document)
        status, hindrance = self._standing(document, related)
        missing = sorted(p for p in {*document.plans, *document.reports, *document.summaries} if self._leads_nowhere(p))
        return {
            "number": document.number,
            "path": document.path,
            "title": document.title or None,
            "date": document.date or None,
            "status": status,
            **{key: value for key, value in document.facts.items() if key != "begun"},
            **related,
            "workflow": document.workflow or None,
            "missing_links": missing,
            "ready": not hindrance,
            "not_ready": hindrance or None,
            "problem": document.problem or None,
        }

    def _leads_nowhere(self, path: str) -> bool:
        return path.startswith(tuple(f"{folder}/" for folder in KINDS.values())) and path not in self._all

    def _related(self, one: Document) -> dict[str, list[str]]:
        """The documents of the other kinds that it links to, or that link to it."""
        found: dict[str, list[str]] = {}
        for kind, field in (("plan", "plans"), ("report", "reports"), ("summary", "summaries")):
            if kind == one.kind:
                continue
            linking = {d.path for d in self.of(kind) if one.path in (*d.plans, *d.reports, *d.summaries)}
            mine: tuple[str, ...] = getattr(one, field)
            found[field] = sorted(linking | {p for p in mine if p in self._all})
        return found

    def _standing(self, one: Document, related: Mapping[str, Sequence[str]]) -> tuple[str, str]:
        """Its status, and what keeps work from going on from it; nothing if nothing does."""
        if one.problem:
            return "unreadable", "it cannot be read"
        if one.kind == "plan":
            return _plan_standing(one.facts)
        plans = [self._all[p] for p in related["plans"]]
        if one.kind == "report":
            done = any(_plan_standing(p.facts)[0] == "completed" for p in plans if not p.problem)
            status = "implemented" if done else "planned" if plans else "unused"
            return status, f"{plans[0].path} is built on it" if plans else ""
        phases = one.facts["phases"]
        status = "unknown" if phases is None else "complete" if phases["done"] == phases["total"] else "partial"
        if status != "complete":
            return status, "not every phase is done" if phases else "it does not say how many phases are done"
        return status, "" if one.facts["tests"] == "passed" else f"its tests: {one.facts['tests']}"


def _plan_standing(facts: Mapping[str, Any]) -> tuple[str, str]:
    if facts["next_phase"] is None:
        return "completed", "nothing is left to do"
    unknown = facts["unknown_dependencies"]
    return "in_progress" if facts["begun"] else "not_started", f"no task is called {unknown[0]}" if unknown else ""
