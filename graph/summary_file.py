"""The summary of an implemented plan: what was done, counted from what was recorded.

A figure that nobody took is `unknown`; a section without content is not there.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from stretto.graph.markdown import code, link, one_line
from stretto.graph.numbering import file_name, number_of
from stretto.graph.plan_links import relative
from stretto.graph.report_file import bullets, document, facts_list, section
from stretto.state.errors import BadInput

FOLDER = "specs/summaries"
UNKNOWN = "unknown"


class Change(NamedTuple):
    """One changed file with its inserted and deleted lines; None where git does not count them (a binary file)."""

    path: str
    inserted: int | None
    deleted: int | None


class Results(NamedTuple):
    """What the project's test runner said. None is a figure that it did not report; `command` is what was run."""

    command: str
    ok: bool
    passed: int | None = None
    failed: int | None = None
    errors: int | None = None
    skipped: int | None = None
    seconds: float | None = None


class Timing(NamedTuple):
    """How long a phase took, in seconds of wall-clock time; None if nobody measured it."""

    phase: str
    seconds: float | None


def summary_name(plan_path: str) -> str:
    """The file name of a plan's summary: the plan's number, so that the two are found together.

    Raises:
        BadInput: The plan's file has no number.
    """
    number = number_of(plan_path)
    if not number:
        raise BadInput(f"The plan {plan_path!r} has no number: its name starts with digits and '_'.", field="plan")
    return file_name(number, "", suffix="implementation_summary")


def render_summary(
    title: str,
    *,
    date: str,
    plan: str,
    phases_done: int,
    phases_total: int,
    workflow_id: str = "",
    reports: Sequence[str] = (),
    overview: str = "",
    changes: Sequence[Change] = (),
    results: Results | None = None,
    integration: Mapping[str, str] | None = None,
    timings: Sequence[Timing] = (),
    recoveries: Sequence[str] = (),
    folder: str = FOLDER,
) -> str:
    """A summary as the text of its file.

    `integration` tells for a report what came of it; `recoveries` are sentences about what was taken up again after a
    failure. `plan`, `reports`, the keys of `integration` and `folder`, where the summary will lie, are paths from the
    project's root.
    """
    facts = {
        "Date Completed": date,
        "Plan": link(relative(plan, folder)),
        "Phases": f"{phases_done}/{phases_total}",
        "Workflow": workflow_id,
    }
    came = [f"{link(relative(r, folder))}: {one_line(text)}" for r, text in (integration or {}).items()]
    return document(
        f"{one_line(title)} Implementation Summary",
        [*facts_list(facts), *_reports(reports, folder)],
        [
            section("Overview", overview),
            section("Key Changes", "\n".join(_changes(changes))),
            section("Test Results", "\n".join(_results(results))),
            section("Report Integration", bullets(came)),
            section("Timings", "\n".join(_timings(timings))),
            section("Recoveries", bullets(recoveries)),
        ],
    )


def _reports(reports: Sequence[str], folder: str) -> Iterator[str]:
    if reports:
        yield "- **Research Reports**:"
        yield from (f"  - {link(relative(r, folder))}" for r in reports)


def _changes(changes: Sequence[Change]) -> Iterator[str]:
    for change in changes:
        counted = change.inserted is not None and change.deleted is not None
        count = f"+{change.inserted} -{change.deleted}" if counted else "lines not counted"
        yield f"- {code(one_line(change.path))} ({count})"


def _results(results: Results | None) -> Iterator[str]:
    if results is None:
        yield f"- Result: {UNKNOWN}"
        return
    yield f"- Command: {code(one_line(results.command))}"
    yield f"- Result: {'passed' if results.ok else 'failed'}"
    counts = {"Passed": results.passed, "Failed": results.failed, "Errors": results.errors, "Skipped": results.skipped}
    yield from (f"- {name}: {UNKNOWN if count is None else count}" for name, count in counts.items())
    if results.seconds is not None:
        yield f"- Duration: {_duration(results.seconds)}"


def _timings(timings: Sequence[Timing]) -> Iterator[str]:
    yield from (f"- {one_line(t.phase)}: {_duration(t.seconds)}" for t in timings)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min {rest} s" if hours else f"{minutes} min {rest} s"
