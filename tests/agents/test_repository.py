import asyncio
import os
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

import pytest

from stretto.agents.repository import open_repository
from stretto.state.errors import BadInput, NotFound, StateConflict, StrettoError
from tests.agents.gitproject import GitProject, run_git, write_files

T = TypeVar("T")


def run(work: Awaitable[T]) -> T:
    async def main() -> T:
        return await work

    return asyncio.run(main())


def said(warnings: tuple[str, ...]) -> str:
    return "\n".join(warnings)


def test_opening_a_repository_writes_nothing(git_project: GitProject) -> None:
    git_project.write({"app.py": "changed\n", "new.txt": "x"})
    before = {p: p.stat().st_mtime_ns for p in git_project.root.rglob("*")}

    run(git_project.open())

    assert {p: p.stat().st_mtime_ns for p in git_project.root.rglob("*")} == before
    assert not git_project.store.exists()


def test_a_clean_project_with_everything_in_order_gets_no_warning(git_project: GitProject) -> None:
    repo = run(git_project.open())

    assert repo.warnings == ()
    assert (repo.head, repo.branch, repo.prefix, repo.dirty) == (git_project.git("rev-parse", "HEAD"), "main", "", ())


def test_uncommitted_changes_are_named_and_the_base_is_the_last_commit(git_project: GitProject) -> None:
    git_project.write({"app.py": "changed\n", "new.txt": "x", "ignored.log": "x"})

    repo = run(git_project.open())

    assert repo.dirty == ("app.py", "new.txt")
    assert "app.py, new.txt" in said(repo.warnings)
    assert run(repo.begin("w_1")).base == git_project.git("rev-parse", "HEAD")


def test_the_store_inside_the_checkout_is_not_a_change(git_project: GitProject) -> None:
    inside = GitProject(git_project.root, git_project.root / ".stretto" / "state")
    inside.store.mkdir(parents=True)
    (inside.store / "events.db").write_text("x")

    assert run(inside.open()).dirty == ()


def test_a_repository_without_a_commit_is_refused_with_the_way_out(tmp_path: Path, git_settings: None) -> None:
    run_git(tmp_path, "init", "-q", "empty")

    with pytest.raises(BadInput) as refused:
        run(open_repository(tmp_path / "empty", tmp_path / "store"))
    assert "git commit" in refused.value.next_steps[0]


def test_a_bare_repository_is_refused(tmp_path: Path, git_settings: None) -> None:
    run_git(tmp_path, "init", "-q", "--bare", "bare.git")

    with pytest.raises(BadInput, match="work tree"):
        run(open_repository(tmp_path / "bare.git", tmp_path / "store"))


def test_an_old_git_is_refused_by_its_version(
    git_project: GitProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "git"
    write_files(tmp_path, {"bin/git": "#!/bin/sh\necho git version 2.30.2\n"})
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent))

    with pytest.raises(StrettoError, match=r"2\.30\.2.*2\.38"):
        run(git_project.open())


def test_a_machine_without_git_is_told_so(git_project: GitProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(StrettoError, match="git was not found"):
        run(git_project.open())


def test_without_an_identity_commits_are_made_under_a_stated_one(git_project: GitProject) -> None:
    for key in ("user.name", "user.email"):
        git_project.git("config", "--unset", key)
    repo = run(git_project.open())
    run(repo.begin("w_1"))

    sha = run(repo.commit_files("w_1", {"a": b"x"}, "Add a", "k"))

    assert "Stretto, stretto@localhost" in said(repo.warnings)
    assert git_project.git("log", "-1", "--format=%an <%ae>", sha) == "Stretto <stretto@localhost>"
    assert git_project.git("config", "--local", "--get-regexp", "^core.bare") == "core.bare false"


def test_a_detached_head_is_said_and_the_work_stays_on_its_branch(git_project: GitProject) -> None:
    git_project.git("checkout", "-q", "--detach")
    repo = run(git_project.open())
    run(repo.begin("w_1"))
    run(repo.commit_files("w_1", {"a": b"x"}, "Add a", "k"))

    finish = run(repo.finish("w_1"))

    assert "detached" in said(repo.warnings)
    assert (finish.merged, finish.command) == (False, "git merge stretto/w_1")
    assert "detached" in finish.reason


def test_hooks_are_said_and_do_not_run(git_project: GitProject) -> None:
    for name in ("pre-commit", "post-checkout", "post-merge", "reference-transaction", "post-index-change"):
        hook = git_project.root / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch '{git_project.root}/hook-ran'\nexit 1\n")
        hook.chmod(0o755)
    repo = run(git_project.open())
    run(repo.begin("w_1"))
    run(repo.commit_files("w_1", {"a": b"x"}, "Add a", "k"))

    assert run(repo.finish("w_1")).merged
    assert "pre-commit" in repo.hooks
    assert "hooks" in said(repo.warnings)
    assert not (git_project.root / "hook-ran").exists()


def test_hooks_in_a_configured_folder_are_found_too(git_project: GitProject) -> None:
    git_project.commit({".husky/pre-push": "#!/bin/sh\n"}, "Add hooks")
    (git_project.root / ".husky" / "pre-push").chmod(0o755)
    git_project.git("config", "core.hooksPath", ".husky")

    assert run(git_project.open()).hooks == ("pre-push",)


def test_an_inherited_git_dir_and_index_do_not_leak_in(
    git_project: GitProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))

    repo = run(git_project.open())
    run(repo.begin("w_1"))
    run(repo.commit_files("w_1", {"a": b"x"}, "Add a", "k"))

    assert repo.top == git_project.root
    assert not (tmp_path / "index").exists()


def test_a_folder_of_a_monorepo_is_the_project_and_its_files_go_there(git_project: GitProject) -> None:
    git_project.commit({"packages/api/api.py": "x\n"}, "Add api")
    repo = run(git_project.open("packages/api"))
    run(repo.begin("w_1"))

    sha = run(repo.commit_files("w_1", {"specs/plans/001_x.md": b"plan"}, "Plan", "plan"))

    assert repo.prefix == "packages/api"
    assert "packages/api" in said(repo.warnings)
    assert git_project.git("show", f"{sha}:packages/api/specs/plans/001_x.md") == "plan"


def test_a_project_that_an_outer_repository_ignores_is_not_part_of_it(git_project: GitProject) -> None:
    git_project.commit({".gitignore": "/mine/\n"}, "Ignore mine")
    git_project.write({"mine/a.py": "x\n"})

    assert run(git_project.open("mine")).shadow


def test_beginning_twice_keeps_the_first_base(git_project: GitProject) -> None:
    repo = run(git_project.open())
    first = run(repo.begin("w_1"))
    git_project.commit({"b": "x"}, "Go on")

    assert run(repo.begin("w_1")) == first
    assert git_project.git("rev-parse", "stretto/w_1") == first.base


def test_a_branch_called_stretto_is_in_the_way_and_said(git_project: GitProject) -> None:
    git_project.git("branch", "stretto")

    with pytest.raises(StateConflict, match="nothing was changed") as refused:
        run(run(git_project.open()).begin("w_1"))
    assert "git branch" in refused.value.next_steps[0]


def test_an_unknown_workflow_is_not_found(git_project: GitProject) -> None:
    repo = run(git_project.open())

    for ask in (repo.tip, repo.finish, repo.undo, repo.diff):
        with pytest.raises(NotFound):
            run(ask("nobody"))


@pytest.mark.parametrize("wrong", ["../x", "a/b", "-x", "x.lock", ""])
def test_an_id_that_is_no_id_never_reaches_git(git_project: GitProject, wrong: str) -> None:
    with pytest.raises(BadInput):
        run(run(git_project.open()).begin(wrong))


def test_files_are_committed_without_touching_the_checkout(git_project: GitProject) -> None:
    git_project.write({"app.py": "half done\n"})
    before = git_project.snapshot()
    repo = run(git_project.open())
    run(repo.begin("w_1"))

    sha = run(repo.commit_files("w_1", {"specs/a.md": b"a", "README.md": None}, "Do it", "k"))

    assert git_project.snapshot() == before
    assert git_project.git("diff", "--name-status", "main", sha) == "D\tREADME.md\nA\tspecs/a.md"
    assert git_project.git("status", "--porcelain") == " M app.py"


def test_a_key_used_before_gives_the_same_commit_and_no_second_one(git_project: GitProject) -> None:
    repo = run(git_project.open())
    run(repo.begin("w_1"))
    first = run(repo.commit_files("w_1", {"a": b"1"}, "One", "phase/one"))
    run(repo.commit_files("w_1", {"a": b"2"}, "Two", "phase/two"))

    assert run(repo.commit_files("w_1", {"a": b"3"}, "One", "phase/one")) == first
    assert git_project.git("rev-list", "--count", "main..stretto/w_1") == "2"


def test_a_key_quoted_in_a_message_is_only_text(git_project: GitProject) -> None:
    repo = run(git_project.open())
    run(repo.begin("w_1"))
    run(repo.commit_files("w_1", {"a": b"1"}, "Sly\n\nStretto-Key: two", "one"))

    second = run(repo.commit_files("w_1", {"b": b"2"}, "Two", "two"))

    assert git_project.git("show", "--format=", "--name-only", second) == "b"


def test_files_that_change_nothing_make_no_commit(git_project: GitProject) -> None:
    repo = run(git_project.open())
    base = run(repo.begin("w_1")).base

    assert run(repo.commit_files("w_1", {"README.md": b"A project\n"}, "Same", "k")) == base


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", ".git/config", "sub/.GIT/x", "", "x/", "a\0b"])
def test_a_path_that_leaves_the_project_is_refused(git_project: GitProject, path: str) -> None:
    repo = run(git_project.open())
    base = run(repo.begin("w_1")).base

    with pytest.raises(BadInput):
        run(repo.commit_files("w_1", {path: b"x"}, "No", "k"))
    assert run(repo.tip("w_1")) == base


def test_a_file_is_not_written_through_a_link_or_over_a_folder(git_project: GitProject) -> None:
    (git_project.root / "specs").symlink_to("/tmp")
    git_project.commit({"docs/a.md": "x"}, "Add a link")
    repo = run(git_project.open())
    run(repo.begin("w_1"))

    for path in ("specs/x.md", "docs"):
        with pytest.raises(BadInput, match="would have to replace"):
            run(repo.commit_files("w_1", {path: b"x"}, "No", "k"))


def test_an_executable_stays_executable(git_project: GitProject) -> None:
    git_project.write({"run.sh": "#!/bin/sh\n"})
    (git_project.root / "run.sh").chmod(0o755)
    git_project.commit({}, "Add run")
    repo = run(git_project.open())
    run(repo.begin("w_1"))

    sha = run(repo.commit_files("w_1", {"run.sh": b"#!/bin/sh\ntrue\n"}, "Change", "k"))

    assert git_project.git("ls-tree", sha, "run.sh").startswith("100755")


def test_a_lock_that_a_power_failure_left_on_our_branch_does_not_stop_the_work(git_project: GitProject) -> None:
    repo = run(git_project.open())
    run(repo.begin("w_1"))
    lock = git_project.root / ".git" / "refs" / "heads" / "stretto" / "w_1.lock"
    lock.touch()

    with pytest.raises(StrettoError, match="File exists"):
        run(repo.commit_files("w_1", {"a": b"x"}, "Somebody may hold it now", "k"))
    os.utime(lock, (0, 0))
    run(repo.commit_files("w_1", {"a": b"x"}, "Nobody holds it", "k"))

    assert git_project.git("log", "-1", "--format=%s", "stretto/w_1") == "Nobody holds it"


def test_the_diff_of_a_workflow_is_a_patch_that_git_applies(git_project: GitProject) -> None:
    git_project.git("config", "diff.noprefix", "true")
    repo = run(git_project.open())
    run(repo.begin("w_1"))
    run(repo.commit_files("w_1", {"app.py": b"one\nTWO\n", "n": b"1\n"}, "Change", "k"))

    patch = git_project.root.parent / "p.patch"
    patch.write_text(run(repo.diff("w_1")))
    git_project.git("apply", "--check", str(patch))

    assert "+TWO" in patch.read_text()
