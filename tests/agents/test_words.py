import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.agents.words import split_command


@pytest.mark.parametrize(
    ("command", "feature"),
    [
        ("pytest | tail", "'|'"),
        ("cd x && pytest", "'&&'"),
        ("pytest || true", "'||'"),
        ("pytest; true", "';'"),
        ("pytest > out", "'>'"),
        ("pytest $(cat files)", "'$('"),
        ("pytest `cat files`", "'`c'"),
        ('pytest "$HOME/x"', "'$H'"),
        ("(pytest)", "'('"),
        ("pytest &", "'&'"),
        ("pytest\nrm -r x", "'\\n'"),
    ],
)
def test_what_needs_a_shell_is_refused_and_named(command: str, feature: str) -> None:
    words = split_command(command)

    assert words.argv == ()
    assert feature in words.problem


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        ("pytest -q tests", ("pytest", "-q", "tests")),
        ("pytest -k 'a and (b or c)'", ("pytest", "-k", "a and (b or c)")),
        ('python -c "import a; b | c"', ("python", "-c", "import a; b | c")),
        ("grep '$HOME `x`' a", ("grep", "$HOME `x`", "a")),
        (r"echo a\;b \$X", ("echo", "a;b", "$X")),
        ("pytest 'tests/test_a.py::test_b[x|y]'", ("pytest", "tests/test_a.py::test_b[x|y]")),
        ("echo 5$", ("echo", "5$")),
    ],
)
def test_quoted_text_is_only_text(command: str, argv: tuple[str, ...]) -> None:
    assert split_command(command) == (argv, "")


@pytest.mark.parametrize("command", ["", "  ", "pytest 'open", "A=1 pytest"])
def test_a_command_that_is_none_is_refused(command: str) -> None:
    assert split_command(command).problem


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
def test_whatever_is_quoted_comes_through_unchanged(words: list[str]) -> None:
    argv = ["run", *words]

    assert split_command(shlex.join(argv)).argv == tuple(argv)
