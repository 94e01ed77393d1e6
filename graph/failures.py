"""What failed and why, from the events on record: incidents, their primary cause with evidence, or `unknown`.

An incident is the trouble of one phase from its first event until the phase is completed or skipped. Its primary cause
is the earliest event in it whose type or words name one of the `CAUSES`; what a later attempt of the same task made
good is no part of it. The same events give the same answer.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, get_args

from stretto.state import registry
from stretto.state.wire import Event

CauseKind = Literal[
    "agent_failed",
    "agent_timeout",
    "resource_exhaustion",
    "external_error",
    "network_partition",
    "dependency_failed",
    "test_failed",
    "driver_died",
    "state_damaged",
    "unknown",
]
CAUSES: Final = get_args(CauseKind)
UNKNOWN: Final[tuple[CauseKind]] = ("unknown",)
Severity = Literal["critical", "high", "medium", "low"]
SEVERITIES: Final = get_args(Severity)
_BY_TYPE: Final[Mapping[str, CauseKind]] = {
    "AGENT_ERROR": "agent_failed",
    "AGENT_TIMEOUT": "agent_timeout",
    "TASK_TIMEOUT": "agent_timeout",
    "TESTING_FAILED": "test_failed",
    "RESOURCE_THRESHOLD": "resource_exhaustion",
}
"""What the type alone says, where the words say nothing."""
_WORDS: Final[tuple[tuple[CauseKind, str], ...]] = (
    (
        "dependency_failed",
        r"not started, since|dependenc(?:y|ies) (?:has |have )?(?:failed|missing)|exit(?:ed)? 127\b",
    ),
    ("network_partition", r"network partition|partitioned|cut off from|host unreachable|network is unreachable"),
    (
        "resource_exhaustion",
        r"resources? exhaust|exhausted|out of memory|oom\b|memory ?error|enomem|enospc|no space left"
        r"|disk (?:is )?full|quota|too many open files|pool is empty|exit(?:ed)? 137\b",
    ),
    (
        "external_error",
        r"connection (?:timeout|timed out|refused|reset|error|lost)|could not connect|name resolution|dns\b"
        r"|service unavailable|bad gateway|gateway timeout|http 5\d\d|rate limit|external (?:error|service)"
        r"|external dependency",
    ),
    ("state_damaged", r"state (?:damaged|corrupt\w*)|corrupt|checksum|integrity|is damaged"),
    ("driver_died", r"driver (?:died|is gone|was killed)"),
    ("test_failed", r"tests? (?:failed|fail\b)|failing tests?|\d+ failed\b(?!\.)|assertion ?error"),
    ("agent_timeout", r"agent timeout|timed out|timeout|deadline|exit(?:ed)? 124\b"),
    ("agent_failed", r"agent (?:failed|failure|died|crashed|was killed|stopped)|killed by signal|exit(?:ed)? code"),
)
"""The words that name a cause; the first that are found decide."""
_BY_WORDS: Final[tuple[tuple[CauseKind, re.Pattern[str]], ...]] = tuple(
    (kind, re.compile(rf"\b(?:{words})")) for kind, words in _WORDS
)
_TEXTS: Final = ("error", "error_type", "error_details", "failure_reason", "reason", "message", "error_code")
_ENDS: Final = frozenset({"PHASE_COMPLETED", "PHASE_SKIPPED"})
_CAUSAL: Final = frozenset({"RESOURCE_THRESHOLD", "SYSTEM_ERROR"})


class Cause(NamedTuple):
    """Why something failed: the kind, what it befell, the words on record, and the ids of the events that say so."""

    kind: CauseKind
    component: str
    words: str
    evidence: tuple[str, ...]


class Incident(NamedTuple):
    """The trouble of one phase, oldest event first. `over` is the event that ended it, if one did."""

    workflow_id: str
    phase: str
    events: tuple[Event, ...]
    over: Event | None = None

    @property
    def id(self) -> str:
        """The same for the same failure: it is named by the number of its first event."""
        return f"rca_{self.workflow_id}_{self.events[0].seq}"


def incidents(events: Iterable[Event]) -> list[Incident]:
    """The incidents among the events of one workflow, by their first event."""
    open_: dict[str, list[Event]] = {}
    found: list[Incident] = []
    running = False
    for event in events:
        died = event.type == "WORKFLOW_RESUMED" and running
        running = _running(event, running)
        if event.type == "TASK_COMPLETED":
            _made_good(open_, event)
        elif event.type in _ENDS or event.type == "WORKFLOW_COMPLETED":
            phases = [event.phase] if event.type in _ENDS else [*open_]
            found += [Incident(event.workflow_id, p, tuple(open_.pop(p)), event) for p in phases if open_.get(p)]
        elif _troubled(event) or died:
            open_.setdefault(event.phase, []).append(event)
    found += [Incident(some[0].workflow_id, phase, tuple(some)) for phase, some in open_.items() if some]
    return sorted(found, key=lambda i: i.events[0].seq)


def _running(event: Event, before: bool) -> bool:
    """Whether a driver is at work after an event: a resume in that state follows one that died."""
    if event.type in ("WORKFLOW_STARTED", "WORKFLOW_RESUMED"):
        return True
    return before and not event.type.startswith("WORKFLOW_")


def _troubled(event: Event) -> bool:
    if event.type in _CAUSAL:
        return event.severity in ("error", "critical")
    return "error" in registry.classes(event.type) and not event.type.startswith("RECOVERY_")


def _made_good(open_: dict[str, list[Event]], done: Event) -> None:
    """A task that was completed after all takes its failures out, if nothing worse came of them."""
    task = done.data.get("task_id")
    for phase, some in open_.items():
        open_[phase] = [
            e for e in some if e.data.get("task_id") != task or e.type not in ("TASK_FAILED", "TASK_TIMEOUT")
        ]


def primary_cause(incident: Incident) -> Cause:
    """The earliest event that names a cause, with those of the same kind as evidence; `unknown` if none does."""
    found: list[tuple[Event, CauseKind]] = [(event, kind_of(event)) for event in incident.events]
    named: list[tuple[Event, CauseKind]] = [(event, kind) for event, kind in found if kind not in UNKNOWN]
    if not named:
        first = incident.events[0]
        return Cause("unknown", _component(first), words(first), tuple(e.event_id for e in incident.events))
    first, kind = named[0]
    evidence = tuple(event.event_id for event, other in named if other == kind)
    return Cause(kind, _component(first), words(first), evidence)


def kind_of(event: Event) -> CauseKind:
    """What one event says about a cause."""
    if event.type == "WORKFLOW_RESUMED":
        return "driver_died"
    said = words(event).lower().replace("_", " ")
    for kind, pattern in _BY_WORDS:
        if pattern.search(said):
            return kind
    return _BY_TYPE.get(event.type, UNKNOWN[0])


def words(event: Event) -> str:
    """What an event says in words about what went wrong."""
    found = (event.data.get(name) for name in _TEXTS)
    return "; ".join(dict.fromkeys(text for text in found if isinstance(text, str) and text))[:500]


def _component(event: Event) -> str:
    named = (event.data.get(name) for name in ("component", "agent_id", "task_id"))
    return next((text for text in named if isinstance(text, str) and text), event.phase)


def severity(incident: Incident) -> Severity:
    """`critical` if an event says so, `high` if the workflow failed, `medium` if a phase did, else `low`."""
    if any(e.severity == "critical" or e.data.get("impact") == "critical" for e in incident.events):
        return "critical"
    types = {e.type for e in incident.events}
    if "WORKFLOW_FAILED" in types:
        return "high"
    return "medium" if "PHASE_FAILED" in types else "low"


def last_of(found: Sequence[Incident]) -> Incident | None:
    """The one to look at: the newest that is not over, else the newest."""
    return next((i for i in reversed(found) if i.over is None), found[-1] if found else None)
