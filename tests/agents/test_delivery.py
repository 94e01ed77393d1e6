import asyncio
import shlex
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import pytest

from stretto.agents.delivery import Finish, Undone
from stretto.agents.repository import Repository
from stretto.state.errors import StateConflict
from tests.agents.gitproject import GitProject, run_git, write_files

T = TypeVar("T")


def run(work: Awaitable[T]) -> T:
    async def main() -> T:
        return await work

    return asyncio.run(main())


def worked(project: GitProject, files: Mapping[str, bytes | None] | None = None, name: str = "w_1") -> Repository:
    """A workflow with one commit on its branch."""
    repo = run(project.open())
    run(repo.begin(name))
    run(
        repo.commit_files(
            name, files or {"specs/plan.md": b"plan\n", "app.py": b"one\n2\n", "README.md": None}, "Work", "k"
        )
    )
    return repo


def told(project: GitProject, command: str) -> None:
    """Do what a person is told to do."""
    subprocess.run(shlex.split(command), cwd=project.root, check=True, capture_output=True)


def test_a_clean_checkout_that_has_not_moved_gets_the_work(git_project: GitProject) -> None:
    repo = worked(git_project)
    tip = run(repo.tip("w_1"))

    finish = run(repo.finish("w_1"))

    assert finish == Finish(True, tip)
    assert git_project.git("rev-parse", "main") == tip
    assert git_project.git("status", "--porcelain") == ""
    assert git_project.git("branch", "--format=%(refname:short)") == "main"
    assert (git_project.root / "specs" / "plan.md").read_text() == "plan\n"


def test_finishing_twice_changes_nothing(git_project: GitProject) -> None:
    repo = worked(git_project)

    assert run(repo.finish("w_1")) == run(repo.finish("w_1"))


def test_a_finish_that_was_killed_after_the_merge_ends_as_the_undisturbed_one(git_project: GitProject) -> None:
    repo = worked(git_project)
    git_project.git("merge", "-q", "--ff-only", "stretto/w_1")

    finish = run(repo.finish("w_1"))

    assert finish.merged
    assert git_project.git("branch", "--list", "stretto/*") == ""


def dirty(project: GitProject) -> None:
    project.write({"app.py": "mine\n"})


def staged(project: GitProject) -> None:
    project.write({"mine.py": "mine\n"})
    project.git("add", "mine.py")


def moved(project: GitProject) -> None:
    project.commit({"other.py": "x\n"}, "Go on")


def elsewhere(project: GitProject) -> None:
    project.git("checkout", "-q", "-b", "feature")


def untracked(project: GitProject) -> None:
    project.write({"specs/plan.md": "my own\n"})


def ignored(project: GitProject) -> None:
    write_files(project.root, {".git/info/exclude": "specs/\n"})
    untracked(project)


def file_for_a_folder(project: GitProject) -> None:
    project.write({"specs": "my own\n"})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (dirty, "app.py"),
        (staged, "mine.py"),
        (moved, "moved"),
        (elsewhere, "feature"),
        (untracked, "in the way: specs/plan.md"),
        (ignored, "in the way: specs/plan.md"),
        (file_for_a_folder, "in the way: specs"),
    ],
)
def test_a_checkout_with_something_to_lose_is_left_alone_and_the_command_given(
    git_project: GitProject, change: Callable[[GitProject], None], reason: str
) -> None:
    repo = worked(git_project)
    change(git_project)
    before, head = git_project.snapshot(), git_project.git("rev-parse", "HEAD")

    finish = run(repo.finish("w_1"))

    assert not finish.merged
    assert reason in finish.reason
    assert finish.command == "git merge stretto/w_1"
    assert (git_project.snapshot(), git_project.git("rev-parse", "HEAD")) == (before, head)


def test_the_command_that_is_given_merges_the_work(git_project: GitProject) -> None:
    repo = worked(git_project)
    moved(git_project)

    told(git_project, run(repo.finish("w_1")).command)

    assert (git_project.root / "specs" / "plan.md").exists()
    assert run(repo.finish("w_1")).merged


def test_a_merge_that_nobody_wants_does_not_happen(git_project: GitProject) -> None:
    repo = worked(git_project)

    assert not run(repo.finish("w_1", "never")).merged
    assert git_project.git("rev-parse", "main") == run(repo.started("w_1")).base


def test_settings_for_the_users_own_merges_do_not_apply(git_project: GitProject) -> None:
    git_project.git("config", "branch.main.mergeOptions", "--squash --no-commit")
    repo = worked(git_project)

    assert run(repo.finish("w_1")).merged
    assert git_project.git("rev-parse", "main") == run(repo.tip("w_1"))


def everything(project: GitProject) -> None:
    """Files of every kind, some known to git and some not."""
    root = project.root
    write_files(root, {"d/only.txt": "x\n", "d/e/.gitkeep": "", "run.sh": "#!/bin/sh\n", "CRLF.txt": "a\r\nb\r\n"})
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("app.py")
    project.commit({}, "Add all kinds")
    write_files(root, {"untracked.txt": "mine\n", "deep/ignored.log": "log\n"})
    (root / "specs" / "reports").mkdir(parents=True)
    (root / "specs").chmod(0o700)
    (root / "app.py").chmod(0o600)
    (root / "dangling").symlink_to("/nowhere")


CHANGES: dict[str, bytes | None] = {
    "app.py": b"changed\n",
    "d/only.txt": None,
    "d/e/.gitkeep": None,
    "run.sh": None,
    "link": None,
    "CRLF.txt": b"new\n",
    "specs/reports/001.md": b"report\n",
    "new/deep/file.py": b"new\n",
    "README.md/inside.md": b"a folder now\n",
    "README.md": None,
}


def test_undo_gives_back_every_file_byte_for_byte(git_project: GitProject) -> None:
    everything(git_project)
    before, head = git_project.snapshot(), git_project.git("rev-parse", "HEAD")
    changes = {k: v for k, v in CHANGES.items() if k != "README.md/inside.md"}
    repo = worked(git_project, changes)
    tip = run(repo.tip("w_1"))
    assert run(repo.finish("w_1")).merged
    assert not (git_project.root / "d").exists()

    undone = run(repo.undo("w_1"))

    assert git_project.snapshot() == before
    assert (git_project.git("rev-parse", "HEAD"), git_project.git("symbolic-ref", "HEAD")) == (head, "refs/heads/main")
    assert git_project.git("status", "--porcelain") == "?? dangling\n?? untracked.txt"
    assert (undone.sha, undone.restored) == (tip, True)


def test_undo_gives_back_bytes_that_git_would_check_out_differently(git_project: GitProject) -> None:
    git_project.commit({".gitattributes": "*.txt text\n", "a.txt": "x\n"}, "Add text")
    (git_project.root / "a.txt").write_bytes(b"x\r\n")
    git_project.git("add", "--renormalize", "a.txt")
    assert git_project.git("status", "--porcelain") == ""
    before = git_project.snapshot()
    repo = worked(git_project, {"a.txt": b"y\n"})
    assert run(repo.finish("w_1")).merged

    run(repo.undo("w_1"))

    assert git_project.snapshot() == before
    assert git_project.git("status", "--porcelain") == ""


def test_undone_work_stays_reachable_and_the_command_brings_it_back(git_project: GitProject) -> None:
    repo = worked(git_project)
    run(repo.finish("w_1"))
    merged = git_project.snapshot()

    told(git_project, run(repo.undo("w_1")).get_back)

    assert git_project.snapshot() == merged


def test_work_that_was_never_merged_is_undone_by_dropping_its_branch(git_project: GitProject) -> None:
    repo = worked(git_project)
    dirty(git_project)
    before, tip = git_project.snapshot(), run(repo.tip("w_1"))

    undone = run(repo.undo("w_1"))

    assert undone == Undone(tip, run(repo.started("w_1")).base, False, "git merge refs/stretto/w_1/undone")
    assert git_project.snapshot() == before
    assert git_project.git("branch", "--list", "stretto/*") == ""
    assert git_project.git("rev-parse", "refs/stretto/w_1/undone") == tip


def test_undoing_twice_changes_nothing(git_project: GitProject) -> None:
    repo = worked(git_project)
    run(repo.finish("w_1"))
    first = run(repo.undo("w_1"))
    before = git_project.snapshot()

    assert run(repo.undo("w_1")).sha == first.sha
    assert git_project.snapshot() == before


def test_an_undo_that_was_killed_after_the_reset_is_completed(git_project: GitProject) -> None:
    (git_project.root / "app.py").chmod(0o600)
    before = git_project.snapshot()
    repo = worked(git_project)
    run(repo.finish("w_1"))
    git_project.git("reset", "-q", "--keep", run(repo.started("w_1")).base)

    run(repo.undo("w_1"))

    assert git_project.snapshot() == before
    assert git_project.git("for-each-ref", "refs/stretto/w_1/done") == ""


def test_an_undone_workflow_is_not_merged_by_a_later_finish(git_project: GitProject) -> None:
    repo = worked(git_project)
    run(repo.undo("w_1"))

    finish = run(repo.finish("w_1"))

    assert (finish.merged, finish.reason) == (False, "The workflow was undone.")


def test_undo_refuses_to_lose_the_users_commits_and_tells_how_to_revert(git_project: GitProject) -> None:
    repo = worked(git_project)
    run(repo.finish("w_1"))
    git_project.commit({"mine.py": "x\n"}, "On top")
    before = git_project.snapshot()

    with pytest.raises(StateConflict, match="commits on top") as refused:
        run(repo.undo("w_1"))
    assert git_project.snapshot() == before

    told(git_project, refused.value.next_steps[0])
    assert (git_project.root / "README.md").exists()
    assert (git_project.root / "mine.py").exists()


@pytest.mark.parametrize("change", [dirty, staged])
def test_undo_refuses_to_touch_a_dirty_checkout(git_project: GitProject, change: Callable[[GitProject], None]) -> None:
    repo = worked(git_project)
    run(repo.finish("w_1"))
    change(git_project)
    before = git_project.snapshot()

    with pytest.raises(StateConflict, match="uncommitted"):
        run(repo.undo("w_1"))
    assert git_project.snapshot() == before


def test_undo_refuses_to_write_over_a_file_that_came_later(git_project: GitProject) -> None:
    repo = worked(git_project)
    run(repo.finish("w_1"))
    git_project.write({"README.md": "my new one\n"})

    with pytest.raises(StateConflict, match=r"README\.md"):
        run(repo.undo("w_1"))
    assert (git_project.root / "README.md").read_text() == "my new one\n"


def test_undo_asks_for_the_branch_that_holds_the_work(git_project: GitProject) -> None:
    repo = worked(git_project)
    run(repo.finish("w_1"))
    elsewhere(git_project)

    with pytest.raises(StateConflict, match="not checked out") as refused:
        run(repo.undo("w_1"))
    told(git_project, refused.value.next_steps[0])
    assert run(repo.undo("w_1")).restored


def test_a_branch_that_the_user_looks_at_is_not_dropped(git_project: GitProject) -> None:
    repo = worked(git_project)
    git_project.git("checkout", "-q", "stretto/w_1")

    with pytest.raises(StateConflict, match="checked out"):
        run(repo.undo("w_1"))


def test_two_workflows_one_after_the_other_are_undone_in_the_other_order(git_project: GitProject) -> None:
    before = git_project.snapshot()
    first = worked(git_project, {"one.py": b"1\n"}, "w_1")
    run(first.finish("w_1"))
    second = worked(git_project, {"two.py": b"2\n"}, "w_2")
    run(second.finish("w_2"))

    with pytest.raises(StateConflict):
        run(second.undo("w_1"))
    run(second.undo("w_2"))
    run(second.undo("w_1"))

    assert git_project.snapshot() == before


def test_a_dirty_submodule_neither_stops_a_merge_nor_is_touched(git_project: GitProject, tmp_path: Path) -> None:
    library = GitProject(tmp_path / "library", tmp_path / "store")
    library.begin({"lib.py": "x\n"})
    run_git(git_project.root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library.root), "lib")
    git_project.commit({}, "Add lib")
    git_project.git("config", "submodule.recurse", "true")
    repo = worked(git_project)
    git_project.write({"lib/lib.py": "mine\n"})

    assert run(repo.finish("w_1")).merged
    run(repo.undo("w_1"))

    assert (git_project.root / "lib" / "lib.py").read_text() == "mine\n"


def test_what_a_workflow_has_added_so_far_can_be_delivered_and_all_of_it_undone(git_project: GitProject) -> None:
    repo = worked(git_project, {"specs/reports/001_a.md": b"a\n"})
    before = git_project.snapshot()

    first = run(repo.deliver("w_1"))

    assert first == run(repo.deliver("w_1")) == Finish(True, run(repo.tip("w_1")))
    assert (git_project.root / "specs/reports/001_a.md").is_file()
    run(repo.commit_files("w_1", {"app.py": b"one\n2\n", "specs/plans/001_a.md": b"p\n"}, "More", "k2"))
    assert run(repo.finish("w_1")).merged
    assert (git_project.root / "specs/plans/001_a.md").is_file()
    assert run(repo.undo("w_1")).restored
    assert git_project.snapshot() == before


def test_what_was_delivered_is_undone_though_more_was_done_since(git_project: GitProject) -> None:
    repo = worked(git_project, {"specs/reports/001_a.md": b"a\n"})
    before = git_project.snapshot()
    run(repo.deliver("w_1"))
    run(repo.commit_files("w_1", {"app.py": b"2\n"}, "More", "k2"))

    assert run(repo.undo("w_1")).restored
    assert git_project.snapshot() == before


def test_what_changes_files_is_not_delivered_before_the_end(git_project: GitProject) -> None:
    repo = worked(git_project)
    before = git_project.snapshot()

    found = run(repo.deliver("w_1"))

    assert (found.merged, found.reason) == (False, "It has changed files, and is not done yet.")
    assert git_project.snapshot() == before


def test_nothing_is_delivered_to_a_checkout_that_has_moved(git_project: GitProject) -> None:
    repo = worked(git_project, {"specs/reports/001_a.md": b"a\n"})
    git_project.commit({"mine.txt": "x\n"}, "Mine")

    assert "has moved since the workflow began" in run(repo.deliver("w_1")).reason
