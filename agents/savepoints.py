"""The files of a project as they were at a named moment, byte for byte, and given back.

They are kept as trees of a private repository in the store, whose attributes keep git from changing a byte. What git
ignores, `.stretto`, environments and repositories inside the project are not part of it.
"""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stretto.agents import shadow
from stretto.agents.commits import LINK, PROGRAM, Difference, Entry, differences
from stretto.agents.filelock import file_lock
from stretto.agents.git import Git, split
from stretto.agents.paths import covers
from stretto.agents.refs import Move, move, own_ref
from stretto.agents.staging import nested_repositories, stage
from stretto.state.errors import StoreDamaged


class Restored(NamedTuple):
    """What giving files back did: paths whose content changed, that came back, and that are gone again."""

    changed: tuple[str, ...]
    returned: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.changed or self.returned or self.removed)


async def keep(project: Path, store: Path, workflow_id: str) -> str:
    """Keep the project's files as they are now, for a workflow; return the tree that holds them."""
    git = shadow.shadow_git(project, store)
    async with file_lock(git.told.with_suffix(".lock")):
        await shadow.create(git, store)
        tree = await _now(git)
        await move(git, Move(_ref(workflow_id, tree), tree))
    return tree


async def give_back(project: Path, store: Path, tree: str, only: Sequence[str] = ()) -> Restored:
    """Make the project's files what they were. Files that came since are removed: keep them first.

    `only` are files, folders or globs: what none of them covers is left alone; none of them is all files.

    Raises:
        StoreDamaged: What was kept is damaged; no file was touched.
    """
    git = shadow.shadow_git(project, store)
    async with file_lock(git.told.with_suffix(".lock")):
        await _folders(git, tree)
        differ = await differences(git, await _now(git), tree)
        found = [d for d in differ if not only or any(covers(path, d.path) for path in only)]
        contents = await _objects(git, [d.new.oid for d in found if d.new])
        for one in found:
            _remove(project, one)
        for one in found:
            if one.new:
                _write(project / one.path, one.new, contents[one.new.oid])
    return Restored(
        tuple(d.path for d in found if d.old and d.new),
        tuple(d.path for d in found if not d.old),
        tuple(d.path for d in found if not d.new),
    )


async def verify(project: Path, store: Path, tree: str) -> None:
    """Read all that was kept, and hold it against its name.

    Raises:
        StoreDamaged: Something of it is damaged or gone.
    """
    git = shadow.shadow_git(project, store)
    await _folders(git, tree)
    ran = await git.call("ls-tree", "-r", "-z", "--format=%(objectname)", tree)
    if ran.code:
        raise _damaged(tree)
    await _objects(git, split(ran.stdout))


async def forget(project: Path, store: Path, workflow_id: str, trees: Sequence[str]) -> None:
    """Let git take away what was kept, when it next tidies."""
    git = shadow.shadow_git(project, store)
    async with file_lock(git.told.with_suffix(".lock")):
        await move(git, *(Move(_ref(workflow_id, tree), None) for tree in dict.fromkeys(trees)))


def _ref(workflow_id: str, tree: str) -> str:
    return own_ref(workflow_id, f"savepoints/{tree}")


async def _now(git: Git) -> str:
    """The tree of the files as they are."""
    with tempfile.TemporaryDirectory(prefix="stretto-") as folder:
        env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        return await stage(git, env, await nested_repositories(git))


def _remove(project: Path, one: Difference) -> None:
    """Whatever is there goes first, so that a link in the place of a folder is never followed."""
    if one.old is None:
        return
    path = project / one.path
    path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == project or not parent.is_dir() or any(parent.iterdir()):
            return
        parent.rmdir()


def _write(path: Path, entry: Entry, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if entry.mode == LINK:
        path.symlink_to(os.fsdecode(content))
        return
    path.write_bytes(content)
    path.chmod(0o755 if entry.mode == PROGRAM else 0o644)


async def _folders(git: Git, tree: str) -> None:
    """Every folder of what was kept is what its name says: git looks only when it is asked to check all it has."""
    ran = await git.call("ls-tree", "-r", "-t", "-d", "-z", "--format=%(objectname)", tree)
    if ran.code:
        raise _damaged(tree)
    await _objects(git, [tree, *split(ran.stdout)])


async def _objects(git: Git, names: Sequence[str]) -> dict[str, bytes]:
    """The contents of objects, each held against its name."""
    ran = await git.call("cat-file", "--batch", stdin="".join(f"{name}\n" for name in dict.fromkeys(names)).encode())
    found: dict[str, bytes] = {}
    rest = memoryview(ran.stdout)
    for name in dict.fromkeys(names):
        head, _, _ = bytes(rest[:200]).partition(b"\n")
        words = head.decode(errors="replace").split()
        if len(words) != 3 or not words[2].isdecimal():
            raise _damaged(name)
        content = bytes(rest[len(head) + 1 : len(head) + 1 + int(words[2])])
        rest = rest[len(head) + len(content) + 2 :]
        digest = hashlib.new("sha1" if len(name) == 40 else "sha256", usedforsecurity=False)
        digest.update(f"{words[1]} {len(content)}\0".encode() + content)
        if digest.hexdigest() != name:
            raise _damaged(name)
        found[name] = content
    return found


def _damaged(name: str) -> StoreDamaged:
    return StoreDamaged(
        f"The files of this checkpoint are damaged or gone ({name[:12]}); no file was touched.",
        next_steps=("Choose another: stretto workflow-recovery list-checkpoints ID",),
    )
