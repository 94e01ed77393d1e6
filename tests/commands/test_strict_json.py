"""JSON in a line is strict, and its errors point into the line."""

from pathlib import Path

import pytest

from stretto.commands.parse import parse_argv, parse_line
from stretto.state.errors import BadInput

HERE = Path(__file__).parent


def refused(raw: str) -> BadInput:
    with pytest.raises(BadInput) as caught:
        parse_line(raw, project=HERE)
    return caught.value


@pytest.mark.parametrize(
    ("body", "column", "reason"),
    [
        ('{"a": 1 "b": 2}', 9, "not JSON"),
        ('{"a": 1, b}', 10, "not JSON"),
        ('{"a" 1}', 6, "not JSON"),
        ("{a: 1}", 2, "not JSON"),
        ('{"a": 1} x', 10, "not JSON"),
        ('{"a": 1, "b": {"a": 2, "a": 3}}', 24, "'a' is there twice"),
        ('{"a": 1, "\\u0061": 2}', 10, "'a' is there twice"),
        ('{"a": NaN}', 7, "NaN is not JSON"),
        ('{"a": [1, -Infinity]}', 11, "-Infinity is not JSON"),
        ('{"a": 1e999}', 7, "too large"),
        ('{"a": ' + "9" * 5000 + "}", 7, "too large"),
        ('["\\u0000"]', 2, "NUL"),
        ('{"\\ud800": 1}', 2, "surrogate"),
        ("[" * 101 + "]" * 101, 101, "deeper than 100"),
        ("[" * 100_000, 101, "deeper than 100"),
    ],
    ids=lambda v: str(v)[:30],
)
def test_the_column_is_that_of_the_fault(body: str, column: int, reason: str) -> None:
    prefix = "/coordination-hub create wf '"
    wrong = refused(f"{prefix}{body}'")
    assert reason in wrong.message
    assert wrong.field == "json"
    assert wrong.details["column"] == len(prefix) + column


def test_the_line_is_that_of_the_fault() -> None:
    wrong = refused('/coordination-hub create \'{\n  "a": 1,\n  "b": oops\n}\'')
    assert (wrong.details["line"], wrong.details["column"]) == (3, 8)
    assert wrong.message.endswith('\n    "b": oops\n         ^')


def test_the_column_is_right_behind_escapes_and_joined_quotes() -> None:
    raw = "/coordination-hub create '{\"a\": \"it'\\''s\", oops}'"
    assert refused(raw).details["column"] == raw.index("oops") + 1
    raw = '/coordination-hub create "{\\"a\\": 1, oops}"'
    assert refused(raw).details["column"] == raw.index("oops") + 1


def test_the_column_counts_in_the_arguments_of_a_shell_too() -> None:
    with pytest.raises(BadInput) as caught:
        parse_argv(["coordination-hub", "create", "{a: 1}"], project=HERE)
    assert caught.value.details["column"] == len("coordination-hub create {") + 1


def test_what_only_looks_like_a_fault_is_none() -> None:
    body = '{"a": "NaN {[ \\"a\\": 1e999 \\\\u0000", "b": {"a": [{"a": 1}, {"a": 1}]}, "c": "😀"}'
    (found,) = parse_line(f"/coordination-hub create '{body}'", project=HERE).json
    assert found["b"]["a"] == [{"a": 1}, {"a": 1}]
    assert found["a"].endswith("\\u0000")
    parse_line("/coordination-hub create '" + "[" * 100 + "]" * 100 + "'", project=HERE)
