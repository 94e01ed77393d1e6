"""Files that a person hands to agents: they must exist, lie in the project, and be in the commit that agents see."""

import asyncio
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from stretto.agents.reading import read
from stretto.agents.repository import open_repository
from stretto.commands.app import App
from stretto.state.errors import BadInput


def existing(project: Path, path: str, field: str) -> str:
    """A file of the project, as a path relative to it.

    Raises:
        BadInput: It is not there, or lies outside.
    """
    root = project.resolve()
    try:
        full = (project / path).resolve()
        found = full.is_file()
    except OSError as error:
        raise BadInput(f"{field} {path[:100]!r} cannot be a file: {error.strerror}.", field=field) from error
    if not full.is_relative_to(root):
        raise BadInput(f"{field} {path!r} lies outside the project.", field=field)
    if not found:
        raise BadInput(f"{field}: there is no file {path!r} in the project.", field=field)
    return full.relative_to(root).as_posix()


def committed(app: App, paths: Sequence[str], field: str) -> None:
    """Check that agents, who work from the last commit, will see these files as they are now.

    Raises:
        BadInput: One is in no commit, or was changed since.
    """
    if paths:
        asyncio.run(_committed(app, paths, field))


async def _committed(app: App, paths: Sequence[str], field: str) -> None:
    repository = await open_repository(app.project, app.directory)
    if repository.shadow or repository.head is None:
        return  # what is in a folder without git is committed when the workflow begins
    for path in paths:
        known = await read(repository, repository.head, path)
        top = str(PurePosixPath(repository.prefix, path))
        if known is None or top in repository.dirty:
            raise BadInput(
                f"{field} {path!r} {'is in no commit' if known is None else 'has changes that are in no commit'}, and"
                " agents work from the last one; nothing was started.",
                field=field,
                next_steps=(f"git add -f {path} && git commit -m 'Add {PurePosixPath(path).name}'",),
            )


def text_of(project: Path, path: str, field: str) -> str:
    """The text of a file of the project.

    Raises:
        BadInput: It cannot be read, or is not UTF-8.
    """
    try:
        return (project / path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{field} {path!r} cannot be read: {error}.", field=field) from error
