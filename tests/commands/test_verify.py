"""`stretto verify` through its door: what holds, what does not and why, and that nothing of ours is touched."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.commands.door import Project, Ran

HUB = """\
### Two at once

**Command Sequence**:
```bash
/coordination-hub create-workflow '{"workflow_id": "small_002", "priority": "medium", "phases": ["fix", "check"],
  "resource_requirements": {"agents": 2, "duration": "2h"}}'
/coordination-hub create-workflow '{"workflow_id": "big_001", "priority": "high", "phases": ["build"],
  "resource_requirements": {"agents": 3, "duration": "4h"}, "dependencies": ["review"]}'
/workflow-status big_001
```

**Event Sequence**:
```
WORKFLOW_CREATED:big_001:setup:{"priority":"high","resources":{"agents":3}}
RESOURCE_ANALYSIS_REQUESTED:system:coordination:{"total_agents":5,"conflicts":false}
WORKFLOW_SCHEDULED:big_001:ready:{"start_time":"immediate","estimated_completion":"240m"}
WORKFLOW_QUEUED:small_002:waiting:{"queue_position":1,"estimated_start":"30m"}
WORKFLOW_COMPLETED:big_001:finalization:{"success":true,"total_duration":"4h"}
WORKFLOW_SCHEDULED:small_002:ready:{}
PHASE_COMPLETED:small_002:check:{"phase_id":"check","duration":"1h"}
```

- The more urgent comes first <!-- check: before WORKFLOW_SCHEDULED big_001 small_002 -->
- Nobody holds more than there is <!-- check: within-capacity -->
- It is pleasant to look at
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is removed with the rest of the test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def verify(project: Project, text: str, *flags: str) -> Ran:
    project.write({"doc.md": text})
    return project.run("verify", "doc.md", *flags)


def example(lines: str, events: str = "", name: str = "One") -> str:
    fence = f"```\n{events}\n```\n" if events else ""
    return f"### {name}\n```bash\n{lines}\n```\n{fence}"


def create(name: str, **body: Any) -> str:
    return f"/coordination-hub create {name} '{json.dumps(body)}'"


def test_a_document_that_holds_is_verified_event_by_event_and_key_by_key(project: Project) -> None:
    before = project.everything()

    ran = verify(project, HUB)

    assert ran.code == 0, ran.out
    assert "3 of 3 commands done" in ran.out
    assert "7 of 7 events seen as they should be" in ran.out
    assert "estimated_completion: equal" in ran.out
    assert "estimated_start: measured: 4h (it started after 4h2s)" in ran.out
    assert "2 of 2 checks of the prose hold; 1 sentences not checked" in ran.out
    assert "doc.md:20" in ran.out
    assert {p: f for p, f in project.everything().items() if p != "doc.md"} == before


def test_the_same_document_says_the_same_again(project: Project) -> None:
    assert verify(project, HUB).out == verify(project, HUB).out


def test_what_is_created_at_one_moment_is_admitted_by_priority_and_not_in_the_order_of_lines(project: Project) -> None:
    ran = verify(project, HUB, "--total-order", "--json")

    events = ran.json["result"]["examples"][0]["events"]
    assert [e["seen"]["seq"] for e in events] == sorted(e["seen"]["seq"] for e in events)


def test_exact_makes_measured_values_count(project: Project) -> None:
    ran = verify(project, HUB, "--exact")

    assert ran.code == 1
    assert "estimated_start: differs: '4h', not '30m'" in ran.out
    assert "6 of 7 events" in ran.out


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ("WORKFLOW_QUEUED:a_001:waiting:{}", "not seen"),
        ("WORKFLOW_CREATED:b_001:setup:{}", "nothing was written about 'b_001'"),
        ("WORKFLOW_CREATED:a_001:start:{}", "not seen in the phase 'start', but in 'setup'"),
        ('WORKFLOW_CREATED:a_001:setup:{"priority":"low"}', "priority: differs: 'medium', not 'low'"),
        ('WORKFLOW_CREATED:a_001:setup:{"resources":{"agents":true}}', "resources.agents: differs: 1, not True"),
        ('WORKFLOW_CREATED:a_001:setup:{"mood":"good"}', "mood: differs: 'nothing', not 'good'"),
        ('WORKFLOW_SCHEDULED:a_001:ready:{"estimated_completion":"4h"}', "'unknown', not '4h' (it is no duration"),
        ("WORKFLOW_COMPLETED:a_001:finalization:{}\nWORKFLOW_CREATED:a_001:setup:{}", "seen, but before"),
        ("WORKFLOW_CREATED:a_001:setup:{'a': 1}", "is not strict JSON"),
    ],
)
def test_an_event_that_does_not_come_about_makes_it_fail_with_the_reason(
    project: Project, event: str, why: str
) -> None:
    ran = verify(project, example(create("a_001"), event))

    assert ran.code == 1
    assert why in ran.out
    assert "1 of 1 commands done" in ran.out


def test_where_nothing_is_short_the_expectation_of_a_queue_fails(project: Project) -> None:
    one, two = (create(name, resource_requirements={"agents": 2, "duration": "1h"}) for name in ("a_001", "b_002"))
    expected = 'WORKFLOW_QUEUED:b_002:waiting:{"queue_position":1}'
    three = create("b_002", resource_requirements={"agents": 3, "duration": "1h"})

    assert verify(project, example(f"{one}\n{two}", expected)).code == 1
    assert verify(project, example(f"{one}\n{three}", expected)).code == 0


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("/coordination-hub start-phase a_001 1", "NOT_FOUND: There is no workflow 'a_001'"),
        ("/coordination-hub dance", "BAD_INPUT"),
        ("/workflow-status --store=/tmp", "A document does not choose --store"),
        ("npm test", "neither a slash command nor an event line"),
        ("/plan 'x", "not closed"),
        ('ERROR_ENCOUNTERED:a_001:main:{"error":"x"}', "NOT_FOUND"),
    ],
)
def test_a_line_that_cannot_be_done_fails_and_the_others_are_done(project: Project, line: str, why: str) -> None:
    ran = verify(project, example(f"/workflow-status\n{line}"))

    assert ran.code == 1
    assert why in ran.out
    assert "/workflow-status" in ran.out
    assert ran.out.count(" done\n") >= 1


def test_an_event_in_a_bash_fence_happens_to_the_workflow_but_not_to_one_that_has_ended(project: Project) -> None:
    error = 'RESOURCE_THRESHOLD:a_001:main:{"resource_type":"memory"}'
    lines = [create("a_001"), error, "/workflow-status a_001"]
    ended = [create("a_001"), "/coordination-hub cancel a_001", error]

    assert verify(project, example("\n".join(lines), error)).code == 0
    assert "a_001 is CANCELLED" in verify(project, example("\n".join(ended))).out


def test_an_error_that_happens_fails_the_phase_that_it_names_when_it_has_come_to_it(project: Project) -> None:
    lines = [create("a_001", phases=["one", "two"]), 'ERROR_ENCOUNTERED:a_001:two:{"error":"timeout"}']
    expected = 'PHASE_COMPLETED:a_001:one:{"duration":"30m"}\nPHASE_FAILED:a_001:two:{"failure_reason":"timeout"}'
    nowhere = [create("a_001"), 'ERROR_ENCOUNTERED:a_001:three:{"error":"timeout"}']

    assert verify(project, example("\n".join(lines), expected)).code == 0
    assert "PHASE_NOT_FOUND" in verify(project, example("\n".join(nowhere))).out


@pytest.mark.slow
def test_agents_that_meet_trouble_are_held_before_it_and_try_as_long_as_they_may(project: Project) -> None:
    lines = """\
/orchestrate "Implement regular discounts for everybody"
ERROR_ENCOUNTERED:discounts_001:planning:{"error":"connection_timeout","impact":"critical"}
/orchestrate --resume discounts_001"""
    expected = """\
WORKFLOW_PAUSED:discounts_001:planning:{}
ERROR_ENCOUNTERED:discounts_001:planning:{"error":"connection_timeout"}
WORKFLOW_RESUMED:discounts_001:planning:{}
TASK_FAILED:discounts_001:planning:{"retry_count":1}
WORKFLOW_FAILED:discounts_001:planning:{}
WORKFLOW_RESUMED:discounts_001:planning:{}
WORKFLOW_COMPLETED:discounts_001:finalization:{"success":true}"""

    ran = verify(project, example(lines, expected))

    assert ran.code == 0, ran.out
    assert "named discounts_001" in ran.out


def test_each_example_has_a_store_of_its_own(project: Project) -> None:
    two = example(create("a_001", priority="low"), name="First") + example(create("a_001"), name="Second")

    assert verify(project, two).code == 0
    ran = verify(project, two, "--only", "second", "--json")
    assert [e["name"] for e in ran.json["result"]["examples"]] == ["Second"]
    assert verify(project, two, "--only", "third").code == 2


def test_plans_that_the_document_takes_for_granted_are_prepared_and_listed(project: Project) -> None:
    ran = verify(project, example("/workflow-status\n/implement specs/plans/003_pay_by_card.md --dry-run"))

    assert "prepared: specs/plans/001_earlier_work.md, specs/plans/002_earlier_work.md" in ran.out
    assert "specs/plans/003_pay_by_card.md" in ran.out.partition("prepared")[2].partition("\n")[0]


def test_where_a_document_compares_periods_the_workload_is_run_in_both_of_them(project: Project) -> None:
    measured = '/performance-monitor benchmark \'{"workflow_type": "feature_development"}\''
    doc = example(f"/workflow-status\n{measured}")
    bound = "- there <!-- check: status workload_pre_020 COMPLETED -->\n- fits <!-- check: within-capacity -->\n"

    ran = verify(project, doc + bound)

    assert "prepared: 20 runs of the workload (workload_pre_…)" in ran.out
    assert "2 of 2 checks of the prose hold" in ran.out


def test_a_check_that_does_not_hold_or_is_not_known_makes_it_fail(project: Project) -> None:
    doc = example(create("a_001"))

    assert verify(project, f"{doc}- done <!-- check: status a_001 COMPLETED -->\n").code == 0
    assert "fails: COMPLETED" in verify(project, f"{doc}- open <!-- check: status a_001 QUEUED -->\n").out
    ran = verify(project, f"{doc}- nice <!-- check: beauty -->\n")
    assert (ran.code, "there is no check 'beauty'" in ran.out) == (1, True)


def test_the_reply_for_programs_holds_the_whole_table(project: Project) -> None:
    said = verify(project, HUB, "--json").json

    assert (said["status"], said["command"]) == ("ok", "verify")
    result = said["result"]
    assert result["holds"] is True
    assert result["counts"]["keys"] == {"equal": 11, "measured": 1, "differs": 0}
    first = result["examples"][0]
    assert [(s["line"], s["outcome"]) for s in first["steps"]] == [(5, "done"), (7, "done"), (9, "done")]
    assert all(s["events"] for s in first["steps"][:2])


def test_a_failed_document_is_one_error_for_programs(project: Project) -> None:
    ran = verify(project, example("/coordination-hub dance"), "--json")

    assert (ran.code, ran.json["status"], ran.json["result"]["holds"]) == (1, "error", False)


def test_projects_are_removed_unless_they_are_to_be_kept(project: Project) -> None:
    kept = verify(project, HUB, "--keep", "--json").json["result"]["kept"]

    assert (Path(kept) / "01" / ".stretto" / "state" / "events.db").exists()
    assert verify(project, HUB, "--json").json["result"]["kept"] is None


@pytest.mark.parametrize("text", ["# Only prose\n", "```bash\n/test-all\n"])
def test_a_file_that_is_no_document_is_bad_input(project: Project, text: str) -> None:
    assert verify(project, text).code == 2
    assert project.run("verify", "nowhere.md").code == 2
    assert project.run("verify").code == 2


@pytest.mark.slow
def test_agents_of_a_scenario_work_in_simulated_time_and_leave_real_work(project: Project) -> None:
    lines = '/orchestrate "Give regulars a discount" --workflow-id=discount_001'
    expected = 'WORKFLOW_COMPLETED:discount_001:finalization:{"success":true,"merged":true,"total_duration":"2h50m"}'
    ran = verify(project, example(lines, expected), "--exact", "--keep", "--json")

    assert ran.code == 0, ran.out
    kept = Path(ran.json["result"]["kept"]) / "01"
    assert (kept / "src" / "shop" / "give_regulars_discount_backend.py").is_file()
    assert (kept / "specs" / "plans" / "001_give_regulars_discount.md").read_text().count("[COMPLETED]") == 5
