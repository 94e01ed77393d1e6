"""No path that a model names leads out of the workspace."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.agents.contain import Inside, Outside, matches


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    return tmp_path / "outside"


@pytest.fixture
def root(tmp_path: Path, outside: Path) -> Path:
    root = tmp_path / "work"
    (root / "src").mkdir(parents=True)
    (root / "src" / "a.py").write_text("a = 1\n")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("[core]\n")
    (root / "link_out").symlink_to(outside / "secret")
    (root / "folder_out").symlink_to(outside)
    (root / "folder_git").symlink_to(root / ".git")
    (root / "link_in").symlink_to("src/a.py")
    (root / "folder_in").symlink_to("src")
    (root / "dangling").symlink_to(outside / "new")
    return root


REFUSED = [
    "",
    "..",
    "../outside/secret",
    "src/../../outside/secret",
    "/etc/passwd",
    "link_out",
    "folder_out/secret",
    ".git/config",
    ".GIT/config",
    "src/.git/x",
    "folder_git/config",
    "a\0b",
]


@pytest.mark.parametrize("path", REFUSED)
def test_a_path_that_leads_out_is_not_read(root: Path, path: str) -> None:
    with pytest.raises(Outside):
        Inside(root).read(path, limit_bytes=100)


@pytest.mark.parametrize("path", [*REFUSED, "link_in", "dangling", ".", "src", "folder_out/new", "folder_git/hooks/x"])
def test_a_path_that_leads_out_or_is_no_file_is_not_written(root: Path, outside: Path, path: str) -> None:
    with pytest.raises(Outside):
        Inside(root).write(path, b"overwritten")
    assert (outside / "secret").read_text() == "secret"
    assert [entry.name for entry in outside.iterdir()] == ["secret"]
    assert (root / "src" / "a.py").read_text() == "a = 1\n"
    assert (root / ".git" / "config").read_text() == "[core]\n"


@pytest.mark.parametrize("path", ["src/a.py", "./src/a.py", "link_in", "folder_in/a.py"])
def test_files_and_links_inside_are_read(root: Path, path: str) -> None:
    assert Inside(root).read(path, limit_bytes=100) == b"a = 1\n"


def test_an_absolute_path_inside_is_a_path_inside(root: Path) -> None:
    assert Inside(root).read(str(root / "src" / "a.py"), limit_bytes=100) == b"a = 1\n"


def test_a_workspace_behind_a_link_works(root: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(root)
    inside = Inside(tmp_path / "alias")
    assert inside.read(str(tmp_path / "alias" / "src" / "a.py"), limit_bytes=100) == b"a = 1\n"


def test_a_pipe_is_refused_and_does_not_block(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(Outside, match="not a regular file"):
        Inside(root).read("pipe", limit_bytes=100)
    with pytest.raises(Outside, match="not a regular file"):
        Inside(root).write("pipe", b"x")


def test_a_file_that_is_too_large_is_refused(root: Path) -> None:
    with pytest.raises(Outside, match="6 bytes"):
        Inside(root).read("src/a.py", limit_bytes=5)


def test_writing_makes_folders_and_keeps_the_mode(root: Path) -> None:
    inside = Inside(root)
    assert str(inside.write("new/deep/file.txt", b"x")) == "new/deep/file.txt"
    (root / "src" / "a.py").chmod(0o750)
    inside.write("folder_in/a.py", b"b")
    assert (root / "src" / "a.py").read_bytes() == b"b"
    assert (root / "src" / "a.py").stat().st_mode & 0o777 == 0o750
    assert sorted(entry.name for entry in (root / "src").iterdir()) == ["a.py"]


def test_a_hard_link_to_a_file_elsewhere_is_not_written_through(root: Path, outside: Path) -> None:
    (root / "shared").hardlink_to(outside / "secret")
    Inside(root).write("shared", b"mine")
    assert (outside / "secret").read_text() == "secret"
    assert (root / "shared").read_text() == "mine"


PART = st.sampled_from(
    ["..", ".", "src", "a.py", "link_out", "folder_out", "folder_in", "secret", ".git", "config", ""]
)


@settings(max_examples=200)
@given(parts=st.lists(PART, max_size=5), absolute=st.booleans())
def test_no_combination_of_parts_reads_what_is_outside(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], absolute: bool
) -> None:
    base = tmp_path_factory.getbasetemp() / "shared_tree"
    root = base / "work"
    if not base.exists():
        (root / "src").mkdir(parents=True)
        (root / ".git").mkdir()
        (root / ".git" / "config").write_text("secret")
        (base / "secret").write_text("secret")
        (root / "src" / "a.py").write_text("fine")
        (root / "link_out").symlink_to(base / "secret")
        (root / "folder_out").symlink_to(base)
        (root / "folder_in").symlink_to("src")
    path = ("/" if absolute else "") + "/".join(parts)
    try:
        content = Inside(root).read(path, limit_bytes=100)
    except (Outside, OSError):
        return
    assert content == b"fine"


@pytest.mark.parametrize(
    ("path", "glob", "fits"),
    [
        ("a.py", "*.py", True),
        ("src/a.py", "*.py", True),
        ("src/a.py", "src/*.py", True),
        ("src/deep/a.py", "src/*.py", False),
        ("src/deep/a.py", "src/**/*.py", True),
        ("src/a.py", "src/**/*.py", True),
        ("src/deep/a.py", "**", True),
        ("src/deep/a.py", "src/**", True),
        ("src/deep/a.py", "./src/**/a.py", True),
        ("lib/a.py", "src/**", False),
        ("src/a.py", "**/b.py", False),
    ],
)
def test_globs_keep_to_folders(path: str, glob: str, fits: bool) -> None:
    assert matches(path, glob) is fits


def test_a_hostile_glob_takes_no_time() -> None:
    assert not matches("/".join("a" * 60), "/".join(["**", "a"] * 60) + "/b")
