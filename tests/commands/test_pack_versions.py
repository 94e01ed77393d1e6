"""Versions of packs that fit together are found among the tags of repositories, or it is said who wants what."""

import shutil
from pathlib import Path

import pytest

from stretto.state.pack_lock import read_lock
from tests.commands.door import Project

MANIFEST = 'name = "{name}"\nversion = "{version}"\ndescription = "x"\nlicense = "MIT"\nrequires = ">={stretto}"\n'
MAY = '\n[capabilities]\ntools = ["Read", "Grep", "Glob"]\n'
TEMPLATE = """\
name: look
description: Look at it
phases:
  - name: research
    kind: research
    tasks:
      - {id: one, title: One, role: researcher, prompt: "Look at {{description}}"}
      - {id: two, title: Two, role: researcher, prompt: "Look at {{description}} again"}
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRETTO_CACHE", str(tmp_path / "cache"))


def write(folder: Path, name: str, version: str, needs: str = "", stretto: str = "0.1") -> Path:
    """A small pack of that version, which needs what the lines say."""
    (folder / "templates").mkdir(parents=True, exist_ok=True)
    (folder / "templates" / "look.yaml").write_text(TEMPLATE, "utf-8")
    table = f"\n[dependencies]\n{needs}\n" if needs else ""
    text = MANIFEST.format(name=name, version=version, stretto=stretto)
    (folder / "pack.toml").write_text(text + MAY + table, "utf-8")
    return folder


class Repository(Project):
    """A repository of one pack, whose versions are tags."""

    def release(self, version: str, needs: str = "", stretto: str = "0.1", tag: str = "") -> None:
        write(self.root, self.root.name, version, needs, stretto)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", version)
        self.git("tag", tag or f"v{version}")


def repository(root: Path) -> Repository:
    root.mkdir()
    made = Repository(root)
    made.git("init", "-q", "-b", "main")
    made.git("config", "user.name", "Ada")
    made.git("config", "user.email", "ada@example.org")
    return made


@pytest.fixture
def base(tmp_path: Path) -> Repository:
    """A pack with five versions that fit this Stretto: the newest two are early, and only asks for another Stretto."""
    made = repository(tmp_path / "base")
    for version in ("1.0.0", "1.2.0", "1.10.0", "2.0.0", "2.1.0-rc.1"):
        made.release(version)
    made.release("2.2.0", stretto="99")
    made.git("tag", "newest")
    return made


def versions(project: Project) -> dict[str, str]:
    return {name: pack.version for name, pack in read_lock(str(project.root)).items()}


def refused(project: Project, *args: str) -> str:
    before = project.everything()
    ran = project.run(*args)
    assert ran.code == 2, ran.out
    assert project.everything() == before
    return ran.err


def needing(root: Path, name: str, range_: str, source: str = "git+../base") -> Path:
    return write(root / name, name, "1.0.0", f'base = {{version = "{range_}", source = "{source}"}}')


# ── what is found ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("range_", "found"),
    [(">=1,<2", "1.10.0"), ("<1.10", "1.2.0"), (">=1", "2.0.0"), (">=2.1.0-rc.1", "2.1.0-rc.1"), ("==1.0.0", "1.0.0")],
)
def test_the_newest_version_that_fits_is_brought_along(
    project: Project, base: Repository, tmp_path: Path, range_: str, found: str
) -> None:
    needing(tmp_path, "team", range_)
    ran = project.run("pack", "add", "../team", "--yes")
    assert ran.code == 0, ran.err
    assert f"base {found}: x" in ran.out
    assert versions(project) == {"base": found, "team": "1.0.0"}
    locked = read_lock(str(project.root))["base"]
    assert (locked.source, locked.commit) == (f"git+../base@v{found}", base.git("rev-parse", f"v{found}"))
    shutil.rmtree(project.root / ".stretto" / "packs")
    shutil.rmtree(base.root)
    assert project.run("pack", "add", "--frozen").code == 0


def test_one_version_is_found_for_two_that_need_it(project: Project, base: Repository, tmp_path: Path) -> None:
    needing(tmp_path, "team", ">=1.1")
    needing(tmp_path, "crew", "<2")
    assert project.run("pack", "add", "../team", "../crew", "--yes").code == 0
    assert versions(project)["base"] == "1.10.0"


def test_what_is_installed_stays_if_it_fits_and_gives_way_if_not(
    project: Project, base: Repository, tmp_path: Path
) -> None:
    assert project.run("pack", "add", "git+../base@v1.0.0", "--yes").code == 0
    needing(tmp_path, "team", ">=1")
    project.run("pack", "add", "../team", "--yes")
    assert versions(project)["base"] == "1.0.0"
    needing(tmp_path, "crew", ">=1.1,<2")
    asked = refused(project, "pack", "add", "../crew")
    assert "base 1.10.0: x" in asked
    assert "instead of 1.0.0" in asked
    assert project.run("pack", "add", "../crew", "--yes").code == 0
    assert versions(project) == {"base": "1.10.0", "crew": "1.0.0", "team": "1.0.0"}


def test_a_pack_beside_another_is_named_by_its_folder(project: Project, tmp_path: Path) -> None:
    both = repository(tmp_path / "both")
    write(both.root / "base", "base", "3.0.0")
    needing(both.root, "team", ">=3", "../base")
    both.commit({}, "Both")
    both.git("tag", "v1.0.0")
    assert project.run("pack", "add", "../both/team", "--yes").code == 0
    assert read_lock(str(project.root))["base"].source == "../both/base"
    project.run("pack", "remove", "team")
    project.run("pack", "remove", "base")
    assert project.run("pack", "add", "git+../both@v1.0.0#team", "--yes").code == 0
    assert read_lock(str(project.root))["base"].source == "git+../both@v1.0.0#base"


def test_an_older_version_is_taken_if_the_newest_cannot_have_what_it_needs(
    project: Project, base: Repository, tmp_path: Path
) -> None:
    crew = repository(tmp_path / "crew")
    crew.release("1.0.0", 'base = {version = ">=1,<2", source = "git+../base"}')
    crew.release("1.1.0", 'base = {version = ">=3", source = "git+../base"}')
    write(tmp_path / "team", "team", "1.0.0", 'crew = {version = ">=1", source = "git+../crew"}')
    assert project.run("pack", "add", "../team", "--yes").code == 0
    assert versions(project) == {"base": "1.10.0", "crew": "1.0.0", "team": "1.0.0"}


def test_an_update_goes_to_the_newest_tag_that_the_others_allow(
    project: Project, base: Repository, tmp_path: Path
) -> None:
    project.run("pack", "add", "git+../base@v1.0.0", "--yes")
    needing(tmp_path, "team", "<2")
    project.run("pack", "add", "../team", "--yes")
    assert "instead of 1.0.0" in refused(project, "pack", "update", "base")
    assert project.run("pack", "update", "--yes").code == 0
    assert versions(project)["base"] == "1.10.0"
    assert "Nothing new: base 1.10.0" in project.run("pack", "update", "base").out
    assert project.run("pack", "remove", "team").code == 0
    assert project.run("pack", "update", "base", "--yes").code == 0
    assert versions(project)["base"] == "2.0.0"


# ── what is explained ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_conflict_says_who_wants_what_and_what_there_is(project: Project, base: Repository, tmp_path: Path) -> None:
    needing(tmp_path, "team", ">=2")
    needing(tmp_path, "crew", "<2")
    told = refused(project, "pack", "add", "../team", "../crew", "--yes")
    assert "team 1.0.0 needs base >=2 from git+../base, and there is " in told
    assert "crew 1.0.0 needs base <2 from git+../base, and there is " in told
    assert "2.1.0-rc.1, 2.0.0, 1.10.0, 1.2.0, 1.0.0" in told


def test_a_version_that_needs_a_newer_stretto_is_no_choice_and_is_told(
    project: Project, base: Repository, tmp_path: Path
) -> None:
    needing(tmp_path, "team", ">2.1")
    told = refused(project, "pack", "add", "../team", "--yes")
    assert "2.2.0 (pack.toml: requires Stretto >=99, and this is" in told


def test_a_conflict_with_what_is_installed_names_it(project: Project, base: Repository, tmp_path: Path) -> None:
    needing(tmp_path, "team", "<2")
    project.run("pack", "add", "../team", "--yes")
    needing(tmp_path, "crew", ">=2")
    told = refused(project, "pack", "add", "../crew", "--yes")
    assert "team 1.0.0 needs base <2" in told
    assert "crew 1.0.0 needs base >=2 from git+../base, and there is 1.10.0 (installed), " in told


def test_what_is_named_is_not_replaced(project: Project, base: Repository, tmp_path: Path) -> None:
    needing(tmp_path, "team", ">=2")
    told = refused(project, "pack", "add", "../team", "git+../base@v1.2.0", "--yes")
    assert "team 1.0.0 needs base >=2 from git+../base, and there is 1.2.0" in told
    assert project.run("pack", "add", "../team", "git+../base@v2.0.0", "--yes").code == 0


def test_a_tag_that_holds_another_version_is_no_choice(project: Project, tmp_path: Path) -> None:
    made = repository(tmp_path / "base")
    made.release("1.0.0", tag="v1.5.0")
    needing(tmp_path, "team", ">=1")
    told = refused(project, "pack", "add", "../team", "--yes")
    assert "1.5.0 ('git+../base@v1.5.0' holds base 1.0.0, not base 1.5.0.)" in told


@pytest.mark.parametrize(
    ("needs", "told"),
    [
        ('base = {version = ">=1", source = "git+../nowhere"}', "The tags of 'git+../nowhere' cannot be listed"),
        ('base = {version = ">=1", source = "../nowhere"}', "There is no pack '../nowhere'"),
        ('base = {version = ">=1", source = "git+ext::sh -c id"}', "cannot be listed"),
        ('base = {version = "newest"}', "must be a range of versions"),
        ('base = {version = ">=1", source = "-x"}', "dependencies.base.source"),
        ('base = {version = ">=1", from = "x"}', "is no key that is known here"),
        ("base = 1", "dependencies.base"),
    ],
)
def test_a_dependency_that_cannot_be_had_is_told(project: Project, tmp_path: Path, needs: str, told: str) -> None:
    write(tmp_path / "team", "team", "1.0.0", needs)
    assert told in refused(project, "pack", "add", "../team", "--yes")


def test_beside_an_archive_lies_nothing(project: Project, tmp_path: Path) -> None:
    needing(tmp_path, "team", ">=1", "../base")
    write(tmp_path / "base", "base", "1.0.0")
    assert project.run("pack", "build", "../team", "-o", "../team-1.0.0.tar.gz").code == 0
    assert "nothing lies beside it" in refused(project, "pack", "add", "../team-1.0.0.tar.gz", "--yes")
    made = repository(tmp_path / "single")
    needing(tmp_path, "single", ">=1", "../base")
    made.commit({}, "Single")
    assert "nothing lies beside it" in refused(project, "pack", "add", "git+../single", "--yes")
