"""The flowchart shows what will run, and nothing in a label is read as mermaid."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.graph.analyze import analyze
from stretto.graph.mermaid import label, mermaid
from stretto.graph.spec import Limits, PhaseSpec, Spec, TaskSpec
from stretto.graph.template import instantiate, load_template

FEATURE = load_template("feature-development", None)
# Every line that a chart may hold; a label is a quoted text without a quote.
LINE = re.compile(
    r"""flowchart\ TD
    |\s+subgraph\ p\d+\["[^"]*"\] | \s+end
    |\s+p\d+t\d*\["[^"]*"\] | \s+p\d+d\["[^"]*"\]
    |\s+p\d+t\d+\ -->\ p\d+t\d+
    |\s+(p\d+g?|gm)\ -->\ (p\d+|p\d+g\{"[^"]*"\}|gm\{"[^"]*"\}|done\(\["[^"]*"\]\))
    |\s+p\d+d?\ -\.\ "[^"]*"\ \.->\ p\d+d?""",
    re.VERBOSE,
)


def chart(description: str = "Add JWT authentication", *, gates: tuple[str, ...] = (), rounds: int = 2) -> str:
    spec = instantiate(
        FEATURE,
        description,
        analysis=analyze("x"),
        workflow_id="w",
        gates=gates,
        limits=Limits(debug_rounds=rounds),
    )
    return mermaid(spec)


def test_every_phase_and_task_is_a_node_and_the_phases_follow_each_other() -> None:
    text = chart()

    assert [f"p{i} --> p{i + 1}" in text for i in range(4)] == [True] * 4
    assert re.findall(r'subgraph p\d+\["(\w+): \w+"\]', text) == [
        "research",
        "planning",
        "implementation",
        "testing",
        "documentation",
    ]
    assert text.count('["researcher: ') == 3
    assert "tasks of the plan, known after planning" in text


def test_gates_stand_between_what_they_hold_apart() -> None:
    text = chart(gates=("plan", "merge"))

    assert 'p1 --> p1g{"gate: plan"}' in text
    assert "p1g --> p2" in text
    assert "  p1 --> p2" not in text
    assert 'p4 --> gm{"gate: merge"}' in text
    assert "gm --> done" in text
    assert "gate" not in chart()


def test_failed_tests_lead_through_the_debugger_back_to_the_implementation() -> None:
    text = chart(rounds=3)

    assert 'p3 -. "tests fail, at most 3 rounds" .-> p3d' in text
    assert 'p3d -. "tasks that cure it" .-> p2' in text
    assert "debugger" not in chart(rounds=0)


def test_dependencies_between_tasks_are_edges() -> None:
    one = TaskSpec(id="one", title="1", role="implementer", prompt="p")
    two = TaskSpec(id="two", title="2", role="implementer", prompt="p", depends_on=("one",))
    spec = Spec(
        workflow_id="w",
        description="d",
        type="t",
        template="t",
        complexity="low",
        phases=(PhaseSpec(name="build", kind="implement", tasks=(one, two)),),
    )

    assert "p0t0 --> p0t1" in mermaid(spec)


@pytest.mark.parametrize(
    "text", ['a"]; click p0 call alert()', "%%{init: {}}%%", "`**md**`", "end", "<script>", "#quot;"]
)
def test_a_label_is_one_quoted_text(text: str) -> None:
    shown = label(text)

    assert shown.startswith('"')
    assert not set(shown[1:-1]) & set('"<>`%{}[]|')
    assert re.sub(r"#\d+;", "", shown).count("#") == 0


@given(st.text(max_size=200).filter(str.strip))
def test_no_description_adds_a_line_of_another_kind(description: str) -> None:
    lines = chart(description, gates=("plan", "merge")).splitlines()

    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert len(lines) == len(chart(gates=("plan", "merge")).splitlines())
