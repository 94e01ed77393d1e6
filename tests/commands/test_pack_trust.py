"""Trust in packs through the door: signed, verified, run in a sandbox, and nothing of a pack runs before consent."""

import os
import shutil
from pathlib import Path

import pytest

from stretto.packs.sandbox import sandbox
from tests.commands.door import Project

PAGE = "---\nname: mark\ndescription: Leaves a mark\n---\nLeaves a mark.\n"
HANDLER = """\
import json, sys
call = json.load(sys.stdin)
with open("marks/mark", "a") as file:
    file.write("x")
status = "error" if "fail" in call["words"] else "ok"
print(json.dumps({"status": status, "message": "\\u001b[31mseen", "result": {"words": call["words"]}}))
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STRETTO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "stretto"


@pytest.fixture
def team(project: Project) -> Path:
    """A pack beside the project, with a handler that leaves a mark where it declares that it writes."""
    assert project.run("pack", "new", "team").code == 0
    folder = project.root.parent / "team"
    shutil.move(project.root / "team", folder)
    (folder / "commands" / "mark.md").write_text(PAGE, "utf-8")
    (folder / "commands" / "mark.py").write_text(HANDLER, "utf-8")
    manifest = (folder / "pack.toml").read_text("utf-8")
    start = "[capabilities]\n"
    assert start in manifest
    (folder / "pack.toml").write_text(manifest.replace(start, start + 'paths = ["marks/"]\n'), "utf-8")
    return folder


def test_a_signed_pack_is_verified_as_folder_archive_and_name(project: Project, team: Path, home: Path) -> None:
    first = project.run("pack", "sign", "../team", "--json").json["result"]
    again = project.run("pack", "sign", "../team", "--json").json["result"]
    assert (first["key_made"], again["key_made"]) == (True, False)
    assert (home / "signing.key").stat().st_mode & 0o777 == 0o600
    assert project.run("pack", "build", "../team", "-o", "../team.tar.gz").code == 0
    assert project.run("pack", "add", "../team", "--yes").code == 0
    for word in ("../team", "../team.tar.gz", "team"):
        ran = project.run("pack", "verify", word, "--json")
        assert (ran.code, ran.json["result"]["fingerprint"]) == (0, first["fingerprint"]), ran.err


def test_what_was_changed_after_it_was_signed_is_named(project: Project, team: Path) -> None:
    project.run("pack", "sign", "../team")
    (team / "README.md").write_text("another\n", "utf-8")
    before = project.everything()
    for operation in (("verify",), ("add", "--yes")):
        ran = project.run("pack", operation[0], "../team", *operation[1:])
        assert (ran.code, "'README.md' was changed" in ran.err) == (2, True), ran.err
    assert project.everything() == before


def test_a_pack_that_nobody_signed_says_so(project: Project, team: Path) -> None:
    ran = project.run("pack", "verify", "../team")
    assert (ran.code, "Nobody signed it" in ran.out + ran.err) == (1, True)


def test_another_signer_is_refused_with_both_fingerprints(
    project: Project, team: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = project.run("pack", "sign", "../team", "--json").json["result"]["fingerprint"]
    project.run("pack", "add", "../team", "--yes")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "theirs"))
    theirs = project.run("pack", "sign", "../team", "--json").json["result"]["fingerprint"]
    before = project.everything()
    for args in (("verify", "../team"), ("update", "--yes")):
        ran = project.run("pack", *args)
        assert (ran.code, ours in ran.err, theirs in ran.err) == (2, True, True), ran.err
    (team / "pack.sig").unlink()
    ran = project.run("pack", "update", "--yes")
    assert (ran.code, "not signed at all" in ran.err, ours in ran.err) == (2, True, True), ran.err
    assert project.everything() == before


def test_a_lock_names_a_signer_whom_this_user_does_not_know_for_the_pack_and_nothing_is_installed(
    project: Project, team: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = project.run("pack", "sign", "../team", "--json").json["result"]["fingerprint"]
    project.run("pack", "add", "../team", "--yes")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "theirs"))
    other = tmp_path / "other"
    other.mkdir()
    shutil.copytree(team, other / "team")
    project.run("pack", "sign", "../other/team")
    assert project.run("pack", "add", "../other/team", "--project", str(other), "--yes").code == 0
    shutil.rmtree(project.root / ".stretto" / "packs")
    ran = project.run("pack", "add", "--frozen")
    assert (ran.code, ours in ran.err) == (2, True), ran.err
    assert not list((project.root / ".stretto" / "packs").glob("team-*"))


def test_a_key_or_folder_that_cannot_be_used_is_bad_input_and_nothing_is_written(
    project: Project, team: Path, home: Path
) -> None:
    project.run("pack", "sign", "../team")
    (home / "signing.key").chmod(0o644)
    (team / "pack.sig").unlink()
    assert project.run("pack", "sign", "../team").code == 2
    assert project.run("pack", "sign", "../nowhere").code == 2
    assert project.run("pack", "sign", "../team", "--unsandboxed").code == 2
    assert not (team / "pack.sig").exists()


@pytest.mark.skipif(sandbox() == "none", reason="this machine has no sandbox")
def test_nothing_of_a_pack_runs_before_it_is_asked_for_and_then_its_answer_is_told(
    project: Project, team: Path
) -> None:
    (project.root / "marks").mkdir()
    project.write({"marks/.keep": "kept\n"})
    for args in (
        ("lint", "../team"),
        ("show", "../team"),
        ("sign", "../team"),
        ("verify", "../team"),
        ("build", "../team", "-o", "../team.tar.gz"),
        ("add", "../team", "--yes"),
        ("list",),
        ("show", "team"),
        ("verify", "team"),
        ("update", "--yes"),
        ("add", "--frozen"),
    ):
        ran = project.run("pack", *args)
        assert ran.code == 0, (args, ran.err)
    assert not (project.root / "marks" / "mark").exists()
    ran = project.run("team:mark", "one", "two words", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["result"] == {"words": ["one", "two words"]}
    assert (project.root / "marks" / "mark").read_text() == "x"
    failed = project.run("team:mark", "fail")
    assert (failed.code, "\x1b" in failed.out + failed.err) == (1, False)


@pytest.mark.skipif(sandbox() == "none", reason="this machine has no sandbox")
def test_a_consent_that_is_not_needed_is_refused(project: Project, team: Path) -> None:
    ran = project.run("pack", "verify", "../team", "--unsandboxed")
    assert (ran.code, "There is nothing to agree to" in ran.err) == (2, True), ran.err


def test_the_doctor_names_the_sandbox(project: Project) -> None:
    checks = project.run("doctor", "--json").json["result"]["checks"]
    told = next(one for one in checks if one["name"] == "sandbox")
    assert told["what"].startswith(sandbox())
    assert told["level"] == ("note" if sandbox() == "none" else "ok")


def test_a_flipped_byte_of_a_handler_is_refused_and_it_does_not_run(project: Project, team: Path) -> None:
    project.run("pack", "add", "../team", "--yes")
    laid = next((project.root / ".stretto" / "packs").glob("team-*/commands/mark.py"))
    laid.write_text(HANDLER.replace("seen", "sees"), "utf-8")
    ran = project.run("team:mark")
    assert (ran.code, "commands/mark.py" in ran.err) == (2, True), ran.err
    assert not os.path.lexists(project.root / "marks")
