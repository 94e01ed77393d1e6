"""Lint of a cassette's file: every line that is wrong, by its number, and not only the first."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from stretto.agents.cassette import Header, Turn, held_in, line_of, unreached
from stretto.agents.data import bad_outcome
from stretto.agents.prints import volatile
from stretto.state.errors import BadInput


class Problem(NamedTuple):
    """What is wrong, and in which line of the file, from 1."""

    line: int
    text: str


def lint_file(path: Path) -> list[Problem]:
    """What is wrong with a file that should be a cassette, by lines; nothing, if all is well.

    Damaged lines, secrets, paths of one machine, turns that are there twice or that no replay reaches, lines that are
    not written or sorted as a cassette is, and request tails that hold what changes from run to run.

    Raises:
        BadInput: It cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeError) as error:
        raise BadInput(f"The cassette {str(path)!r} cannot be read: {error}.", field="cassette") from error
    problems: list[Problem] = []
    turns: list[tuple[int, Turn]] = []
    for number, line in enumerate(lines, 1):
        shape: type[Header | Turn] = Header if number == 1 else Turn
        try:
            part = shape.model_validate_json(line)
        except ValidationError as error:
            problems.append(Problem(number, bad_outcome(error, "", "not a line of a cassette").message))
            continue
        problems += [Problem(number, text) for text in held_in(part)]
        problems += [Problem(number, text) for text in _form(line, part)]
        if isinstance(part, Turn):
            turns.append((number, part))
    return sorted({*problems, *_order(turns)})


def _form(line: str, part: Header | Turn) -> list[str]:
    wrong = [] if line == line_of(part) else ["not in the form in which cassettes are written"]
    if isinstance(part, Turn) and volatile(part.request_tail):
        wrong.append("request_tail is not normalised: it holds a time, an id or a temporary path")
    return wrong


def _order(turns: list[tuple[int, Turn]]) -> list[Problem]:
    lines: dict[tuple[str, int], int] = {}
    for number, turn in turns:
        lines.setdefault(turn.address, number)
    counts = Counter(turn.address for _, turn in turns)
    found = [
        Problem(number, f"turn {turn.turn} of lane {turn.lane!r} is there {counts[turn.address]} times")
        for number, turn in turns
        if counts[turn.address] > 1
    ]
    found += [Problem(lines[address], why) for address, why in unreached(turn for _, turn in turns)]
    addresses = [turn.address for _, turn in turns]
    if addresses != sorted(addresses):
        first = next(n for n, pair in enumerate(zip(addresses, sorted(addresses), strict=True)) if pair[0] != pair[1])
        found.append(Problem(turns[first][0], "not sorted by lane and turn from here on"))
    return found
