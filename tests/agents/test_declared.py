import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stretto.agents.declared import undeclared
from stretto.agents.paths import overlap

NAMES = st.text("abc[]", min_size=1, max_size=3)
GLOBS = st.lists(st.text("abc[]*?", min_size=1, max_size=4), min_size=1, max_size=3).map("/".join)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ("src/app.py", "src/app.py"),
        ("./src/app.py", "src/app.py"),
        ("src", "src/deep/app.py"),
        ("src/", "src/app.py"),
        ("src/*.py", "src/app.py"),
        ("src/**/*.py", "src/app.py"),
        ("src/**/*.py", "src/a/b/app.py"),
        ("packages/*/src", "packages/api/src/app.py"),
        ("app/[id]/page.tsx", "app/[id]/page.tsx"),
        (".", "anything"),
        ("../shared/x.py", "../shared/x.py"),
        ("../shared", "../shared/x.py"),
    ],
)
def test_an_entry_allows_what_it_names(entry: str, path: str) -> None:
    assert undeclared([entry], [path]) == []


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ("src", "srcs/app.py"),
        ("src/*.py", "src/app.js"),
        ("src/*.py", "src/deep/app.py"),
        ("*.py", "src/app.py"),
        ("src/app.py", "src/app.py.bak"),
        (".", "../outside.py"),
        ("*", "../outside.py"),
        ("**/*.py", "../outside.py"),
        ("", "app.py"),
        ("/etc", "etc/passwd"),
    ],
)
def test_an_entry_allows_nothing_else(entry: str, path: str) -> None:
    assert undeclared([entry], [path]) == [path]


def test_without_a_declaration_everything_is_allowed() -> None:
    assert undeclared([], ["a", "../b"]) == []


@given(declared=PATHS, below=st.lists(NAMES, max_size=2))
def test_a_declared_path_covers_itself_and_all_below(declared: str, below: list[str]) -> None:
    path = "/".join([declared, *below])

    assert undeclared([declared], [path, f"../{path}"]) == [f"../{path}"]


@given(one=GLOBS, two=GLOBS, path=PATHS)
@example(one="[", two="]", path="[[]")
@example(one="[[]", two="???", path="[[]")
def test_two_entries_that_allow_one_path_are_known_to_overlap(one: str, two: str, path: str) -> None:
    if not undeclared([one], [path]) and not undeclared([two], [path]):
        assert overlap(one, two)


@given(writes=st.lists(PATHS, min_size=1, max_size=3), changed=st.lists(PATHS, max_size=5), more=PATHS)
def test_declaring_more_never_forbids_more(writes: list[str], changed: list[str], more: str) -> None:
    before, after = undeclared(writes, changed), undeclared([*writes, more], changed)

    assert set(after) <= set(before)
    assert [p for p in changed if p in before] == before
