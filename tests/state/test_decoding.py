"""Decoder: the objects are LangGraph's own, also where they are copies of what was decoded before."""

import gc
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from stretto.state import decoding
from stretto.state.decoding import Decoder

SERDE = JsonPlusSerializer(allowed_msgpack_modules=None)
ATOMS = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(max_size=5) | st.binary()
PLAIN = st.recursive(
    ATOMS | st.datetimes() | st.sets(st.integers(0, 9), max_size=2) | st.builds(HumanMessage, st.text(max_size=3)),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3) | st.integers(-9, 9), inner, max_size=2)
    ),
    max_leaves=4,
)
NAMED = st.dictionaries(st.text(max_size=3), PLAIN, max_size=2)
IDS = st.sampled_from([None, "", "1", "2", "3"])
CONTENT = st.text() | st.lists(st.text(max_size=3) | NAMED, max_size=2)
CALLS = st.lists(
    st.fixed_dictionaries({"name": st.text(), "args": NAMED, "id": IDS, "type": st.just("tool_call")}), max_size=2
)
USED = st.none() | st.just({"input_tokens": 1, "output_tokens": 2, "total_tokens": 3})
MESSAGES: st.SearchStrategy[AnyMessage] = st.one_of(
    st.builds(HumanMessage, CONTENT, id=IDS, additional_kwargs=NAMED),
    st.builds(AIMessage, CONTENT, id=IDS, response_metadata=NAMED, tool_calls=CALLS, usage_metadata=USED),
    st.builds(AIMessageChunk, st.text(), id=IDS),
    st.builds(SystemMessage, st.text(), id=IDS, mine=PLAIN),
    st.builds(ToolMessage, CONTENT, id=IDS, tool_call_id=st.text(), artifact=PLAIN),
)


@pytest.fixture(autouse=True, scope="module")
def short_lists_too() -> Iterator[None]:
    """Look for the messages of every list, that examples may be small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "_SMALL", 0)
        yield


def decoder() -> Decoder:
    return Decoder({AIMessage, HumanMessage, SystemMessage, ToolMessage})


def _kind(value: object) -> Any:
    return type(value)


def told(value: Any) -> Any:
    """All that there is to a value, down to the types and the order of what is in it."""
    if isinstance(value, AIMessage | HumanMessage | SystemMessage | ToolMessage):
        rest = value.__pydantic_extra__, value.__pydantic_private__
        return type(value), told(value.__dict__), value.__pydantic_fields_set__, told(rest)
    kind = _kind(value)
    if kind is dict:
        return dict, [(told(name), told(each)) for name, each in value.items()]
    if kind in (list, tuple):
        return kind, [told(each) for each in value]
    return kind, repr(value)


def spoil(value: Any) -> None:
    """Change all that can be changed, and leave nothing as it was."""
    if isinstance(value, AIMessage | HumanMessage | SystemMessage | ToolMessage):
        spoil(value.__pydantic_extra__)
        spoil(value.__dict__)
        value.__pydantic_fields_set__.clear()
    elif (kind := _kind(value)) in (dict, list, set):
        for each in [*value.values()] if kind is dict else [*value]:
            spoil(each)
        value.clear()


@given(st.lists(st.lists(MESSAGES, max_size=20), max_size=4))
def test_whatever_was_decoded_before_and_done_to_it_the_objects_are_those_of_langgraph(
    lists: list[list[AnyMessage]],
) -> None:
    known = decoder()
    for encoded in [SERDE.dumps_typed(each) for each in lists] * 3:
        found = known.decode(SERDE, encoded)

        assert told(found) == told(SERDE.loads_typed(encoded))
        spoil(found)


@given(st.lists(MESSAGES | PLAIN, max_size=6))
def test_a_list_of_other_things_too_is_decoded_by_langgraph(mixed: list[object]) -> None:
    known, encoded = decoder(), SERDE.dumps_typed(mixed)

    assert [told(known.decode(SERDE, encoded)) for _ in range(2)] == [told(SERDE.loads_typed(encoded))] * 2


@given(st.lists(MESSAGES, min_size=1, max_size=5), st.data())
def test_bytes_that_are_no_list_of_messages_are_refused_as_langgraph_does(
    messages: list[AnyMessage], data: st.DataObject
) -> None:
    known, (kind, whole) = decoder(), SERDE.dumps_typed(messages)
    known.decode(SERDE, (kind, whole))
    at = data.draw(st.integers(0, len(whole)))
    broken = whole[:at] + data.draw(st.binary(max_size=3)) + whole[at + data.draw(st.integers(0, 3)) :]

    assert outcome(known, broken) == outcome(SERDE, broken)


def outcome(by: Decoder | JsonPlusSerializer, data: bytes) -> object:
    try:
        return told(
            by.decode(SERDE, ("msgpack", data)) if isinstance(by, Decoder) else by.loads_typed(("msgpack", data))
        )
    except ValueError as error:
        return type(error)


@given(st.sampled_from([15, 16, 17, 65_535, 65_536]))
def test_a_list_of_any_length_is_read(count: int) -> None:
    messages = [HumanMessage("same", id="1")] * count

    assert len(decoder().decode(SERDE, SERDE.dumps_typed(messages))) == count


def test_a_message_that_another_serializer_decoded_is_decoded_anew() -> None:
    encoded = SERDE.dumps_typed([HumanMessage("text", id=str(number)) for number in range(5)])
    known = decoder()
    known.decode(SERDE, encoded)

    assert known.decode(JsonPlusSerializer(__unpack_ext_hook__=lambda code, data: code), encoded) == [5] * 5


def test_what_is_kept_takes_no_more_memory_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_MOST", 1 << 20)
    known = decoder()
    tracemalloc.start()
    try:
        for size in (10, 1000, 30_000):
            for number in range(40 if size > 1000 else 300):
                known.decode(
                    SERDE, SERDE.dumps_typed([AIMessage("é" * size, id=f"{number}-{each}") for each in range(4)])
                )
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert taken < 2 << 20


def test_a_chat_that_grows_is_read_as_what_it_is_and_belongs_to_who_reads_it() -> None:
    reader = decoder()
    for count in range(3, 40):
        chat = [HumanMessage("word " * 40 + str(number), id=str(number)) for number in range(count)]
        chat[-1].additional_kwargs["turn"] = count  # it ends otherwise, and begins as the one before it
        found = reader.decode(SERDE, SERDE.dumps_typed(chat))
        assert found == chat
        found[0].content, found[1].additional_kwargs["mine"] = "gone", True
        found.pop()
