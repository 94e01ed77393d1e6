"""Fingerprints: equal for what changes from run to run, different for what was said otherwise."""

import pytest
from langchain_core.messages import HumanMessage

from stretto.agents.prints import Normal, prints


def full(text: str, cwd: str = "/work/here") -> str:
    return prints([HumanMessage(text)], Normal(cwd, str)).full


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("- **Date**: 2025-03-01", "- **Date**: 2026-11-30"),
        ("at 2025-03-01T09:00:00Z", "at 2026-11-30 17:12:03.5+01:00"),
        ("41 passed in 0.12s", "41 passed in 3 s"),
        ("<Client at 0x7f3529f65a90>", "<Client at 0x7f27c2d61f50>"),
        ("in /tmp/pytest-of-ada/pytest-0/x", "in /tmp/pytest-of-bob/pytest-7/x"),
        (f"commit {'a' * 40}", f"commit {'b' * 40}"),
    ],
)
def test_what_changes_from_run_to_run_changes_no_print(then: str, now: str) -> None:
    assert full(then) == full(now)


@pytest.mark.parametrize(
    ("one", "other"),
    [("41 passed", "42 passed"), ("v2025-3-1", "v2025-3-2"), ("line 12", "line 13"), ("abc1234", "abc1235")],
)
def test_what_was_said_otherwise_changes_the_print(one: str, other: str) -> None:
    assert full(one) != full(other)


def test_the_place_of_the_workspace_changes_no_print() -> None:
    assert full("/work/here/src/x.py", "/work/here") == full("/elsewhere/src/x.py", "/elsewhere")
