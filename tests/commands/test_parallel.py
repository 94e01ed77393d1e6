"""--parallel: who does a plan, said beforehand and afterwards, and really so."""

import json
import re

import pytest

from stretto.state.wire import Event
from tests.commands.door import Project

PLAN = """# Arithmetic Implementation Plan

## Overview
Two operations and their sum.

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
FILES = {
    "src/calc/mul.py": "def mul(a, b):\n    return a * b\n",
    "src/calc/sub.py": "def sub(a, b):\n    return a - b\n",
    "tests/test_ops.py": "from calc.mul import mul\n\n\ndef test_mul():\n    assert mul(2, 3) == 6\n",
}


@pytest.fixture
def planned(project: Project) -> Project:
    project.commit({"specs/plans/001_arithmetic.md": PLAN})
    return project


def chosen(project: Project) -> Event:
    (event,) = [e for e in project.events() if e.type == "PARALLELISM_CHOSEN"]
    return event


def test_solo_is_one_attempt_that_has_the_whole_plan_in_its_brief_and_ticks_all_of_it(planned: Project) -> None:
    planned.agent({"solo": {"files": FILES}})

    ran = planned.work("implement", "--parallel=solo")

    assert ran.code == 0, ran.err
    (brief,) = planned.briefs()
    assert [brief["prompt"].count(f"## {name}: ") for name in ("T1", "T2", "T3")] == [1, 1, 1]
    assert brief["prompt"].count("Two operations and their sum.") == 1  # what they share is said once
    assert brief["writes"] == list(FILES)
    assert brief["budget"] == {"seconds": 5400, "turns": None, "output_tokens": None, "usd": None, "tasks": 3}
    plan = (planned.root / "specs/plans/001_arithmetic.md").read_text("utf-8")
    assert plan.count("- [x]") == 3
    assert plan.count("[COMPLETED]") == 2
    assert "feat: implement Phases 1 to 2 - Operations, Tests" in planned.git("log", "--format=%s")
    assert chosen(planned).data["mode"] == "solo"
    assert "who        solo: one agent does it in one conversation, as was asked for." in ran.out


def test_serial_begins_an_attempt_when_the_one_before_has_landed(planned: Project) -> None:
    ran = planned.work("implement", "--parallel=serial")

    assert ran.code == 0, ran.err
    story = [
        (e.type, e.data["task_id"])
        for e in planned.events()
        if e.type in ("TASK_STARTED", "TASK_COMPLETED") and e.phase == "implementation"
    ]
    assert [kind for kind, _ in story] == ["TASK_STARTED", "TASK_COMPLETED"] * 3
    assert all(a[1] == b[1] for a, b in zip(story[::2], story[1::2], strict=True))
    (begun,) = [e for e in planned.events() if e.type == "IMPLEMENTATION_STARTED"]
    assert begun.data["parallel_tracks"] == 1


def test_auto_says_in_the_dry_run_what_it_then_does_and_why_with_figures(planned: Project) -> None:
    dry = planned.run("implement", "--parallel=auto", "--dry-run", "--json")
    ran = planned.work("implement", "--parallel=auto", "--json")

    assert ran.code == 0, ran.err
    (foreseen,) = dry.json["result"]["advice"]
    (told,) = ran.json["result"]["parallel"]
    assert told["mode"] == foreseen["mode"] == chosen(planned).data["mode"]
    assert told["why"] == chosen(planned).data["why"]
    assert re.search(r"The plan has 3 tasks, 2 of them at once, longest chain 2, 0 pairs", told["why"])
    assert re.search(r"solo \d+k tokens, .*; serial \d+k tokens, .*; parallel \d+k tokens", told["why"])
    assert "published defaults" in told["why"]
    assert set(told["expected"]) == {"solo", "serial", "parallel"}


def test_a_plan_that_is_not_written_yet_is_advised_on_by_assumption_and_says_so(project: Project) -> None:
    dry = project.run("orchestrate", "Add multiplication", "--parallel=auto", "--dry-run")

    assert dry.code == 0, dry.err
    assert "As the tasks are not planned yet, it is decided when they are." in dry.out


def test_without_the_flag_nothing_is_advised_and_no_event_is_written(planned: Project) -> None:
    dry = planned.run("implement", "--dry-run")
    planned.work("implement")

    assert "Who does it" not in dry.out
    assert not [e for e in planned.events() if e.type == "PARALLELISM_CHOSEN"]


@pytest.mark.parametrize(
    ("args", "field", "allowed"),
    [
        (("implement", "--parallel=swarm"), "--parallel", ["auto", "solo", "serial", "parallel"]),
        (("implement", "--orchestrated", "--parallel=solo"), "--parallel", ["auto", "serial", "parallel"]),
        (("orchestrate", "Compare caches", "--template=research", "--parallel=auto"), "--parallel", []),
        (("plan", "Caches", "--parallel=auto"), "--parallel", None),
    ],
)
def test_what_cannot_be_shared_out_so_is_refused_and_nothing_is_written(
    planned: Project, args: tuple[str, ...], field: str, allowed: list[str] | None
) -> None:
    before = planned.everything()

    ran = planned.work(*args, "--json")

    assert ran.code == 2
    details = json.loads(ran.out)["error"]["details"]
    assert details["field"] == field
    assert allowed is None or details.get("allowed", []) == allowed
    assert planned.everything() == before
