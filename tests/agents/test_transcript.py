import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.agents import transcript

ORDER = "w_001/implementation/T1#1"
BRIEF = f"Work order {ORDER}\n\nYour workspace is /x\n"


def user(content: object) -> dict[str, Any]:
    return {"type": "user", "message": {"role": "user", "content": content}, "isSidechain": True, "uuid": "u"}


def said(name: str, *blocks: object, usage: object = None, **more: Any) -> dict[str, Any]:
    """One row of a reply; a reply of several blocks is several rows with the same id and the same usage."""
    message = {"id": name, "role": "assistant", "model": "m", "content": list(blocks), **more}
    return {"type": "assistant", "message": {**message, **({"usage": usage} if usage is not None else {})}}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def tool(name: str, **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": "t", "name": name, "input": given}


USED = {"input_tokens": 3, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 100, "output_tokens": 7}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "agent-a1.jsonl"


def write(place: Path, *rows: object) -> Path:
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    place.write_bytes(b"\n".join(lines) + b"\n")
    return place


def test_an_agents_order_is_the_line_of_its_first_prompt(place: Path) -> None:
    assert transcript.order_of(write(place, {"type": "attachment"}, user(BRIEF))) == ORDER
    assert transcript.order_of(write(place, user([text("<system>"), text(BRIEF)]))) == ORDER
    assert transcript.order_of(write(place, user(f"Hello\nWork order {ORDER}\nthanks"))) == ORDER


@pytest.mark.parametrize(
    "first",
    [
        "",
        "Fix it",
        f"about Work order {ORDER}",
        "Work order x",
        "Work order ",
        f"Work order {ORDER} please",
        None,
        5,
        {},
        [5],
    ],
)
def test_who_was_given_no_brief_has_no_order(place: Path, first: object) -> None:
    assert transcript.order_of(write(place, user(first), user(BRIEF))) == ""


def test_a_transcript_that_is_not_there_tells_nothing(tmp_path: Path) -> None:
    for path in (tmp_path / "gone", tmp_path):
        assert transcript.order_of(path) is None
        assert transcript.read(path) == (None, None, [], "")


def test_the_usage_of_a_reply_counts_once_however_many_rows_it_has(place: Path) -> None:
    rows = [
        user(BRIEF),
        said("m1", {"type": "thinking", "thinking": "hm"}, usage=USED),
        said("m1", text("I look"), usage=USED),
        said("m1", tool("Read", file_path="/x/a.py"), usage=USED),
        user([{"type": "tool_result", "tool_use_id": "t", "content": "…"}]),
        said("m2", text("done"), usage={"input_tokens": 1, "output_tokens": 2}),
    ]

    seen = transcript.read(write(place, *rows))

    assert (seen.input_tokens, seen.output_tokens) == (3 + 20 + 100 + 1, 7 + 2)
    assert seen.last == "done"
    assert seen.lines == [
        ("text", {"text": "I look"}),
        ("tool", {"name": "Read", "args": '{"file_path": "/x/a.py"}'}),
        ("text", {"text": "done"}),
    ]


def test_what_a_reply_used_is_what_its_last_row_says(place: Path) -> None:
    rows = [said("m1", text("a"), usage={**USED, "output_tokens": 1}), said("m1", text("b"), usage=USED)]

    assert transcript.read(write(place, *rows)).output_tokens == 7


@pytest.mark.parametrize(
    "wrong", [None, {}, [], "many", {"input_tokens": "3"}, {"input_tokens": -1}, {"input_tokens": True}]
)
def test_a_reply_that_does_not_say_what_it_used_makes_the_sum_unknown(place: Path, wrong: object) -> None:
    seen = transcript.read(write(place, said("m1", text("a"), usage=USED), said("m2", text("b"), usage=wrong)))

    assert (seen.input_tokens, seen.output_tokens) == (None, None)


def test_one_kind_of_tokens_may_be_known_without_the_other(place: Path) -> None:
    seen = transcript.read(write(place, said("m1", text("a"), usage={"output_tokens": 5})))

    assert (seen.input_tokens, seen.output_tokens) == (None, 5)


def test_rows_that_nobody_understands_are_passed_over(place: Path) -> None:
    garbage: list[object] = [b"", b"\xff\xfe", b"nonsense", b"[" * 100_000, b"1" * 5000, 5, None, [], {"type": "queue"}]
    halves = [{"type": "assistant"}, {"type": "assistant", "message": 5}, {"type": ["assistant"]}, b'{"type": "assist']
    rows = [*garbage, user(BRIEF), *garbage, said("m1", 5, None, {"type": "text", "text": 7}, text("ok"), usage=USED)]

    seen = transcript.read(write(place, *rows))
    broken = transcript.read(write(place, *rows, *halves))

    assert transcript.order_of(place) == ORDER
    assert (seen.input_tokens, seen.output_tokens, seen.last) == (123, 7, "ok")
    assert broken.last == "ok"
    assert broken.input_tokens is None  # a reply was there that said nothing of it


def test_the_last_words_are_those_of_the_last_row_that_has_any(place: Path) -> None:
    rows = [said("m1", text("one"), text("two"), usage=USED), said("m2", tool("Write"), usage=USED)]

    assert transcript.read(write(place, *rows)).last == "one\ntwo"


def test_long_things_are_cut_for_the_log_and_not_for_the_report(place: Path) -> None:
    seen = transcript.read(write(place, said("m1", text("x" * 9000), tool("Write", content="y" * 9000), usage=USED)))

    assert [len(str(facts.get("text") or facts.get("args"))) for _, facts in seen.lines] == [2000, 2000]
    assert len(seen.last) == 9000


NAMES = st.sampled_from(
    ["type", "message", "content", "usage", "id", "text", "input", "name", "input_tokens", "output_tokens"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(), inner, max_size=4),
    max_leaves=12,
)
ROWS = st.fixed_dictionaries({"type": st.sampled_from(["user", "assistant"]), "message": JSON})


@given(st.lists(ROWS | JSON, max_size=6))
def test_no_transcript_is_too_strange(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    place = write(tmp_path_factory.getbasetemp() / "strange.jsonl", *rows)

    seen = transcript.read(place)

    transcript.order_of(place)
    json.dumps(seen.lines)
    assert seen.input_tokens is None or seen.input_tokens >= 0
