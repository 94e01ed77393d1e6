"""What is taken from LangGraph's configs."""

from collections import ChainMap
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointMetadata, get_checkpoint_metadata

from stretto.state.configs import address, config_of, described
from stretto.state.documents import Place

NAMES = st.sampled_from(["thread_id", "run_id", "source", "step", "user", "__hidden", "checkpoint_id", "a\0b"])
VALUES = st.one_of(st.text(max_size=3), st.integers(), st.booleans(), st.floats(allow_nan=False), st.none())
DICTS = st.dictionaries(NAMES, VALUES, max_size=4)


@given(st.lists(DICTS, max_size=3), DICTS, st.integers())
def test_metadata_are_those_that_langgraph_takes_whatever_chain_they_come_in(
    chain: list[dict[str, Any]], configurable: dict[str, Any], step: int
) -> None:
    metadata: CheckpointMetadata = {"source": "loop", "step": step, "parents": {}}
    tagged: Mapping[str, Any] = ChainMap(*chain)
    config: Any = {"metadata": tagged, "configurable": configurable, "tags": ["x"]}

    assert list(described(config, metadata).items()) == list(get_checkpoint_metadata(config, metadata).items())


def test_a_config_without_metadata_describes_nothing_more() -> None:
    assert described({}, {"source": "input"}) == {"source": "input"}


def test_the_config_of_a_place_names_that_place() -> None:
    place = Place("thread", "namespace", "checkpoint")

    assert Place(*map(str, address(config_of(place)))) == place


def test_a_config_without_a_thread_has_no_address() -> None:
    config: RunnableConfig = {"configurable": {}}

    with pytest.raises(KeyError, match="thread_id"):
        address(config)
