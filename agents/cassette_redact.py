"""A cassette with its secrets taken out once more: those of whoever does it, and everybody's home."""

from typing import TypeVar

from stretto.agents.cassette import Cassette, Grown, Kept, Turn, line_of
from stretto.agents.redact import Redactor, redactions_in

P = TypeVar("P", bound=Grown)


def redacted(cassette: Cassette, redactor: Redactor | None = None) -> Cassette:
    """The cassette without secrets and homes; of one that has none, the same. Lanes, turns and prints stay."""
    redactor = redactor or Redactor(everybody=True)
    turns = tuple(_turn(turn, redactor) for turn in cassette.turns)
    header = _clean(cassette.header, redactor)
    count = sum(redactions_in(line_of(part)) for part in (header.model_copy(update={"redactions": 0}), *turns))
    return Cassette(header.model_copy(update={"redactions": count}), turns)


def _turn(turn: Turn, redactor: Redactor) -> Turn:
    tools = tuple(note.model_copy(update={"files": _marked(note.files, redactor)}) for note in turn.tools)
    end = turn.end and turn.end.model_copy(update={"files": turn.end.files and _marked(turn.end.files, redactor)})
    return _clean(turn.model_copy(update={"tools": tools, "end": end}), redactor)


def _marked(files: tuple[Kept, ...], redactor: Redactor) -> tuple[Kept, ...]:
    """Files that lose a secret say so: a replay cannot make them as they were."""
    return tuple(
        kept.model_copy(update={"redacted": kept.redacted or redactor.text(kept.text or "") != (kept.text or "")})
        for kept in files
    )


def _clean(part: P, redactor: Redactor) -> P:
    body = part.model_dump(mode="json")
    same = {key: body[key] for key in ("lane", "fp") if key in body}
    return type(part).model_validate({**redactor.json(body), **same})
