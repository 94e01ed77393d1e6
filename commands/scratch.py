"""A scratch copy of a project: its last commit, in a repository of its own that knows nothing of the other."""

import shutil
from pathlib import Path

from stretto.agents.git import Git
from stretto.agents.repository import open_repository
from stretto.commands.app import App
from stretto.state.errors import BadInput, StrettoError

_PACKS = ".stretto/packs"
_ENVIRONMENTS = (".venv", "venv", "node_modules")


async def copy(app: App, root: Path) -> Path:
    """Copy the project of `app` to the empty folder `root`; return the project's folder in it.

    What its tests need and git ignores, such as `.venv`, is linked to, not copied; its packs are copied.

    Raises:
        BadInput: It has no commit.
        StrettoError: git refused.
    """
    repository = await open_repository(app.project, app.directory)
    if repository.shadow or repository.head is None:
        raise BadInput(
            "A rehearsal copies the last commit of a project, and there is none.",
            field="project",
            next_steps=("git init && git add -A && git commit -m Begin",),
        )
    url = f"file://{repository.top}"
    await _git(Git(root.parent), "clone", "-q", "--depth=1", "--no-tags", "--template=", url, str(root))
    git = Git(root)
    for words in (
        ("checkout", "-q", "-B", "main", repository.head),
        ("remote", "remove", "origin"),
        ("config", "user.name", "Stretto"),
        ("config", "user.email", "rehearsal@example.org"),
    ):
        await _git(git, *words)
    project = root / repository.prefix
    for top, there in {repository.top: root, repository.project: project}.items():
        for name in _ENVIRONMENTS:
            if (top / name).is_dir() and not (there / name).exists():
                (there / name).symlink_to((top / name).resolve())
    if (repository.project / _PACKS).is_dir() and not (project / _PACKS).exists():
        shutil.copytree(repository.project / _PACKS, project / _PACKS, symlinks=True)
    return project


async def _git(git: Git, *words: str) -> None:
    ran = await git.call(*words)
    if ran.code:
        raise StrettoError(f"git {words[0]} failed: {ran.stderr.decode(errors='replace').strip()}")
