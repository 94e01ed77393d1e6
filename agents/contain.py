"""Containment: every path that a model names is opened below the workspace, or not at all.

A path is resolved first, so that links inside the workspace work, and then opened folder by folder with O_NOFOLLOW from
the workspace down: a link that is swapped in between the check and the use is refused by the kernel.
"""

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Outside(ValueError):
    """A path that this workspace does not give out. The message is for the model that asked."""


class Inside:
    """The files of one workspace."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def relative(self, path: str) -> PurePosixPath:
        """Where `path` leads, relative to the workspace, with links in its folders followed.

        Raises:
            Outside: It is empty, holds a NUL, climbs with `..`, leads out, or into git's own folder.
        """
        if not path or "\0" in path:
            raise Outside(f"{path!r} is not a path.")
        if ".." in Path(path).parts:
            raise Outside(f"{path!r}: '..' is refused; name the path from the workspace down.")
        asked = self.root / path
        where = Path(os.path.realpath(asked.parent)) / asked.name if asked != self.root else self.root
        if not where.is_relative_to(self.root):
            raise Outside(f"{path!r} lies outside the workspace.")
        found = PurePosixPath(where.relative_to(self.root))
        if any(part.lower() == ".git" for part in (*found.parts, *Path(path).parts)):
            raise Outside(f"{path!r}: git's own folder is refused.")
        return found

    def read(self, path: str, *, limit_bytes: int) -> bytes:
        """The bytes of a regular file; a link is followed if it stays inside.

        Raises:
            Outside: The path is refused, names no regular file, or a file larger than `limit_bytes`.
            OSError: It cannot be read.
        """
        asked = self.relative(path)
        if (self.root / asked).is_symlink():
            asked = self.relative(str(Path(os.path.realpath(self.root / asked))))
        with _folder(self.root, asked.parent) as folder:
            handle = os.open(asked.name or ".", _READ, dir_fd=folder)
        try:
            state = os.fstat(handle)
            if not stat.S_ISREG(state.st_mode):
                raise Outside(f"{path!r} is not a regular file.")
            if state.st_size > limit_bytes:
                raise Outside(f"{path!r} has {state.st_size} bytes, more than the {limit_bytes} that can be read.")
            with open(handle, "rb", closefd=False) as file:
                return file.read(limit_bytes)
        finally:
            os.close(handle)

    def write(self, path: str, content: bytes) -> PurePosixPath:
        """Make or replace a regular file, whole or not at all; return its relative path. Missing folders are made.

        The new file takes the place of the old one, so that a hard link shared with files elsewhere (a package cache,
        for one) is not written through.

        Raises:
            Outside: The path is refused, or names a link or something else that is no regular file.
            OSError: It cannot be written.
        """
        asked = self.relative(path)
        if not asked.name:
            raise Outside(f"{path!r} is the workspace itself.")
        with _folder(self.root, asked.parent, make=True) as folder:
            mode = _mode_of(asked.name, folder, path)
            _replace(folder, asked.name, content, mode)
        return asked


@contextmanager
def _folder(root: Path, below: PurePosixPath, *, make: bool = False) -> Generator[int]:
    handle = os.open(root, _FOLDER)
    try:
        for part in below.parts:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=handle)
            parent, handle = handle, os.open(part, _FOLDER, dir_fd=handle)
            os.close(parent)
        yield handle
    finally:
        os.close(handle)


def _mode_of(name: str, folder: int, path: str) -> int | None:
    try:
        state = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(state.st_mode):
        raise Outside(f"{path!r} is not a regular file, and is not written through.")
    return stat.S_IMODE(state.st_mode)


def _replace(folder: int, name: str, content: bytes, mode: int | None) -> None:
    side = f".{name[:100]}.{os.urandom(6).hex()}"
    handle = os.open(side, _CREATE, 0o666, dir_fd=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            if mode is not None:
                os.fchmod(handle, mode)
        os.rename(side, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(side, dir_fd=folder)
        raise


def matches(path: str, glob: str) -> bool:
    """Whether a relative path fits a glob: `*` stays in one folder, `**` spans any; without a slash it fits names.

    Every part is matched by itself, so that no glob can take exponential time.
    """
    if "/" not in glob:
        return fnmatchcase(PurePosixPath(path).name, glob)
    reached = {0}
    globs = [part for part in glob.split("/") if part not in ("", ".")]
    for part in PurePosixPath(path).parts:
        reached = {
            after
            for at in _skipped(reached, globs)
            if at < len(globs)
            for after in ([at] if globs[at] == "**" else [at + 1] if fnmatchcase(part, globs[at]) else [])
        }
    return len(globs) in _skipped(reached, globs)


def _skipped(reached: set[int], globs: list[str]) -> set[int]:
    """`reached`, and what can be reached from it by letting `**` stand for no folder."""
    found = set(reached)
    for at in range(len(globs)):
        if at in found and globs[at] == "**":
            found.add(at + 1)
    return found
