"""Complexity and parallelism of a description, counted from its words.

How complex it is
    score = 1 + length + technical + integration + risk + scope + list - small, rounded to hundredths, where
    length      0.03 for each word beyond the 5th, at most 0.5
    technical   0.15 for each technical term, at most 0.6
    integration 0.25 for each term of integration, at most 1
    risk        0.30 for each term of risk, at most 1.2
    scope       0.70 for each term of scope (architecture, platform, entire …), at most 2.1
    list        0.20 for each comma or "and" beyond the first, at most 0.6
    small       0.50 when a word says that it is small (typo, rename, bump …)
    below 1.05 low · below 1.85 medium · below 3.2 high · from there very_high.

How parallel it may become
    The number of areas that the text names (interface, screens, data, documents, tests, operations, access, money):
    work in different areas seldom meets in one file. 0-1 low · 2 medium · 3 and more high. A plan may find otherwise.
"""

from typing import Final, Literal, NamedTuple

from stretto.graph import lexicon

Complexity = Literal["low", "medium", "high", "very_high"]
Parallelism = Literal["low", "medium", "high"]

_BANDS: Final[tuple[tuple[float, Complexity], ...]] = ((1.05, "low"), (1.85, "medium"), (3.2, "high"))


class Evidence(NamedTuple):
    """A word that counted. `counts_for` is a type of work, a part of the complexity score, or `area: NAME`."""

    word: str
    counts_for: str
    weight: float


def level(points: float) -> Complexity:
    """The complexity of a score."""
    for bound, name in _BANDS:
        if points < bound:
            return name
    return "very_high"


class _Part(NamedTuple):
    name: str
    words: frozenset[str]
    each: float
    most: float


_PARTS: Final = (
    _Part("technical", lexicon.TECHNICAL, 0.15, 0.6),
    _Part("integration", lexicon.INTEGRATION, 0.25, 1),
    _Part("risk", lexicon.RISK, 0.3, 1.2),
    _Part("scope", lexicon.SCOPE, 0.7, 2.1),
    _Part("small", lexicon.SMALL, -0.5, 0.5),
)


def score(text: str, words: list[str]) -> tuple[float, list[Evidence]]:
    """The complexity score of a text whose terms, and the words of its phrases, are `words`."""
    commas = text.count(",") + words.count("and")
    length = sum(" " not in w for w in words)
    evidence = [
        Evidence(f"{length} words", "length", min(0.5, 0.03 * max(0, length - 5))),
        Evidence(f"{commas} commas and ands", "list", min(0.6, 0.2 * max(0, commas - 1))),
    ]
    for part in _PARTS:
        found = [w for w in dict.fromkeys(words) if w in part.words]
        evidence += [Evidence(word, part.name, part.each) for word in found[: round(part.most / abs(part.each))]]
    counted = [e._replace(weight=round(e.weight, 2)) for e in evidence if e.weight]
    return round(1 + sum(e.weight for e in counted), 2), counted


def parallelism(words: list[str]) -> tuple[Parallelism, list[Evidence]]:
    """How many areas the words name, as a level."""
    named = {area: next((w for w in words if w in terms), "") for area, terms in lexicon.AREAS.items()}
    evidence = [Evidence(word, f"area: {area}", 1) for area, word in named.items() if word]
    levels: tuple[Parallelism, ...] = ("low", "low", "medium", "high")
    return levels[min(len(evidence), 3)], evidence
