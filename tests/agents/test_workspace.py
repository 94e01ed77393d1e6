import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from stretto.agents.repository import Repository
from stretto.agents.workspace import Change, Refused, Workspace, clean, open_workspace
from stretto.state.errors import BadInput
from tests.agents.gitproject import GitProject, run_git, write_files

T = TypeVar("T")


def run(work: Awaitable[T]) -> T:
    async def main() -> T:
        return await work

    return asyncio.run(main())


def begun(project: GitProject, folder: str = "") -> Repository:
    repo = run(project.open(folder))
    run(repo.begin("w_1"))
    return repo


def opened(project: GitProject, folder: str = "", name: str = "T1") -> Workspace:
    return run(open_workspace(begun(project, folder), "w_1", name))


def test_a_workspace_is_the_project_at_the_tip_of_the_branch(git_project: GitProject) -> None:
    repo = begun(git_project)
    sha = run(repo.commit_files("w_1", {"plan.md": b"plan"}, "Plan", "k"))

    space = run(open_workspace(repo, "w_1", "T1"))

    assert (space.base, space.cwd) == (sha, space.path)
    assert sorted(p.name for p in space.path.iterdir()) == [".git", ".gitignore", "README.md", "app.py", "plan.md"]
    assert run_git(space.path, "rev-parse", "--abbrev-ref", "HEAD") == "HEAD"
    assert run(space.changes()).written == ()


def test_work_in_a_workspace_leaves_the_checkout_alone(git_project: GitProject) -> None:
    git_project.write({"app.py": "mine\n"})
    before = git_project.snapshot()
    space = opened(git_project)
    write_files(space.cwd, {"app.py": "agent\n", "new.py": "x\n"})

    sha = run(space.commit("Do it", "implementation/T1"))

    assert sha
    assert git_project.snapshot() == before
    assert git_project.git("status", "--porcelain") == " M app.py"
    assert git_project.git("rev-parse", "stretto/w_1") == space.base


def test_changes_tell_what_was_written_and_leave_out_what_git_ignores(git_project: GitProject) -> None:
    space = opened(git_project)
    write_files(space.cwd, {"deep/new.py": "x\n", "noise.log": "x\n"})
    (space.cwd / "app.py").rename(space.cwd / "renamed.py")
    (space.cwd / "README.md").chmod(0o755)

    changes = run(space.changes())

    assert changes.written == (
        Change("README.md", "modified"),
        Change("app.py", "deleted"),
        Change("deep/new.py", "added"),
        Change("renamed.py", "added"),
    )
    assert changes.refused == ()


def test_a_change_of_equal_size_right_after_opening_is_seen(git_project: GitProject) -> None:
    space = opened(git_project)
    (space.cwd / "README.md").write_text("A PROJECT\n")

    assert run(space.changes()).paths == ["README.md"]


def test_what_the_agent_committed_itself_counts_like_everything_else(git_project: GitProject) -> None:
    space = opened(git_project)
    write_files(space.cwd, {"new.py": "x\n"})
    run_git(space.cwd, "add", "-A")
    run_git(space.cwd, "commit", "-q", "-m", "My own commit")
    run_git(space.cwd, "update-index", "--assume-unchanged", "app.py")
    write_files(space.cwd, {"app.py": "hidden\n"})

    sha = run(space.commit("Do it", "implementation/T1"))

    assert sha
    assert git_project.git("diff", "--name-only", space.base, sha).split() == ["app.py", "new.py"]
    assert git_project.git("rev-parse", f"{sha}^") == space.base


def test_nothing_written_is_no_commit(git_project: GitProject) -> None:
    assert run(opened(git_project).commit("Nothing", "implementation/T1")) is None


def test_a_commit_carries_its_task_and_stays_reachable_after_the_workspace_is_gone(git_project: GitProject) -> None:
    space = opened(git_project, name="implementation.T1-2#1")
    write_files(space.cwd, {"new.py": "x\n"})
    sha = run(space.commit("Do it\n\nStretto-Task: someone/else", "implementation/T1~2"))
    run(space.close())

    trailer = git_project.git("log", "-1", "--format=%(trailers:key=Stretto-Task,valueonly)", str(sha))

    assert trailer.strip() == "implementation/T1~2"
    assert git_project.git("for-each-ref", "--format=%(objectname)", "refs/stretto/w_1/work") == sha


def test_in_a_monorepo_paths_are_those_of_the_project_and_others_are_shown_to_lie_outside(
    git_project: GitProject,
) -> None:
    git_project.commit({"packages/api/api.py": "x\n"}, "Add api")
    space = opened(git_project, "packages/api")
    write_files(space.cwd, {"api.py": "y\n"})
    write_files(space.path, {"app.py": "z\n", "packages/web/w.js": "w\n"})

    assert space.cwd == space.path / "packages" / "api"
    assert sorted(run(space.changes()).paths) == ["../../app.py", "../web/w.js", "api.py"]


def test_a_project_folder_that_is_not_committed_yet_is_there_and_empty(git_project: GitProject) -> None:
    git_project.write({"fresh/a.py": "x\n"})

    assert list(opened(git_project, "fresh").cwd.iterdir()) == []


def link_to(target: str) -> Callable[[Path], None]:
    return lambda cwd: (cwd / "link").symlink_to(target)


def link_by_link(cwd: Path) -> None:
    (cwd / "up").symlink_to("deep/..")
    (cwd / "deep").symlink_to("/")


def own_repository(cwd: Path) -> None:
    write_files(cwd, {"sub/x.py": "x\n"})
    run_git(cwd / "sub", "init", "-q")


def planted_hook(cwd: Path) -> None:
    write_files(cwd, {"sub/.git/hooks/pre-commit": "evil"})


def planted_in_capitals(cwd: Path) -> None:
    write_files(cwd, {"sub/.GIT/config": "evil"})


def replaced_git(cwd: Path) -> None:
    (cwd / ".git").unlink()
    run_git(cwd, "init", "-q")


def pipe_for_a_file(cwd: Path) -> None:
    import os

    (cwd / "app.py").unlink()
    os.mkfifo(cwd / "app.py")


def name_that_is_no_text(cwd: Path) -> None:
    import os

    Path(os.fsdecode(os.fsencode(cwd) + b"/bad\xff")).write_text("x")


@pytest.mark.parametrize(
    ("plant", "path"),
    [
        (link_to("/etc/passwd"), "link"),
        (link_to("../../outside"), "link"),
        (link_by_link, "deep"),
        (own_repository, "sub"),
        (planted_hook, "sub"),
        (planted_in_capitals, "sub"),
        (replaced_git, ".git"),
        (name_that_is_no_text, "bad?"),
    ],
)
def test_what_cannot_be_taken_over_is_refused_by_name(
    git_project: GitProject, plant: Callable[[Path], None], path: str
) -> None:
    space = opened(git_project)
    write_files(space.cwd, {"good.py": "x\n"})
    plant(space.cwd)

    changes = run(space.changes())

    assert [r.path for r in changes.refused if r.path == path] == [path]
    assert "good.py" in changes.paths
    with pytest.raises(Refused, match="cannot be committed"):
        run(space.commit("Do it", "implementation/T1"))


def test_a_pipe_in_the_place_of_a_file_is_refused_or_a_deletion(git_project: GitProject) -> None:
    space = opened(git_project)
    pipe_for_a_file(space.cwd)

    changes = run(space.changes())

    assert changes.refused or changes.written == (Change("app.py", "deleted"),)


def test_a_link_that_stays_inside_is_taken_over(git_project: GitProject) -> None:
    space = opened(git_project)
    link_to("README.md")(space.cwd)

    assert run(space.changes()).refused == ()


def test_hooks_that_fail_do_not_stop_the_work(git_project: GitProject) -> None:
    for name in ("pre-commit", "post-checkout", "reference-transaction", "commit-msg"):
        hook = git_project.root / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
    space = opened(git_project)
    write_files(space.cwd, {"new.py": "x\n"})

    assert run(space.commit("Do it", "implementation/T1"))


@pytest.fixture
def project_with_submodule(git_project: GitProject, tmp_path: Path) -> GitProject:
    inner = GitProject(tmp_path / "inner", tmp_path / "store")
    inner.begin({"inner.py": "inner\n"})
    library = GitProject(tmp_path / "library", tmp_path / "store")
    library.begin({"lib.py": "lib\n"})
    add = ("-c", "protocol.file.allow=always", "submodule", "add", "-q")
    run_git(library.root, *add, str(inner.root), "inner")
    library.commit({}, "Add inner")
    run_git(git_project.root, *add, str(library.root), "vendor/lib")
    run_git(git_project.root, "-c", "protocol.file.allow=always", "submodule", "update", "-q", "--init", "--recursive")
    git_project.commit({}, "Add lib")
    for root in (library.root, inner.root):
        root.rename(root.with_name(root.name + "-away"))
    return git_project


def test_submodules_are_filled_from_this_machine_and_nothing_of_the_users_changes(
    project_with_submodule: GitProject,
) -> None:
    config = (project_with_submodule.root / ".git" / "config").read_bytes()

    space = opened(project_with_submodule)

    assert (space.path / "vendor" / "lib" / "lib.py").read_text() == "lib\n"
    assert (space.path / "vendor" / "lib" / "inner" / "inner.py").read_text() == "inner\n"
    assert space.warnings == ()
    assert "vendor/lib" in space.repository.warnings[0]
    assert run(space.changes()).refused == ()
    assert (project_with_submodule.root / ".git" / "config").read_bytes() == config


@pytest.mark.parametrize("commit", [False, True])
def test_a_change_inside_a_submodule_is_refused_and_not_lost_silently(
    project_with_submodule: GitProject, commit: bool
) -> None:
    space = opened(project_with_submodule)
    write_files(space.path, {"vendor/lib/lib.py": "changed\n"})
    if commit:
        run_git(space.path / "vendor/lib", "-c", "user.name=a", "-c", "user.email=b", "commit", "-qam", "Mine")

    assert [r.path for r in run(space.changes()).refused] == ["vendor/lib"]


def test_a_submodule_that_is_not_on_this_machine_is_said(git_project: GitProject, tmp_path: Path) -> None:
    sha = git_project.git("rev-parse", "HEAD")
    git_project.write({".gitmodules": '[submodule "far"]\n\tpath = far\n\turl = https://example.invalid/far\n'})
    git_project.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * len(sha)},far")
    git_project.git("add", ".gitmodules")
    git_project.git("commit", "-q", "-m", "Add far")
    space = opened(git_project)

    assert "far" in space.warnings[0]
    assert run(space.changes()).refused == ()
    write_files(space.path, {"far/x.py": "x\n"})
    assert [r.path for r in run(space.changes()).refused] == ["far"]


def test_a_workspace_that_a_killed_run_left_is_made_anew(git_project: GitProject) -> None:
    space = opened(git_project)
    write_files(space.path, {"half.py": "x\n", "sealed/x": "x\n"})
    (space.path / "sealed").chmod(0o500)

    again = run(open_workspace(space.repository, "w_1", "T1"))

    assert run(again.changes()).written == ()
    assert git_project.worktrees() == 2


def test_a_worktree_add_that_was_killed_halfway_does_not_block_the_next(git_project: GitProject) -> None:
    space = opened(git_project)
    (space.git.told / "commondir").write_bytes(b"")
    (space.git.told / "locked").write_text("initializing")

    again = run(open_workspace(space.repository, "w_1", "T2"))

    assert run(again.changes()).written == ()


def test_closing_and_cleaning_leave_no_worktree(git_project: GitProject) -> None:
    async def main() -> Repository:
        repo = await git_project.open()
        await repo.begin("w_1")
        spaces = [await open_workspace(repo, "w_1", f"T{n}") for n in range(3)]
        await spaces[0].close()
        (spaces[1].path / ".git").unlink()
        await clean(repo, "w_1")
        await clean(repo, "w_1")
        return repo

    repo = run(main())

    assert git_project.worktrees() == 1
    assert not (repo.store / "work" / "w_1").exists()
    assert list((git_project.root / ".git" / "worktrees").glob("*")) == []


def test_cleaning_leaves_the_users_own_worktrees_alone(git_project: GitProject, tmp_path: Path) -> None:
    git_project.git("worktree", "add", "-q", str(tmp_path / "mine"), "-b", "mine")
    (tmp_path / "mine").rename(tmp_path / "on-a-stick")
    space = opened(git_project)

    run(clean(space.repository, "w_1"))

    assert git_project.worktrees() == 2


@pytest.mark.parametrize("name", ["../x", "a/b", "", "x" * 200, ".git", "a..b"])
def test_a_name_that_is_no_name_is_refused(git_project: GitProject, name: str) -> None:
    with pytest.raises(BadInput):
        opened(git_project, name=name)


ADDER = """
import asyncio, sys
from pathlib import Path
from stretto.agents.repository import open_repository
from stretto.agents.workspace import open_workspace

async def main(project, store, prefix):
    repo = await open_repository(Path(project), Path(store))
    await asyncio.gather(*(open_workspace(repo, "w_1", f"{prefix}{n}") for n in range(8)))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.slow
def test_sixteen_workspaces_are_opened_at_once_from_two_processes(git_project: GitProject) -> None:
    repo = begun(git_project)

    async def main() -> list[int | None]:
        arguments = (sys.executable, "-c", ADDER, str(git_project.root), str(git_project.store))
        processes = [await asyncio.create_subprocess_exec(*arguments, prefix) for prefix in "ab"]
        return [await process.wait() for process in processes]

    assert run(main()) == [0, 0]
    assert git_project.worktrees() == 17
    run(clean(repo, "w_1"))
    assert git_project.worktrees() == 1
