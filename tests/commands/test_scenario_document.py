"""Integration documents as data: examples, steps, expected events and bound sentences, each with its line."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.commands.scenario_document import parse_document, read_document
from stretto.state.errors import BadInput

SEED: list[dict[str, Any]] = json.loads((Path(__file__).parent.parent / "data" / "seed_lines.json").read_text())

NESTED = """\
# Examples

## Helpers

### Hub

#### Several workflows
```markdown
### Integration Example: Several workflows

**Scenario**: two at once

**Command Sequence**:
```bash
# a comment that is no heading
/coordination-hub create-workflow '{
  "workflow_id": "a_001"
}'

/workflow-status a_001
```

**Flow**:
1. First it is made
2. Then it is shown <!-- check: event WORKFLOW_CREATED a_001 -->

**Event Sequence**:
```
WORKFLOW_CREATED:a_001:setup:{"priority":"medium"}
```

**Expected Results**:
- It is there
<!-- check: status a_001 QUEUED -->
- It is quick
```

#### Another
```markdown
### Real Workflow: Another

**Phase 1: Begin**
```bash
/test-all
ERROR_ENCOUNTERED:a_001:main:{"error":"timeout"}
npm test
```

**Complete Coordination Events**:
```

WORKFLOW_FAILED:a_001:main:{}
WORKFLOW_FAILED:a_001:main:{'a': 1}
```
```
"""


def test_examples_inside_of_markdown_fences_are_found_with_what_stands_in_them() -> None:
    first, second = parse_document(NESTED, "nested")

    assert (first.name, first.line) == ("Integration Example: Several workflows", 9)
    assert [(s.kind, s.line, s.section) for s in first.steps] == [
        ("command", 16, "Command Sequence"),
        ("command", 20, "Command Sequence"),
    ]
    assert first.steps[0].text.endswith("}'")
    assert [(e.event and e.event.type, e.line) for e in first.expected] == [("WORKFLOW_CREATED", 29)]
    assert [(b.text, b.line, b.check) for b in first.bullets] == [
        ("First it is made", 24, ""),
        ("Then it is shown", 25, "event WORKFLOW_CREATED a_001"),
        ("It is there", 33, "status a_001 QUEUED"),
        ("It is quick", 35, ""),
    ]
    assert second.name == "Real Workflow: Another"


def test_an_event_in_a_bash_fence_is_a_step_and_what_is_neither_says_so() -> None:
    second = parse_document(NESTED, "nested")[1]

    assert [(s.kind, s.section) for s in second.steps] == [
        ("command", "Phase 1: Begin"),
        ("event", "Phase 1: Begin"),
        ("other", "Phase 1: Begin"),
    ]
    assert "neither a slash command nor" in second.steps[2].problem


def test_an_event_line_that_cannot_be_read_is_kept_with_the_reason() -> None:
    good, bad = parse_document(NESTED, "nested")[1].expected

    assert (good.event is not None, good.problem) == (True, "")
    assert bad.event is None
    assert "strict JSON" in bad.problem


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "in markdown fences"])
def test_all_lines_of_the_founding_document_come_back_with_their_places(wrapped: bool) -> None:
    parts = ["# Template\n"]
    for line in SEED:
        example = f"### Example {line['number']}\n\n**Sequence**:\n```bash\n# it\n{line['raw']}\n```\n\n- fine\n"
        parts.append(f"```markdown\n{example}```\n\n" if wrapped else example)
    text = "\n".join(parts)

    found = parse_document(text, "seed")

    assert [[s.text for s in e.steps] for e in found] == [[line["raw"]] for line in SEED]
    rows = text.split("\n")
    assert all(rows[e.steps[0].line - 1] == e.steps[0].text.split("\n")[0] for e in found)
    assert all(rows[b.line - 1] == "- fine" for e in found for b in e.bullets)


def test_fences_of_other_lengths_and_marks_are_followed_too() -> None:
    text = "````markdown\n## One\n```\nA:b:c:{}\n```\n~~~bash\n/test-all\n```\n~~~\n````\n"
    (one,) = parse_document(text, "x")

    assert [e.text for e in one.expected] == ["A:b:c:{}"]
    assert [(s.kind, s.text) for s in one.steps] == [("command", "/test-all"), ("other", "```")]


def test_what_stands_above_the_first_heading_is_an_example_too() -> None:
    (one,) = parse_document("```bash\n/test-all\n```\n\n```json\n{}\n```\n", "notes")

    assert (one.name, len(one.steps), one.expected) == ("notes", 1, ())


def test_an_open_quote_is_a_step_that_cannot_be_done_at_its_line() -> None:
    (one,) = parse_document("### One\n```bash\n/test-all\n/plan 'x\n```\n", "x")

    assert [(s.kind, s.text, s.line) for s in one.steps] == [("command", "/test-all", 3), ("other", "/plan 'x", 4)]
    assert "not closed" in one.steps[1].problem


@given(st.lists(st.sampled_from([*NESTED.split("\n"), "```", "~~~", "````md", "/plan 'x", "\0"]), max_size=40))
def test_any_lines_are_read_or_refused_and_each_step_stands_where_it_says(lines: list[str]) -> None:
    try:
        found = parse_document("\n".join(lines), "x")
    except BadInput:
        found = ()

    places = [(one.line, one.text) for example in found for one in example.steps]
    places += [(one.line, one.text) for example in found for one in example.expected]
    for line, text in places:
        assert lines[line - 1].strip().startswith(text.split("\n")[0].strip()[:20])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"# Only prose\n", "holds no example"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"### One\n```bash\n/test-all\n", "never closed"),
    ],
)
def test_what_is_no_document_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "x.md").write_bytes(content)

    with pytest.raises(BadInput, match=why):
        read_document(tmp_path / "x.md")


def test_a_document_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_document(tmp_path / "x.md")
