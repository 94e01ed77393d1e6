"""A real git project in a folder, and what a test asks of it."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stretto.agents.repository import Repository, open_repository
from tests.snapshot import snapshot


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
        return snapshot(self.root, without=(".git",))

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
