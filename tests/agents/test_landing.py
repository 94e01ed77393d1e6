import asyncio
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

import pytest

from stretto.agents.checks import CheckReport, CheckResult
from stretto.agents.landing import Landing, land
from stretto.agents.repository import Repository
from stretto.agents.workspace import Workspace, clean, open_workspace
from tests.agents.gitproject import GitProject, write_files

T = TypeVar("T")


def run(work: Awaitable[T]) -> T:
    async def main() -> T:
        return await work

    return asyncio.run(main())


class Checked:
    """Checks that remember what they saw."""

    def __init__(self, *, passes: bool = True) -> None:
        self.seen: list[dict[str, str]] = []
        self._passes = passes

    async def __call__(self, cwd: Path) -> CheckReport:
        self.seen.append({p.name: p.read_text() for p in cwd.iterdir() if p.is_file() and p.name != ".git"})
        problem = "" if self._passes else "2 of 3 tests failed"
        return CheckReport((CheckResult("pytest", 0 if self._passes else 1, 0.1, "output", None, problem),))


async def attempt(repo: Repository, task: str, files: dict[str, str]) -> tuple[Workspace, str]:
    space = await open_workspace(repo, "w_1", task)
    write_files(space.cwd, files)
    sha = await space.commit(f"Do {task}", f"implementation/{task}")
    assert sha is not None
    return space, sha


async def landed(space: Workspace, sha: str, checks: Checked) -> Landing:
    return await land(space, sha, f"implementation/{space.name}", checks)


def begun(project: GitProject) -> Repository:
    repo = run(project.open())
    run(repo.begin("w_1"))
    return repo


def test_the_first_to_land_lands_as_it_is_without_a_second_check(git_project: GitProject) -> None:
    async def main(repo: Repository) -> tuple[Landing, str, Checked]:
        checks = Checked()
        space, sha = await attempt(repo, "T1", {"a.py": "1"})
        return await landed(space, sha, checks), sha, checks

    landing, sha, checks = run(main(begun(git_project)))

    assert (landing.status, landing.sha, checks.seen) == ("landed", sha, [])
    assert git_project.git("rev-parse", "stretto/w_1") == sha


def test_a_merge_is_checked_as_merged_before_it_lands(git_project: GitProject) -> None:
    async def main(repo: Repository) -> tuple[Landing, Checked]:
        checks = Checked()
        one, two = await attempt(repo, "T1", {"a.py": "1"}), await attempt(repo, "T2", {"b.py": "2"})
        await landed(*one, checks)
        return await landed(*two, checks), checks

    landing, checks = run(main(begun(git_project)))

    assert landing.status == "landed"
    assert [(s["a.py"], s["b.py"]) for s in checks.seen] == [("1", "2")]
    assert git_project.git("log", "--format=%s", "main..stretto/w_1").splitlines() == ["Do T2", "Do T1"]
    assert git_project.git("rev-parse", "stretto/w_1") == landing.sha


def test_a_merge_whose_checks_fail_moves_nothing_and_says_why(git_project: GitProject) -> None:
    async def main(repo: Repository) -> tuple[Landing, str]:
        one, two = await attempt(repo, "T1", {"a.py": "1"}), await attempt(repo, "T2", {"b.py": "2"})
        first = await landed(*one, Checked())
        return await landed(*two, Checked(passes=False)), first.sha

    landing, first = run(main(begun(git_project)))

    assert landing.status == "check_failed"
    assert "2 of 3 tests failed" in landing.log
    assert git_project.git("rev-parse", "stretto/w_1") == first
    assert git_project.git("show", f"{landing.sha}:b.py") == "2"
    assert landing.sha in git_project.git("for-each-ref", "--format=%(objectname)", "refs/stretto/w_1")


def test_a_conflict_moves_nothing_shows_both_sides_and_drops_neither(git_project: GitProject) -> None:
    async def main(repo: Repository) -> tuple[Landing, str, Checked]:
        checks = Checked()
        one = await attempt(repo, "T1", {"app.py": "one\ntwo\nTHREE\nfour\nfive\n"})
        two = await attempt(repo, "T2", {"app.py": "one\ntwo\n333\nfour\nfive\n"})
        await landed(*one, checks)
        landing = await landed(*two, checks)
        await clean(repo, "w_1")
        return landing, two[1], checks

    landing, sha, checks = run(main(begun(git_project)))

    assert (landing.status, landing.sha, checks.seen) == ("conflict", sha, [])
    assert [c.path for c in landing.conflicts] == ["app.py"]
    for hunk in ("THREE", "333", "three"):
        assert hunk in landing.conflicts[0].text
        assert hunk in landing.log
    assert "THREE" in git_project.git("show", "stretto/w_1:app.py")
    kept = git_project.git("for-each-ref", "--format=%(objectname)", "refs/stretto/w_1/work").split()
    assert any("333" in git_project.git("show", f"{ref}:app.py") for ref in kept)
    git_project.git("gc", "-q", "--prune=now")
    assert "333" in git_project.git("show", f"{sha}:app.py")


def test_a_conflict_without_lines_is_told_in_gits_words(git_project: GitProject) -> None:
    async def main(repo: Repository) -> Landing:
        one = await attempt(repo, "T1", {"app.py": "changed\n"})
        space = await open_workspace(repo, "w_1", "T2")
        (space.cwd / "app.py").unlink()
        sha = await space.commit("Delete", "implementation/T2")
        assert sha
        await landed(*one, Checked())
        return await landed(space, sha, Checked())

    landing = run(main(begun(git_project)))

    assert [c.path for c in landing.conflicts] == ["app.py"]
    assert "deleted" in landing.conflicts[0].text


def test_a_task_can_go_on_from_the_merge_that_failed_its_checks(git_project: GitProject) -> None:
    async def main(repo: Repository) -> tuple[Landing, Checked]:
        one, two = await attempt(repo, "T1", {"a.py": "1"}), await attempt(repo, "T2", {"b.py": "2"})
        await landed(*one, Checked())
        failed = await landed(*two, Checked(passes=False))
        again = await open_workspace(repo, "w_1", "T2-again", base=failed.sha)
        write_files(again.cwd, {"c.py": "3"})
        sha = await again.commit("Repair", "implementation/T2")
        assert sha
        checks = Checked()
        return await land(again, sha, "implementation/T2", checks), checks

    landing, checks = run(main(begun(git_project)))

    assert landing.status == "landed"
    assert checks.seen == []
    assert git_project.git("show", "--format=", "--name-only", landing.sha).split() == ["b.py", "c.py"]


def test_a_rename_on_one_side_and_an_edit_on_the_other_are_both_kept(git_project: GitProject) -> None:
    async def main(repo: Repository) -> Checked:
        checks = Checked()
        two = await attempt(repo, "T2", {"app.py": "one\ntwo\nthree\nfour\nFIVE\n"})
        space = await open_workspace(repo, "w_1", "T1")
        (space.cwd / "app.py").rename(space.cwd / "main.py")
        sha = await space.commit("Rename", "implementation/T1")
        assert sha
        await landed(space, sha, checks)
        await landed(*two, checks)
        return checks

    checks = run(main(begun(git_project)))

    assert "app.py" not in checks.seen[0]
    assert git_project.git("show", "stretto/w_1:main.py").endswith("FIVE")


def test_a_file_that_the_merge_puts_elsewhere_is_not_checked_in_both_places(git_project: GitProject) -> None:
    """One task renames a folder while another adds a file to it: git, if told so, moves the new file."""
    git_project.git("config", "merge.directoryRenames", "true")
    git_project.commit({"old/a.py": "a\n" * 9, "old/b.py": "b\n" * 9}, "Add old")

    async def main(repo: Repository) -> tuple[Landing, list[str]]:
        two, sha = await attempt(repo, "T2", {"old/new.py": "new\n"})
        one = await open_workspace(repo, "w_1", "T1")
        (one.cwd / "old").rename(one.cwd / "fresh")
        renamed = await one.commit("Rename", "implementation/T1")
        assert renamed
        await landed(one, renamed, Checked())
        landing = await landed(two, sha, Checked())
        return landing, sorted(str(p.relative_to(two.cwd)) for p in two.cwd.rglob("*.py"))

    landing, checked = run(main(begun(git_project)))

    assert landing.status == "landed"
    assert checked == ["app.py", "fresh/a.py", "fresh/b.py", "fresh/new.py"]


def test_a_task_that_has_landed_does_not_land_twice(git_project: GitProject) -> None:
    async def main(repo: Repository) -> tuple[Landing, Landing]:
        first = await landed(*await attempt(repo, "T1", {"a.py": "1"}), Checked())
        again = await attempt(repo, "T1", {"a.py": "1\n1"})
        return first, await landed(*again, Checked())

    first, second = run(main(begun(git_project)))

    assert (second.status, second.sha) == ("landed", first.sha)
    assert git_project.git("rev-list", "--count", "main..stretto/w_1") == "1"


@pytest.mark.slow
def test_eight_tasks_landing_at_once_all_land_one_after_the_other(git_project: GitProject) -> None:
    async def main(repo: Repository) -> list[Landing]:
        async def one(name: str) -> Landing:
            return await landed(*await attempt(repo, name, {f"{name}.py": name}), Checked())

        return await asyncio.gather(*(one(f"T{n}") for n in range(8)))

    landings = run(main(begun(git_project)))

    assert {landing.status for landing in landings} == {"landed"}
    assert git_project.git("rev-list", "--count", "main..stretto/w_1") == "8"
    files = git_project.git("ls-tree", "--name-only", "stretto/w_1").split()
    assert {f"T{n}.py" for n in range(8)} <= set(files)


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from stretto.agents.landing import land
from stretto.agents.repository import open_repository
from stretto.agents.workspace import open_workspace

async def checks(cwd):
    raise AssertionError

async def main(project, store):
    repo = await open_repository(Path(project), Path(store))
    await repo.commit_files("w_1", {"plan.md": b"plan"}, "Plan", "plan")
    space = await open_workspace(repo, "w_1", "T1")
    (space.cwd / "a.py").write_text("1")
    sha = await space.commit("Do it", "implementation/T1")
    await land(space, sha, "implementation/T1", checks)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(*sys.argv[1:]))
"""


def test_a_driver_killed_between_the_commit_and_its_record_does_not_commit_twice(git_project: GitProject) -> None:
    repo = begun(git_project)

    async def main() -> tuple[int | None, str | None, Landing]:
        arguments = (sys.executable, "-c", KILLED, str(git_project.root), str(git_project.store))
        process = await asyncio.create_subprocess_exec(*arguments)
        code = await process.wait()
        await repo.commit_files("w_1", {"plan.md": b"plan"}, "Plan", "plan")
        known = await repo.landed("w_1", "implementation/T1")
        again = await landed(*await attempt(repo, "T1", {"a.py": "2"}), Checked())
        return code, known, again

    code, known, again = run(main())

    assert code == -9
    assert known == again.sha
    assert git_project.git("log", "--format=%s", "main..stretto/w_1").splitlines() == ["Do it", "Plan"]
    run(clean(repo, "w_1"))
    assert git_project.worktrees() == 1


@pytest.mark.slow
def test_a_whole_workflow_leaves_the_checkout_merged_and_undo_leaves_no_trace(git_project: GitProject) -> None:
    async def main(repo: Repository) -> None:
        await asyncio.gather(*(self_contained(repo, f"T{n}") for n in range(6)))
        await clean(repo, "w_1")

    async def self_contained(repo: Repository, name: str) -> None:
        await landed(*await attempt(repo, name, {f"pkg/{name}.py": name, f"d{name}/x": "x"}), Checked())

    before = git_project.snapshot()
    repo = begun(git_project)
    run(main(repo))

    assert run(repo.finish("w_1")).merged
    assert (git_project.root / "pkg" / "T5.py").exists()
    run(repo.undo("w_1"))
    assert git_project.snapshot() == before
    assert git_project.git("status", "--porcelain") == ""
    assert git_project.worktrees() == 1
