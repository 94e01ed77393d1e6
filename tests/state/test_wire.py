import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.state.errors import BadInput
from stretto.state.wire import Event, Line, compact, format_event, parse_event

FIELD = st.text("abcXYZ019_.-", min_size=1)
LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(LEAF, lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=8)
DATA = st.dictionaries(st.text(), JSON, max_size=5)


@given(FIELD, FIELD, FIELD, DATA)
def test_an_event_survives_the_wire(event_type: str, workflow: str, phase: str, data: dict[str, Any]) -> None:
    line = format_event(event_type, workflow, phase, data)

    assert parse_event(line) == Line(event_type, workflow, phase, data)
    assert list(parse_event(line).data) == list(data)
    assert len(line.splitlines()) == 1
    assert line.isprintable() or not line.isascii()


def test_data_is_compact_readable_and_in_the_order_given() -> None:
    line = format_event("WORKFLOW_CREATED", "shop_001", "setup", {"z": 1, "a": "é: 日本"})

    assert line == 'WORKFLOW_CREATED:shop_001:setup:{"z":1,"a":"é: 日本"}'


def test_what_would_break_a_line_or_steer_a_terminal_is_escaped() -> None:
    text = "a\nb\u2028c\x9b31md\u202ee\udc80"

    line = compact({"t": text})

    assert line.isascii()
    assert json.loads(line) == {"t": text}


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("WORKFLOW_CREATED:a:setup", "line"),
        ("", "line"),
        ("WORKFLOW CREATED:a:setup:{}", "type"),
        ("T::setup:{}", "workflow_id"),
        ("T:ä:setup:{}", "workflow_id"),
        ("T:a:set\tup:{}", "phase"),
        ("T:a:p:{'progress': 1}", "data"),
        ('T:a:p:{"progress": 19/20}', "data"),
        ('T:a:p:{"a": NaN}', "data"),
        ('T:a:p:{"a": -Infinity}', "data"),
        ('T:a:p:{"a": 1e999}', "data"),
        ('T:a:p:{"a": 1, "a": 2}', "data"),
        ("T:a:p:[1]", "data"),
        ("T:a:p:", "data"),
        ('T:a:p:{"a": ' + "9" * 5000 + "}", "data"),
        ('T:a:p:{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "data"),
        ("T:a:p:{}\nT:a:p:{}", "line"),
    ],
)
def test_a_line_that_is_not_an_event_is_refused_by_the_field_at_fault(line: str, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_event(line)

    assert refused.value.field == field
    assert len(refused.value.message) < 500


@pytest.mark.parametrize("data", [{"a": float("nan")}, {"a": {1, 2}}, {"a": b"x"}, {("a",): 1}])
def test_data_that_json_cannot_hold_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        format_event("T", "a", "p", data)


def test_every_event_line_of_the_seed_form_reads_and_writes_back() -> None:
    lines = [
        'WORKFLOW_CREATED:feature_dev_001:setup:{"priority":"high","resources":{"agents":3}}',
        'RESOURCE_ANALYSIS_REQUESTED:system:coordination:{"total_agents":5,"conflicts":false}',
        'PHASE_COMPLETED:impl_auth_001:backend:{"duration":"45m","tests_passing":true}',
    ]

    assert [format_event(*parse_event(line + "\r\n")) for line in lines] == lines


def test_the_envelope_names_the_protocol_and_marks_an_unknown_type() -> None:
    event = Event(7, "evt_1", "MY_OWN", "a", "p", "2026-01-01T00:00:00.000Z", "stretto", "info", {"k": 1})

    assert event.line() == 'MY_OWN:a:p:{"k":1}'
    assert event.envelope() == {
        "event_id": "evt_1",
        "seq": 7,
        "event_type": "MY_OWN",
        "workflow_id": "a",
        "phase": "p",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "source": "stretto",
        "severity": "info",
        "data": {"k": 1},
        "correlation_id": "",
        "known": False,
        "missing": [],
        "protocol_version": "1.0.0",
    }
