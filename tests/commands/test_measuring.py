"""/test and /test-all: what they measure, what they say where nothing can measure it, and where it is recorded."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands.door import Project

COVERAGE = {
    "coverage/__init__.py": "",
    "coverage/__main__.py": """\
import json, runpy, sys
words = [w for w in sys.argv[1:] if w != "-q"]
if words[0] == "run":
    open(words[1].partition("=")[2], "w").close()
    sys.argv = words[3:]
    runpy.run_module(words[3], run_name="__main__", alter_sys=True)
else:
    one = {"summary": {"percent_covered": 87.512}}
    with open(words[words.index("-o") + 1], "w") as out:
        json.dump({"totals": one["summary"], "files": {"src/calc/__init__.py": one}}, out)
""",
}
"""A stand-in for coverage.py that runs what it is put around; what it measures is always the same."""
ABSENT = "not available: coverage is not installed in the project's environment"


def coverage(project: Project) -> None:
    project.commit(COVERAGE, "Add coverage")


def recorded(project: Project, workflow: str) -> list[dict[str, Any]]:
    return [dict(e.data["metrics"]) for e in project.events(workflow) if e.type == "METRICS_RECORDED"]


@pytest.mark.slow
@pytest.mark.parametrize("words", [["coverage"], ["--coverage"], ["--coverage-analysis"]])
def test_coverage_is_that_of_the_projects_own_coverage_and_the_tests_are_still_counted(
    project: Project, words: list[str]
) -> None:
    coverage(project)

    result = project.run("test-all", *words, "--json").json["result"]

    assert result["coverage"] == 87.5
    assert result["results"][0]["tests"]["tests"] == 1
    assert not project.store.exists()


@pytest.mark.slow
def test_without_it_there_is_no_figure(project: Project) -> None:
    if project.run("test-all", "--coverage", "--json").json["result"]["coverage"] != ABSENT:
        pytest.skip("this machine's Python has coverage")

    ran = project.run("test-all", "--coverage")

    assert (ran.code, ABSENT in ran.out) == (0, True)


@pytest.mark.slow
def test_areas_are_the_folders_that_git_saw_change(project: Project) -> None:
    project.write({"src/calc/new.py": "X = 1\n", "docs/a.md": "# A\n"})
    found = project.run("test-all", "--affected-areas", "--json").json["result"]["affected_areas"]
    assert found["since"] == "not committed"
    assert {a: one["files"] for a, one in found["areas"].items()} == {
        "docs": ["docs/a.md"],
        "src/calc": ["src/calc/new.py"],
    }

    project.commit({"src/calc/new.py": "X = 2\n"})
    coverage_and_areas = ("test-all", "--affected-areas", "--coverage", "--json")
    assert "docs" in project.run(*coverage_and_areas).json["result"]["affected_areas"]["areas"]


@pytest.mark.slow
def test_benchmarks_are_the_projects_own_or_said_to_be_missing(project: Project) -> None:
    none = project.run("test-all", "--performance-validation")
    assert (none.code, "Performance: not available: no benchmarks found" in none.out) == (0, True)

    project.write({"benchmarks/bench_add.py": "def test_fast():\n    assert True\n"})
    found = project.run("test-all", "--performance-validation", "--json").json["result"]["performance"]
    assert (found["problem"], found["tests"]["tests"]) == ("", 1)

    project.write({"benchmarks/bench_add.py": "def test_fast():\n    assert False\n"})
    assert project.run("test-all", "--performance-validation").code == 1


@pytest.mark.slow
def test_figures_go_to_the_workflow_that_is_named_or_else_to_the_one_that_is_open(project: Project) -> None:
    coverage(project)
    project.run("coordination-hub", "create", "auth_001")

    ran = project.run("test-all", "--coverage")
    named = project.run("test", "add", "--comprehensive", "--workflow-context=auth_001", "--json").json

    assert "recorded for auth_001, which is open" in ran.out
    assert (named["workflow_id"], len(named["events"])) == ("auth_001", 1)
    first, second = recorded(project, "auth_001")
    assert (first["coverage"], first["tests_passing"], first["tests"]["tests"]) == (87.5, True, 1)
    assert second["kinds"]["unit"] == "not available: there is no folder tests/unit"
    missing = project.run("test-all", "--coverage", "--workflow-context=nobody_001")
    assert (missing.code, "nobody_001" in missing.err) == (2, True)


@pytest.mark.slow
def test_unit_and_integration_tests_are_counted_by_themselves(project: Project) -> None:
    test = "def test_{}():\n    assert True\n"
    project.write({"tests/unit/test_u.py": test.format("auth"), "tests/integration/test_i.py": test.format("other")})

    kinds = project.run("test", "auth", "--comprehensive", "--json").json["result"]["kinds"]

    assert (kinds["unit"]["tests"], kinds["integration"]["tests"]) == (1, 0)


def report(project: Project) -> str:
    return next((project.root / "specs/reports").glob("*debug*.md")).read_text("utf-8")


def test_a_security_analysis_is_a_scanners_and_stands_in_the_report_and_the_reply(project: Project) -> None:
    project.commit({"src/calc/run.py": "import subprocess\n\nsubprocess.run('ls', shell=True)\n"})

    ran = project.work("debug", "authentication_flow", "--security-analysis", "--penetration-testing", "--json")

    assert ran.code == 0, ran.out
    security = ran.json["result"]["security"]
    assert security["scanner"] in ("bandit", "ruff")
    assert security["findings"] > 0
    assert ran.json["result"]["security_passed"] is False
    for told in (report(project), *project.briefs()[-1:]):
        assert "src/calc/run.py:3" in str(told)
        assert "Penetration testing: not done" in str(told)


def test_without_a_scanner_nothing_is_said_to_be_secure(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, real in (("git", shutil.which("git")), ("python", sys.executable)):
        assert real
        (programs / name).symlink_to(real)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(sys, "executable", str(programs / "python"))

    result = project.work("debug", "authentication_flow", "--security-analysis", "--json").json["result"]

    assert result["security"].startswith("not available: neither bandit nor ruff")
    assert "security_passed" not in result
    assert "not available: neither bandit" in report(project)


def test_the_tests_of_a_workflow_are_completed_once_coverage_and_scan_are_known(project: Project) -> None:
    coverage(project)
    project.run("coordination-hub", "create", "auth_001")
    project.run("test-all", "--coverage")
    assert "TESTING_COMPLETED" not in project.types("auth_001")

    for _ in range(2):
        ran = project.work("debug", "authentication_flow", "--security-analysis")
        assert "recorded for auth_001" in ran.out

    (told,) = (e for e in project.events("auth_001") if e.type == "TESTING_COMPLETED")
    assert (told.phase, dict(told.data)) == ("testing", {"coverage": 87.5, "security_passed": True})
