"""/list-plans, /list-reports, /list-summaries: the documents of a project, how far each is, and what belongs together.

Reads the checkout as it is and writes nothing. Standard library only: a hook answers with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from stretto.commands.app import App, require_supported
from stretto.commands.find import inside
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.safe import one_line
from stretto.graph.inventory import KINDS, Document, Inventory, read
from stretto.state.errors import BadInput
from stretto.state.places import project_around

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SUPPORTED = frozenset({"workflow-context", "orchestration-ready"})
LISTED = {"list-plans": "plan", "list-reports": "report", "list-summaries": "summary"}
PLURALS = {"plan": "plans", "report": "reports", "summary": "summaries"}
LARGEST = 2_000_000
"""Bytes of a document that is read."""


def handle(invocation: Invocation, app: App) -> Reply:
    """List the documents of one kind.

    Raises:
        BadInput: A flag that does nothing here, or a workflow that neither the store nor a document knows.
    """
    require_supported(invocation, SUPPORTED)
    kind = LISTED[invocation.command]
    root = project_around(app.folder)
    inventory = Inventory([*_documents(root)])
    rows = [inventory.row(d) for d in inventory.of(kind)]
    chosen = rows
    if (named := invocation.flags.get("workflow-context")) is not None:
        chosen = _of_workflow(chosen, str(named), app)
    if invocation.words:
        chosen = [row for row in chosen if _matches(row, invocation.words[0].text)]
    if "orchestration-ready" in invocation.flags:
        chosen = [row for row in chosen if row["ready"]]
    result = {PLURALS[kind]: chosen, "total": len(rows), "by_status": _counted(chosen), **_left_over(inventory, kind)}
    return Reply(invocation.command, "\n".join(_lines(kind, chosen, rows)), result, next_steps=_next(kind, chosen))


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _documents(root: str) -> Iterator[Document]:
    for kind, folder in KINDS.items():
        for name in _names(os.path.join(root, folder)):
            yield _document(root, kind, f"{folder}/{name}")


def _names(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(".md"))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _document(root: str, kind: str, path: str) -> Document:
    place = inside(root, path)
    if place is None:
        return Document(kind, path, problem=f"{path} leads out of the project and was not read.")
    try:
        if os.path.getsize(place) > LARGEST:
            return Document(kind, path, problem=f"{path} is larger than {LARGEST:,} bytes and was not read.")
        with open(place, encoding="utf-8") as file:
            return read(kind, path, file.read())
    except (OSError, UnicodeDecodeError) as error:
        return Document(kind, path, problem=f"{path} cannot be read: {error}.")


# ── choosing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _matches(row: Mapping[str, Any], pattern: str) -> bool:
    """A pattern with `*`, `?` or `[` is one of file names; words must all stand in the file's name or title."""
    name = row["path"].rpartition("/")[2].lower()
    if any(mark in pattern for mark in "*?["):
        return fnmatchcase(name, pattern.lower())
    return all(word in f"{name} {row['title'] or ''}".lower() for word in pattern.lower().split())


def _of_workflow(rows: Sequence[dict[str, Any]], workflow: str, app: App) -> list[dict[str, Any]]:
    """Those that the workflow wrote or was given, as its events say, and those that name it."""
    written = _written(workflow, app)
    if written is None and not any(row["workflow"] == workflow for row in rows):
        raise BadInput(
            f"There is no workflow {workflow!r}, and no document names it.",
            field="--workflow-context",
            next_steps=("stretto workflow-status --all",),
        )
    return [row for row in rows if row["workflow"] == workflow or row["path"] in (written or ())]


def _written(workflow: str, app: App) -> set[str] | None:
    """The documents on a workflow's record; None if the store does not know it."""
    from stretto.state.log import Log

    log = Log.find(app.state)
    if log is None:
        return None
    with log:
        row = log.workflow(workflow)
        if row is None:
            return None
        found = {str(row.spec.get("plan_file") or "")}
        for event in log.events(workflow):
            found.update(str(path) for path in event.data.get("artifacts") or ())
            found.add(str(event.data.get("plan_file") or ""))
    return found


def _left_over(inventory: Inventory, kind: str) -> dict[str, list[str]]:
    """What nobody has gone on with: plans without a summary, reports without a plan."""
    plans = [r["path"] for r in map(inventory.row, inventory.of("plan")) if not r["summaries"]]
    reports = [r["path"] for r in map(inventory.row, inventory.of("report")) if not r["plans"]]
    found = {"plans_without_summary": plans, "reports_without_plan": reports}
    wanted = {"plan": ("plans_without_summary",), "report": ("reports_without_plan",)}
    return {key: found[key] for key in wanted.get(kind, tuple(found))}


def _counted(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in rows:
        found[row["status"]] = found.get(row["status"], 0) + 1
    return found


# ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _lines(kind: str, chosen: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for row in chosen:
        yield _line(row)
        yield from (f"      {text}" for text in _below(row))
    if not rows:
        yield f"There are no {PLURALS[kind]} in {KINDS[kind]}."
    elif not chosen:
        yield f"None of {len(rows)} {PLURALS[kind]} is what was asked for."
    elif len(chosen) < len(rows):
        yield f"{len(chosen)} of {len(rows)} {PLURALS[kind]}"


def _line(row: Mapping[str, Any]) -> str:
    number = "  -" if row["number"] is None else f"{row['number']:03d}"
    name = one_line(row["title"] or row["path"].rpartition("/")[2], 80)
    return f"{number}  {row['status'].replace('_', ' '):<12} {_ticks(row):<26} {name}".rstrip()


def _ticks(row: Mapping[str, Any]) -> str:
    counted = [f"{row[key]['done']}/{row[key]['total']} {key}" for key in ("phases", "tasks") if row.get(key)]
    return ", ".join([*counted, *([f"tests {row['tests']}"] if "tests" in row else [])])


def _below(row: Mapping[str, Any]) -> Iterator[str]:
    if row["problem"]:
        yield one_line(row["problem"], 400)
        return
    yield row["path"]
    for key in ("reports", "plans", "summaries"):
        if row.get(key):
            yield f"{key}: {', '.join(path.rpartition('/')[2] for path in row[key])}"
    if row["missing_links"]:
        yield f"links to what is not there: {one_line(', '.join(row['missing_links']), 400)}"


def _next(kind: str, rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """What may be done with the newest of those that work can go on from."""
    ready = [row["path"] for row in rows if row["ready"]]
    if not ready or kind == "summary":
        return ()
    return (f"stretto implement {ready[-1]}" if kind == "plan" else f'stretto plan "…" --reports={ready[-1]}',)
