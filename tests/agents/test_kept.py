"""Files in a cassette: kept without secrets, put back where they belong and nowhere else."""

import os
from pathlib import Path

import pytest

from stretto.agents.cassette import Kept
from stretto.agents.kept import LINK, PROGRAM, Misplaced, differs, kept, put, read
from stretto.agents.prints import Normal
from stretto.agents.redact import Redactor

KEY = "sk-ant-" + "x" * 30


def normal(cwd: Path) -> Normal:
    return Normal(str(cwd), Redactor({}).text)


def moved(old: Path, new: Path, path: str, before: bytes | None = None) -> Kept:
    """What lies at `path` below `old`, kept and put below `new`."""
    content, mode = read(old, path)
    one = kept(path, content, before, normal(old), mode)
    put(one, new, str(new))
    return one


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    return tmp_path / "old", tmp_path / "new"


def test_text_bytes_programs_and_links_come_back_as_they_were(folders: tuple[Path, Path]) -> None:
    old, new = folders
    (old / "text").write_text("one\r\ntwo é <cwd>\n")
    (old / "bytes").write_bytes(b"\0\xff\xfe")
    (old / "run").write_text("#!/bin/sh\n")
    (old / "run").chmod(0o755)
    (old / "link").symlink_to("text")

    modes = {name: moved(old, new, name).mode for name in ("text", "bytes", "run", "link")}

    assert (modes["run"], modes["link"]) == (PROGRAM, LINK)
    assert (new / "text").read_bytes() == (old / "text").read_bytes()
    assert (new / "bytes").read_bytes() == b"\0\xff\xfe"
    assert os.access(new / "run", os.X_OK)
    assert (new / "link").readlink() == Path("text")


def test_a_deleted_file_is_deleted_and_the_workspaces_path_follows_the_workspace(folders: tuple[Path, Path]) -> None:
    old, new = folders
    (new / "gone").write_text("here")
    (old / "conf").write_text(f"root = {old}/src\n")

    assert moved(old, new, "gone", b"here").text is None
    assert moved(old, new, "conf").text == "root = <cwd>/src\n"

    assert not (new / "gone").exists()
    assert (new / "conf").read_text() == f"root = {new}/src\n"


def test_a_secret_is_not_kept_and_the_file_says_so(folders: tuple[Path, Path]) -> None:
    (folders[0] / "env").write_text(f"KEY={KEY}\n")
    one = moved(*folders, "env")
    assert (one.text, one.redacted) == ("KEY=<anthropic-key>\n", True)


def test_what_stood_there_before_is_compared(folders: tuple[Path, Path]) -> None:
    old, new = folders
    (old / "a").write_text("after")
    one = kept("a", b"after", f"in {old}".encode(), normal(old))
    assert differs(one, new, normal(new))
    for text, other in ((f"in {new}", False), ("after", False), ("before", True)):
        (new / "a").write_text(text)
        assert differs(one, new, normal(new)) is other


@pytest.mark.parametrize(
    "path", ["../x", "/etc/x", ".git/config", "sub/.GIT/hooks/x", "out/x", "folder", "a\0b", "~/x", "a/../../x"]
)
def test_a_path_that_leads_elsewhere_is_refused(folders: tuple[Path, Path], path: str) -> None:
    old, new = folders
    (new / "out").symlink_to(old)
    (new / "folder").mkdir()
    with pytest.raises(Misplaced):
        put(Kept(path=path, text="x"), new, str(new))
    assert list(old.iterdir()) == []


@pytest.mark.parametrize("target", ["/etc/passwd", "../old", "out/x"])
def test_a_link_that_leads_out_is_refused(folders: tuple[Path, Path], target: str) -> None:
    old, new = folders
    (new / "out").symlink_to(old)
    with pytest.raises(Misplaced):
        put(Kept(path="link", mode="120000", text=target), new, str(new))


def test_what_is_no_base64_or_too_long_is_refused(folders: tuple[Path, Path]) -> None:
    old, new = folders
    with pytest.raises(Misplaced, match="base64"):
        put(Kept(path="x", base64="?"), new, str(new))
    with (old / "long").open("wb") as file:
        file.truncate(2_000_000)
    with pytest.raises(Misplaced, match="2000000 bytes"):
        read(old, "long")
