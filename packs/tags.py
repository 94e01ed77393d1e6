"""The versions of a pack that a repository has: its tags `vX.Y.Z`, newest first."""

import asyncio
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

from packaging.version import Version

from stretto.agents.git import Git, GitError
from stretto.packs.manifest import VERSION
from stretto.packs.sources import ALLOWED, git_parts, located
from stretto.state.errors import BadInput

_TAG = re.compile(rf"v({VERSION.strip('^$')})")
_MOST = 200
"""Tags that are looked at."""


class Tagged(NamedTuple):
    """One version, and the source that fetches it."""

    version: str
    source: str


def is_tagged(source: str) -> bool:
    """Whether a source is of git, at a tag that is a version."""
    return source.startswith("git+") and bool(_TAG.fullmatch(git_parts(source).ref))


def is_open(source: str) -> bool:
    """Whether a source is of git and names neither a tag nor a commit: any version will do."""
    return source.startswith("git+") and not git_parts(source).ref


def versions(project: Path, source: str) -> list[Tagged]:
    """Every version that the repository of a source has, newest first.

    Raises:
        BadInput: The repository cannot be asked.
    """
    parts = git_parts(source)
    try:
        listed = asyncio.run(_listed(located(project, parts.url)))
    except GitError as error:
        why = error.stderr.strip().splitlines()[-1:] or [error.message]
        raise BadInput(f"The tags of {source!r} cannot be listed: {why[0]}", field="SOURCE") from error
    names = (line.partition("\trefs/tags/")[2] for line in listed.splitlines())
    found = sorted((name[1:] for name in names if _TAG.fullmatch(name)), key=Version, reverse=True)
    folder = f"#{parts.path}" if parts.path else ""
    return [Tagged(version, f"git+{parts.url}@v{version}{folder}") for version in found[:_MOST]]


async def _listed(url: str) -> str:
    with tempfile.TemporaryDirectory(prefix="stretto-pack-") as folder:
        git = Git(Path(folder))
        return (await git.run("ls-remote", "--tags", "--refs", "--", url, env=ALLOWED)).decode("utf-8", "replace")
