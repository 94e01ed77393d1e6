"""Expected events held against the log: found in order, then compared key by key.

A key is `equal`, `measured` (another figure of the same kind, in a range of sense), or it `differs`. Which keys are
measured is said here once; everything else must be the same.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

from stretto.commands.scenario_document import Expected
from stretto.state import registry
from stretto.state.errors import BadInput
from stretto.state.moments import moment
from stretto.state.units import LONGEST, said_seconds, seconds
from stretto.state.wire import Event, Line

Verdict = Literal["equal", "measured", "differs"]
MEASURED = re.compile(
    r"(?:.*_)?(?:duration|time_lost|recovery_time|coverage|insights|confidence)|estimated_.*|.*_(?:seconds|percent|percentage)"
)
"""The names of keys that hold a measurement or an estimate."""
ESTIMATE_WITHIN = 0.1
"""How far an estimated start may be from the simulated one: a share of the wait, or a minute if that is more."""
_NOTHING = "nothing"


class Key(NamedTuple):
    """One key of an expected event: what the log says of it."""

    name: str
    expected: Any
    seen: Any
    verdict: Verdict
    why: str = ""


class Compared(NamedTuple):
    """One expected event; `seen` is None where the log does not hold it, and `why` says how that is."""

    expected: Expected
    seen: Event | None
    keys: tuple[Key, ...] = ()
    why: str = ""

    @property
    def holds(self) -> bool:
        """Whether it was seen and no key differs."""
        return self.seen is not None and all(key.verdict != "differs" for key in self.keys)

    @property
    def verdict(self) -> Verdict:
        """The worst of its keys."""
        if not self.holds:
            return "differs"
        return "measured" if any(key.verdict == "measured" for key in self.keys) else "equal"


def compare(
    expected: Sequence[Expected], log: Sequence[Event], *, exact: bool = False, total_order: bool = False
) -> list[Compared]:
    """Each expected event beside the first of the log that fits it, behind the one found before.

    Order counts within each workflow; with `total_order` across them. With `exact` a measured key must be equal.
    """
    reached: dict[str, int] = {}
    found: list[Compared] = []
    for one in expected:
        if one.event is None:
            found.append(Compared(one, None, why=one.problem))
            continue
        lane = "" if total_order else one.event.workflow_id
        compared = _found(one, one.event, log, reached.get(lane, 0), exact)
        if compared.holds and compared.seen:
            reached[lane] = compared.seen.seq
        found.append(compared)
    return found


def _found(one: Expected, wanted: Line, log: Sequence[Event], after: int, exact: bool) -> Compared:
    """The first event behind `after` that holds; else the first of its name, with what differs in it."""
    named = [e for e in log if _same_name(e, wanted)]
    candidates = [Compared(one, e, _keys(wanted, e, log, exact)) for e in named if e.seq > after]
    if not candidates:
        return Compared(one, None, why=_absent(wanted, named, log))
    return next((c for c in candidates if c.holds), candidates[0])


def _same_name(event: Event, wanted: Line) -> bool:
    kind = registry.canonical(wanted.type)
    return (event.type, event.workflow_id, event.phase) == (kind, wanted.workflow_id, wanted.phase)


def _absent(wanted: Line, named: Sequence[Event], log: Sequence[Event]) -> str:
    if named:
        return f"seen, but before what should come before it (event {named[-1].seq})"
    kind = registry.canonical(wanted.type)
    other = [e for e in log if e.type == kind and wanted.workflow_id == e.workflow_id]
    if other:
        return f"not seen in the phase {wanted.phase!r}, but in {other[0].phase!r} (event {other[0].seq})"
    if not any(e.workflow_id == wanted.workflow_id for e in log):
        return f"not seen; nothing was written about {wanted.workflow_id!r}"
    return "not seen"


def _keys(wanted: Line, event: Event, log: Sequence[Event], exact: bool) -> tuple[Key, ...]:
    found = [_key(name, value, seen, exact) for name, value, seen in _leaves(wanted.data, event.data)]
    return tuple(_kept(key, event, log) if key.name == "estimated_start" else key for key in found)


def _leaves(wanted: Mapping[str, Any], seen: object, above: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every key that is expected, objects taken apart, with what the log has in its place."""
    there = cast("Mapping[str, Any]", seen if isinstance(seen, Mapping) else {})
    for name, value in wanted.items():
        if isinstance(value, dict):
            yield from _leaves(cast("dict[str, Any]", value), there.get(name), f"{above}{name}.")
        else:
            yield f"{above}{name}", value, there.get(name, _NOTHING)


def _key(name: str, expected: Any, seen: Any, exact: bool) -> Key:
    if _same(expected, seen):
        return Key(name, expected, seen, "equal")
    if exact or not MEASURED.fullmatch(name.rpartition(".")[2]):
        return Key(name, expected, seen, "differs")
    why = _senseless(name, expected, seen)
    return Key(name, expected, seen, "differs" if why else "measured", why)


def _same(expected: Any, seen: Any) -> bool:
    """Equal, `1` and `true` told apart, and `4h` the same as `240m`."""
    if isinstance(expected, bool) or isinstance(seen, bool):
        return expected is seen
    if isinstance(expected, str) and isinstance(seen, str):
        durations = _duration(expected), _duration(seen)
        return expected == seen or (durations[0] is not None and durations[0] == durations[1])
    return bool(expected == seen)


def _senseless(name: str, expected: Any, seen: Any) -> str:
    """Why a measured value is none: of another kind, or out of every range; empty if it may be."""
    if seen == _NOTHING:
        return "it is not there"
    if isinstance(expected, str) and _duration(expected) is not None:
        return "" if isinstance(seen, str) and _duration(seen) is not None else "it is no duration above 0"
    if isinstance(expected, int | float) and not isinstance(expected, bool):
        number = isinstance(seen, int | float) and not isinstance(seen, bool)
        most = 100.0 if "coverage" in name or "percent" in name else float(LONGEST)
        return "" if number and 0 <= seen <= most else f"it is no number from 0 to {most:g}"
    return "it is another word"


def _duration(text: str) -> float | None:
    if not any(c.isdigit() for c in text) or text[-1:] not in "smhd":
        return None
    try:
        return seconds(text, "duration")
    except BadInput:
        return None


def _kept(key: Key, event: Event, log: Sequence[Event]) -> Key:
    """An estimated start beside the one that came about: a promise that was not kept differs."""
    promised = _duration(key.seen) if isinstance(key.seen, str) else None
    later = [e for e in log if e.workflow_id == event.workflow_id and e.seq > event.seq]
    began = next((e for e in later if e.type == "WORKFLOW_SCHEDULED"), None)
    if key.verdict == "differs" or promised is None:
        return key
    if began is None:
        return key._replace(verdict="differs", why="it never started")
    waited = moment(began.timestamp) - moment(event.timestamp)
    if abs(promised - waited) > max(ESTIMATE_WITHIN * waited, 60.0):
        return key._replace(verdict="differs", why=f"it started after {said_seconds(waited)}")
    return key._replace(why=f"it started after {said_seconds(waited)}")


def counted(compared: Sequence[Compared]) -> dict[str, int]:
    """How many keys are equal, measured and different; a key of an event that was not seen is different."""
    counts: dict[str, int] = {"equal": 0, "measured": 0, "differs": 0}
    for one in compared:
        for key in one.keys:
            counts[key.verdict] += 1
        if one.seen is None:
            counts["differs"] += len(list(_leaves(one.expected.event.data, {}))) if one.expected.event else 1
    return counts
