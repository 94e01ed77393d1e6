import json
from pathlib import Path

import pytest

from tests.commands.door import CALC, Project

PLAN = """# Arithmetic Implementation Plan

## Overview

Multiply and subtract.

## Implementation Phases

### Phase 1: Operations

Tasks:
- [ ] **T1** Multiply
  - Writes: `src/calc/mul.py`
- [ ] **T2** Subtract
  - Writes: `src/calc/sub.py`

### Phase 2: Tests

Tasks:
- [ ] **T3** Test them
  - Writes: `tests/test_ops.py`
  - Depends on: T1, T2
"""
WHERE = "specs/plans/001_arithmetic.md"
ONCE = ("--attempts=1", "--debug-rounds=0")


def read(project: Project, path: str) -> str:
    return (project.root / path).read_text("utf-8")


def test_a_report_is_written_committed_and_merged(project: Project) -> None:
    project.agent({"researcher": {"outcome": {"data": {"title": "Addition", "report": "# Found\n\nIt adds.\n"}}}})

    ran = project.work("report", "How adding works")

    assert ran.code == 0
    assert "It adds." in read(project, "specs/reports/001_addition.md")
    assert project.git("diff", "--name-only", "HEAD~1") == "specs/reports/001_addition.md"
    assert project.git("status", "--porcelain") == ""
    (brief,) = project.briefs()
    assert (brief["role"], brief["task_id"]) == ("researcher", "research/topic")
    assert "How adding works" in brief["prompt"]


def test_what_a_researcher_writes_in_its_workspace_is_not_taken_over(project: Project) -> None:
    project.agent({"researcher": {"files": {"src/calc/__init__.py": "broken"}}})

    assert project.work("report", "How adding works").code == 0

    assert read(project, "src/calc/__init__.py") == CALC["src/calc/__init__.py"]


@pytest.mark.parametrize("as_flag", [False, True])
def test_a_plan_is_written_from_the_reports_that_are_named(project: Project, as_flag: bool) -> None:
    reports = ["specs/reports/001_a.md", "specs/reports/002_b.md"]
    project.commit(dict.fromkeys(reports, "# A report\n"))

    ran = project.work("plan", "Arithmetic", *([f"--reports={' '.join(reports)}"] if as_flag else reports))

    assert ran.code == 0
    plan = read(project, WHERE)
    assert plan.startswith("# Arithmetic Implementation Plan\n")
    assert "- [ ] **T1** Multiply" in plan
    (brief,) = project.briefs()
    assert brief["reads"] == reports
    assert all(r in brief["prompt"] for r in reports)
    assert project.git("diff", "--name-only", "HEAD~1") == WHERE


def test_a_plan_that_does_not_fit_together_goes_back_to_its_planner(project: Project) -> None:
    task = {"id": "T1", "title": "One", "description": "", "writes": ["a.py"], "depends_on": ["T9"]}
    bad = {
        "title": "X",
        "overview": "",
        "phases": [{"name": "P", "objective": "", "complexity": "Low", "tasks": [task]}],
    }
    project.agent({"planning/plan#1": {"outcome": {"data": bad}}})

    assert project.work("plan", "Arithmetic").code == 0

    first, second = project.briefs()
    assert first["feedback"] == ""
    assert "T9" in second["feedback"]


@pytest.mark.slow
def test_a_plan_is_implemented_in_parallel_tested_ticked_and_committed_by_phase(project: Project) -> None:
    here = project.root.parent
    together = {n: {"touch": str(here / n), "until": str(here / m)} for n, m in (("T1", "T2"), ("T2", "T1"))}
    project.commit({WHERE: PLAN})
    project.agent(together)

    ran = project.work("implement", WHERE)

    assert ran.code == 0, ran.out
    assert "3 passed, 0 failed" in ran.out
    assert [b["task_id"] for b in project.briefs()][2] == "implementation/T3"
    assert project.subjects()[2:4] == ["feat: implement Phase 1 - Operations", "feat: implement Phase 2 - Tests"]
    plan = read(project, WHERE)
    assert plan.count("- [x] **T") == 3
    assert plan.count("[COMPLETED]") == 2
    assert "specs/summaries/" in ran.out
    summary = next((project.root / "specs/summaries").glob("*.md")).read_text("utf-8")
    assert "multiply" in summary.lower()
    assert project.git("show", "--name-only", "--format=", "HEAD~2").splitlines() == [
        "specs/plans/001_arithmetic.md", "src/calc/mul.py", "src/calc/sub.py",
    ]  # fmt: skip


@pytest.mark.slow
def test_the_newest_unfinished_plan_is_found_and_gone_on_with_where_it_stands(project: Project) -> None:
    half = PLAN.replace("- [ ] **T1**", "- [x] **T1**").replace("- [ ] **T2**", "- [x] **T2**")
    half = half.replace("Phase 1: Operations", "Phase 1: Operations [COMPLETED]")
    done = half.replace("[ ]", "[x]").replace("Phase 2: Tests", "Phase 2: Tests [COMPLETED]")
    project.commit(
        {
            WHERE: half,
            "specs/plans/002_done.md": done,
            "src/calc/mul.py": "def mul(a, b):\n    return a * b\n",
            "src/calc/sub.py": "def sub(a, b):\n    return a - b\n",
        }
    )

    ran = project.work("implement")

    assert ran.code == 0, ran.out
    assert [b["task_id"] for b in project.briefs()] == ["implementation/T3"]
    assert "- [x] **T3**" in read(project, WHERE)
    again = project.work("implement")
    assert again.code == 2
    assert "no unfinished plan" in again.err


@pytest.mark.slow
def test_a_phase_may_be_named_and_the_ones_before_it_stay_open(project: Project) -> None:
    project.commit({WHERE: PLAN.replace("  - Depends on: T1, T2\n", "")})
    project.agent({"T3": {"files": {"tests/test_ops.py": "def test_ops():\n    assert True\n"}}})

    ran = project.work("implement", WHERE, "2")

    assert ran.code == 0, ran.out
    assert [b["task_id"] for b in project.briefs()] == ["implementation/T3"]
    plan = read(project, WHERE)
    assert (plan.count("- [x] **T"), plan.count("[COMPLETED]")) == (1, 1)


@pytest.mark.slow
def test_a_failing_test_goes_through_the_debugger_back_to_the_implementation(project: Project) -> None:
    project.commit({WHERE: PLAN})
    cure = {"id": "D1", "title": "Multiply", "description": "Use *", "writes": ["src/calc/mul.py"]}
    project.agent(
        {
            "T1": {"files": {"src/calc/mul.py": "def mul(a, b):\n    return a + b\n"}},
            "debugger": {"outcome": {"data": {"cause": "mul adds", "evidence": ["2 * 3 = 5"], "tasks": [cure]}}},
            "D1": {"files": {"src/calc/mul.py": "def mul(a, b):\n    return a * b\n"}},
        }
    )

    ran = project.work("implement")

    assert ran.code == 0, ran.out
    assert "3 passed, 0 failed" in ran.out
    assert [b["role"] for b in project.briefs()] == ["implementer"] * 3 + ["debugger", "implementer"]
    assert sum(s.startswith("fix: ") for s in project.subjects()) == 1
    assert "2 * 3 = 5" in next((project.root / "specs/reports").glob("*debug*.md")).read_text("utf-8")


@pytest.mark.slow
def test_when_debugging_does_not_help_the_work_fails_and_stays_on_its_branch(project: Project) -> None:
    project.commit({WHERE: PLAN})
    before = project.checkout()
    project.agent({"T1": {"files": {"src/calc/mul.py": "def mul(a, b):\n    return a + b\n"}}})

    ran = project.work("implement", "--debug-rounds=0")

    assert ran.code == 1
    assert "1 of 3 tests failed (`pytest`)" in ran.out
    assert project.checkout() == before
    logs = project.run("logs", "arithmetic_001", "testing/tests").out
    assert "assert mul(2, 3) == 6" in logs


def test_a_debug_writes_what_it_found_and_changes_no_code(project: Project) -> None:
    project.agent({"debugger": {"files": {"src/calc/__init__.py": "broken"}}})

    ran = project.work("debug", "Adding is wrong", "README.md")

    assert ran.code == 0
    assert read(project, "src/calc/__init__.py") == CALC["src/calc/__init__.py"]
    report = next((project.root / "specs/reports").glob("001_debug_*.md")).read_text("utf-8")
    assert "mul adds" in report
    assert project.git("diff", "--name-only", "HEAD~1").startswith("specs/reports/001_debug_")
    assert "README.md" in project.briefs()[0]["prompt"]


def test_documentation_is_written_anywhere_unless_a_scope_bounds_it(project: Project) -> None:
    ran = project.work("document", "Arithmetic", "docs", "--attempts=1")
    assert ran.code == 1
    assert "it wrote README.md, which it had not declared (declared: docs/)" in ran.out
    assert read(project, "README.md") == CALC["README.md"]

    assert project.work("document", "Arithmetic").code == 0
    assert "multiplies" in read(project, "README.md")

    project.agent(
        {"documenter": {"files": {"docs/guide.md": "# Guide\n"}, "outcome": {"data": {"files": ["docs/guide.md"]}}}}
    )
    assert project.work("document", "Arithmetic", "--scope=docs").code == 0
    assert read(project, "docs/guide.md") == "# Guide\n"


@pytest.mark.slow
def test_subagents_run_in_parallel_honour_dependencies_and_land_behind_their_checks(project: Project) -> None:
    here = project.root.parent
    project.agent(
        {
            "one": {"files": {"one.py": "ONE = 1\n"}, "touch": str(here / "1"), "until": str(here / "2")},
            "two": {"files": {"two.py": "TWO = 2\n"}, "touch": str(here / "2"), "until": str(here / "1")},
            "three": {"files": {"three.py": "from one import ONE\nfrom two import TWO\n"}},
        }
    )
    tasks = [
        {"id": "one", "description": "One", "files": ["one.py"], "specialization": "numbers"},
        {"id": "two", "description": "Two", "files": ["two.py"]},
        {"id": "three", "description": "Three", "files": ["three.py"], "dependencies": ["one", "two"],
         "validation": ["python -c 'import three'"]},
    ]  # fmt: skip

    ran = project.work("subagents", '{"phase": "implementation", "name": "numbers"}', json.dumps(tasks))

    assert ran.code == 0, ran.out
    briefs = {b["task_id"]: b for b in project.briefs()}
    assert [b["task_id"] for b in project.briefs()][-1] == "implementation/three"
    assert "specialization: numbers" in briefs["implementation/one"]["prompt"]
    assert briefs["implementation/three"]["checks"] == ["python -c 'import three'"]
    assert {"one.py", "two.py", "three.py"} <= project.checkout().keys()


def test_subagents_that_only_read_leave_reports(project: Project) -> None:
    tasks = [{"command": "/report", "topic": "sessions"}, {"command": "/report", "topic": "tokens"}]

    ran = project.work("subagents", '{"phase": "research", "workflow_id": "look_around"}', json.dumps(tasks))

    assert ran.code == 0
    assert ran.out.startswith("look_around is done")
    assert len(list((project.root / "specs/reports").glob("*.md"))) == 2


@pytest.mark.slow
def test_a_subagent_that_writes_what_it_did_not_declare_fails_and_nothing_of_it_lands(project: Project) -> None:
    project.agent({"a": {"files": {"a.py": "A = 1\n", "b.py": "B = 1\n"}}})

    ran = project.work(
        "subagents", "{}", '[{"id": "a", "description": "A", "files": ["a.py"]}]', "--workflow-id=w", *ONCE
    )

    assert ran.code == 1
    assert "it wrote b.py, which it had not declared (declared: a.py)" in ran.out
    assert "a.py" not in project.git("ls-tree", "-r", "--name-only", "stretto/w")


def test_a_link_that_leads_out_of_the_workspace_is_refused(project: Project) -> None:
    outside = project.root.with_name("outside")
    outside.mkdir()
    project.agent({"a": {"links": {"out": str(outside)}}})

    ran = project.work("subagents", "{}", '[{"id": "a", "description": "A"}]', "--workflow-id=w", *ONCE)

    assert ran.code == 1
    assert "refused: out" in ran.out
    assert list(outside.iterdir()) == []
    assert "out" not in project.git("ls-tree", "-r", "--name-only", "stretto/w").splitlines()


def test_a_planner_may_not_declare_paths_outside_the_project(project: Project) -> None:
    task = {"id": "T1", "title": "One", "description": "", "writes": ["../outside.py"]}
    bad = {
        "title": "X",
        "overview": "",
        "phases": [{"name": "P", "objective": "", "complexity": "Low", "tasks": [task]}],
    }
    project.agent({"planner": {"outcome": {"data": bad}}})

    ran = project.work("plan", "Arithmetic", "--attempts=1")

    assert ran.code == 1
    assert "../outside.py" in ran.out


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ({"raw": "no json"}, "no json"),
        ({"raw": "[]"}, "not an outcome"),
        ({"raw": "{} {}"}, "not an outcome"),
        ({"exit": 3, "stderr": "out of memory\n"}, "exit code 3"),
        ({"outcome": {"status": "partial", "summary": "half"}}, "only partly done"),
        ({"outcome": {"data": {}}}, "title"),
        ({"outcome": {"artifacts": [{"path": "../../etc/passwd"}]}}, ""),
    ],
    ids=["words", "list", "two", "exit", "partial", "no-data", "artifact"],
)
def test_an_outcome_that_is_none_fails_the_attempt_with_what_came(project: Project, action: object, said: str) -> None:
    project.agent({"researcher": action})

    ran = project.work("report", "Sessions", "--attempts=1")

    assert ran.code == 1, ran.out
    assert said in ran.out
    assert project.subjects() == ["Begin"]


@pytest.mark.slow
def test_the_tests_of_one_target_or_all_are_run_and_counted(project: Project) -> None:
    project.write({"tests/test_sub.py": "def test_subtraction():\n    assert True\n"})

    for target, passed in (
        ("tests/test_add.py", 1),
        ("subtraction", 1),
        ("all", 2),
        ("tests/test_add.py::test_add", 1),
    ):
        ran = project.run("test", target)
        assert (ran.code, f"{passed} passed, 0 failed" in ran.out) == (0, True), ran.out
    counted = project.run("test-all", "--json").json["result"]
    assert counted["results"][0]["tests"] == {"tests": 2, "failures": 0, "errors": 0, "skipped": 0}
    assert not project.store.exists()


@pytest.mark.slow
def test_no_tests_found_is_not_success(project: Project) -> None:
    assert project.run("test", "nothing_is_called_this").code == 1
    (project.root / "tests" / "test_add.py").unlink()

    ran = project.run("test-all", "--json")

    assert (ran.code, ran.json["status"]) == (1, "error")


@pytest.mark.slow
def test_failing_tests_are_code_1_with_their_output_and_the_way_on(project: Project) -> None:
    project.write({"src/calc/__init__.py": "def add(a, b):\n    return a - b\n"})

    ran = project.run("test-all")

    assert ran.code == 1
    assert "0 passed, 1 failed" in ran.out
    assert "assert" in ran.out
    assert "stretto debug" in ran.out


@pytest.mark.slow
def test_a_target_that_looks_like_a_flag_is_a_name(project: Project) -> None:
    ran = project.run("test", "--json", "--", "--co")

    assert ran.code == 1
    assert "--co" in ran.json["result"]["results"][0]["command"]


@pytest.mark.slow
def test_other_runners_test_by_their_exit_code_and_cannot_choose(project: Project) -> None:
    project.write({".stretto/config.toml": "test = \"python -c 'import calc'\"\n"})

    ran = project.run("test-all")
    assert (ran.code, "tests not counted" in ran.out) == (0, True), ran.out
    refused = project.run("test", "tests/test_add.py")
    assert (refused.code, "with pytest only" in refused.err) == (2, True)


def test_a_project_without_tests_says_how_to_name_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = Project(tmp_path / "bare")
    bare.root.mkdir()
    monkeypatch.chdir(bare.root)

    ran = bare.run("test-all")

    assert ran.code == 2
    assert ".stretto/config.toml" in ran.err
