"""Sources: where a pack comes from, and its files as they are there. Nothing of a pack runs meanwhile.

../team                        a folder, seen from the project
team-1.2.0.tar.gz              an archive that `stretto pack build` made
git+URL[@TAG|@COMMIT][#PATH]   a repository, and a folder in it
python:DISTRIBUTION            an installed distribution with the entry point `stretto.packs`
"""

import asyncio
import os
import re
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from stretto.agents.git import Git, GitError
from stretto.packs.archive import read_archive
from stretto.packs.files import Files, fit, read_folder, sized, whole
from stretto.state.errors import BadInput

FORMS = ("FOLDER", "FILE.tar.gz", "git+URL@TAG", "python:DISTRIBUTION")
GROUP = "stretto.packs"
"""The entry points by which a distribution says that its package is a pack."""
ALLOWED = {"GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh"}
"""What git may be asked for a pack by."""
_REF, _SCP = re.compile(r"[\w][\w.-]{0,99}"), re.compile(r"[\w.-]+@[\w.-]+:")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Fetched(NamedTuple):
    """The files of a pack, its source as the lock names it, and the commit, if it is of git."""

    files: Files
    source: str
    commit: str = ""


class GitParts(NamedTuple):
    """Where a repository is, the tag or commit that is wanted of it, and the folder in it; empty for none."""

    url: str
    ref: str
    path: str


def fetch(project: Path, source: str, commit: str = "") -> Fetched:
    """Fetch a pack. Places are seen from the project's root; a `commit` is taken instead of a tag.

    Raises:
        BadInput: There is no pack, or something that no pack may hold; the message names it.
    """
    if source.startswith("git+"):
        return _from_git(project, source, commit)
    if source.startswith("python:"):
        return Fetched(_from_python(source.removeprefix("python:")), source)
    if "://" in source:
        raise BadInput(f"{source!r} is no source of packs.", field="SOURCE", allowed=FORMS)
    place = project / Path(source).expanduser()
    files = read_folder(place) if place.is_dir() else _archive(place, source)
    return Fetched(files, Path(os.path.relpath(place.resolve(), project.resolve())).as_posix())


def _archive(place: Path, source: str) -> Files:
    if not place.is_file():
        raise BadInput(f"There is no pack {source!r}: neither a folder nor an archive.", field="SOURCE", allowed=FORMS)
    return read_archive(place)


# ── git ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _from_git(project: Path, source: str, commit: str) -> Fetched:
    parts = git_parts(source)
    with tempfile.TemporaryDirectory(prefix="stretto-pack-") as folder:
        wanted = commit or parts.ref or "HEAD"
        url = located(project, parts.url)
        files, pinned = asyncio.run(_cloned(Path(folder), url, wanted, parts.path, source))
    return Fetched(files, source, pinned)


def git_parts(source: str) -> GitParts:
    """What a source of git is made of.

    Raises:
        BadInput: It is none.
    """
    address, _, path = source.removeprefix("git+").partition("#")
    url, at, ref = address.rpartition("@")
    if not at or "/" in ref or ":" in ref:  # of a user at a host
        url, ref = address, ""
    if not url or url.startswith("-") or not _REF.fullmatch(ref or "HEAD") or ".." in path.split("/"):
        raise BadInput(
            f"{source!r} is no git source.", field="SOURCE", allowed=("git+URL", "git+URL@TAG", "git+URL@COMMIT#FOLDER")
        )
    return GitParts(url, ref, path.strip("/"))


def located(project: Path, url: str) -> str:
    """Where git finds it: a path is seen from the project."""
    return url if "://" in url or _SCP.match(url) else str((project / Path(url).expanduser()).resolve())


async def _cloned(folder: Path, url: str, ref: str, path: str, source: str) -> tuple[Files, str]:
    """The files as the repository holds them: nothing is checked out, so no filter and no hook of it runs."""
    git = Git(folder)
    try:
        await git.run("init", "-q", "--bare", "--template=", ".", env=ALLOWED)
        wanted = [ref] if _COMMIT.fullmatch(ref) or ref == "HEAD" else [f"refs/tags/{ref}", f"refs/heads/{ref}"]
        await _fetched(git, url, wanted, source)
        pinned = await git.line("rev-parse", "--verify", "FETCH_HEAD^{commit}")
        listed = await git.run("ls-tree", "-r", "-z", "-l", f"{pinned}:{path}" if path else pinned)
        files = [await _blob(git, line) for line in listed.decode("utf-8", "surrogateescape").split("\0") if line]
    except GitError as error:
        why = error.stderr.strip().splitlines()[-1:] or [error.message]
        raise BadInput(f"{source!r} cannot be fetched: {why[0]}", field="SOURCE") from error
    return whole(iter(files), source), pinned


async def _fetched(git: Git, url: str, wanted: list[str], source: str) -> None:
    error: GitError | None = None
    for name in wanted:
        try:
            await git.run(
                "fetch", "-q", "--no-tags", "--depth=1", "--no-recurse-submodules", "--", url, name, env=ALLOWED
            )
        except GitError as failed:
            error = failed
        else:
            return
    raise error or BadInput(f"{source!r} names nothing.", field="SOURCE")


async def _blob(git: Git, line: str) -> tuple[str, bytes]:
    about, _, path = line.partition("\t")
    mode, kind, name, size = about.split()
    fit(path)
    if kind != "blob" or mode not in ("100644", "100755"):
        raise BadInput(f"{path!r} is no regular file.", field="pack")
    sized(path, int(size))
    return path, await git.run("cat-file", "blob", name)


# ── Python ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _from_python(name: str) -> Files:
    """The pack in an installed distribution, found by its list of files: nothing of it is imported."""
    try:
        installed = distribution(name)
    except (PackageNotFoundError, ValueError) as error:
        raise BadInput(f"There is no distribution {name!r} installed beside Stretto.", field="SOURCE") from error
    named = [entry.value for entry in installed.entry_points if entry.group == GROUP]
    if len(named) != 1:
        raise BadInput(
            f"The distribution {name!r} has {len(named)} entry points {GROUP!r}; one is needed.", field="SOURCE"
        )
    package = named[0].replace(".", "/") + "/"
    found = [file for file in installed.files or [] if file.as_posix().startswith(package)]
    inside = [(file.as_posix().removeprefix(package), Path(str(file.locate()))) for file in found]
    return whole(
        (
            (path, _read(path, place))
            for path, place in inside
            if "__pycache__" not in path and path not in ("__init__.py", "py.typed")
        ),
        name,
    )


def _read(path: str, place: Path) -> bytes:
    fit(path)
    if place.is_symlink() or not place.is_file():
        raise BadInput(f"{path!r} is no regular file.", field="pack")
    sized(path, place.stat().st_size)
    return place.read_bytes()
