"""The official conformance suite, driven through the async methods and through the sync ones."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import ALL_CAPABILITIES
from langgraph.checkpoint.conformance.report import CapabilityReport

from stretto.state.checkpoint import DiskCacheSaver

TESTS = 81
"""In version 0.0.2 of the suite: 58 of base capabilities, 23 of extended ones."""


class ThroughSync(DiskCacheSaver):
    """The suite awaits; here each await ends in the sync method."""

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return self.put(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        self.put_writes(config, writes, task_id, task_path)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return self.get_tuple(config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - the name is LangGraph's
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        for found in self.list(config, filter=filter, before=before, limit=limit):
            yield found

    async def adelete_thread(self, thread_id: str) -> None:
        self.delete_thread(thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        self.delete_for_runs(run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        self.copy_thread(source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        self.prune(thread_ids, strategy=strategy)


def report_of(saver: type[DiskCacheSaver], folder: Path) -> CapabilityReport:
    async def factory() -> AsyncGenerator[BaseCheckpointSaver[Any], None]:
        with saver(folder, durability="process") as opened:
            yield opened

    return asyncio.run(validate(checkpointer_test(name=saver.__name__)(factory)))


@pytest.mark.parametrize("saver", [DiskCacheSaver, ThroughSync])
def test_every_test_of_every_capability_in_the_official_suite_passes(
    saver: type[DiskCacheSaver], tmp_path: Path
) -> None:
    report = report_of(saver, tmp_path)
    failures = {name: result.failures for name, result in report.results.items() if result.failures}
    detected = {name for name, result in report.results.items() if result.detected}
    assert failures == {}
    assert report.passed_all()
    assert detected == {capability.value for capability in ALL_CAPABILITIES}
    assert sum(result.tests_passed for result in report.results.values()) == TESTS
