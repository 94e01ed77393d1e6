"""A sentence as terms of the lexicon: clauses, dictionary forms, known phrases as one term. No grammar beyond that."""

import re
from typing import Final

from stretto.graph import lexicon
from stretto.graph.lexicon import WorkType

_CLAUSE_ENDS = re.compile(r"[.!?](?=\s|$)|[;:\n]|,\s*(?=(?:please|then)\b)|\b(?:and|then)\s+(?=please\b)")
_TOKEN = re.compile(r"--[a-z][a-z-]+|[^\W_]+(?:['_./+-][^\W_]+)*")
_HTTP_METHOD = re.compile(r"\b(?:GET|POST|PUT|PATCH|DELETE)(?= /)")

VERBS: Final[dict[str, WorkType]] = {verb: kind for kind, verbs in lexicon.DECIDING_VERBS.items() for verb in verbs}
NOUN_OF: Final[dict[str, WorkType]] = {noun: kind for kind, nouns in lexicon.NOUNS.items() for noun in nouns}
_VOCABULARY: Final = frozenset[str]().union(
    VERBS,
    NOUN_OF,
    lexicon.BUILDING_VERBS,
    lexicon.SYMPTOMS,
    lexicon.WISHES,
    lexicon.LEAD_IN,
    lexicon.STOPS,
    lexicon.TECHNICAL,
    lexicon.INTEGRATION,
    lexicon.RISK,
    lexicon.SCOPE,
    lexicon.SMALL,
    *lexicon.AREAS.values(),
)
_ENDINGS = (("ies", "y"), ("es", ""), ("s", ""), ("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e"))


def clauses(text: str) -> list[list[str]]:
    """The clauses of a text, each as its terms; clauses without a word are left out."""
    marked = _HTTP_METHOD.sub("http method", text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    split = (_terms(part.lower()) for part in _CLAUSE_ENDS.split(marked))
    return [terms for terms in split if terms]


def _terms(clause: str) -> list[str]:
    """The words of a clause in their dictionary form, known phrases as one term."""
    words = [part for token in _TOKEN.findall(clause) for part in _parts(token)]
    terms: list[str] = []
    at = 0
    while at < len(words):
        term, length = _longest(words, at)
        terms.append(term)
        at += length
    return terms


def with_parts(term: str) -> list[str]:
    """A phrase and its words: an "architecture migration" is a risk because it is a migration."""
    return [term, *(_known(w) or w for w in term.split())] if " " in term else [term]


def _parts(token: str) -> list[str]:
    return [token] if _known(token) or "-" not in token.strip("-") else token.split("-")


def _longest(words: list[str], at: int) -> tuple[str, int]:
    for length in (3, 2):
        phrase = " ".join(words[at : at + length])
        if len(words) - at >= length and (known := _known(phrase)):
            return known, length
    return _known(words[at]) or words[at], 1


def _known(word: str) -> str:
    """The form in which the lexicon has this word, or ''."""
    if word in _VOCABULARY:
        return word
    if len(word) < 5:
        return ""
    forms = (word.removesuffix(ending) + instead for ending, instead in _ENDINGS if word.endswith(ending))
    return next((form for form in forms if form in _VOCABULARY), "")
