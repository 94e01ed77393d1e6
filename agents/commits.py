"""Commits made without a checkout: blobs, a temporary index, a tree, a commit."""

import os
import re
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from stretto.agents.git import Git, split
from stretto.state.errors import BadInput

KEY = "Stretto-Key"
TASK = "Stretto-Task"
WORKFLOW = "Stretto-Workflow"
FILE, PROGRAM, LINK, SUBMODULE, FOLDER = "100644", "100755", "120000", "160000", "040000"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Entry(NamedTuple):
    """One path of a tree: its mode as git writes it, and the object id."""

    mode: str
    oid: str


class Difference(NamedTuple):
    """One path that differs between two trees; None where it is not there."""

    path: str
    old: Entry | None
    new: Entry | None


class Logged(NamedTuple):
    """One commit of the workflow's branch, with the trailers that are ours."""

    sha: str
    key: str
    tasks: tuple[str, ...]


class Index(NamedTuple):
    """A temporary index. `env` makes git commands use it."""

    git: Git
    env: Mapping[str, str]
    nothing: str

    async def put(self, entries: Sequence[tuple[str, Entry | None]]) -> None:
        """Set or remove paths, in this order; a file takes the place of a folder and the other way round."""
        lines = (f"{e.mode} {e.oid}\t{path}\0" if e else f"0 {self.nothing}\t{path}\0" for path, e in entries)
        await self.git.run("update-index", "-z", "--index-info", stdin=os.fsencode("".join(lines)), env=self.env)

    async def tree(self) -> str:
        """The tree of what it holds."""
        return await self.git.line("write-tree", env=self.env)


@asynccontextmanager
async def temporary_index(git: Git, tree: str) -> AsyncGenerator[Index]:
    """An index that holds `tree` (an object id)."""
    with tempfile.TemporaryDirectory(prefix="stretto-") as folder:
        env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        await git.run("read-tree", tree, env=env)
        yield Index(git, env, "0" * len(tree))


async def tree_with(git: Git, tree: str, entries: Sequence[tuple[str, Entry | None]]) -> str:
    """The tree that results when `entries` are put in `tree`."""
    async with temporary_index(git, tree) as index:
        await index.put(entries)
        return await index.tree()


async def differences(git: Git, old: str, new: str) -> list[Difference]:
    """The paths that differ between two trees or commits; a rename is a path gone and a path come."""
    fields = split(await git.run("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", old, new))
    return [_difference(meta, path) for meta, path in zip(fields[::2], fields[1::2], strict=True)]


def _difference(meta: str, path: str) -> Difference:
    old_mode, new_mode, old, new, _ = meta.removeprefix(":").split()
    return Difference(path, _entry(old_mode, old), _entry(new_mode, new))


def _entry(mode: str, oid: str) -> Entry | None:
    return None if mode == "000000" else Entry(mode, oid)


async def entries_at(git: Git, tree: str, paths: Sequence[str]) -> dict[str, Entry]:
    """What `tree` has at `paths`; those that are not there are left out."""
    found: dict[str, Entry] = {}
    for line in split(await git.run("ls-tree", "-z", "--full-tree", tree, "--", *paths)) if paths else []:
        meta, _, path = line.partition("\t")
        mode, _, oid = meta.split()
        if path in paths:  # beside a folder's own path, one below it makes git list what else is in the folder
            found[path] = Entry(mode, oid)
    return found


async def commit(git: Git, tree: str, parent: str, message: str, trailers: Sequence[tuple[str, str]]) -> str:
    """Make a commit and return its id. Nothing points to it yet."""
    return await commit_text(git, tree, parent, compose(message, trailers).encode(errors="replace"))


async def commit_text(git: Git, tree: str, parent: str, text: bytes) -> str:
    """Make a commit with exactly this message and return its id."""
    return await git.line("commit-tree", tree, "-p", parent, "-F", "-", stdin=text)


async def message_of(git: Git, sha: str) -> bytes:
    """The message of a commit, trailers included."""
    return await git.run("rev-list", "--no-commit-header", "--max-count=1", "--format=%B", sha)


def compose(message: str, trailers: Sequence[tuple[str, str]]) -> str:
    """A commit message whose last paragraph is `trailers`: lines that look like ours further up are only text."""
    text = _CONTROL.sub("", message.replace("\r\n", "\n")).strip() or "Work without a message"
    block = "\n".join(f"{name}: {_CONTROL.sub('', value)}" for name, value in trailers)
    return f"{text}\n\n{block}\n"


async def log(git: Git, since: str, until: str) -> list[Logged]:
    """The commits after `since` up to `until`, oldest first."""
    values = "".join(f"%x00%(trailers:key={name},valueonly,separator=%x1f)" for name in (KEY, TASK))
    output = await git.run(
        "rev-list", "--first-parent", "--reverse", "--no-commit-header", f"--format=%H{values}%x1e", f"{since}..{until}"
    )
    records = (r.strip("\n").split("\0") for r in output.decode(errors="replace").split("\x1e")[:-1])
    return [Logged(sha, key, tuple(t for t in tasks.split("\x1f") if t)) for sha, key, tasks in records]


def check_key(key: str) -> str:
    """Return `key` if it can stand in a trailer.

    Raises:
        BadInput: It is empty, longer than 200 characters, or has spaces at its ends or a control character.
    """
    if not key or len(key) > 200 or key != key.strip() or not key.isprintable():
        raise BadInput(f"{key!r} cannot be the key of a commit.", field="key")
    return key


def project_path(path: str, prefix: str) -> str:
    """`path`, relative to the project's folder, as a path of the repository.

    Raises:
        BadInput: It leaves the folder, or leads into git's own.
    """
    parts = PurePosixPath(path).parts
    wrong = not parts or path.startswith("/") or "\0" in path or ".." in parts or path.endswith("/")
    if wrong or any(part.lower() == ".git" for part in parts):
        raise BadInput(f"{path!r} is not a path of a file inside the project; nothing was written.", field="path")
    return str(PurePosixPath(prefix, path))


async def entries_for(
    git: Git, tree: str, prefix: str, files: Mapping[str, bytes | None]
) -> list[tuple[str, Entry | None]]:
    """Blobs for `files` (paths relative to the project's folder; None removes), as entries for `put`.

    Raises:
        BadInput: A path leaves the project, or runs through something that is no folder in `tree`.
    """
    places = {project_path(path, prefix): content for path, content in files.items()}
    parents = {str(p) for path in places for p in PurePosixPath(path).parents} - {"."}
    known = await entries_at(git, tree, sorted({*places, *parents}))
    for path, entry in known.items():
        if entry.mode != FOLDER if path in parents else entry.mode in (FOLDER, SUBMODULE):
            raise BadInput(
                f"{path!r} is {_KINDS.get(entry.mode, 'a file')} in this project, and Stretto would have to replace it."
                " Nothing was written.",
                field="path",
            )
    return [(path, await _blob(git, path, known.get(path), content)) for path, content in places.items()]


_KINDS = {LINK: "a symbolic link", SUBMODULE: "a submodule", FOLDER: "a folder"}


async def _blob(git: Git, path: str, known: Entry | None, content: bytes | None) -> Entry | None:
    if content is None:
        return None
    mode = known.mode if known and known.mode in (FILE, PROGRAM) else FILE
    return Entry(mode, await git.line("hash-object", "-w", "--stdin", f"--path={path}", stdin=content))


async def commit_files(
    git: Git, head: str, prefix: str, files: Mapping[str, bytes | None], message: str, key: str
) -> str:
    """A commit of `files` on top of `head`, or `head` where they change nothing.

    Raises:
        BadInput: A path leaves the project, or runs through something that is no folder.
    """
    tree = await git.line("rev-parse", f"{head}^{{tree}}")
    new = await tree_with(git, tree, await entries_for(git, tree, prefix, files))
    return head if new == tree else await commit(git, new, head, message, [(KEY, key)])
