"""The files that a session's calls wrote: what each held before and after, as far as the recording tells."""

import posixpath
import re
from typing import Any

from stretto.agents.kept import MOST_BYTES
from stretto.agents.session_rows import Facts, Tally, facts, items, word
from stretto.agents.session_talk import Used

WRITING = frozenset({"Write", "Edit", "MultiEdit", "NotebookEdit"})
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


class Wrote:
    """One file after one call. `before` is None where nothing was, or nobody knows what and no call has made it."""

    def __init__(self, path: str, before: str | None, after: str) -> None:
        self.path = path
        self.before = before
        self.after = after


class Shelf:
    """What is known of the files of a session, call by call."""

    def __init__(self, folder: str, tally: Tally) -> None:
        self._folder = _slashes(folder).rstrip("/")
        self._tally = tally
        self._known: dict[str, str] = {}
        self._made: dict[str, str] = {}

    def take(self, used: Used) -> Wrote | None:
        """What a call that came to a good end wrote; a reading one is learnt from."""
        if not used.ok:
            return None
        if used.name == "Read":
            self._learn(facts(used.told.get("file")))
            return None
        return self._wrote(used) if used.name in WRITING else None

    def _learn(self, file: Facts) -> None:
        """A file that was read as a whole."""
        content, path = file.get("content"), self._inside(file.get("filePath"))
        whole = file.get("startLine") == 1 and file.get("numLines") == file.get("totalLines")
        if path and isinstance(content, str) and whole:
            self._known[path] = content

    def _wrote(self, used: Used) -> Wrote | None:
        args = facts(used.args)
        path = self._inside(args.get("file_path") or args.get("notebook_path") or used.told.get("filePath"))
        if path is None:
            self._tally.skip("file outside of the session's folder")
            return None
        before = self._before(path, used.told)
        after = _after(used.name, args, used.told, before)
        if after is None or len(after) > MOST_BYTES:
            self._tally.skip("edit whose file is not in the recording" if after is None else "file that is too long")
            self._known.pop(path, None)
            return None
        # Where nobody knows what was there, a replay has what it made last.
        wrote = Wrote(path, self._made.get(path) if before is None else before, after)
        self._known[path] = self._made[path] = after
        return wrote

    def _before(self, path: str, told: Facts) -> str | None:
        for name in ("originalFile", "original_file"):
            if isinstance(original := told.get(name), str):
                return original
        return self._known.get(path)

    def _inside(self, value: object) -> str | None:
        """A path relative to the session's folder; None outside of it."""
        path = _slashes(word(value))
        if not path or "\0" in path:
            return None
        absolute = path.startswith("/") or _DRIVE.match(path)
        if absolute and (not self._folder or not path.startswith(f"{self._folder}/")):
            return None
        relative = posixpath.normpath(path[len(self._folder) + 1 :] if absolute else path)
        return None if relative.startswith(("../", "/")) or relative in (".", "..") else relative


def _slashes(path: str) -> str:
    return path.replace("\\", "/") if _DRIVE.match(path) else path


def _after(name: str, args: Facts, told: Facts, before: str | None) -> str | None:
    if name == "Write":
        return word(args.get("content")) if isinstance(args.get("content"), str) else None
    if name == "NotebookEdit":
        after = told.get("updated_file")
        return after if isinstance(after, str) else None
    edits: list[Any] = items(args.get("edits")) if name == "MultiEdit" else [args]
    text = before
    for edit in edits:
        text = _edited(text, facts(edit))
    return text if edits else None


def _edited(text: str | None, edit: Facts) -> str | None:
    old, new = edit.get("old_string"), edit.get("new_string")
    if not isinstance(old, str) or not isinstance(new, str):
        return None
    if not old:
        return new if not text else None
    if text is None or old not in text:
        return None
    return text.replace(old, new, -1 if edit.get("replace_all") is True else 1)
