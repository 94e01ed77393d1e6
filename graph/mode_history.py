"""What this store has seen of attempts, merges and conflicts, as figures for the advice on how to carry out a plan."""

from statistics import median
from typing import NamedTuple

from stretto.agents.local import SENT_BACK
from stretto.graph.advice import DEFAULTS
from stretto.graph.coordination import RUNNER
from stretto.graph.history import RECENT, past_tasks
from stretto.graph.mode_cost import CALL, FINISH, LATENCY, SPEED, Figures
from stretto.state.log import Log

ENOUGH = 5
"""Finished tasks of implementers from which their own sizes and seconds are used."""
PRIOR = 10
"""Attempts that a published share of failures counts for beside those of the store."""
_LEAST, _MOST = 0.2, 20.0


class Tried(NamedTuple):
    """Attempts at implementing: how many, how many failed by themselves; of those in company, how many were sent back.

    An attempt is in company if others of its phase were begun before it ended. One is sent back if what landed
    meanwhile stood in its way.
    """

    attempts: int = 0
    slipped: int = 0
    in_company: int = 0
    sent_back: int = 0


def figures_of(log: Log | None) -> tuple[Figures, str]:
    """The figures, and what they rest on in words."""
    usual = Figures()
    if log is None:
        return usual, DEFAULTS
    tried = _tried(log)
    figures = usual._replace(
        slips=_drawn(usual.slips, tried.slipped, tried.attempts),
        near=_drawn(usual.near, tried.sent_back, tried.in_company),
        blind=_drawn(usual.blind, tried.sent_back, tried.in_company),
        stale=_drawn(usual.stale, tried.sent_back, tried.in_company),
        apart=_drawn(usual.apart, tried.sent_back, tried.in_company),
    )
    done = [t for t in past_tasks(log) if t.role == "implementer" and t.output_tokens and t.seconds > 0]
    failures = f"{tried.sent_back} of {tried.in_company} attempts beside others sent back"
    if len(done) < ENOUGH:
        of = f"this store has {len(done)} of the {ENOUGH} finished tasks that its own figures need"
        return figures, f"{DEFAULTS}; {of}" + (f"; {failures}" if tried.in_company else "")
    output = median(float(t.output_tokens or 0) for t in done)
    seconds = median(t.seconds for t in done)
    turns = figures.turns * min(_MOST, max(_LEAST, output / _said(figures)))
    figures = figures._replace(turns=turns)
    pace = min(_MOST, max(_LEAST, seconds / _takes(figures)))
    return figures._replace(pace=pace), f"{len(done)} finished tasks of this store; {failures}"


def _drawn(usual: float, seen: int, of: int) -> float:
    """The share that was seen, drawn to the usual one as long as few were seen."""
    return (usual * PRIOR + seen) / (PRIOR + of)


def _said(figures: Figures) -> float:
    """Output tokens of a task of one path."""
    return CALL + figures.turns * figures.output + FINISH


def _takes(figures: Figures) -> float:
    return LATENCY * (figures.turns + 2) + _said(figures) / SPEED


def _tried(log: Log) -> Tried:
    found = Tried()
    for row in log.newest_workflows(RECENT):
        if row.runner != RUNNER:
            found = Tried(*(a + b for a, b in zip(found, _of(log, row.id), strict=True)))
    return found


def _of(log: Log, workflow_id: str) -> Tried:
    """Read off the events, in their order: who was at work when an attempt ended."""
    at_work: dict[str, str] = {}
    shared: set[str] = set()
    attempts = slipped = company = sent_back = 0
    for event in log.events(workflow_id):
        name = str(event.data.get("task_id", ""))
        if event.type == "TASK_STARTED" and event.data.get("role") == "implementer":
            at_work[name] = event.phase
            together = [t for t, phase in at_work.items() if phase == event.phase]
            shared.update(together if len(together) > 1 else ())
        elif event.type in ("TASK_COMPLETED", "TASK_FAILED") and name in at_work:
            del at_work[name]
            back = event.data.get("landing") in SENT_BACK
            attempts += 1
            slipped += event.type == "TASK_FAILED" and not back
            company += name in shared
            sent_back += back and name in shared
            shared.discard(name)
    return Tried(attempts, slipped, company, sent_back)
