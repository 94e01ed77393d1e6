"""Whose store it is. A repository that somebody clones may bring one along, with workflows that run what it pleases.

A store that is made here gets a mark, and the project's git folder knows the same one: git lets no clone, pull or
checkout bring anything to a `.git`, and whoever can write there can run commands by git's own configuration anyway. A
store whose mark is not known there was made by somebody else: it can be read, but nothing in it is trusted to be run
without a question. Nor is one of which git tracks a file, for what is pulled takes its place. Where there is no git,
the user's own folder knows the mark. Standard library only, and little of it, for the hooks.
"""

import os
import stat

from stretto.state.tracked import tracks

MARK = "mark"
GIT = ".git"
_PLACE = ("stretto", "stores")
_LETTERS = frozenset("0123456789abcdef")
_LENGTH = 32
_LONGEST = 4_096


def vouch(store: str) -> None:
    """Mark a store that is about to be made. Where its mark cannot be kept, it stays a stranger's."""
    from stretto.state import folders  # here: the hooks only look

    mark = os.urandom(_LENGTH // 2).hex()
    try:
        _, keeper = _git(store)
        if not keeper:
            keeper = _home()
            os.makedirs(keeper, exist_ok=True)
            folders.anchor(keeper)
        _enter(keeper, mark, store)
    except OSError:
        return
    folders.write(os.path.join(store, MARK), f"{mark}\n")


def is_ours(store: str) -> bool:
    """Whether this user made the store, in this project. Both may have been moved or copied since, together."""
    try:
        with open(os.path.join(store, MARK), encoding="utf-8") as file:
            mark = file.read(_LENGTH + 1).strip()
    except (OSError, ValueError):
        return False
    if len(mark) != _LENGTH or not _LETTERS.issuperset(mark):
        return False
    root, git = _git(store)
    if not git:
        return _knows(_home(), mark)
    known = _knows(git, mark) or _move(mark, git, store) or _knows(git, mark)  # again: another process has moved it
    return known and not tracks(git, root, os.path.abspath(store))


def _move(mark: str, git: str, store: str) -> bool:
    """Take a mark over that the user's folder knows: from before the project was in git, or before git folders did."""
    if not _knows(_home(), mark):
        return False
    try:
        _enter(git, mark, store)
        folder = os.path.join(_home(), *_PLACE)
        os.unlink(os.path.join(folder, mark))
        os.rmdir(folder)
        os.rmdir(os.path.dirname(folder))
    except OSError:  # it cannot be written here or there; or other stores' marks are left
        pass
    return True


def _git(store: str) -> tuple[str, str]:
    """The work tree around a store and its git folder, a linked one's or a submodule's own; empty where there is none.

    The nearest one: git checks out nothing that is called `.git`, so in a clone that is the one that git made for it.
    """
    folder = os.path.dirname(os.path.abspath(store))
    while not os.path.exists(found := os.path.join(folder, GIT)):
        folder, below = os.path.dirname(folder), folder
        if folder == below:
            return "", ""
    if os.path.isdir(found):
        return folder, found
    try:
        with open(found, encoding="utf-8", errors="surrogateescape") as file:
            word, _, path = file.read(_LONGEST).rstrip("\r\n").partition(": ")
    except OSError:
        return folder, found
    return folder, os.path.join(folder, path) if word == "gitdir" else found


def _home() -> str:
    return os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")


def _knows(keeper: str, mark: str) -> bool:
    """Whether a folder holds a mark that this user has made: another may have made the project, as on a shared disk.

    Nobody can make a file in another's name but by a hard link to one that is there.
    """
    try:
        found = os.lstat(os.path.join(keeper, *_PLACE, mark))
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink == 1


def _enter(keeper: str, mark: str, store: str) -> None:
    """Keep a mark in a folder, which must be there: a `.git` may name one that is gone. Raises OSError."""
    from stretto.state import folders

    folder = keeper
    for name in _PLACE:
        folder = os.path.join(folder, name)
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            continue
        folders.sync(os.path.dirname(folder))
    folders.write(os.path.join(folder, mark), f"{os.path.abspath(store)}\n")
