"""Two declared paths meet exactly when one file can fit both."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.agents.paths import overlap

MEETING = [
    ("src/a.py", "src/a.py"),
    ("src/a.py", "./src/a.py"),
    ("src", "src/a.py"),
    ("src/", "src/deep/a.py"),
    (".", "anything/at/all.txt"),
    ("conf.d/", "conf.d/x.conf"),
    ("v1.2", "v1.2/notes.md"),
    ("src/*.py", "src/a.py"),
    ("src/*.py", "src/a*"),
    ("src/**", "src/x/y/z.py"),
    ("**/test_*.py", "tests/unit/test_a.py"),
    ("**/test_*.py", "tests"),
    ("a/**/z.py", "a/z.py"),
    ("a/**/z.py", "a/b/c/z.py"),
    ("?.py", "a.py"),
    ("[ab].py", "b.py"),
    ("src//a.py", "src/a.py"),
]
APART = [
    ("src/a.py", "src/b.py"),
    ("src/ab", "src/a"),
    ("src/*.py", "src/deep/a.py"),
    ("src/*.py", "src/*.md"),
    ("**/x.py", "a/y.py"),
    ("docs", "src"),
    ("a/**/z.py", "b/z.py"),
    ("?.py", "ab.py"),
    ("a*c.py", "b*c.py"),
]


@pytest.mark.parametrize(("one", "two"), MEETING)
def test_paths_that_can_name_one_file_overlap_in_either_order(one: str, two: str) -> None:
    assert overlap(one, two)
    assert overlap(two, one)


@pytest.mark.parametrize(("one", "two"), APART)
def test_paths_that_cannot_name_one_file_do_not_overlap(one: str, two: str) -> None:
    assert not overlap(one, two)
    assert not overlap(two, one)


NAMES = st.text("ab*?", min_size=1, max_size=5).map(lambda name: name + ".py")
FILES = st.text("ab", min_size=0, max_size=5).map(lambda name: name + ".py")


@given(NAMES, NAMES, FILES)
def test_two_globs_that_both_match_a_file_always_overlap(one: str, two: str, file: str) -> None:
    if fnmatchcase(file, one) and fnmatchcase(file, two):
        assert overlap(one, two)


@given(NAMES, FILES)
def test_a_glob_meets_a_plain_name_exactly_when_it_matches(glob: str, file: str) -> None:
    # normpath reads neither '*' nor '?', and '**' inside a component is two stars, as for fnmatch.
    assert overlap(glob, file) == fnmatchcase(file, glob)


def test_a_hostile_pattern_is_answered_at_once() -> None:
    assert not overlap("**/" * 80 + "a.py", "**/" * 80 + "b.py")
    assert not overlap("*a" * 120 + ".py", "*b" * 120 + "c.py")
