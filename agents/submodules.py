"""Submodules in a workspace, filled from what is on this machine: no network, and no change to the user's settings."""

from collections.abc import Sequence
from pathlib import Path

from stretto.agents.commits import SUBMODULE
from stretto.agents.git import Git, GitError, split
from stretto.agents.survey import submodule_names


async def populate(git: Git, commit: str, modules_of: Path) -> tuple[list[str], list[str]]:
    """Fill the submodules of `commit` below `git.root` from the repositories in `modules_of`/modules.

    Submodules of submodules too. Returns the paths that stayed empty and those that were filled.
    """
    names = {path: name for name, path in (await submodule_names(git, commit)).items()}
    missing: list[str] = []
    filled: list[str] = []
    pinned = await _pinned(git, commit) if names else ()
    for path, sha in pinned:
        source = modules_of / "modules" / names.get(path, path)
        if not await _fill(git.root / path, source, sha):
            missing.append(path)
            continue
        filled.append(path)
        deeper = await populate(Git(git.root / path, git.root / path / ".git"), sha, source)
        missing += [f"{path}/{below}" for below in deeper[0]]
    return missing, filled


async def _pinned(git: Git, commit: str) -> Sequence[tuple[str, str]]:
    lines = split(await git.run("ls-tree", "-r", "-z", "--full-tree", commit))
    found = [line.partition("\t") for line in lines if line.startswith(SUBMODULE)]
    return [(path, meta.split()[2]) for meta, _, path in found]


async def _fill(place: Path, source: Path, sha: str) -> bool:
    """A clone that borrows the objects of `source`, at `sha`; False if the commit is not there."""
    if not source.is_dir() or await Git(source, source).commit_at(sha) is None:
        return False
    place.mkdir(parents=True, exist_ok=True)
    outside = Git(place.parent, config=("protocol.file.allow=always",))
    try:
        await outside.run("clone", "--quiet", "--shared", "--no-checkout", "--template=", str(source), str(place))
        await Git(place, place / ".git").run("checkout", "--quiet", "--detach", sha)
    except GitError:
        return False
    return True
