"""The event, and its form on the wire: `EVENT_TYPE:workflow_id:phase:{json}`, one event a line."""

from __future__ import annotations

from collections.abc import Mapping

from stretto.state import registry
from stretto.state.errors import BadInput
from stretto.state.light import NamedTuple, pattern
from stretto.state.quick_json import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

PROTOCOL_VERSION = "1.0.0"
_FIELD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
_SHAPE = "EVENT_TYPE:workflow_id:phase:{json}"
# Besides what JSON escapes anyway: whatever ends a line somewhere, steers a terminal, turns the direction of text, or
# cannot be encoded. Outside of strings JSON is ASCII, so that escaping these never changes the meaning.
_UNSAFE = pattern("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Line(NamedTuple):
    """A parsed wire line. `type` is as it was written: `registry.canonical` tells what it means."""

    type: str
    workflow_id: str
    phase: str
    data: dict[str, Any]


class Event(NamedTuple):
    """One event of the log. `seq` grows by one, without a gap; `timestamp` is UTC, ISO 8601 with milliseconds."""

    seq: int
    event_id: str
    type: str
    workflow_id: str
    phase: str
    timestamp: str
    source: str
    severity: str
    data: dict[str, Any]
    correlation_id: str = ""

    @property
    def known(self) -> bool:
        """Whether the registry has this type."""
        return registry.is_known(self.type)

    @property
    def missing(self) -> tuple[str, ...]:
        """What the registry requires of this type and the data does not hold."""
        return registry.missing(self.type, self.data)

    def line(self) -> str:
        """The wire form."""
        return format_event(self.type, self.workflow_id, self.phase, self.data)

    def envelope(self) -> dict[str, Any]:
        """Everything about the event, as one JSON object for programs."""
        body = self._asdict()
        return {
            "event_id": body.pop("event_id"),
            "seq": body.pop("seq"),
            "event_type": body.pop("type"),
            **body,
            "known": self.known,
            "missing": list(self.missing),
            "protocol_version": PROTOCOL_VERSION,
        }


def compact(data: Mapping[str, Any]) -> str:
    """`data` as one line of strict JSON, keys in the order given.

    Raises:
        BadInput: It holds what JSON cannot: NaN, an infinity, an object of Python's, a circle.
    """
    try:
        text = dumps(dict(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"data cannot be written as JSON: {error}.", field="data") from error
    if text.isascii() and "\x7f" not in text:  # nothing of that is unsafe, and `re` would be a quarter of a hook
        return text
    return _UNSAFE.sub(lambda m: f"\\u{ord(m[0]):04x}", text)


def check_fields(event_type: str, workflow_id: str, phase: str) -> None:
    """Check the three words of a wire line.

    Raises:
        BadInput: One is empty or has another character than letters, digits, '_', '.' and '-'.
    """
    for field, text in (("type", event_type), ("workflow_id", workflow_id), ("phase", phase)):
        if not text or not _FIELD.issuperset(text):
            raise BadInput(
                f"{field} {text!r} of an event may hold only letters, digits, '_', '.' and '-', and at least one.",
                field=field,
            )


def format_event(event_type: str, workflow_id: str, phase: str, data: Mapping[str, Any]) -> str:
    """One event as a wire line, without a line end.

    Raises:
        BadInput: A word has a character that the wire does not allow, or `data` is not JSON.
    """
    check_fields(event_type, workflow_id, phase)
    return f"{event_type}:{workflow_id}:{phase}:{compact(data)}"


def parse_event(line: str) -> Line:
    """Read one wire line; one line end after it is ignored.

    Raises:
        BadInput: Not four fields, a word with a forbidden character, or data that is not one strict JSON object on one
            line: no NaN, no infinity, no key twice.
    """
    line = line.removesuffix("\n").removesuffix("\r")
    if "\n" in line or "\r" in line:
        raise BadInput(f"An event is one line; here a line break follows {line.splitlines()[0][:60]!r}.", field="line")
    parts = line.split(":", 3)
    if len(parts) < 4:
        raise BadInput(f"{line[:120]!r} is not an event line: {_SHAPE}.", field="line", allowed=(_SHAPE,))
    event_type, workflow_id, phase, data = parts
    check_fields(event_type, workflow_id, phase)
    return Line(event_type, workflow_id, phase, _object(data))


def _object(text: str) -> dict[str, Any]:
    import json

    try:
        value: object = json.loads(text, object_pairs_hook=_once, parse_constant=_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"data {text[:120]!r} is not strict JSON: {error}.", field="data") from error
    if not isinstance(value, dict):
        raise BadInput(f"data {text[:120]!r} is not a JSON object.", field="data", allowed=("{…}",))
    return value  # pyright: ignore[reportUnknownVariableType] - what json makes of an object


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A repeated key would lose a value without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large")
    return value
