"""Whose a store is, asked of real git: what a clone, a pull or an archive brings along is never the user's own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from stretto.state.log import Log
from stretto.state.ours import MARK, is_ours

STATE = Path(".stretto", "state")
MARKS = Path(".git", "stretto", "stores")


def git(folder: Path, *args: str) -> str:
    """What git says in a folder, without the settings of whoever runs this."""
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "protocol.file.allow=always")
    return subprocess.run(
        ["git", *who, *args], cwd=folder, env={**os.environ, **alone}, check=True, capture_output=True, text=True
    ).stdout


def work_tree(folder: Path) -> Path:
    """A repository of one commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "commit", "-q", "--allow-empty", "-m", "Begin")
    return folder


def make(folder: Path) -> Path:
    """A store in the folder, as any command makes it."""
    Log.open(folder / STATE).close()
    return folder / STATE


def ours(folder: Path) -> bool:
    assert (folder / STATE / MARK).exists()
    return is_ours(str(folder / STATE))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a user's programs keep their state."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def mine(home: Path, tmp_path: Path) -> Path:
    """A repository in which this user has made a store."""
    project = work_tree(tmp_path / "mine")
    make(project)
    return project


@pytest.fixture
def hostile(home: Path, tmp_path: Path) -> Path:
    """A repository that has a store among its files, with its mark."""
    theirs = work_tree(tmp_path / "theirs")
    make(theirs)
    git(theirs, "add", "-f", ".stretto")
    git(theirs, "commit", "-q", "-m", "Add a trap")
    return theirs


def test_a_store_is_known_by_the_git_folder_of_its_project_and_by_nothing_else(mine: Path, home: Path) -> None:
    (mark,) = (mine / MARKS).iterdir()

    assert ours(mine)
    assert mark.name == (mine / STATE / MARK).read_text("utf-8").strip()
    assert not home.exists()
    assert git(mine, "status", "--porcelain") == ""
    mark.unlink()
    assert not ours(mine)


def test_a_store_that_a_clone_brings_is_a_strangers(hostile: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(hostile), "clone")

    assert not ours(tmp_path / "clone")


def test_a_store_that_a_pull_brings_is_a_strangers(hostile: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(hostile), "clone")
    git(tmp_path / "clone", "reset", "-q", "--hard", "HEAD~1")

    git(tmp_path / "clone", "pull", "-q")

    assert not ours(tmp_path / "clone")


@pytest.fixture(params=["2", "4", "split"])
def pulled(mine: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A clone of this user's, with a store of its own, into which a commit has brought a log; by each form of index."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(mine), "clone")
    if request.param == "split":
        git(clone, "update-index", "--split-index")
    else:
        git(clone, "update-index", "--index-version", request.param)
    make(clone)
    assert ours(clone)
    git(mine, "add", "-f", str(STATE / "events.db"))
    git(mine, "commit", "-q", "-m", "Add a trap")

    git(clone, "pull", "-q")

    assert (clone / STATE / "events.db").read_bytes() == (mine / STATE / "events.db").read_bytes()
    return clone


def test_a_store_of_which_a_pull_has_replaced_a_file_is_a_strangers(pulled: Path) -> None:
    assert not ours(pulled)

    git(pulled, "rm", "-q", "--cached", str(STATE / "events.db"))
    assert ours(pulled)


def test_what_only_looks_like_a_file_of_the_store_changes_nothing(mine: Path) -> None:
    for path in (Path("docs", STATE, "events.db"), Path(".stretto", "state.md"), Path(".stretto", "config.toml")):
        (mine / path).parent.mkdir(parents=True, exist_ok=True)
        (mine / path).write_text("x", "utf-8")
        git(mine, "add", "-f", str(path))

    assert ours(mine)


def test_the_name_of_a_tracked_file_counts_in_any_case(mine: Path) -> None:
    git(mine, "update-index", "--add", "--cacheinfo", f"100644,{'0' * 39}1,.Stretto/STATE/events.db")

    assert not ours(mine)


def test_an_index_that_cannot_be_read_vouches_for_nothing(mine: Path) -> None:
    (mine / ".git" / "index").unlink(missing_ok=True)
    assert ours(mine)

    (mine / ".git" / "index").mkdir()
    assert not ours(mine)


@pytest.mark.parametrize("how", ["clone", "extract"])
def test_a_store_inside_a_repository_that_has_its_own_is_a_strangers(
    hostile: Path, mine: Path, tmp_path: Path, how: str
) -> None:
    inner = mine / "vendor" / "theirs"
    if how == "clone":
        git(tmp_path, "clone", "-q", str(hostile), str(inner))
    else:
        git(hostile, "archive", "-o", str(tmp_path / "theirs.tar"), "HEAD")
        shutil.unpack_archive(tmp_path / "theirs.tar", inner)

    assert ours(mine)
    assert not ours(inner)


def test_a_store_that_is_a_submodule_is_a_strangers(hostile: Path, tmp_path: Path) -> None:
    trap = work_tree(tmp_path / "trap")
    shutil.copytree(hostile / STATE, trap, dirs_exist_ok=True)
    git(trap, "add", "-A")
    git(trap, "commit", "-q", "-m", "The inside of a store")
    lure = work_tree(tmp_path / "lure")
    git(lure, "submodule", "add", "-q", "--name", "stretto/stores", str(trap), str(STATE))
    git(lure, "commit", "-q", "-m", "Lay it out")

    git(tmp_path, "clone", "-q", "--recurse-submodules", str(lure), "clone")

    assert not ours(tmp_path / "clone")


def test_a_bare_repository_among_the_files_of_a_clone_vouches_for_nothing(hostile: Path, tmp_path: Path) -> None:
    git(hostile, "clone", "-q", "--bare", str(hostile), "git")
    shutil.copytree(hostile / ".git" / "stretto", hostile / "git" / "stretto")
    git(hostile, "add", "-f", "git")
    git(hostile, "commit", "-q", "-m", "Add a repository")

    git(tmp_path, "clone", "-q", str(hostile), "clone")

    assert (tmp_path / "clone" / "git" / "stretto" / "stores").is_dir()
    assert not ours(tmp_path / "clone")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_store_that_another_user_has_made_is_a_strangers(mine: Path) -> None:
    for mark in (mine / MARKS).iterdir():
        os.chown(mark, 12345, -1)

    assert not ours(mine)


def test_a_link_to_a_file_of_this_users_is_no_mark(mine: Path) -> None:
    (mark,) = (mine / MARKS).iterdir()
    mark.rename(mine / "some file")

    mark.symlink_to(mine / "some file")
    assert not ours(mine)
    mark.unlink()
    mark.hardlink_to(mine / "some file")
    assert not ours(mine)


def test_a_project_that_is_copied_or_moved_with_its_git_folder_keeps_its_store(mine: Path, tmp_path: Path) -> None:
    shutil.copytree(mine, tmp_path / "copy")
    assert ours(tmp_path / "copy")

    shutil.copytree(mine / ".stretto", work_tree(tmp_path / "another") / ".stretto")
    assert not ours(tmp_path / "another")

    mine.rename(tmp_path / "moved")
    assert ours(tmp_path / "moved")


def test_each_work_tree_knows_its_own_store_and_takes_the_mark_along_when_it_goes(mine: Path, tmp_path: Path) -> None:
    git(mine, "worktree", "add", "-q", "-b", "aside", str(tmp_path / "aside"))
    make(tmp_path / "aside")
    assert ours(tmp_path / "aside")
    assert git(tmp_path / "aside", "status", "--porcelain") == ""

    git(mine, "worktree", "move", str(tmp_path / "aside"), str(tmp_path / "beside"))
    assert ours(tmp_path / "beside")
    git(mine, "worktree", "remove", "--force", str(tmp_path / "beside"))

    assert not (mine / ".git" / "worktrees").exists()
    assert len(list((mine / ".git").rglob("stores/*"))) == 1
    assert ours(mine)


def test_a_submodule_has_a_store_of_its_own(mine: Path, tmp_path: Path) -> None:
    git(mine, "submodule", "add", "-q", str(work_tree(tmp_path / "part")), "part")

    make(mine / "part")

    assert ours(mine / "part")
    assert len(list((mine / ".git" / "modules" / "part" / "stretto" / "stores").iterdir())) == 1


def test_a_store_whose_git_folder_is_gone_is_a_strangers_and_nothing_is_made_in_its_place(
    home: Path, tmp_path: Path
) -> None:
    (tmp_path / "lost").mkdir()
    (tmp_path / "lost" / ".git").write_text("gitdir: ../gone/.git/worktrees/lost\n", "utf-8")

    Log.open(tmp_path / "lost" / STATE).close()

    assert not is_ours(str(tmp_path / "lost" / STATE))
    assert [p.name for p in tmp_path.iterdir()] == ["lost"]


def test_without_git_the_users_own_folder_knows_a_store(home: Path, tmp_path: Path) -> None:
    make(tmp_path / "plain")

    assert ours(tmp_path / "plain")
    assert len(list((home / "stretto" / "stores").iterdir())) == 1
    shutil.rmtree(home)
    assert not ours(tmp_path / "plain")


def test_a_mark_of_the_users_folder_is_taken_over_once_and_leaves_nothing_there(home: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        make(tmp_path / name)
        git(tmp_path / name, "init", "-q")

    assert ours(tmp_path / "one")
    assert len(list((home / "stretto" / "stores").iterdir())) == 1
    assert ours(tmp_path / "two")
    assert list(home.iterdir()) == []
    assert all(len(list((tmp_path / name / MARKS).iterdir())) == 1 for name in ("one", "two"))
    assert ours(tmp_path / "one")
    assert ours(tmp_path / "two")


def test_a_mark_that_cannot_be_taken_over_counts_where_it_is(home: Path, tmp_path: Path) -> None:
    make(tmp_path / "plain")
    (tmp_path / "plain" / ".git").write_text("not what git writes", "utf-8")

    assert ours(tmp_path / "plain")
    assert len(list((home / "stretto" / "stores").iterdir())) == 1
