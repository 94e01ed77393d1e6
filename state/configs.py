"""What LangGraph's configs say of a checkpoint: its address, and what describes it."""

from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointMetadata, get_checkpoint_metadata

from stretto.state.documents import Place


def address(config: RunnableConfig) -> tuple[str, str, str | None]:
    """Thread, namespace and, if given, the checkpoint. KeyError without a thread."""
    asked = config.get("configurable", {})
    return str(asked["thread_id"]), asked.get("checkpoint_ns", ""), asked.get("checkpoint_id")


def config_of(place: Place) -> RunnableConfig:
    """The config that names a checkpoint."""
    return {"configurable": {"thread_id": place.thread, "checkpoint_ns": place.namespace, "checkpoint_id": place.id}}


def described(config: RunnableConfig, metadata: CheckpointMetadata) -> dict[str, Any]:
    """The metadata of a checkpoint, with those of the run that makes it, as LangGraph puts them together.

    LangGraph hands the run's over as a chain of dicts, which takes longer to go through than the rest: it gets one.
    """
    given: Mapping[str, Any] = config.get("metadata", {})
    if isinstance(given, ChainMap):
        chain: list[Mapping[str, Any]] = [*given.maps]
        given = {name: value for each in reversed(chain) for name, value in each.items()}
    flat: RunnableConfig = {"metadata": dict(given), "configurable": config.get("configurable", {})}
    return {**get_checkpoint_metadata(flat, metadata)}
