"""The read-only search that stands in for a substitution."""

import subprocess
from pathlib import Path

import pytest

from stretto.commands.parse import parse_line
from stretto.state.errors import BadInput


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    reports = root / "specs" / "reports"
    (reports / "deep").mkdir(parents=True)
    for name in ("002_jwt.md", "001_auth.md", "deep/003_auth jwt.md", "004_colours.md", "[x].md"):
        (reports / name).write_text("")
    (tmp_path / "secret_auth.md").write_text("")
    return root


def reports(raw: str, project: Path) -> list[str]:
    found: list[str] = parse_line(f'/plan "x" --reports={raw}', project=project).flags["reports"]
    return found


def refused(raw: str, project: Path) -> str:
    with pytest.raises(BadInput) as caught:
        reports(raw, project)
    assert caught.value.details["column"] > 19
    return caught.value.message


BOTH = ["specs/reports/001_auth.md", "specs/reports/002_jwt.md", "specs/reports/deep/003_auth jwt.md"]


@pytest.mark.parametrize(
    "raw",
    [
        "\"$(find specs/reports -name '*auth*' -o -name '*jwt*')\"",
        "$(find specs/reports -name '*auth*' -o -name '*jwt*')",
        '"$(find ./specs/../specs/reports -name "*auth*" -o -name *jwt*)"',
        "\"$(\n find specs \\\n -name '*auth*'\n -o -name '*jwt*' )\"",
    ],
)
def test_a_search_finds_files_by_name_sorted_and_relative_to_the_project(raw: str, project: Path) -> None:
    assert reports(raw, project) == BOTH


def test_a_search_agrees_with_find(project: Path) -> None:
    argv = ["find", "specs", "-type", "f", "(", "-name", "*.md", "-o", "-name", "[0-9]*", ")"]
    listed = subprocess.run(argv, cwd=project, check=True, capture_output=True, text=True).stdout
    assert reports("$(find specs -name '*.md' -o -name '[0-9]*')", project) == sorted(listed.splitlines())


def test_in_a_text_the_results_are_lines_and_as_paths_they_are_words(project: Path) -> None:
    line = "/plan \"$(find specs -name '00[12]*')\" $(find specs -name '00[12]*')"
    words = [w.text for w in parse_line(line, project=project).words]
    assert words == ["\n".join(BOTH[:2]), *BOTH[:2]]


@pytest.mark.parametrize(
    "raw", ["$(find nowhere -name x)", "$(find specs -name x)", "$(find specs/reports/001_auth.md -name x)"]
)
def test_what_is_not_there_is_an_empty_list(raw: str, project: Path) -> None:
    assert reports(raw, project) == []


@pytest.mark.parametrize("folder", ["..", "/", "specs/../..", "/etc", "out", "../project-2"])
def test_a_search_never_leaves_the_project(folder: str, project: Path) -> None:
    (project / "out").symlink_to(project.parent)
    (project.parent / "project-2").mkdir()
    assert "outside the project" in refused(f"$(find {folder} -name '*')", project)


def test_a_tilde_is_a_plain_character(project: Path) -> None:
    assert reports("$(find ~ -name '*')", project) == []


def test_links_are_not_followed(project: Path) -> None:
    (project / "specs" / "out").symlink_to(project.parent)
    (project / "specs" / "reports" / "005_auth.md").symlink_to(project.parent / "secret_auth.md")
    assert reports("$(find specs -name '*auth*')", project) == [BOTH[0], BOTH[2]]


@pytest.mark.parametrize(
    "inner",
    [
        "rm -rf x",
        "find specs",
        "find specs -name",
        "find -name x",
        "find specs -name x -delete",
        "find specs -name x -exec rm {} +",
        "find specs -name x -o",
        "find specs -name x -o -name",
        "find specs -name x; id",
        "find specs -name $(id)",
        "find specs -name x --flag",
        "find '' -name x",
        "",
    ],
)
def test_anything_but_a_search_by_name_is_refused_and_says_what_is_understood(inner: str, project: Path) -> None:
    assert "$(find DIR -name GLOB" in refused(f'"$({inner})"', project)
    assert (project / "specs").is_dir()


@pytest.mark.parametrize("raw", ['"a$(find specs -name x)"', '"$(find specs -name x) "', "$(find specs -name x)b"])
def test_a_search_must_be_the_whole_value(raw: str, project: Path) -> None:
    assert "whole value" in refused(raw, project)


def test_in_single_quotes_and_in_json_it_is_plain_text(project: Path) -> None:
    line = '/coordination-hub create \'{"name": "$(find . -name x) `id`"}\''
    assert parse_line(line, project=project).json == ({"name": "$(find . -name x) `id`"},)
    assert parse_line("/orchestrate '$(find . -name x)'", project=project).words[0].text == "$(find . -name x)"


def test_too_many_results_are_refused(project: Path) -> None:
    for i in range(1001):
        (project / f"many_{i}").write_text("")
    assert "too wide" in refused("$(find . -name 'many_*')", project)


def test_a_name_that_could_pass_for_two_is_refused(project: Path) -> None:
    (project / "specs" / "a\n..").write_text("")
    assert "no text can carry" in refused("$(find specs -name 'a*')", project)


def test_a_search_for_one_path_must_find_exactly_one(project: Path) -> None:
    line = "/implement $(find specs -name '{}')"
    assert parse_line(line.format("001*"), project=project).words[0].text == BOTH[0]
    for glob in ("00*", "nothing"):
        with pytest.raises(BadInput, match="takes one path"):
            parse_line(line.format(glob), project=project)


def test_with_project_the_search_is_inside_that_folder(project: Path) -> None:
    line = f"/plan 'x' --reports=$(find . -name '*auth*') --project={project}"
    assert parse_line(line, project=project.parent).flags["reports"] == [BOTH[0], BOTH[2]]
