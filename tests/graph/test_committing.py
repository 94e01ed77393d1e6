"""Commit subjects: one line of at most 72 characters, whatever was asked for."""

from hypothesis import given
from hypothesis import strategies as st

from stretto.graph.committing import LONGEST_SUBJECT, about, shorten


def test_a_subject_quotes_what_was_asked_for() -> None:
    assert about("docs: research", "Add JWT\n authentication.") == 'docs: research "Add JWT authentication"'


def test_a_long_quotation_is_cut_and_closed() -> None:
    subject = about("test: verify", "word " * 40)

    assert len(subject) <= LONGEST_SUBJECT
    assert subject.endswith('w…"')


@given(st.text(max_size=200))
def test_no_text_makes_a_subject_longer_or_of_two_lines(text: str) -> None:
    for subject in (about("docs: summarise", text), shorten(f"feat: {text}")):
        assert len(subject) <= LONGEST_SUBJECT
        assert len(subject.splitlines()) == 1
