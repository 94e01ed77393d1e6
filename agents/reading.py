"""Reading a workflow's branch without a checkout: names in a folder, one file, lines changed; and whose there are."""

import posixpath

from stretto.agents import commits
from stretto.agents.repository import Repository


async def names(repository: Repository, commit: str, folder: str) -> list[str]:
    """The names in a folder of the project at a commit; empty where there is no such folder."""
    place = posixpath.join(repository.prefix, folder)
    ran = await repository.git.call("ls-tree", "--name-only", "-z", commit, f"{place}/")
    if ran.code:
        return []
    return [posixpath.basename(path) for path in ran.stdout.decode(errors="replace").split("\0") if path]


async def read(repository: Repository, commit: str, path: str) -> bytes | None:
    """A file of the project at a commit; None where there is none."""
    place = posixpath.normpath(posixpath.join(repository.prefix, path))
    ran = await repository.git.call("cat-file", "blob", f"{commit}:{place}")
    return None if ran.code else ran.stdout


async def sizes(repository: Repository, commit: str) -> dict[str, int]:
    """The bytes of each file of the project at a commit, by its path from the project's folder."""
    place = [f"{repository.prefix}/"] if repository.prefix else []
    ran = await repository.git.call("ls-tree", "-r", "-l", "-z", "--full-tree", commit, *place)
    rows = (row.partition("\t") for row in ran.stdout.decode(errors="replace").split("\0") if row)
    found = {path: meta.split()[3] for meta, _, path in rows}
    return {posixpath.relpath(p, repository.prefix or "."): int(n) for p, n in found.items() if n.isdecimal()}


async def keyed(repository: Repository, since: str, until: str, beginning: str) -> list[str]:
    """The commits after `since` up to `until` whose key begins so, oldest first."""
    return [c.sha for c in await commits.log(repository.git, since, until) if c.key.startswith(beginning)]


async def numstat(repository: Repository, workflow_id: str) -> list[tuple[str, int | None, int | None]]:
    """Each file that the workflow changed, with inserted and deleted lines; None for a binary file."""
    start = await repository.started(workflow_id)
    tip = await repository.tip(workflow_id)
    out = await repository.git.run("diff", "--numstat", "-z", "--no-renames", "--no-ext-diff", start.base, tip)
    rows = (line.split("\t", 2) for line in out.decode(errors="replace").split("\0") if line)
    return [(path, _count(inserted), _count(deleted)) for inserted, deleted, path in rows]


async def workflows(repository: Repository) -> set[str]:
    """The workflows that git knows work of, finished, taken back or forgotten by a store that is gone."""
    if repository.head is None:  # a folder without git, before its first workflow
        return set()
    out = await repository.git.run("for-each-ref", "--format=%(refname)", "refs/stretto/", "refs/heads/stretto/")
    return {ref.removeprefix("refs/").removeprefix("heads/").split("/")[1] for ref in out.decode().split()}


def _count(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
