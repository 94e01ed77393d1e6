"""Two cassettes compared: lanes and turns that came, went or changed, and how."""

import difflib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from stretto.agents.cassette import Cassette, Turn

_PRINTS = ("system", "shape", "tail", "full")
_HEADER = ("origin", "task", "aliases", "template", "model", "workflow", "command", "options")


class Changed(NamedTuple):
    """A turn that both have. `prints` are the names of those that differ, `text` a unified diff of what was said."""

    lane: str
    turn: int
    prints: tuple[str, ...]
    text: str


class Compared(NamedTuple):
    """What differs. Added is what only the second has."""

    header: tuple[str, ...]
    lanes_removed: tuple[str, ...]
    lanes_added: tuple[str, ...]
    turns_removed: tuple[tuple[str, int], ...]
    turns_added: tuple[tuple[str, int], ...]
    changed: tuple[Changed, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs that a replay could notice."""
        return not any(self)

    def facts(self) -> dict[str, Any]:
        """As JSON values."""
        body = self._asdict() | {"changed": [change._asdict() for change in self.changed], "same": self.same}
        facts: dict[str, Any] = json.loads(json.dumps(body))
        return facts

    def lines(self) -> Iterator[str]:
        """For people. A lane that came or went is one line, not one for each of its turns."""
        yield from (f"header: {line}" for line in self.header)
        yield from (f"- lane {lane}" for lane in self.lanes_removed)
        yield from (f"+ lane {lane}" for lane in self.lanes_added)
        yield from (f"- {lane} turn {turn}" for lane, turn in self.turns_removed)
        yield from (f"+ {lane} turn {turn}" for lane, turn in self.turns_added)
        for change in self.changed:
            told = f"prints: {', '.join(change.prints)}" if change.prints else "prints: the same"
            yield f"~ {change.lane} turn {change.turn}   {told}"
            yield from (f"    {line}" for line in change.text.splitlines())


def compare(old: Cassette, new: Cassette) -> Compared:
    """What differs between two cassettes; when they were made, and how much was redacted, does not count."""
    before, after = ({turn.address: turn for turn in cassette.turns} for cassette in (old, new))
    lanes_before, lanes_after = ({lane for lane, _ in turns} for turns in (before, after))
    return Compared(
        tuple(_header(old, new)),
        tuple(sorted(lanes_before - lanes_after)),
        tuple(sorted(lanes_after - lanes_before)),
        tuple(sorted(a for a in before.keys() - after.keys() if a[0] in lanes_after)),
        tuple(sorted(a for a in after.keys() - before.keys() if a[0] in lanes_before)),
        tuple(c for a in sorted(before.keys() & after.keys()) if (c := _changed(before[a], after[a]))),
    )


def _header(old: Cassette, new: Cassette) -> Iterator[str]:
    for name in _HEADER:
        then, now = getattr(old.header, name), getattr(new.header, name)
        if then != now:
            yield f"{name} {then!r} -> {now!r}"


def _changed(old: Turn, new: Turn) -> Changed | None:
    if old == new:
        return None
    differing = tuple(name for name in _PRINTS if getattr(old.fp, name) != getattr(new.fp, name))
    lines = difflib.unified_diff(_told(old), _told(new), "first", "second", lineterm="", n=2)
    return Changed(old.lane, old.turn, differing, "\n".join(lines))


def _told(turn: Turn) -> list[str]:
    """A turn as lines that a person can compare."""
    body = turn.model_dump(mode="json")
    lines = [f"request: {line}" for line in turn.request_tail.splitlines()]
    lines += [f"text: {line}" for line in turn.reply.text.splitlines()]
    for call in body["reply"]["tool_calls"]:
        lines += [f"call {call['n']}: {call['name']}", *_values(call["args"])]
    lines += [f"{key}: {body['reply'][key]}" for key in ("usage", "model", "stop") if body["reply"][key]]
    for note in body["tools"]:
        lines += [f"tool: {note.pop('name')} ({note.pop('status')})", *_values(note)]
    return lines + (_values({"end": body["end"]}) if body.get("end") else [])


def _values(value: Any) -> list[str]:
    """A JSON value, texts of several lines one below the other."""
    shown = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    return [f"  {line}" for line in shown.replace("\\n", "\n    ").splitlines()]
