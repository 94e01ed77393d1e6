"""Reading a workflow's branch without a checkout."""

import asyncio
import subprocess
from pathlib import Path

from stretto.agents.reading import names, numstat, read, workflows
from stretto.agents.repository import Repository, open_repository


def project(folder: Path) -> Path:
    folder.mkdir()
    (folder / "docs").mkdir()
    (folder / "docs" / "a.md").write_text("one\n")
    (folder / "docs" / "b b.md").write_text("two\n")
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], [*identity, "commit", "-qm", "start"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


async def begun(folder: Path) -> Repository:
    repository = await open_repository(folder, folder / ".stretto" / "state")
    await repository.begin("w_001")
    return repository


def test_names_and_files_are_read_at_a_commit_and_absent_ones_are_absent(tmp_path: Path) -> None:
    async def run() -> None:
        repository = await begun(project(tmp_path / "p"))
        tip = await repository.tip("w_001")

        assert sorted(await names(repository, tip, "docs")) == ["a.md", "b b.md"]
        assert await names(repository, tip, "nowhere") == []
        assert await read(repository, tip, "docs/a.md") == b"one\n"
        assert await read(repository, tip, "docs/c.md") is None

    asyncio.run(run())


def test_changed_lines_are_counted_and_a_binary_file_is_not(tmp_path: Path) -> None:
    async def run() -> None:
        repository = await begun(project(tmp_path / "p"))
        files = {"docs/a.md": b"one\nmore\n", "x.bin": b"\0\1"}
        await repository.commit_files("w_001", files, "change", key="w_001/change")

        assert sorted(await numstat(repository, "w_001")) == [("docs/a.md", 1, 0), ("x.bin", None, None)]

    asyncio.run(run())


def test_git_remembers_workflows_that_a_lost_store_does_not(tmp_path: Path) -> None:
    async def run() -> None:
        repository = await begun(project(tmp_path / "p"))

        assert await workflows(repository) == {"w_001"}

    asyncio.run(run())
