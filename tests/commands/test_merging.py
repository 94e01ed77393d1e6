"""How finished work comes to the user's branch, or waits for it, and how it is taken back."""

import shlex
import subprocess

import pytest

from tests.commands.door import Project

DOCUMENT = ("document", "Arithmetic", "--workflow-id=docs")


def obey(project: Project, command: str) -> None:
    """Run a command that a reply names."""
    subprocess.run(shlex.split(command), cwd=project.root, check=True, capture_output=True)


def test_work_is_merged_when_the_checkout_is_clean(project: Project) -> None:
    ran = project.work(*DOCUMENT)

    assert "docs is done: merged into main (1 commit)." in ran.out
    assert "multiplies" in (project.root / "README.md").read_text()
    assert project.git("status", "--porcelain") == ""
    assert project.git("branch", "--list", "stretto/*") == ""
    assert project.git("worktree", "list").count("\n") == 0


def change_a_file(project: Project) -> None:
    project.write({"src/calc/__init__.py": "def add(a, b):\n    return b + a\n"})


def move_on(project: Project) -> None:
    project.commit({"other.txt": "other"}, "Meanwhile")


def check_out_another_branch(project: Project) -> None:
    project.git("checkout", "-q", "-b", "mine")


@pytest.mark.parametrize("meanwhile", [move_on, check_out_another_branch])
def test_work_waits_on_its_branch_when_the_checkout_moved_and_the_one_command_merges_it(
    project: Project, meanwhile: object
) -> None:
    gate = project.work(*DOCUMENT, "--gate=merge")
    assert gate.code == 3
    assert callable(meanwhile)
    meanwhile(project)
    before = project.checkout()

    ran = project.run("orchestrate", "--resume=docs", "--approve", "--json")

    assert ran.code == 0
    assert ran.json["result"]["merged"] is False
    assert project.checkout() == before
    obey(project, f"{ran.json['next_steps'][0]} --no-edit")
    assert "multiplies" in (project.root / "README.md").read_text()


def test_work_waits_when_the_checkout_has_changes_which_stay_as_they_are(project: Project) -> None:
    change_a_file(project)
    before = project.checkout()

    ran = project.work(*DOCUMENT)

    assert ran.code == 0
    assert "docs is done; its work waits on stretto/docs (1 commit)." in ran.out
    assert "not merged The checkout has uncommitted changes: src/calc/__init__.py." in ran.out
    assert "git merge stretto/docs" in ran.out
    assert project.checkout() == before
    obey(project, "git merge stretto/docs")
    assert "multiplies" in (project.root / "README.md").read_text()
    assert (project.root / "src/calc/__init__.py").read_text() == "def add(a, b):\n    return b + a\n"


def test_merge_never_leaves_the_checkout_alone_and_the_command_works(project: Project) -> None:
    before = project.checkout()

    ran = project.work(*DOCUMENT, "--merge=never", "--json")

    assert (ran.code, ran.json["result"]["merged"]) == (0, False)
    assert project.checkout() == before
    obey(project, ran.json["next_steps"][0])
    assert "multiplies" in (project.root / "README.md").read_text()


def test_merge_ask_waits_and_merges_when_approved(project: Project) -> None:
    before = project.checkout()
    asked = project.work(*DOCUMENT, "--merge=ask")
    assert (asked.code, project.checkout() == before) == (3, True)
    assert project.run("orchestrate", "--resume=docs").code == 3

    ran = project.run("orchestrate", "--resume=docs", "--approve")

    assert ran.code == 0
    assert "merged into main" in ran.out
    assert len(project.briefs()) == 1


def test_merge_ask_keeps_the_branch_when_rejected(project: Project) -> None:
    project.work(*DOCUMENT, "--merge=ask")
    before = project.checkout()

    ran = project.run("orchestrate", "--resume=docs", "--reject", "not today")

    assert ran.code == 0
    assert "its work waits on stretto/docs" in ran.out
    assert project.checkout() == before


def test_a_rejected_plan_is_planned_again_with_the_reason_and_an_approved_one_is_kept(project: Project) -> None:
    first = project.work("plan", "Arithmetic", "--gate=plan", "--workflow-id=p")
    assert first.code == 3
    assert "git show stretto/p:specs/plans/001_arithmetic.md" in first.out
    obey(project, "git show stretto/p:specs/plans/001_arithmetic.md")

    second = project.run("orchestrate", "--resume=p", "--reject", "too many phases; use 'one'")
    assert second.code == 3
    assert "too many phases; use 'one'" in project.briefs()[-1]["prompt"]

    done = project.run("orchestrate", "--resume=p", "--approve")
    assert done.code == 0
    assert len(project.briefs()) == 2


def test_undo_gives_the_checkout_back_byte_for_byte_and_the_work_can_be_had_again(project: Project) -> None:
    project.write({"untracked.txt": "mine", "ignored.log": "mine too"})
    (project.root / "README.md").chmod(0o640)
    (project.root / "empty").mkdir()
    before, head = project.checkout(), project.git("rev-parse", "HEAD")
    assert "merged" in project.work(*DOCUMENT).out
    assert project.checkout() != before

    ran = project.run("undo", "docs", "--json")

    assert (ran.code, ran.json["result"]["restored"]) == (0, True)
    assert project.checkout() == before
    assert project.git("rev-parse", "HEAD") == head
    obey(project, ran.json["next_steps"][0].removesuffix("   (brings it again)"))
    assert "multiplies" in (project.root / "README.md").read_text()


def test_what_was_taken_back_is_never_called_done(project: Project) -> None:
    project.work(*DOCUMENT)
    assert project.run("undo", "docs").code == 0

    again = project.run("orchestrate", "--resume=docs")
    status = project.run("workflow-status", "docs")

    assert again.out.startswith("docs was done, and has been taken back.")
    assert "taken back" in status.out
    assert "taken back" in project.run("workflow-status").out
    assert project.types("docs").count("WORKFLOW_UNDONE") == 1


def test_what_failed_can_be_taken_back_and_then_not_be_resumed(project: Project) -> None:
    project.agent({"planner": {"outcome": {"status": "failed", "error": "no idea"}}})
    assert project.work("orchestrate", "Add multiplication", "--workflow-id=w", "--attempts=1").code == 1
    before = project.checkout()

    undone = project.run("undo", "w")
    status = project.run("workflow-status", "w")
    again = project.run("orchestrate", "--resume=w", "--json")

    assert (undone.code, project.checkout() == before) == (0, True)
    assert project.git("branch", "--list", "stretto/*") == ""
    assert "w  FAILED" in status.out
    assert "taken back" in status.out
    assert (again.code, again.json["error"]["code"]) == (2, "INVALID_TRANSITION")
    assert project.run("cancel", "w").code == 2


def test_undo_refuses_where_work_of_the_users_would_be_lost(project: Project) -> None:
    project.work(*DOCUMENT)
    project.commit({"later.txt": "later"}, "Later")
    before = project.everything()

    ran = project.run("undo", "docs", "--json")

    assert (ran.code, ran.json["error"]["code"]) == (1, "STATE_CONFLICT")
    assert project.checkout() == {k: v for k, v in before.items() if k.partition("/")[0] not in {".git", ".stretto"}}
    assert "WORKFLOW_UNDONE" not in project.types("docs")
    assert "revert" in ran.json["error"]["next_steps"][0]


def test_undo_of_work_that_was_never_merged_leaves_the_checkout_alone(project: Project) -> None:
    project.work(*DOCUMENT, "--merge=never")
    before = project.checkout()

    ran = project.run("undo", "docs")

    assert (ran.code, "It was not on your branch" in ran.out) == (0, True)
    assert project.checkout() == before
    assert project.git("branch", "--list", "stretto/*") == ""


def test_the_diff_is_a_patch_that_git_applies(project: Project) -> None:
    project.work(*DOCUMENT, "--merge=never")

    patch = project.run("diff", "docs").out

    subprocess.run(["git", "apply", "-"], input=patch, text=True, cwd=project.root, check=True)
    assert (project.root / "README.md").read_text() == project.git("show", "stretto/docs:README.md") + "\n"


def test_a_folder_without_git_is_worked_on_and_taken_back_too(project: Project) -> None:
    subprocess.run(["rm", "-rf", str(project.root / ".git")], check=True)
    before = project.checkout()

    ran = project.work(*DOCUMENT)

    assert ran.code == 0
    assert "multiplies" in (project.root / "README.md").read_text()
    assert not (project.root / ".git").exists()
    assert project.run("diff", "docs").out.startswith("diff --git")
    assert project.run("undo", "docs").code == 0
    assert project.checkout() == before
