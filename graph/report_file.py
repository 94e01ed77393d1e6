"""Reports as markdown files: what a researcher found, and what a debugger found out.

A section is there when somebody gave its content; nothing is filled in.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from stretto.graph.markdown import block, close_fences, code, demote, guard, headings, link, longest_run, one_line
from stretto.graph.plan import PlanTask
from stretto.graph.plan_file import details, shown_id
from stretto.graph.plan_links import relative

FOLDER = "specs/reports"


def render_report(
    title: str,
    body: str,
    *,
    date: str,
    scope: str = "",
    directory: str = "",
    files: Sequence[str] = (),
    plan: str = "",
    workflow_id: str = "",
    summary: str = "",
    recommendations: Sequence[str] = (),
    references: Sequence[str] = (),
    folder: str = FOLDER,
) -> str:
    """A report as the text of its file.

    `body` is the researcher's own markdown: its headings are pushed down below the one title, and a first heading
    that only repeats the title is dropped. `files` are the files looked at; they, `plan` and `folder`, where the
    report will lie, are paths from the project's root.
    """
    facts = {"Date": one_line(date), "Scope": one_line(scope), "Primary Directory": one_line(directory)}
    return document(
        title,
        [*facts_list(facts), *_files(files), *_plan(plan, folder), *facts_list({"Workflow": one_line(workflow_id)})],
        [
            section("Executive Summary", summary),
            _body(title, body),
            section("Recommendations", bullets(recommendations)),
            section("References", bullets(references)),
        ],
    )


def render_debug_report(
    issue: str,
    cause: str,
    evidence: Sequence[str] | str,
    tasks: Sequence[PlanTask],
    *,
    date: str,
    severity: str = "",
    kind: str = "",
    title: str = "",
    plan: str = "",
    related_reports: Sequence[str] = (),
    workflow_id: str = "",
    folder: str = FOLDER,
) -> str:
    """A debug report as the text of its file: problem, root cause, evidence, and the tasks that are to repair it.

    `issue` is what went wrong, as long as it is (a test's output, say); `title` its name in a few words, by default
    its first line. `plan`, `related_reports` and `folder` are paths from the project's root.
    """
    facts = {"Date": date, "Type": kind, "Severity": severity}
    related = [f"- **Related Report**: {link(relative(r, folder))}" for r in related_reports]
    proof = quoted(evidence) if isinstance(evidence, str) else _proof(evidence)
    findings = [
        f"### Root Cause\n\n{demote(block(cause), 4)}" if block(cause) else "",
        f"### Evidence\n\n{proof}" if proof else "",
    ]
    return document(
        f"Debug Report: {_first_line(title or issue)}",
        [*facts_list(facts), *_plan(plan, folder), *related, *facts_list({"Workflow": workflow_id})],
        [
            section("Problem", quoted(issue)),
            section("Findings", "\n\n".join(filter(None, findings))),
            section("Solution", "\n".join(line for task in tasks for line in _task(task))),
        ],
    )


def document(title: str, metadata: Iterable[str], sections: Iterable[str]) -> str:
    """A file of ours: one title, the metadata, the sections that have content."""
    listed = "\n".join(metadata)
    parts = (f"# {one_line(title)}", f"## Metadata\n{listed}" if listed else "", *sections)
    return "\n\n".join(p for p in parts if p) + "\n"


def section(title: str, text: str) -> str:
    """A `##` section, or nothing where there is no text. Headings in the text become smaller than its own."""
    return f"## {title}\n\n{guard(demote(block(text), 3))}" if block(text) else ""


def facts_list(facts: Mapping[str, str]) -> Iterator[str]:
    """Lines of metadata for the facts that are known."""
    return (f"- **{name}**: {one_line(value)}" for name, value in facts.items() if one_line(value))


def bullets(texts: Iterable[str]) -> str:
    """A list, one line for each text that has one."""
    return "\n".join(f"- {line}" for line in map(one_line, texts) if line)


def quoted(text: str) -> str:
    """Somebody's words: a line as prose, more than one as a code block that nothing in them can close."""
    text = block(text)
    if "\n" not in text:
        return text
    fence = "~" * max(3, longest_run(text, "~") + 1)
    return f"{fence}text\n{text}\n{fence}"


def _body(title: str, body: str) -> str:
    text = close_fences(demote(_untitled(title, block(body)), 2))
    if not text:
        return ""
    return text if any(level == 2 for level, _ in headings(text)) else f"## Findings\n\n{text}"


def _untitled(title: str, body: str) -> str:
    first, _, rest = body.partition("\n")
    found = headings(first)
    return block(rest) if found and one_line(found[0][1]).lower() == one_line(title).lower() else body


def _proof(evidence: Sequence[str]) -> str:
    pieces = [text for text in map(block, evidence) if text]
    return "\n\n".join(map(quoted, pieces)) if any("\n" in p for p in pieces) else bullets(pieces)


def _files(files: Sequence[str]) -> Iterator[str]:
    if files:
        yield f"- **Files Analyzed**: {len(files)}"
        yield from (f"  - {code(one_line(f))}" for f in files)


def _plan(plan: str, folder: str) -> Iterator[str]:
    if plan:
        yield f"- **Plan**: {link(relative(plan, folder))}"


def _first_line(text: str) -> str:
    line = one_line(block(text).partition("\n")[0])
    return line if len(line) <= 80 else f"{line[:79].rstrip()}…"


def _task(task: PlanTask) -> Iterator[str]:
    yield f"- **{shown_id(task.id)}** {task.title}"
    yield from details(task)
