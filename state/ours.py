"""Whose store it is. A repository that somebody clones may bring one along, with workflows that run what it pleases.

A store that is made here gets a mark, which this user's own folder knows too. One whose mark it does not know was made
by somebody else, or on another machine: it can be read, but nothing in it is trusted to be run without a question.
Standard library only, and little of it, for the hooks.
"""

import os

MARK = "mark"
_LETTERS = frozenset("0123456789abcdef")
_LENGTH = 32


def vouch(store: str) -> None:
    """Mark a store that is about to be made. Where the user's folder cannot be written, it stays a stranger's."""
    mark = os.urandom(_LENGTH // 2).hex()
    try:
        os.makedirs(_known(), 0o700, exist_ok=True)
        _write(os.path.join(_known(), mark), os.path.abspath(store))
    except OSError:
        return
    _write(os.path.join(store, MARK), mark)


def is_ours(store: str) -> bool:
    """Whether this user made the store, on this machine. It may have been moved since."""
    try:
        with open(os.path.join(store, MARK), encoding="utf-8") as file:
            mark = file.read(_LENGTH + 1).strip()
    except (OSError, ValueError):
        return False
    return len(mark) == _LENGTH and _LETTERS.issuperset(mark) and os.path.isfile(os.path.join(_known(), mark))


def _known() -> str:
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "stretto", "stores")


def _write(path: str, text: str) -> None:
    """By a rename, so that a link that lies there is not followed."""
    new = f"{path}.{os.getpid()}"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(f"{text}\n")
    os.replace(new, path)
