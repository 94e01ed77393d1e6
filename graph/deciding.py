"""Deciding how tasks that are handed over together run: in parallel, two at a time, or one after the other.

The score begins at 50. Words for independence and dependence, given dependencies and each pair of files move it; two
tasks that write one file block parallel work whatever the score.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from posixpath import dirname
from typing import Any, Literal, NamedTuple

from stretto.agents.paths import overlap

Mode = Literal["parallel", "batched", "sequential"]
AGENTS: Mapping[Mode, int | None] = {"parallel": None, "batched": 2, "sequential": 1}
"""How many agents at once; None is as many as the limits say."""
START, PARALLEL, BATCHED, LEAST_TASKS, MOST_TASKS = 50, 70, 40, 3, 10
CRITICAL = ("1",)
"""Phases that are never parallel, unless somebody asks for it."""
_WORDS = (
    (re.compile(r"\b(?:independent(?:ly)?|separate(?:ly)?|isolated|standalone)\b", re.IGNORECASE), 20),
    (re.compile(r"\b(?:depends? on|requires?|based on|builds? on)\b", re.IGNORECASE), -30),
    (re.compile(r"\b(?:after|once|then|following)\b", re.IGNORECASE), -5),
)


class Decision(NamedTuple):
    """How tasks run, the score, and every reason with what it added."""

    mode: Mode
    score: int
    reasons: tuple[str, ...]

    @property
    def agents(self) -> int | None:
        """The most agents at once; None is as many as the limits say."""
        return AGENTS[self.mode]


def decide(tasks: Sequence[Mapping[str, Any]], phase: str, asked: str) -> Decision:
    """Decide by the table; `asked` is a coordination that somebody asked for, which overrides it."""
    if asked:
        return Decision("parallel", START, (f"coordination {asked!r} was asked for, which overrides the table",))
    moved = [*_words(tasks), *_given(tasks), *_pairs(tasks)]
    score = START + sum(points for points, _ in moved)
    reasons = [f"{START} to begin with", *(f"{points:+d} {why}" for points, why in moved), f"{score} in all"]
    mode, why = _mode(tasks, phase, score, blocked=any(points == _BLOCKING for points, _ in moved))
    return Decision(mode, score, (*reasons, f"{mode}: {why}"))


_BLOCKING = -50


def _mode(tasks: Sequence[Mapping[str, Any]], phase: str, score: int, *, blocked: bool) -> tuple[Mode, str]:
    if phase in CRITICAL:
        return "sequential", f"phase {phase} is never parallel"
    if blocked:
        return "sequential", "two tasks write one file"
    if len(tasks) > MOST_TASKS:
        return "batched", f"{len(tasks)} tasks are more than {MOST_TASKS}"
    if len(tasks) < LEAST_TASKS:
        return "sequential", f"{len(tasks)} tasks are fewer than {LEAST_TASKS}"
    if score >= PARALLEL:
        return "parallel", f"{score} is at least {PARALLEL}"
    return ("batched", f"{score} is at least {BATCHED}") if score >= BATCHED else ("sequential", f"below {BATCHED}")


def _name(number: int, task: Mapping[str, Any]) -> str:
    return str(task.get("id") or f"task {number}")


def _words(tasks: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, str]]:
    for number, task in enumerate(tasks, 1):
        text = str(task.get("description") or task.get("topic") or task.get("scope") or "")
        for pattern, points in _WORDS:
            if found := pattern.search(text):
                yield points, f"{_name(number, task)} says {found[0].lower()!r}"


def _given(tasks: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, str]]:
    for number, task in enumerate(tasks, 1):
        if waits := task.get("dependencies"):
            yield -10 * len(waits), f"{_name(number, task)} waits for {', '.join(map(str, waits))}"


def _pairs(tasks: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, str]]:
    for (i, one), (j, two) in combinations(enumerate(tasks, 1), 2):
        first, second = one.get("files") or (), two.get("files") or ()
        if first and second:
            points, why = min(_pair(str(a), str(b)) for a in first for b in second)
            yield points, f"{_name(i, one)} and {_name(j, two)} write {why}"


def _pair(one: str, two: str) -> tuple[int, str]:
    if overlap(one, two):
        return _BLOCKING, f"one file ({one})"
    if dirname(one) == dirname(two):
        return -5, f"in one folder ({dirname(one) or '.'})"
    if f"{dirname(one)}/".startswith(f"{dirname(two)}/") or f"{dirname(two)}/".startswith(f"{dirname(one)}/"):
        return -15, "in a folder and one below it"
    return 10, "in different folders"


def ordered_by_files(tasks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The tasks, each waiting for those before it that write a file of its own; every one gets an id."""
    found = [{**task, "id": str(task.get("id") or f"task_{i:03d}")} for i, task in enumerate(tasks, 1)]
    for (_, one), (_, two) in combinations(enumerate(found), 2):
        if any(overlap(str(a), str(b)) for a in one.get("files") or () for b in two.get("files") or ()):
            known = list(two.get("dependencies") or ())
            if one["id"] not in known and two["id"] not in (one.get("dependencies") or ()):
                two["dependencies"] = [*known, one["id"]]
    return found


_SPECIAL = (
    (re.compile(r"(^|/)tests?/|(^|/)test_|_test\."), "testing"),
    (re.compile(r"\.(?:md|rst|txt)$"), "documentation"),
    (re.compile(r"\.sql$|(^|/)migrations/"), "database"),
    (re.compile(r"\.(?:css|html|jsx|tsx|vue)$"), "frontend"),
)


def specialised(task: Mapping[str, Any]) -> dict[str, Any]:
    """The task with the specialization that all its files have in common, where it names none itself."""
    kinds = {next((name for rule, name in _SPECIAL if rule.search(str(f))), "") for f in task.get("files") or ()}
    known = {"specialization": kinds.pop()} if len(kinds) == 1 and "specialization" not in task else {}
    return {**task, **(known if known.get("specialization") else {})}
