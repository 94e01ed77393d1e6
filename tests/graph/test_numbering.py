"""Numbers and names of the files under `specs/`."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.graph.numbering import file_name, next_number, number_of
from stretto.state.errors import BadInput


@pytest.mark.parametrize(
    ("listing", "number"),
    [
        ([], 1),
        (["README.md", ".gitkeep", "notes"], 1),
        (["001_a.md", "003_c.md"], 4),
        (["specs/plans/012_x.md", "9_y.md"], 13),
        (["007-x.md", "008.md", "009 x.md", "010_folder/"], 11),
        (["006_debug_header_lost.md", "005_implementation_summary.md"], 7),
        (["999_x.md"], 1000),
        (["1000_x.md", "002_x.md"], 1001),
        (["002_x.md", "2025-01-31_x.md", "20250131_x.md", "12monkeys.md"], 3),
    ],
)
def test_the_next_number_is_one_above_the_highest(listing: list[str], number: int) -> None:
    assert next_number(listing) == number


@pytest.mark.parametrize(
    ("number", "text", "suffix", "name"),
    [
        (5, "Add JWT authentication", "", "005_jwt_authentication.md"),
        (6, "debug: header is lost", "", "006_debug_header_lost.md"),
        (5, "", "implementation_summary", "005_implementation_summary.md"),
        (5, "JWT", "notes", "005_jwt_notes.md"),
        (1000, "x", "", "1000_x.md"),
        (1, "../../etc/passwd\n", "", "001_etc_passwd.md"),
        (1, "認証", "", "001_untitled.md"),
    ],
)
def test_a_file_is_named_by_its_number_and_its_telling_words(number: int, text: str, suffix: str, name: str) -> None:
    assert file_name(number, text, suffix=suffix) == name


@given(st.integers(1, 99998), st.text(), st.text())
def test_a_name_is_safe_and_gives_its_number_back(number: int, text: str, suffix: str) -> None:
    name = file_name(number, text, suffix=suffix)

    assert re.fullmatch(r"\d{3,5}_[a-z0-9_]{1,130}\.md", name)
    assert number_of(f"specs/plans/{name}") == number
    assert next_number([name]) == number + 1


def test_numbers_start_at_one() -> None:
    with pytest.raises(BadInput, match="starts at 1"):
        file_name(0, "x")
