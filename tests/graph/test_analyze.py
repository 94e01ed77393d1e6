"""Analysis is a published rule: it gives reasons, it repeats itself, and people mostly agree with it."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.graph.analyze import LONGEST, PHASES, TYPES, analyze
from stretto.state.errors import BadInput

DATA = Path(__file__).parents[1] / "data" / "descriptions.jsonl"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]
LEVELS = ("low", "medium", "high", "very_high")


def accuracy(split: str, field: str) -> float:
    rows = [r for r in ROWS if r["split"] == split]
    return sum(bool(getattr(analyze(r["text"]), field) == r[field]) for r in rows) / len(rows)


def test_the_labelled_set_is_large_and_uses_every_type_and_level_in_both_splits() -> None:
    splits = Counter(r["split"] for r in ROWS)

    assert splits["tune"] >= 80
    assert splits["heldout"] >= 40
    assert len({r["text"] for r in ROWS}) == len(ROWS)
    for split in splits:
        assert {r["type"] for r in ROWS if r["split"] == split} == set(TYPES)
        assert {r["complexity"] for r in ROWS if r["split"] == split} == set(LEVELS)


@pytest.mark.parametrize(
    ("split", "field", "floor"),
    [("tune", "type", 0.97), ("tune", "complexity", 0.80), ("heldout", "type", 0.80), ("heldout", "complexity", 0.70)],
)
def test_people_agree_with_the_analysis_at_least_this_often(split: str, field: str, floor: float) -> None:
    assert accuracy(split, field) >= floor


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Fix the docs", "documentation_update"),
        ("Fix the login", "bug_fix"),
        ("Document the fix for the login race", "documentation_update"),
        ("Add tests for login", "testing_project"),
        ("Refactor the tests", "refactoring_project"),
        ("Research JWT patterns and implement token authentication", "research_project"),
        ("We need to fix the crash in the importer", "bug_fix"),
        ("Please could you write the docs for the API?", "documentation_update"),
        ("Add JWT authentication", "feature_development"),
        ("Add API documentation", "documentation_update"),
        ("Add a documentation API", "api_development"),
    ],
)
def test_the_leading_verb_decides_unless_what_it_acts_on_says_otherwise(text: str, kind: str) -> None:
    assert analyze(text).type == kind


def test_research_that_goes_on_to_build_gets_phases_to_build_in() -> None:
    only = analyze("Research authentication best practices and JWT implementation patterns")
    builds = analyze("Research JWT patterns and implement token authentication")
    looks = analyze("Look into why builds have become slower")

    assert (only.type, only.template) == ("research_project", "research")
    assert (builds.type, builds.template) == ("research_project", "research-implementation")
    assert looks.template == "research"


def test_every_level_of_complexity_can_be_reached() -> None:
    texts = (
        "Fix a typo in the README",
        "Let users export their invoices as CSV",
        "Add JWT authentication",
        "Migrate the entire platform to microservices, with payments, identity and storage, without downtime",
    )

    assert tuple(analyze(t).complexity for t in texts) == LEVELS


def test_the_phases_keep_the_order_of_work_not_of_the_alphabet() -> None:
    phases = analyze("Add JWT authentication").phases

    assert phases == ("research", "planning", "implementation", "testing", "documentation")
    assert phases != tuple(sorted(phases))


def test_the_score_is_the_sum_of_its_evidence() -> None:
    found = analyze("Migrate the orders database to PostgreSQL, without downtime, and keep the public API alive")

    parts = [e.weight for e in found.evidence if e.counts_for not in TYPES and not e.counts_for.startswith("area")]

    assert found.score == pytest.approx(1 + sum(parts))


def test_the_winning_type_is_the_one_with_the_most_evidence() -> None:
    found = analyze("Add a REST endpoint that returns the order history, with tests")

    sums: Counter[str] = Counter()
    for word, counts_for, weight in found.evidence:
        if counts_for in TYPES:
            sums[counts_for] += round(weight * 100)
            assert word
    assert sums.most_common(1)[0][0] == found.type == "api_development"


def test_areas_that_seldom_meet_in_one_file_make_the_work_parallel() -> None:
    assert analyze("Rename the helper").parallelism == "low"
    assert analyze("Add a login form").parallelism == "medium"
    assert analyze("Add a login form, its API endpoint and the users table").parallelism == "high"


@pytest.mark.parametrize("text", ["", "  \n\t ", "?!…"])
def test_a_description_without_a_word_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        analyze(text)
    assert caught.value.field == "description"


def test_a_description_is_read_up_to_the_limit_and_refused_beyond_it() -> None:
    analyze("a" * LONGEST)

    with pytest.raises(BadInput, match="20001 characters"):
        analyze("a" * (LONGEST + 1))


def test_words_of_another_script_are_general_work_without_evidence_of_a_type() -> None:
    found = analyze("添加登录功能")

    assert found.type == "general_development"
    assert not [e for e in found.evidence if e.counts_for in TYPES]


@given(st.text(max_size=300))
def test_any_text_is_analysed_the_same_twice_or_refused(text: str) -> None:
    try:
        first = analyze(text)
    except BadInput:
        return

    assert analyze(text) == first
    assert first.type in TYPES
    assert first.phases == PHASES[first.template]


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("Implement microservices architecture migration", "migration"),
        ("Implement gradual database migration with rollback safety", "migration"),
        ("Write a migration that adds a column", "feature-development"),
        ("Implement a search over migrations", "feature-development"),
    ],
)
def test_a_migration_as_a_whole_has_a_phase_that_moves_the_data(text: str, template: str) -> None:
    found = analyze(text)

    assert found.template == template
    assert ("database_migration" in found.phases) == (template == "migration")
