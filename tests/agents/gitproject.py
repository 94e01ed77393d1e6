"""A real git project in a folder, and what a test asks of it."""

import asyncio
import os
import stat
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stretto.agents.execute import Finished
from stretto.agents.repository import Repository, open_repository


@dataclass(frozen=True)
class GitProject:
    root: Path
    store: Path

    def begin(self, files: Mapping[str, str]) -> None:
        self.root.mkdir(parents=True)
        self.git("init", "-q", "-b", "main", "--template=")
        self.git("config", "user.name", "Ada")
        self.git("config", "user.email", "ada@example.org")
        self.commit(files, "Begin")

    def git(self, *args: str) -> str:
        return run_git(self.root, *args)

    def write(self, files: Mapping[str, str]) -> None:
        write_files(self.root, files)

    def commit(self, files: Mapping[str, str], message: str) -> str:
        self.write(files)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    async def open(self, folder: str = "") -> Repository:
        return await open_repository(self.root / folder, self.store)

    def snapshot(self) -> dict[str, tuple[str, int, bytes]]:
        return snapshot(self.root)

    def worktrees(self) -> int:
        return self.git("worktree", "list").count("\n") + 1


def run_git(root: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=root, check=False, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"git {args} in {root}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode(errors="replace").rstrip("\n")


def write_files(root: Path, files: Mapping[str, str]) -> None:
    for path, content in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, "utf-8")


def snapshot(root: Path) -> dict[str, tuple[str, int, bytes]]:
    """Every path below `root` but git's own: its kind, its permission bits, its content."""
    found: dict[str, tuple[str, int, bytes]] = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [f for f in folders if f != ".git"]
        for name in (*folders, *files):
            path = Path(folder, name)
            found[str(path.relative_to(root))] = _facts(path)
    return found


def _facts(path: Path) -> tuple[str, int, bytes]:
    state = path.lstat()
    if stat.S_ISLNK(state.st_mode):
        return "link", 0, os.fsencode(path.readlink())
    if stat.S_ISDIR(state.st_mode):
        return "folder", stat.S_IMODE(state.st_mode), b""
    return "file", stat.S_IMODE(state.st_mode), path.read_bytes()


async def execute(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: bytes = b"",
    timeout: float | None = None,  # noqa: ASYNC109 - the protocol's
    limit_bytes: int = 1_000_000,
) -> Finished:
    """The plainest thing that fits the seam to the operating system."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=cwd,
        env=dict(env),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    talk = asyncio.ensure_future(process.communicate(stdin))
    ended, _ = await asyncio.wait([talk], timeout=timeout)
    timed_out = not ended
    if timed_out:
        process.kill()
    out, err = await talk
    code = None if timed_out else process.returncode
    return Finished(
        code, out[:limit_bytes], err[:limit_bytes], timed_out, len(out) > limit_bytes, time.monotonic() - began
    )
