"""The index of the founding document: every line and every sentence of it is shown by tests that are there."""

import ast
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
INDEX: dict[str, Any] = tomllib.loads(Path(__file__).with_name("index.toml").read_text("utf-8"))
ROWS = range(1, 57)
PROSE = (
    *range(45, 51),
    *range(62, 67),
    *range(96, 101),
    *range(103, 107),
    *range(146, 151),
    *range(153, 157),
    *range(194, 199),
    *range(201, 205),
    *range(528, 533),
)
"""The lines of the document at which its 43 sentences stand."""
MOST = 4
"""A test shows few things: in more places than these it would stand for what it does not look at."""


@cache
def named_tests(path: str) -> frozenset[str]:
    """The names of the tests in a file."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[:5] == "test_")


def entries() -> list[tuple[str, dict[str, Any]]]:
    return [(f"{kind} {number}", one) for kind in ("row", "prose") for number, one in INDEX[kind].items()]


@pytest.mark.parametrize(("kind", "numbers"), [("row", ROWS), ("prose", PROSE)])
def test_every_line_and_every_sentence_is_listed_once(kind: str, numbers: Any) -> None:
    assert Counter(map(int, INDEX[kind])) == Counter(numbers)


def test_there_are_forty_three_sentences() -> None:
    assert len(PROSE) == 43


@pytest.mark.parametrize(("name", "one"), entries(), ids=[name for name, _ in entries()])
def test_each_is_told_in_a_sentence_and_shown_by_tests_that_are_there(name: str, one: dict[str, Any]) -> None:
    assert set(one) == {"says", "shown_by"}
    assert one["says"].endswith(".")
    assert one["shown_by"]
    assert len(set(one["shown_by"])) == len(one["shown_by"])
    for test in one["shown_by"]:
        path, _, function = test.partition("::")
        assert function in named_tests(path), test


def test_no_test_stands_for_more_than_it_looks_at() -> None:
    counted = Counter(test for _, one in entries() for test in one["shown_by"])

    assert {test: n for test, n in counted.items() if n > MOST} == {}


def test_every_test_of_this_folder_is_in_the_index() -> None:
    listed = {test for _, one in entries() for test in one["shown_by"]}
    files = [p for p in Path(__file__).parent.glob("test_*.py") if p.name != "test_index.py"]
    own = {f"{path.relative_to(ROOT)}::{name}" for path in files for name in named_tests(str(path.relative_to(ROOT)))}

    assert own - listed == set()
