"""What `stretto.state.light` has does what the standard library's own does."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.state.light import NamedTuple, pattern


class Ours(NamedTuple):
    """Made by ours."""

    text: str
    number: int = 1
    rest: tuple[str, ...] = ()

    @property
    def twice(self) -> str:
        return self.text * 2


class Theirs(typing.NamedTuple):
    """Made by typing's."""

    text: str
    number: int = 1
    rest: tuple[str, ...] = ()

    @property
    def twice(self) -> str:
        return self.text * 2


KINDS: tuple[typing.Any, ...] = (Ours, Theirs)
ROOT = str(Path(__file__).parents[2])
DOOR = f"import sys; made = type(sys)('stretto'); made.__path__ = [{ROOT!r}]; sys.modules['stretto'] = made\n"


@given(st.text(), st.integers(), st.lists(st.text()).map(tuple))
def test_a_tuple_is_made_read_changed_and_shown_like_typings(text: str, number: int, rest: tuple[str, ...]) -> None:
    ours, theirs = Ours(text, rest=rest), Theirs(text, rest=rest)

    assert (ours.text, ours.number, ours.rest, ours.twice) == (theirs.text, theirs.number, theirs.rest, theirs.twice)
    assert ours == (text, 1, rest) == theirs
    assert hash(ours) == hash(theirs)
    assert ours._replace(number=number) == (text, number, rest) == theirs._replace(number=number)
    assert ours._asdict() == theirs._asdict()
    assert Ours._make(theirs) == (text, 1, rest) == Theirs._make(ours)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert (Ours._fields, Ours._field_defaults) == (Theirs._fields, Theirs._field_defaults)


def test_a_tuple_can_be_taken_apart_copied_and_kept() -> None:
    ours = Ours("a", 2)

    match ours:
        case Ours(text, number):
            assert (text, number) == ("a", 2)
        case _:
            pytest.fail("it does not match itself")
    assert type(copy.deepcopy(ours)) is Ours
    assert pickle.loads(pickle.dumps(ours)) == ours


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), (("a", 1, (), 2), {}), (("a",), {"text": "b"}), (("a",), {"nope": 1}), ((), {"number": 1})],
)
def test_a_tuple_that_does_not_fit_is_not_made(values: tuple[typing.Any, ...], named: dict[str, typing.Any]) -> None:
    for made in KINDS:
        with pytest.raises(TypeError):
            made(*values, **named)
        with pytest.raises(TypeError):
            made._make(["a", 1])


def test_what_is_not_a_field_cannot_be_set_or_replaced() -> None:
    for kind in KINDS:
        made = kind("a")
        with pytest.raises(AttributeError):
            made.text = "b"
        with pytest.raises((TypeError, ValueError)):
            made._replace(nope=1)


def test_a_pattern_is_compiled_when_it_is_used_and_finds_the_same() -> None:
    late, now = pattern("(a+)b", re.DOTALL), re.compile("(a+)b", re.DOTALL)

    for text in ("aab", "b", "xaab"):
        assert (late.search(text) is None) == (now.search(text) is None)
    assert late.sub("-", "aabab") == now.sub("-", "aabab")
    assert (late.pattern, late.flags) == (now.pattern, now.flags)


def test_to_make_either_imports_neither_typing_nor_re() -> None:
    code = "from stretto.state.light import pattern; pattern('a'); print({'typing', 're'} & {*sys.modules})"
    told = subprocess.run([sys.executable, "-I", "-S", "-c", DOOR + code], capture_output=True, text=True, check=True)

    assert told.stdout == "set()\n"
