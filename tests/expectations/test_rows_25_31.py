"""Rows 25 to 31: the plan's phases as tracks of one workflow, tested, scanned, documented and finalized by others."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from stretto.commands.reply import Reply
from stretto.state.log import Log
from stretto.state.wire import Event
from tests.commands.door import Project, Ran
from tests.commands.host import Host, orders_of, task
from tests.expectations.scene import raw, run_lines

pytestmark = pytest.mark.slow
IMPL = "impl_auth_001"
PLAN = "specs/plans/001_auth.md"
TRACKS = ["backend", "frontend", "database"]
ROWS = range(25, 32)


class Story(NamedTuple):
    """What the lines 25 to 31 replied, how each came out, and the log."""

    replies: Mapping[int, Reply]
    outcomes: Mapping[int, str]
    events: list[Event]

    def of(self, *kinds: str) -> list[Event]:
        return [e for e in self.events if e.workflow_id == IMPL and e.type in kinds]

    def result(self, number: int) -> Any:
        return self.replies[number].result


@pytest.fixture(scope="module")
def story(no_settings: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The lines behind the plan that they name, run as `stretto verify` does; replies are kept on their way."""
    root = tmp_path_factory.mktemp("feature")
    lines = ['/plan "Implement JWT-based authentication system"', *(raw(n) for n in ROWS)]
    ran, kept = run_lines(lines, root)
    log = Log.find(str(root / ".stretto" / "state"))
    assert log
    with log:
        by_command = [
            r for r in kept if r.command in ("implement", "subagents", "test", "test-all", "debug", "document")
        ]
        told = [*by_command, kept[-1]]
        assert len(told) >= len(ROWS), [(s.outcome, s.why) for s in ran.steps]
        yield Story(
            replies=dict(zip(ROWS, told, strict=False)),
            outcomes={n: f"{step.outcome} {step.why}".strip() for n, step in zip((0, *ROWS), ran.steps, strict=True)},
            events=list(log.events()),
        )


# ── the document's lines ─────────────────────────────────────────────────────────────────────────────────────────────


def test_every_line_is_done(story: Story) -> None:
    assert {n: story.outcomes[n] for n in ROWS} == dict.fromkeys(ROWS, "done")


def test_25_the_independent_tracks_are_counted_and_each_ends_once_in_its_order_with_what_its_tests_said(
    story: Story,
) -> None:
    (begun,) = story.of("IMPLEMENTATION_STARTED")
    assert begun.data["parallel_tracks"] == 3
    ended = [e for e in story.of("PHASE_COMPLETED") if e.phase in TRACKS]
    assert [e.phase for e in ended] == TRACKS
    started = {e.phase: e for e in story.of("PHASE_STARTED")}
    for event in ended:
        assert event.data["tests_passing"] is True
        assert event.data["duration"] == "30m"
        assert started[event.phase].seq < event.seq
    work = {e.data["task_id"]: e.seq for e in story.of("TASK_STARTED")}
    assert max(work[f"implementation/T{i}"] for i in (1, 2, 3)) < ended[0].seq  # all three at once


def test_25_agents_are_asked_for_track_by_track_and_given_back_when_it_ends(story: Story) -> None:
    asked = [e.data["context"]["track"] for e in story.of("RESOURCE_ALLOCATED")]
    assert asked[:3] == TRACKS
    freed = {e.data["allocation_id"]: e.seq for e in story.of("RESOURCE_DEALLOCATED")}
    names = {e.data["context"]["track"]: e.data["allocation_id"] for e in story.of("RESOURCE_ALLOCATED")}
    for event in story.of("PHASE_COMPLETED"):
        if event.phase in names:
            assert freed[names[event.phase]] == event.seq + 1
    assert len(freed) == len(names)


def test_25_comprehensive_monitoring_writes_figures_at_the_end_of_each_track(story: Story) -> None:
    tracked = [e.phase for e in story.of("METRICS_RECORDED") if e.data.get("sampling") == "full"]
    assert tracked[:3] == TRACKS


def test_26_the_tasks_are_the_tracks_of_the_execution_and_nothing_is_run_twice(story: Story) -> None:
    found = story.result(26)["tracks"]
    assert [f["track"] for f in found] == TRACKS
    assert [f["state"] for f in found] == ["completed"] * 3
    begun = [e.data["task_id"] for e in story.of("TASK_STARTED")]
    assert len(begun) == len(set(begun))
    assert "overrides the table" in story.replies[26].text


def test_27_the_tests_that_match_are_run_and_counted_by_their_runner(story: Story) -> None:
    counted = story.result(27)["results"][0]
    assert "authentication" in counted["command"]
    assert counted["tests"]["tests"] > 0
    assert set(story.result(27)["kinds"]) == {"unit", "integration"}
    assert isinstance(story.result(27)["coverage"], float)
    assert story.replies[27].workflow_id == IMPL


def test_28_the_one_open_workflow_is_found_and_said_and_its_changes_are_the_areas(story: Story) -> None:
    assert story.replies[28].workflow_id == IMPL
    assert f"recorded for {IMPL}, which is open" in story.replies[28].text
    assert "src/shop" in story.result(28)["affected_areas"]["areas"]
    assert isinstance(story.result(28)["coverage"], float)
    assert story.result(28)["performance"] == "not available: no benchmarks found"


def test_29_a_scanner_looked_and_what_nobody_attacked_is_said_not_to_be_done(story: Story) -> None:
    assert story.result(29)["security"]["files"] > 0
    assert any("Penetration testing: not done" in line for line in story.result(29)["known"])
    (told,) = story.of("TESTING_COMPLETED")
    assert told.phase == "testing"
    assert told.data == {"coverage": story.result(28)["coverage"], "security_passed": True}
    assert told.seq < story.of("WORKFLOW_COMPLETED")[0].seq


def test_30_documents_that_the_change_touched_are_changed_and_their_links_resolve(story: Story) -> None:
    name = story.replies[30].workflow_id
    done = [e for e in story.events if e.workflow_id == name and e.type == "TASK_COMPLETED"]
    wrote = {path for e in done for path in e.data["results"]["writes"]}
    assert "README.md" in wrote
    assert any(path.startswith("docs/") for path in wrote)
    (links,) = (c for c in story.result(31)["criteria"] if c["name"] == "links")
    assert links["holds"]
    told = [e.data["metrics"] for e in story.of("METRICS_RECORDED") if "documented" in e.data["metrics"]]
    assert [t["documentation"] for t in told] == ["completed"]


def test_31_four_criteria_with_evidence_complete_it_and_what_it_held_is_free(story: Story) -> None:
    criteria = story.result(31)["criteria"]
    assert [c["name"] for c in criteria] == ["phases", "tests", "documentation", "links"]
    assert all(c["holds"] and c["evidence"] for c in criteria)
    (done,) = story.of("WORKFLOW_COMPLETED")
    assert (done.phase, done.data["success"]) == ("finalization", True)
    assert done.data["total_duration"] not in ("", "unknown")
    assert any(a.startswith("specs/summaries/") for a in done.data["artifacts"])


# ── tracks, with other agents and plans ──────────────────────────────────────────────────────────────────────────────


def planned(project: Project, *phases: tuple[str, list[str]]) -> None:
    """A plan of these phases, committed."""
    parts = [f"### Phase {i}: {name}\n\nTasks:\n" + "\n".join(tasks) for i, (name, tasks) in enumerate(phases, 1)]
    text = "\n\n".join(["# Auth Implementation Plan", "## Implementation Phases", *parts])
    project.commit({PLAN: text + "\n"}, "Plan")
    project.agent({n: {"files": {f"src/calc/{n.lower()}.py": f"{n} = 1\n"}} for n in ("T1", "T2", "T3")})


def three(project: Project) -> None:
    planned(project, ("Backend", [task("T1")]), ("Frontend", [task("T2")]), ("Database", [task("T3", after="T2")]))


def implement(project: Project, *flags: str) -> Ran:
    return project.work("implement", PLAN, "--orchestrated", f"--workflow-id={IMPL}", *flags)


def data(project: Project, kind: str, phase: str) -> list[dict[str, Any]]:
    return [dict(e.data) for e in project.events(IMPL) if (e.type, e.phase) == (kind, phase)]


def attached(*tasks: object, **context: object) -> tuple[str, str, str]:
    about = {"workflow_id": IMPL, "coordination": "dependency_aware", **context}
    return "subagents", json.dumps(about), json.dumps(tasks)


def on(number: object, scope: str = "", **more: object) -> dict[str, object]:
    return {"command": "/implement", "phase": number, **({"scope": scope} if scope else {}), **more}


def test_a_workflow_stays_open_with_its_work_merged_and_a_resume_says_so(project: Project) -> None:
    three(project)

    ran = implement(project)

    assert (ran.code, "stays open" in ran.out) == (0, True), ran.out
    assert (project.root / "src/calc/t3.py").exists()
    begun = data(project, "IMPLEMENTATION_STARTED", "implementation")[0]
    assert begun["parallel_tracks"] == 2  # the database waits for the frontend
    assert "WORKFLOW_COMPLETED" not in project.types(IMPL)
    before = project.types(IMPL)
    again = project.work("orchestrate", "--resume", IMPL)
    assert (again.code, "stays open" in again.out, project.types(IMPL)) == (0, True, before)
    assert f"finalize-workflow {IMPL}" in project.run("workflow-status", IMPL).out


def test_what_is_not_documented_is_not_completed_and_is_named(project: Project) -> None:
    three(project)
    implement(project)
    before = project.types(IMPL)

    ran = project.run("orchestrate", "finalize-workflow", IMPL, "--validation=complete", "--json")

    assert (ran.code, ran.json["result"]["missing"]) == (1, ["documentation"])
    assert project.types(IMPL) == before
    assert project.work("document", "Auth").code == 0
    assert project.run("orchestrate", "finalize-workflow", IMPL, "--validation=complete").code == 0
    assert project.types(IMPL)[-2:] == ["WORKFLOW_RESUMED", "WORKFLOW_COMPLETED"]


def test_a_track_whose_tests_fail_fails_is_cured_and_then_completed(project: Project) -> None:
    three(project)
    bad = "def test_bad():\n    assert False\n"
    cure = {"id": "fix", "title": "Fix it", "description": "", "writes": ["tests/test_t1.py"]}
    project.commit({PLAN: (project.root / PLAN).read_text().replace("`src/calc/t1.py`", "`tests/test_t1.py`")})
    project.agent(
        {
            "T1": {"files": {"tests/test_t1.py": bad}},
            "T2": {"files": {"src/calc/t2.py": "T2 = 1\n"}},
            "T3": {"files": {"src/calc/t3.py": "T3 = 1\n"}},
            "debugger": {"outcome": {"data": {"cause": "it is false", "evidence": ["False"], "tasks": [cure]}}},
            "fix": {"files": {"tests/test_t1.py": bad.replace("False", "True")}},
        }
    )

    ran = implement(project, "--resource-coordination=adaptive")

    assert ran.code == 0, ran.out + ran.err
    assert data(project, "PHASE_FAILED", "backend")[0]["tests_passing"] is False
    (done,) = data(project, "PHASE_COMPLETED", "backend")
    assert done["tests_passing"] is True
    log = Log.find(project.store)
    assert log
    with log:
        assert not log.allocations(IMPL, live=True)


def test_without_tests_nothing_is_said_to_pass(project: Project) -> None:
    three(project)
    (project.root / "tests/test_add.py").unlink()
    project.commit({"pyproject.toml": '[project]\nname = "calc"\nversion = "0.1"\n'}, "No tests")

    assert implement(project).code == 0

    for track in TRACKS:
        (done,) = data(project, "PHASE_COMPLETED", track)
        assert "tests_passing" not in done
        assert done["duration"]


def test_a_track_waits_for_the_agents_that_another_one_gives_back(project: Project) -> None:
    three(project)
    project.run("resource-manager", "configure", '{"capacity": {"agents": 1}}')

    assert implement(project, "--resource-coordination=adaptive").code == 0

    held, most = 0, 0
    for event in project.events(IMPL):
        held += {"RESOURCE_ALLOCATED": 1, "RESOURCE_DEALLOCATED": -1}.get(event.type, 0)
        most = max(most, held)
    assert (held, most) == (0, 1)


def test_where_no_agent_is_free_it_stops_and_goes_on_when_some_are(project: Project) -> None:
    three(project)
    project.run("resource-manager", "configure", '{"capacity": {"agents": 1}}')
    project.run("resource-manager", "allocate", "other_001", "--agents=1")

    stopped = implement(project, "--resource-coordination=adaptive")

    assert (stopped.code, f"--resume {IMPL}" in stopped.out) == (3, True), stopped.out
    assert not project.briefs()
    project.run("resource-manager", "release", "other_001")
    assert project.work("orchestrate", "--resume", IMPL).code == 0


def test_one_that_is_cancelled_gives_its_agents_back_at_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    three(project)
    host = Host(project, monkeypatch)
    host.drive("implement", PLAN, "--orchestrated", f"--workflow-id={IMPL}", "--resource-coordination=adaptive")
    log = Log.find(project.store)
    assert log
    with log:
        assert log.allocations(IMPL, live=True)

        assert project.run("cancel", IMPL).code == 0

        assert not log.allocations(IMPL, live=True)


@pytest.mark.parametrize(("level", "sampled"), [("minimal", 0), ("standard", 3), ("comprehensive", 3)])
def test_each_level_of_monitoring_writes_what_it_says(project: Project, level: str, sampled: int) -> None:
    three(project)
    assert implement(project, f"--monitoring={level}").code == 0
    assert project.types(IMPL).count("METRICS_RECORDED") == sampled


# ── inside the assistant ─────────────────────────────────────────────────────────────────────────────────────────────


def test_inside_an_assistant_25_hands_orders_out_and_26_joins_them(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    three(project)
    host = Host(project, monkeypatch)
    first = host.drive("implement", PLAN, "--orchestrated", f"--workflow-id={IMPL}", "--resource-coordination=adaptive")
    orders = orders_of(first)
    assert [o.rpartition("/")[2] for o in orders] == ["T1#1", "T2#1"]

    line = attached(on(1, "backend_auth_service"), on(2, "frontend_components"), on(3, "database_migrations"))
    joined = project.run(*line, "--json")

    assert joined.code == 3, joined.err
    assert orders_of(joined) == orders
    found = joined.json["result"]["tracks"]
    assert [(f["track"], f["after"]) for f in found] == [
        ("backend", []),
        ("frontend", []),
        ("database", ["frontend"]),
    ]
    ran = joined
    for _ in range(5):
        if not orders_of(ran):
            break
        for order in orders_of(ran, "open"):
            host.carry_out(order)
        ran = project.run(*line, "--json")
    assert (ran.code, ran.json["result"]["status"]) == (0, "open"), ran.out
    before = project.types()
    again = project.run(*line, "--json")
    assert (again.code, project.types()) == (0, before)
    assert {f["state"] for f in again.json["result"]["tracks"]} == {"completed"}
    begun = [e.data["task_id"] for e in project.events(IMPL) if e.type == "TASK_STARTED"]
    assert sorted(begun) == sorted(set(begun))


def test_the_scope_names_a_track_where_no_number_does(project: Project) -> None:
    three(project)
    implement(project)
    ran = project.run(*attached({"command": "/implement", "scope": "the database_migrations of it"}), "--json")
    assert [f["track"] for f in ran.json["result"]["tracks"]] == ["database"]


# ── bad input ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_task_that_is_no_track_is_refused_by_name(project: Project) -> None:
    three(project)
    implement(project)
    before = project.types()
    wrong: list[tuple[list[dict[str, object]], tuple[str, ...]]] = [
        ([on(4, "docs")], ("tasks[0].phase", "3 (database)")),
        ([on(1), on(1)], ("tasks[1].phase",)),
        ([on(1, dependencies=["x"])], ("tasks[0].dependencies", "the plan says")),
        ([{"command": "/report", "topic": "x"}], ("tasks[0].command", "/implement")),
        ([{"command": "/implement", "scope": "billing"}], ("tasks[0].phase", "1 (backend)")),
    ]
    for tasks, named in wrong:
        ran = project.run(*attached(*tasks))
        assert (ran.code, project.types()) == (2, before), ran.out
        assert all(word in ran.err for word in named), ran.err


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--monitoring=loud", "--orchestrated"], "comprehensive"),
        (["--resource-coordination=greedy", "--orchestrated"], "adaptive"),
        (["--monitoring=comprehensive"], "--orchestrated"),
        (["--resource-coordination=adaptive"], "--orchestrated"),
    ],
)
def test_flags_that_mean_nothing_are_refused_and_nothing_is_written(
    project: Project, flags: list[str], named: str
) -> None:
    three(project)
    ran = project.work("implement", PLAN, *flags)
    assert (ran.code, named in ran.err, project.store.exists()) == (2, True, False), ran.err


def test_without_a_plan_an_order_or_files_it_asks(project: Project) -> None:
    ran = project.run(*attached(on(1, "backend"), on(2, "frontend")))
    assert (ran.code, "dependencies" in ran.err, "files" in ran.err) == (2, True, True)
    assert not project.store.exists()


def test_where_two_workflows_are_open_it_asks_which_is_meant(project: Project) -> None:
    for name in ("a_001", "b_001"):
        project.run("coordination-hub", "create", name)
    before = project.types()

    ran = project.run("test-all", "--coverage-analysis")

    assert (ran.code, "a_001" in ran.err, "b_001" in ran.err) == (2, True, True)
    assert project.types() == before
