"""Encoder: the bytes are LangGraph's own, also where they are known from before."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from stretto.state.encoding import Encoder

SERDE = JsonPlusSerializer(allowed_msgpack_modules=None)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
IDS = st.sampled_from([None, "", "1", "2", "3"])
MESSAGES: st.SearchStrategy[AnyMessage] = st.one_of(
    st.builds(HumanMessage, st.text(), id=IDS, additional_kwargs=st.dictionaries(st.text(), PLAIN, max_size=2)),
    st.builds(AIMessage, st.text(), id=IDS, response_metadata=st.dictionaries(st.text(), PLAIN, max_size=2)),
    st.builds(AIMessageChunk, st.text(), id=IDS),
    st.builds(SystemMessage, st.text(), id=IDS, mine=PLAIN),
    st.builds(ToolMessage, st.text(), id=IDS, tool_call_id=st.text(), artifact=PLAIN),
)


def encoder() -> Encoder:
    return Encoder({AIMessage, HumanMessage, SystemMessage, ToolMessage}, JsonPlusSerializer)


@given(st.lists(st.lists(MESSAGES, max_size=20), max_size=4))
def test_whatever_was_encoded_before_the_bytes_are_those_of_langgraph(lists: list[list[AnyMessage]]) -> None:
    known = encoder()

    assert [known.encode(SERDE, each) for each in lists] == [SERDE.dumps_typed(each) for each in lists]


@given(st.sampled_from([15, 16, 17, 65_535, 65_536]))
def test_a_list_of_any_length_is_headed_as_messagepack_does(count: int) -> None:
    messages = [HumanMessage("same", id="1")] * count

    assert encoder().encode(SERDE, messages) == SERDE.dumps_typed(messages)


def test_a_message_that_is_changed_in_place_is_encoded_anew() -> None:
    known = encoder()
    messages: list[Any] = [AIMessage("text", id=str(number)) for number in range(5)]
    known.encode(SERDE, messages)

    messages[2].content = "other"
    messages[3].additional_kwargs["deep"] = {"list": [1]}
    known.encode(SERDE, messages)
    messages[3].additional_kwargs["deep"]["list"][0] = True

    assert known.encode(SERDE, messages) == SERDE.dumps_typed(messages)


@given(st.lists(MESSAGES | PLAIN, max_size=6))
def test_a_list_of_other_things_too_is_encoded_by_langgraph(mixed: list[object]) -> None:
    assert encoder().encode(SERDE, mixed) == SERDE.dumps_typed(mixed)


def test_a_field_that_is_equal_to_what_it_was_and_no_text_is_encoded_as_what_it_is() -> None:
    known, messages = encoder(), [HumanMessage("yes", id=str(number)) for number in range(4)]
    known.encode(SERDE, messages)
    for value in (1, True, 1.0, [], [0], [False]):
        messages[0].additional_kwargs["sure"] = value
        assert known.encode(SERDE, messages) == SERDE.dumps_typed(messages)
