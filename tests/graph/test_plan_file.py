"""Plans as files: nothing is lost, nothing is taken for more than it is, and ticking touches only what it should."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from stretto.graph.plan import Criterion, Plan, PlanPhase, PlanTask, incomplete
from stretto.graph.plan_file import complete_phase, parse, render, tick, tick_criteria
from stretto.state.errors import BadInput

HOSTILE = (
    *("`", "``", "```", "````bash", "~~~", "## Implementation Phases", "### Phase 9: more", "## Notes", "# Title"),
    *("\\## x", "\\\\```", "- [x] done", "- [ ] **T9** open", "  - Writes: `z`", "  - Depends on: T1", "Testing:"),
    *(
        "**Tasks**:",
        "Tasks:",
        "[COMPLETED]",
        "\\[completed 2025]",
        " | a | b |",
        "completed",
        "**T1**",
        ": ",
        "- **Date**: x",
    ),
    *(
        "[a](b)",
        "(",
        ")",
        "]",
        "<b>",
        "é",
        "漢字",
        "\u2028",
        "\u00a0",
        "\t",
        "    ",
        "\n",
        "\n\n",
        "\r\n",
        "\x00",
        "\x1b[31m",
    ),
    *("\ud800", "none", ",", "#", "\\", "*", "==="),
)
texts = st.lists(st.sampled_from([*HOSTILE, "\n", "\n", " ", "a"]) | st.characters(), max_size=8).map("".join)
names = texts.map(lambda t: f"{t}x")
ids = st.sampled_from(["T1", "T2.1", "setup", "none", "0", "task-3", "a_b.c-d", "T1.a", "x" * 64])
paths = texts.map(lambda t: "src/" + re.sub(r"[\\.]|(?i:git)", "_", t))


@st.composite
def plan_tasks(draw: st.DrawFn) -> PlanTask:
    return PlanTask(
        id=draw(ids),
        title=draw(names),
        description=draw(texts),
        reads=tuple(draw(st.lists(paths, max_size=2))),
        writes=tuple(draw(st.lists(paths, max_size=2))),
        depends_on=tuple(draw(st.lists(ids, max_size=2))),
        checks=tuple(draw(st.lists(texts, max_size=2))),
        done=draw(st.booleans()),
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    numbers = sorted(draw(st.sets(st.integers(1, 9999), min_size=1, max_size=3)))
    phases = [
        PlanPhase(
            number=number,
            name=draw(names),
            objective=draw(texts),
            complexity=draw(st.sampled_from(["Low", "Medium", "High", ""])),
            tasks=tuple(draw(st.lists(plan_tasks(), max_size=3))),
            testing=tuple(draw(st.lists(texts, max_size=2))),
            completed=draw(st.booleans()),
        )
        for number in numbers
    ]
    criteria = [Criterion(text=t, done=d) for t, d in draw(st.lists(st.tuples(names, st.booleans()), max_size=2))]
    return Plan(
        title=draw(names),
        date=draw(texts),
        feature=draw(texts),
        scope=draw(texts),
        standards_file=draw(texts),
        research_reports=tuple(draw(st.lists(texts, max_size=2))),
        summary=draw(texts),
        overview=draw(texts),
        success_criteria=tuple(criteria),
        technical_design=draw(texts),
        phases=tuple(phases),
        testing_strategy=draw(texts),
        documentation=draw(texts),
        dependencies=draw(texts),
        notes=draw(texts),
        history=draw(texts),
    )


@settings(max_examples=80, deadline=None)
@given(plans())
def test_a_plan_of_any_texts_is_read_back_as_it_was_written(plan: Plan) -> None:
    assert parse(render(plan)) == plan


@settings(max_examples=15, deadline=None)
@given(plans())
def test_a_plan_survives_a_file_on_disk(tmp_path_factory: pytest.TempPathFactory, plan: Plan) -> None:
    file = tmp_path_factory.mktemp("plans") / "001_x.md"

    file.write_text(render(plan), encoding="utf-8")

    assert parse(file.read_text(encoding="utf-8")) == plan


@settings(max_examples=30, deadline=None)
@given(plans())
def test_ticking_everything_in_the_file_equals_ticking_everything_in_the_plan(plan: Plan) -> None:
    text = tick(render(plan), [t.id for t in plan.tasks])
    for phase in plan.phases:
        text = complete_phase(text, phase.number)
    text = tick_criteria(text, range(len(plan.success_criteria)))

    assert incomplete(parse(text)) is None or len({t.id for t in plan.tasks}) < len(plan.tasks)
    assert parse(text).overview == plan.overview
    assert all(c.done for c in parse(text).success_criteria)


PLAN = Plan(
    title="JWT Authentication",
    date="2025-11-22",
    feature="JWT authentication",
    scope="the notes API",
    standards_file="AGENTS.md",
    research_reports=("../reports/001_tokens.md",),
    overview="Requests carry a signed token.",
    success_criteria=(Criterion(text="All tests pass"), Criterion(text="Expired tokens are refused")),
    phases=(
        PlanPhase(
            number=1,
            name="Tokens",
            objective="Sign and verify tokens",
            complexity="Medium",
            tasks=(
                PlanTask(
                    id="T1",
                    title="Sign tokens",
                    description="HS256 with the standard library.",
                    reads=("src/clock.py",),
                    writes=("src/tokens.py",),
                    checks=("pytest -q tests/test_tokens.py",),
                ),
                PlanTask(id="routes", title="Guard the routes", writes=("src/app.py",), depends_on=("T1",)),
            ),
            testing=("pytest -q",),
        ),
    ),
)

FILE = """\
# JWT Authentication Implementation Plan

## Metadata
- **Date**: 2025-11-22
- **Feature**: JWT authentication
- **Scope**: the notes API
- **Estimated Phases**: 1
- **Standards File**: AGENTS.md
- **Research Reports**:
  - [001_tokens.md](../reports/001_tokens.md)

## Overview

Requests carry a signed token.

## Success Criteria

- [ ] All tests pass
- [ ] Expired tokens are refused

## Implementation Phases

### Phase 1: Tokens

**Objective**: Sign and verify tokens
**Complexity**: Medium

Tasks:
- [ ] **T1** Sign tokens
  - Reads: `src/clock.py`
  - Writes: `src/tokens.py`
  - Checks: `pytest -q tests/test_tokens.py`

  HS256 with the standard library.

- [ ] **`routes`** Guard the routes
  - Writes: `src/app.py`
  - Depends on: T1

Testing:
```bash
pytest -q
```
"""


def test_the_file_looks_as_the_template_says() -> None:
    assert render(PLAN) == FILE


def test_sections_without_content_are_left_out() -> None:
    text = render(Plan(title="x", phases=(PlanPhase(number=1, name="y"),)))

    headings = [line for line in text.split("\n") if line.startswith("#")]
    assert headings == ["# x Implementation Plan", "## Metadata", "## Implementation Phases", "### Phase 1: y"]


HAND_WRITTEN = """\
# Rate limiting

Written by hand after a meeting.

## Metadata
- Date: 2025-01-02
- **Scope:** api
- **Research Reports**: specs/reports/001_a.md, none

## Overview
Limits are completed per key. See:

```markdown
## Implementation Phases
### Phase 7: not a phase
- [ ] not a task
```

## Success Criteria
- [x] Limits hold
  under load
* [ ] Documented

## Risks
- [ ] this is no task either

## Implementation Phases

An introduction.

### Phase 1: Counting [COMPLETED]
**Objective:** Count requests
per key and window
**Complexity**: high (about 2 days)

Tasks:
- [x] Write the counter
- [x] T1.2: Store it
  in Redis
  - **Writes**: src/store.py, `src/redis.py`

Testing:
```bash
# all of it
pytest tests/counting \\
  -q
```

### Phase 2 — Refusing
This phase is completed once everything works. A box looks like this:

```
- [ ] not a task
```

- [ ] **Create** the `429` reply
  with a header
and a body
  - [ ] Retry-After
- [ ] **T2:** Check expiry
  - Depends on: `T2.1`, T1.2
  - Checks: pytest -q, then look
1. [X] Numbered one

**Notes**:
- [ ] not a task

Tests:
- [ ] `pytest tests/refusing` passes
- Run `make test`
- Look at the dashboard `prod`

#### Debugging Notes
- [ ] nor is this

## Notes
Bye.
"""


def test_a_hand_written_plan_is_understood() -> None:
    plan = parse(HAND_WRITTEN)

    assert (plan.title, plan.date, plan.scope) == ("Rate limiting", "2025-01-02", "api")
    assert plan.research_reports == ("specs/reports/001_a.md",)
    assert plan.success_criteria == (Criterion(text="Limits hold under load", done=True), Criterion(text="Documented"))
    assert plan.notes == "Bye."
    one, two = plan.phases
    assert (one.number, one.name, one.completed, one.complexity) == (1, "Counting", True, "High")
    assert one.objective == "Count requests per key and window"
    assert (two.number, two.name, two.completed) == (2, "Refusing", False)


def test_the_tasks_of_a_hand_written_plan_are_its_boxes_and_nothing_else() -> None:
    plan = parse(HAND_WRITTEN)

    assert [(t.id, t.title, t.done) for t in plan.tasks] == [
        ("T1.1", "Write the counter", True),
        ("T1.2", "Store it", True),
        ("T2.1", "**Create** the `429` reply", False),
        ("T2", "Check expiry", False),
        ("T2.2", "Numbered one", True),
    ]


def test_what_hangs_below_a_box_is_read_as_its_fields_and_its_description() -> None:
    tasks = {t.id: t for t in parse(HAND_WRITTEN).tasks}

    assert tasks["T1.2"].description == "in Redis"
    assert tasks["T1.2"].writes == ("src/redis.py",)
    assert tasks["T2.1"].description == "with a header\nand a body\n- [ ] Retry-After"
    assert tasks["T2"].depends_on == ("T2.1", "T1.2")
    assert tasks["T2"].checks == ("pytest -q, then look",)


def test_test_bullets_are_commands_and_never_tasks() -> None:
    one, two = parse(HAND_WRITTEN).phases

    assert one.testing == ("pytest tests/counting -q",)
    assert two.testing == ("pytest tests/refusing", "make test")


def test_the_word_completed_completes_nothing() -> None:
    text = FILE.replace("Sign and verify tokens", "completed ✓ done").replace("1: Tokens", "1: Tokens ✓ COMPLETED")

    assert not parse(text).phases[0].completed
    assert incomplete(parse(text)) == 1


@pytest.mark.parametrize("marker", ["[COMPLETED]", "[COMPLETED 2025-11-22T10:00:00Z]", "[COMPLETED: today]"])
def test_a_marker_at_the_end_of_the_heading_completes_a_phase(marker: str) -> None:
    plan = parse(FILE.replace("1: Tokens", f"1: Tokens {marker}"))

    assert (plan.phases[0].completed, plan.phases[0].name) == (True, "Tokens")


def test_a_marked_phase_with_an_open_box_is_still_open() -> None:
    assert incomplete(parse(complete_phase(FILE, 1))) == 1


def test_a_plan_is_finished_when_every_box_and_every_heading_says_so() -> None:
    assert incomplete(parse(complete_phase(tick(FILE, ["T1", "routes"]), 1))) is None


def test_ticking_changes_one_line() -> None:
    before, after = HAND_WRITTEN.split("\n"), tick(HAND_WRITTEN, ["T2.1"]).split("\n")

    assert [(a, b) for a, b in zip(before, after, strict=True) if a != b] == [
        ("- [ ] **Create** the `429` reply", "- [x] **Create** the `429` reply")
    ]


def test_completing_a_phase_changes_one_line_and_only_once() -> None:
    once = complete_phase(HAND_WRITTEN, 2)

    assert once == HAND_WRITTEN.replace("2 — Refusing", "2 — Refusing [COMPLETED]")
    assert complete_phase(once, 2) == once
    assert complete_phase(HAND_WRITTEN, 1) == HAND_WRITTEN


def test_ticking_criteria_counts_from_zero() -> None:
    assert tick_criteria(HAND_WRITTEN, [1]) == HAND_WRITTEN.replace("* [ ] Documented", "* [x] Documented")
    assert tick_criteria(HAND_WRITTEN, [0]) == HAND_WRITTEN


def test_a_file_with_windows_line_ends_is_read_and_keeps_them() -> None:
    windows = FILE.replace("\n", "\r\n")

    assert parse(windows) == PLAN
    assert complete_phase(tick(windows, ["T1"]), 1) == complete_phase(tick(FILE, ["T1"]), 1).replace("\n", "\r\n")


def test_a_byte_order_mark_does_no_harm() -> None:
    assert parse("\ufeff" + FILE) == PLAN


def test_a_task_that_is_not_there_cannot_be_ticked() -> None:
    with pytest.raises(BadInput, match="no task 'T7'") as error:
        tick(FILE, ["T1", "T7"])

    assert error.value.allowed == ("T1", "routes")
    with pytest.raises(BadInput, match="no phase 3"):
        complete_phase(FILE, 3)
    with pytest.raises(BadInput, match="no success criterion 2"):
        tick_criteria(FILE, [2])


HEAD = "# x\n\n## Implementation Phases\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "no title"),
        ("Some prose\n\n## Implementation Phases\n### Phase 1: x\n", 1, "no title"),
        ("# Notes\n\nNo phases here.\n", 4, "without a section '## Implementation Phases'"),
        (HEAD, 3, "no phase"),
        (f"{HEAD}### Setup\n- [ ] x\n", 3, "no phase"),
        (f"{HEAD}### Phase one: x\n", 4, "no whole number"),
        (f"{HEAD}### Phase 1.5: x\n", 4, "no whole number"),
        (f"{HEAD}### Phase 0: x\n", 4, "numbered from 1"),
        (f"{HEAD}### Phase 2: x\n\n### Phase 2: y\n", 6, "comes after phase 2"),
        (
            f"{HEAD}### Phase 1: x\n- [ ] a\n- [ ] b\n  - Writes: ../etc\n",
            6,
            "'../etc' is not a path inside",
        ),
        (f"{HEAD}### Phase 1: x\n- [ ] a\n  - Depends on: Task 1\n", 5, "'Task 1' is not a task id"),
        (f"{HEAD}### Phase 1: x\n- [ ] **`a b`** c\n", 5, "'a b' is not a task id"),
    ],
)
def test_a_file_that_is_no_plan_is_refused_with_the_line(text: str, line: int, words: str) -> None:
    with pytest.raises(BadInput, match=re.escape(words)) as error:
        parse(text, source="specs/plans/001_x.md")

    assert error.value.message.startswith(f"specs/plans/001_x.md, line {line}: ")
    assert error.value.next_steps


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../x", "a/../../x", "~/x", "C:/x", "a\\b", ".git/config", "sub/.GIT/hooks/pre-commit"]
)
def test_a_task_cannot_name_a_path_outside_the_project(path: str) -> None:
    with pytest.raises(ValidationError, match="not a path inside the project"):
        PlanTask(id="T1", title="x", writes=(path,))


def test_the_phases_of_a_plan_are_numbered_upwards() -> None:
    with pytest.raises(ValidationError, match="not numbered upwards"):
        Plan(title="x", phases=(PlanPhase(number=2, name="a"), PlanPhase(number=1, name="b")))


def test_a_hostile_file_of_a_megabyte_is_read_in_a_moment(tmp_path: Path) -> None:
    lines = ["~~~ never closed", "`" * 50 + " x", "- [ ] a", "[" * 200, "**" * 200, "- **Date**: " + "[a](" * 50]
    ticks = "`a`, " * 100_000 + " ".join("`" * n for n in range(300))
    file = tmp_path / "x.md"
    text = "\n".join((f"{HEAD}### Phase 1: x", *lines * 1499, "- [ ] last", f"  - Reads: {ticks}"))
    file.write_text(text, encoding="utf-8")

    began = time.process_time()
    plan = parse(file.read_text(encoding="utf-8"))

    assert (len(plan.tasks), len(plan.tasks[-1].reads)) == (1500, 100_000)
    assert time.process_time() - began < 5
