"""Analysis: one description to a type of work, a complexity and the phases, by published rules.

Pure and deterministic: the same text gives the same answer on every machine, and `evidence` names each word that
counted and for what, so that a wrong answer can be argued with. Complexity and parallelism: `complexity.py`.

How the type is found
    1. The leading verb. "Please", "we need to" and the like are skipped. A deciding verb (fix, document, test,
       refactor, research, upgrade …) counts 6 for its type: "Research JWT patterns and implement …" is research,
       "Document the fix for …" is documentation. A building verb (add, write, create …) counts 1.5 for a feature.
    2. The thing acted on: the words from the verb to the first preposition or punctuation. Its last known noun counts
       7 behind a building verb ("add tests for login", "write a migration that …"), and behind a deciding verb that
       bends to it ("fix the docs"). It counts 1 behind the others; nouns before it count 2.
    3. Every other known noun counts 2 the first time that its type is named and ½ after that; behind a deciding verb
       always ½.
    4. Symptoms (crashes, hangs, wrong …) count 4 for a bug in a text that opens without a verb or in the thing acted
       on, 1 elsewhere. A deciding verb that opens a later clause counts a quarter of what it would have counted
       in front, or two thirds when the text opened without one.
    The highest sum wins; with no evidence at all it is general_development.
"""

from collections import defaultdict
from itertools import pairwise
from typing import Final, NamedTuple, get_args

from stretto.graph import complexity, lexicon
from stretto.graph.complexity import Complexity, Evidence, Parallelism
from stretto.graph.lexicon import WorkType
from stretto.graph.words import NOUN_OF, VERBS, clauses, with_parts
from stretto.state.errors import BadInput

TYPES: Final[tuple[WorkType, ...]] = get_args(WorkType)
LONGEST = 20_000
"""Characters of a description, at most."""

_DEVELOPMENT = ("research", "planning", "implementation", "testing", "documentation")
PHASES: Final[dict[str, tuple[str, ...]]] = {
    "feature-development": _DEVELOPMENT,
    "bug-fix": ("research", "diagnosis", "implementation", "testing"),
    "research": ("research", "analysis", "documentation"),
    "research-implementation": ("research", "synthesis", *_DEVELOPMENT[1:]),
    "documentation-update": ("research", "documentation", "review"),
    "testing": ("planning", "implementation", "testing", "analysis"),
    "refactoring": ("analysis", "planning", "implementation", "testing", "validation"),
    "migration": (*_DEVELOPMENT[:3], "database_migration", *_DEVELOPMENT[3:]),
}
"""The phases of each built-in template, in order; the files themselves are `templates/*.yaml`."""

_MOVED: Final[frozenset[WorkType]] = frozenset({"feature_development", "database_development", "general_development"})
_MOVES: Final = frozenset({"architecture_migration", "database_migration", "data_migration", "schema_migration"})

_TEMPLATE: Final[dict[WorkType, str]] = {
    "bug_fix": "bug-fix",
    "documentation_update": "documentation-update",
    "testing_project": "testing",
    "refactoring_project": "refactoring",
    "research_project": "research",
}


class Analysis(NamedTuple):
    """What a description asks for. `score` is the complexity's; `phases` are those of `template`."""

    type: WorkType
    complexity: Complexity
    score: float
    template: str
    phases: tuple[str, ...]
    parallelism: Parallelism
    evidence: tuple[Evidence, ...]


def analyze(description: str) -> Analysis:
    """Classify `description` by the rules above.

    Raises:
        BadInput: It is empty, or longer than `LONGEST` characters.
    """
    text = description.strip()
    if not any(c.isalnum() for c in text):
        raise BadInput("The description is empty: say in a sentence what shall be done.", field="description")
    if len(text) > LONGEST:
        raise BadInput(
            f"The description has {len(text)} characters; at most {LONGEST} are read.",
            field="description",
            next_steps=("Put the details in a file of the project and name it in the description.",),
        )
    parts = clauses(text)
    words = [word for clause in parts for term in clause for word in with_parts(term)]
    kind, for_type = _type(parts)
    score, for_score = complexity.score(text, words)
    parallelism, for_parallelism = complexity.parallelism(words)
    template = _template(kind, parts)
    return Analysis(
        type=kind,
        complexity=complexity.level(score),
        score=score,
        template=template,
        phases=PHASES[template],
        parallelism=parallelism,
        evidence=(*for_type, *for_score, *for_parallelism),
    )


class _Ballot:
    """Sums what the words count, and remembers why."""

    def __init__(self) -> None:
        self.sums: defaultdict[WorkType, float] = defaultdict(float)
        self.evidence: list[Evidence] = []

    def vote(self, word: str, kind: WorkType, weight: float) -> None:
        """Count `word` for `kind`."""
        self.sums[kind] += weight
        self.evidence.append(Evidence(word, kind, weight))

    def winner(self) -> WorkType:
        """The highest sum; of equal ones the first in `TYPES`."""
        return max(TYPES, key=lambda t: self.sums[t]) if self.sums else "general_development"


def _type(parts: list[list[str]]) -> tuple[WorkType, list[Evidence]]:
    ballot = _Ballot()
    start = _verb_at(parts[0])
    if start is None:
        _declared(ballot, parts[0])
        rest = parts[0]
    else:
        rest = _commanded(ballot, parts[0], start)
    decided = start is not None and parts[0][start] in VERBS
    _nouns(ballot, rest, decided=decided)
    for clause in parts[1:]:
        _later(ballot, clause, share=2 / 3 if start is None else 1 / 4, decided=decided)
    return ballot.winner(), ballot.evidence


def _verb_at(clause: list[str]) -> int | None:
    """Where the leading verb stands, when the clause opens with one: in "we need to fix it", at "fix"."""
    spare: int | None = None
    for at, term in enumerate(clause):
        verb = term in VERBS or term in lexicon.BUILDING_VERBS
        if term not in lexicon.LEAD_IN:
            return at if verb else spare
        spare = at if verb and spare is None else spare
    return spare


def _declared(ballot: _Ballot, clause: list[str]) -> None:
    for term in dict.fromkeys(clause):
        if term in lexicon.SYMPTOMS:
            ballot.vote(term, "bug_fix", 4)
        elif term in lexicon.WISHES:
            ballot.vote(term, "feature_development", 1.5)


def _commanded(ballot: _Ballot, clause: list[str], start: int) -> list[str]:
    """Count the verb and the thing it acts on; return the words after that."""
    verb = clause[start]
    kind = VERBS.get(verb)
    ballot.vote(verb, kind or "feature_development", 6 if kind else 1.5)
    end = _thing_end(clause, start + 1)
    thing = clause[start + 1 : end]
    nouns = [t for t in thing if t in NOUN_OF]
    for noun in nouns[:-1]:
        ballot.vote(noun, NOUN_OF[noun], 2)
    for noun in nouns[-1:]:
        ballot.vote(noun, NOUN_OF[noun], 7 if kind is None or NOUN_OF[noun] in lexicon.BENDS.get(kind, ()) else 1)
    for term in thing:
        if term in lexicon.SYMPTOMS:
            ballot.vote(term, "bug_fix", 4)
    for term in clause[end:]:
        if term in lexicon.SYMPTOMS:
            ballot.vote(term, "bug_fix", 1)
    return clause[end:]


def _thing_end(clause: list[str], start: int) -> int:
    """Where the thing acted on ends; "design and implement X" acts on X."""
    if clause[start : start + 1] == ["and"] and clause[start + 1 : start + 2]:
        start += 2
    return next((at for at in range(start, len(clause)) if clause[at] in lexicon.STOPS), len(clause))


def _nouns(ballot: _Ballot, terms: list[str], *, decided: bool) -> None:
    seen: set[WorkType] = set()
    for term in terms:
        if kind := NOUN_OF.get(term):
            ballot.vote(term, kind, 0.5 if decided or kind in seen else 2)
            seen.add(kind)


def _later(ballot: _Ballot, clause: list[str], *, share: float, decided: bool) -> None:
    start = _verb_at(clause)
    if start is not None and (kind := VERBS.get(clause[start])):
        ballot.vote(clause[start], kind, round(6 * share, 2))
    if share > 1 / 2:
        _declared(ballot, clause)
    _nouns(ballot, clause, decided=decided)


def _template(kind: WorkType, parts: list[list[str]]) -> str:
    """Research that goes on to build something ("… and implement it") needs phases to build it in.

    A migration as a whole ("implement the database migration", not "write a migration that …") has a phase to move in.
    """
    if kind == "research_project" and any(_goes_on_to_build(clause) for clause in parts):
        return "research-implementation"
    if kind in _MOVED and _migrates(parts[0]):
        return "migration"
    return _TEMPLATE.get(kind, "feature-development")


def _migrates(clause: list[str]) -> bool:
    pairs = {f"{one}_{two}" for one, two in pairwise(clause)}
    terms = {term.replace(" ", "_") for term in clause}
    return clause[0] in ("implement", "perform", "run", "do") and bool(_MOVES & (terms | pairs))


def _goes_on_to_build(clause: list[str]) -> bool:
    commands = [term for before, term in zip(["and", *clause], clause, strict=False) if before in ("and", "then")]
    return any(term in lexicon.BUILDING_VERBS or VERBS.get(term) == "bug_fix" for term in commands)
