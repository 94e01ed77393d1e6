"""What Claude Code prints, line by line: recorded from version 2.1.330, and shortened to what is read."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.agents.claude_stream import ApiError, Stream
from stretto.agents.runner import silent
from stretto.agents.task import Usage

SESSION = """\
{"type":"system","subtype":"ui_invalidate","event":"ui.render"}
{"type":"system","subtype":"init","tools":["Bash","Edit"],"model":"claude-opus-5-5","permissionMode":"dontAsk"}
{"type":"stream_event","event":{"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":100,\
"cache_creation_input_tokens":5,"cache_read_input_tokens":200,"output_tokens":1,"service_tier":"standard"}}}}
{"type":"assistant","message":{"id":"msg_1","content":[{"type":"thinking","thinking":"hm"}],"usage":{"input_tokens":100,\
"cache_creation_input_tokens":5,"cache_read_input_tokens":200,"output_tokens":1}}}
{"type":"assistant","message":{"id":"msg_1","content":[{"type":"text","text":"I look."}],"usage":{"input_tokens":100,\
"cache_creation_input_tokens":5,"cache_read_input_tokens":200,"output_tokens":1}}}
{"type":"assistant","message":{"id":"msg_1","content":[{"type":"tool_use","id":"t1","name":"Bash","input":\
{"command":"ls"}}],"usage":{"input_tokens":100,"output_tokens":1}}}
{"type":"stream_event","event":{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":30}}}
{"type":"stream_event","event":{"type":"message_stop"}}
{"type":"user","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","is_error":true,"content":\
[{"type":"text","text":"ls: not here"}]}]}}
{"type":"system","subtype":"api_retry","attempt":1,"max_retries":15,"retry_delay_ms":585,"error_status":529,\
"error":"overloaded"}
{"type":"stream_event","event":{"type":"message_start","message":{"id":"msg_2","usage":{"input_tokens":400,\
"output_tokens":1}}}}
{"type":"assistant","message":{"id":"msg_2","content":[{"type":"tool_use","id":"t2","name":"StructuredOutput","input":\
{"status":"completed","summary":"done"}}]}}
{"type":"user","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"t2","content":"provided"}]}}
{"type":"stream_event","event":{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":12}}}
{"type":"result","subtype":"success","is_error":false,"total_cost_usd":0.0125,"structured_output":\
{"status":"completed","summary":"done"},"result":"{}"}
"""
WALL = """\
{"type":"assistant","message":{"id":"x","model":"<synthetic>","usage":{"input_tokens":0,"output_tokens":0},"content":\
[{"type":"text","text":"API Error: 529 Overloaded."}]},"error":"server_error","is_api_error_message":true,\
"api_error_status":529}
"""


def read(text: str) -> tuple[Stream, list[tuple[str, Mapping[str, Any]]]]:
    noted: list[tuple[str, Mapping[str, Any]]] = []
    stream = Stream(lambda kind, facts: noted.append((kind, facts)))
    for line in text.splitlines():
        stream.take(line)
    return stream, noted


def test_a_session_is_told_turn_by_turn() -> None:
    _, noted = read(SESSION)

    assert noted == [
        ("text", {"turn": 1, "text": "I look."}),
        ("turn", {"turn": 1, "tools": ["Bash"]}),
        ("usage", {"turn": 1, "input_tokens": 305, "output_tokens": 30}),
        ("tool", {"turn": 1, "name": "Bash", "ok": False, "about": "ls", "error": "ls: not here"}),
        ("wait", {"attempt": 1, "seconds": 0.585, "error": "overloaded 529"}),
        ("tool", {"turn": 2, "name": "StructuredOutput", "ok": True, "about": "completed"}),
        ("turn", {"turn": 2, "tools": ["StructuredOutput"]}),
        ("usage", {"turn": 2, "input_tokens": 400, "output_tokens": 12}),
    ]


def test_a_message_that_spans_several_lines_is_counted_once() -> None:
    stream, _ = read(SESSION)

    assert stream.usage == Usage(input_tokens=705, output_tokens=42, cost_usd=0.0125)
    assert stream.result is not None
    assert stream.result["structured_output"] == {"status": "completed", "summary": "done"}


def test_what_it_cost_is_unknown_until_the_client_says_so() -> None:
    stream, _ = read(SESSION[: SESSION.index('{"type":"result"')])

    assert stream.began
    assert stream.result is None
    assert stream.usage == Usage(input_tokens=705, output_tokens=42, cost_usd=None)


def test_an_error_of_the_api_is_not_what_the_agent_said() -> None:
    stream, noted = read(WALL)

    assert stream.error == ApiError("server_error", 529, "API Error: 529 Overloaded.")
    assert noted == []


def test_an_error_that_has_passed_is_none() -> None:
    assert read(WALL + SESSION)[0].error is None


@pytest.mark.parametrize(("tried", "refused"), [(1, False), (2, True)])
def test_a_login_that_is_refused_twice_is_refused(tried: int, refused: bool) -> None:
    retry = {"type": "system", "subtype": "api_retry", "error": "authentication_failed", "error_status": 401}

    assert read(json.dumps({**retry, "attempt": tried, "retry_delay_ms": 500}))[0].refused is refused


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "text", "type"]), inner),
)
KEYS = ("message", "event", "usage", "content", "attempt", "retry_delay_ms", "error", "total_cost_usd")


@given(
    st.lists(
        st.fixed_dictionaries(
            {"type": st.sampled_from(["system", "stream_event", "assistant", "user", "result", "new"])},
            optional={**dict.fromkeys(KEYS, ANY), "subtype": st.sampled_from(["init", "api_retry"])},
        ).map(json.dumps)
        | st.text(max_size=20)
        | st.just("[" * 100_000),
        max_size=4,
    )
)
def test_no_line_can_break_it(lines: list[str]) -> None:
    stream = Stream(silent)
    for line in lines:
        stream.take(line)
    assert stream.usage.output_tokens is not None


@pytest.mark.parametrize("shape", ["message_start", "message_delta"])
@given(ANY, ANY, ANY)
def test_no_event_of_a_message_can_break_it(shape: str, identity: Any, usage: Any, content: Any) -> None:
    stream = Stream(silent)
    message = {"id": identity, "usage": usage, "content": content}
    stream.take(json.dumps({"type": "stream_event", "event": {"type": shape, "message": message, "usage": usage}}))
    for kind in ("assistant", "user"):
        stream.take(json.dumps({"type": kind, "message": {**message, "content": [content, {"type": "tool_use"}]}}))
        stream.take(json.dumps({"type": kind, "message": {"content": [{"type": "tool_result", "content": content}]}}))
    assert stream.output_tokens >= 0
