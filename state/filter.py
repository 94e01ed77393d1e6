"""Filters: which events a subscriber wants.

A pattern is one of:

- a type, whole or in part: `PHASE_*`, `*_FAILED`, `task_completed`. `*` stands for any text, case does not count;
- the same with a dot for its first `_`: `workflow.*`, `*.failed`, `phase.completed`;
- three parts, FAMILY.ID.TYPE: `workflow.*.phase_completed`, `agent.shop_001.timeout`. The middle is the workflow's id,
  in which case counts. The type is FAMILY_TYPE, or, where FAMILY is `workflow`, TYPE alone as well.

Aliases of types are understood where no `*` is in them: `planning.started` is `PLAN_STARTED`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stretto.state import registry
from stretto.state.errors import BadInput
from stretto.state.light import NamedTuple, pattern
from stretto.state.wire import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PATTERN = pattern(r"[A-Za-z0-9_.*-]{1,200}")
Test = Callable[[Event], bool]


class Filter(NamedTuple):
    """What an event must be, all at once; what is empty says nothing.

    `patterns` and `classes` name alternatives; `severity` is the least one; `workflow` an id.
    """

    patterns: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    severity: str = ""
    workflow: str = ""

    def test(self) -> Test:
        """A function that tells whether an event is wanted. `workflow` is not looked at: readers ask for it.

        Raises:
            BadInput: A pattern is none, or a class or severity is unknown.
        """
        _check("class", self.classes, registry.CLASSES)
        _check("severity", (self.severity,) if self.severity else (), registry.SEVERITIES)
        matchers = [_matcher(pattern) for pattern in self.patterns]
        classes, severities = frozenset(self.classes), _from(self.severity)

        def wanted(event: Event) -> bool:
            return (
                event.severity in severities
                and (not matchers or any(matches(event) for matches in matchers))
                and (not classes or not classes.isdisjoint(registry.classes(event.type)))
            )

        return wanted

    def as_dict(self) -> dict[str, Any]:
        """As JSON values, for the store."""
        return self._asdict()

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Filter:
        """What `as_dict` made."""
        return cls(tuple(found["patterns"]), tuple(found["classes"]), str(found["severity"]), str(found["workflow"]))


def _check(field: str, words: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    for word in words:
        if word not in allowed:
            raise BadInput(f"There is no {field} {word!r}.", field=field, allowed=allowed)


def _from(severity: str) -> frozenset[str]:
    """This severity and those above it."""
    return frozenset(registry.SEVERITIES[registry.SEVERITIES.index(severity) if severity else 0 :])


def _matcher(pattern: str) -> Test:
    parts = pattern.split(".")
    if not _PATTERN.fullmatch(pattern) or not all(parts):
        raise BadInput(
            f"{pattern!r} is not a pattern of event types.",
            field="pattern",
            allowed=("PHASE_*", "*.failed", "workflow.*", "workflow.ID.phase_completed"),
        )
    if len(parts) < 3:
        matches = _types(pattern)
        return lambda event: matches(event.type)
    family, workflow, kind = parts[0], _glob(".".join(parts[1:-1])), parts[-1]
    whole = _types(f"{family}.{kind}")
    bare = _types(kind) if family == "workflow" else whole
    return lambda event: workflow(event.workflow_id) and (whole(event.type) or bare(event.type))


def _types(pattern: str) -> Callable[[str], bool]:
    """Types are compared in one spelling: capitals, with `_` for a dot."""
    name = pattern if "*" in pattern else registry.canonical(pattern)
    matches = _glob(_spelled(name))
    return lambda event_type: matches(_spelled(event_type))


def _spelled(name: str) -> str:
    return name.upper().replace(".", "_")


def _glob(name: str) -> Callable[[str], bool]:
    """`translate` knows other signs than `*` too, but no pattern has them; its expressions never backtrack."""
    import re  # here: most commands ask for no pattern
    from fnmatch import translate

    found = re.compile(translate(name))
    return lambda text: found.match(text) is not None
