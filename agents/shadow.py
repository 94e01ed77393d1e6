"""A private repository in the store for a folder without git, so that all the rest works alike there."""

import hashlib
from pathlib import Path

from stretto.agents.filelock import file_lock
from stretto.agents.git import Git
from stretto.agents.refs import Move, listed, move
from stretto.agents.staging import nested_repositories, search, stage
from stretto.state.errors import BadInput

BRANCH = "main"
MOST_FILES = 50_000

_PASSED = (".stretto", ".venv", "venv", "node_modules", "__pycache__")
_EXCLUDED = "".join(f"{name}/\n" for name in _PASSED) + "*.pyc\n"
_ATTRIBUTES = "* -text -filter -ident -working-tree-encoding\n"
"""Above any .gitattributes of the folder: bytes go in and come out as they are."""


def shadow_git(project: Path, store: Path) -> Git:
    """Git for the folder `project` with its repository in the store, which may not exist yet."""
    name = hashlib.sha256(str(project).encode(errors="surrogateescape")).hexdigest()[:16]
    return Git(project, store / "shadow" / f"{name}.git")


async def snapshot(git: Git, store: Path) -> str:
    """Commit the folder as it is now, unless it is as it was; return the commit.

    Folders that are git repositories of their own are left out.

    Raises:
        BadInput: The folder is a home or root folder, or holds too much to be one project.
    """
    if git.root in (Path.home(), Path(git.root.anchor)):
        raise BadInput(f"{str(git.root)!r} is no project: Stretto will not copy a whole home or disk.", field="project")
    async with file_lock(git.told.with_suffix(".lock")):
        await create(git, store)
        return await _commit(git)


async def create(git: Git, store: Path) -> None:
    """Make the private repository, if there is none yet."""
    if await git.resolve("HEAD") is not None:
        return
    git.told.mkdir(parents=True, exist_ok=True, mode=0o700)
    await git.run("init", "--quiet", f"--initial-branch={BRANCH}", "--template=")
    info = git.told / "info"
    info.mkdir(exist_ok=True)
    inside = store.is_relative_to(git.root) and store != git.root
    own = f"/{store.relative_to(git.root).as_posix()}/\n" if inside else ""
    (info / "exclude").write_text(_EXCLUDED + own, "utf-8")
    (info / "attributes").write_text(_ATTRIBUTES, "utf-8")


async def _commit(git: Git) -> str:
    nested = await nested_repositories(git)
    await _not_too_much(git)
    tree = await stage(git, {}, nested)
    head = await git.commit_at("HEAD")
    if head is not None and await git.line("rev-parse", f"{head}^{{tree}}") == tree:
        return head
    parent = ("-p", head) if head else ()
    sha = await git.line("commit-tree", tree, *parent, "-m", "The folder as it was when Stretto began")
    await move(git, Move(f"refs/heads/{BRANCH}", sha, head))
    return sha


async def _not_too_much(git: Git) -> None:
    count = (await git.run("ls-files", "-z", "--others", "--exclude-standard")).count(b"\0")
    if count > MOST_FILES:
        raise BadInput(
            f"{str(git.root)!r} is not under git and holds {count} files; nothing was copied.",
            field="project",
            next_steps=["Make it a git repository with a .gitignore for what is generated: git init"],
        )


def warnings(git: Git) -> list[str]:
    """What to say about a folder without git. Looks for repositories in it three levels down."""
    said = [f"{str(git.root)!r} is not under git: Stretto keeps a private history of it in {git.git_dir}."]
    if nested := sorted(search(git.root, _PASSED, depth=3)):
        said.append(f"Repositories inside it ({listed(nested)}) are left out: agents do not see them.")
    return said
