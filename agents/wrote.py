"""What an attempt left in its workspace, as a cassette keeps it."""

from posixpath import join

from stretto.agents.cassette import Kept
from stretto.agents.git import GitError
from stretto.agents.kept import Misplaced, Wrote, kept, read
from stretto.agents.prints import Normal
from stretto.agents.workspace import Change, Workspace


async def wrote(workspace: Workspace, normal: Normal) -> Wrote:
    """Compare a workspace with its base; what git ignores is left out, what cannot be kept is named."""
    changes = await workspace.changes()
    files: list[Kept] = []
    lost = [f"{refusal.path}: {refusal.reason}" for refusal in changes.refused]
    for change in changes.written:
        try:
            files.append(await _kept(workspace, change, normal))
        except (Misplaced, GitError, OSError) as error:
            lost.append(f"{change.path}: {error}")
    return Wrote(tuple(files), tuple(normal.portable(line) for line in lost))


async def _kept(workspace: Workspace, change: Change, normal: Normal) -> Kept:
    if change.path.startswith("../"):
        raise Misplaced("lies outside of the project's folder")
    content, mode = read(workspace.cwd, change.path)
    path = join(workspace.repository.prefix, change.path)
    before = None
    if change.kind != "added":
        before = await workspace.git.run("cat-file", "blob", f"{workspace.base}:{path}")
    return kept(change.path, content, before, normal, mode)
