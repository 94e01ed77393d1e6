"""A store under any sequence of what happens to it, held against a model in memory."""

import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from langgraph.checkpoint.base import empty_checkpoint

from stretto.state import lease
from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.errors import Fenced, WorkflowDriven
from stretto.state.log import Log
from stretto.state.rows import Fence
from stretto.state.subscription import Pace, Subscription
from tests.faults.stores import copy
from tests.faults.tally import ALL, Ledger, Tally, times

WORKFLOWS, NAMES, THREADS = ("w1", "w2"), ("a", "b"), ("t1", "t2")
CHILD = """
import os, signal, sys
from pathlib import Path
from stretto.state import lease
from stretto.state.log import Log

store, workflow, name, value, end = sys.argv[1:]
log = Log.open(Path(store), durability="process")
fence = lease.acquire(log, workflow)
with log.write(fence) as tx:
    tx.put_fact(workflow, name, value)
    tx.event("PHASE_PROGRESS", workflow, "p", {"value": value})
print(fence.token, flush=True)
if end == "inside":
    with log.write(fence) as tx:
        tx.put_fact(workflow, name, "never")
        tx.event("PHASE_PROGRESS", workflow, "p", {"value": "never"})
        os.kill(os.getpid(), signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""
TALLIES: list[Tally] = []


class Mishap(Exception):
    """What a transaction ends with."""


class StoreMachine(RuleBasedStateMachine):
    """The model: events in order, facts, checkpoints by thread, what a subscriber got, and tokens of leases."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="machine"))
        self.store = self.folder / "0"
        self.lives = 0
        self.now = 1_790_000_000.0
        self.events: list[tuple[str, str]] = [(w, "WORKFLOW_CREATED") for w in WORKFLOWS]
        self.facts: dict[tuple[str, str], str] = {}
        self.checkpoints: dict[str, list[int]] = {thread: [] for thread in THREADS}
        self.heard: list[int] = []
        self.tokens = dict.fromkeys(WORKFLOWS, 0)
        self.fences: dict[str, Fence] = {}
        self.old: list[Fence] = []
        self.count = 0
        self.open()
        with self.log.write() as tx:
            for workflow in WORKFLOWS:
                tx.create_workflow(workflow, kind="feature", description="d", spec={}, runner="r")
        TALLIES[0].injected += 1

    def open(self) -> None:
        self.log = Log.open(self.store, durability="process", clock=lambda: self.now)
        self.saver = DiskCacheSaver(self.store / "checkpoints", durability="process")

    def close(self) -> None:
        self.saver.close()
        self.log.close()

    def teardown(self) -> None:
        self.close()
        shutil.rmtree(self.folder)
        TALLIES[0].held += 1

    @rule(workflow=st.sampled_from(WORKFLOWS), name=st.sampled_from(NAMES), many=st.integers(1, 3))
    def write(self, workflow: str, name: str, many: int) -> None:
        self.count += 1
        with self.log.write(self.fences.get(workflow)) as tx:
            tx.put_fact(workflow, name, str(self.count))
            for _ in range(many):
                tx.event("PHASE_PROGRESS", workflow, "p", {"value": self.count})
        self.facts[workflow, name] = str(self.count)
        self.events += [(workflow, "PHASE_PROGRESS")] * many

    @rule(workflow=st.sampled_from(WORKFLOWS), name=st.sampled_from(NAMES), size=st.sampled_from([1, 300, 50_000]))
    def write_in_vain(self, workflow: str, name: str, size: int) -> None:
        with suppress(Mishap), self.log.write() as tx:
            tx.put_fact(workflow, name, "x" * size)
            tx.event("PHASE_PROGRESS", workflow, "p", {"text": "x" * size})
            raise Mishap

    @rule(thread=st.sampled_from(THREADS), size=st.sampled_from([1, 400, 20_000]))
    def checkpoint(self, thread: str, size: int) -> None:
        numbers = self.checkpoints[thread]
        at: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
        if numbers:
            at["configurable"]["checkpoint_id"] = f"{numbers[-1]:05d}"
        self.count += 1
        made = empty_checkpoint()
        made["id"], made["channel_values"] = f"{self.count:05d}", {"n": self.count, "text": f"{self.count} " * size}
        made["channel_versions"] = {"n": self.count, "text": self.count}
        at = self.saver.put(at, made, {}, made["channel_versions"])
        self.saver.put_writes(at, [("n", self.count)], "task")
        numbers.append(self.count)

    @rule(thread=st.sampled_from(THREADS))
    def prune(self, thread: str) -> None:
        self.saver.prune([thread])
        self.checkpoints[thread] = self.checkpoints[thread][-1:]

    @rule(seconds=st.sampled_from([3600, -3600, -86_400, 0.0]))
    def jump(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def reopen(self) -> None:
        self.close()
        self.open()

    @rule()
    def crash(self) -> None:
        """What lies on the disk at this moment goes on elsewhere, as after a kill: nothing was closed."""
        self.lives += 1
        left = self.folder / str(self.lives)
        copy(self.store, left)
        self.close()
        self.store = left
        self.open()

    @rule(workflow=st.sampled_from(WORKFLOWS), name=st.sampled_from(NAMES), end=st.sampled_from(["inside", "between"]))
    @precondition(lambda self: not self.fences)
    def another_drives_and_is_killed(self, workflow: str, name: str, end: str) -> None:
        self.count += 1
        argv = [sys.executable, "-c", CHILD, str(self.store), workflow, name, str(self.count), end]
        done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
        assert done.returncode == -signal.SIGKILL
        self.tokens[workflow] += 1
        assert int(done.stdout) == self.tokens[workflow]
        self.facts[workflow, name] = str(self.count)
        self.events.append((workflow, "PHASE_PROGRESS"))

    @rule(workflow=st.sampled_from(WORKFLOWS))
    def take_lease(self, workflow: str) -> None:
        try:
            fence = lease.acquire(self.log, workflow)
        except WorkflowDriven:
            assert workflow in self.fences
        else:
            assert workflow not in self.fences
            self.tokens[workflow] += 1
            assert fence.token == self.tokens[workflow]
            self.fences[workflow] = fence

    @rule(workflow=st.sampled_from(WORKFLOWS))
    def lose_lease(self, workflow: str) -> None:
        if fence := self.fences.pop(workflow, None):
            lease.release(self.log, fence)
            self.old.append(fence)

    @rule()
    @precondition(lambda self: self.old)
    def write_of_a_zombie(self) -> None:
        try:
            with self.log.write(self.old[-1]) as tx:
                tx.event("PHASE_PROGRESS", self.old[-1].workflow_id, "p", {})
        except Fenced:
            return
        raise AssertionError("a late write was taken")

    @rule(stop=st.booleans())
    def consume(self, stop: bool) -> None:
        with Subscription.open(self.store, "keeper", after=0, pace=Pace(4, 0)) as keeper:

            def keep(batch: Any) -> None:
                self.heard.extend(event.seq for event in batch)
                if stop:
                    keeper.stop()

            keeper.catch_up(keep)
        assert self.heard == [*range(1, len(self.heard) + 1)]
        assert stop or len(self.heard) == len(self.events)

    @invariant()
    def the_store_is_as_the_model(self) -> None:
        found = [*self.log.events()]
        assert [e.seq for e in found] == [*range(1, len(self.events) + 1)]
        assert [(e.workflow_id, e.type) for e in found] == self.events
        for workflow in WORKFLOWS:
            facts = {name: value for (w, name), value in self.facts.items() if w == workflow}
            assert self.log.facts(workflow) == facts
            held = self.log.lease(workflow)
            assert (held.token if held else 0) == self.tokens[workflow]
            holder = lease.holder(self.log, workflow)
            assert bool(holder and holder.alive) == (workflow in self.fences)
        for thread, numbers in self.checkpoints.items():
            newest = self.saver.get_tuple({"configurable": {"thread_id": thread}})
            assert bool(newest) == bool(numbers)
            if newest:
                assert newest.checkpoint["channel_values"]["n"] == numbers[-1]
                assert newest.checkpoint["channel_values"]["text"].startswith(f"{numbers[-1]} ")
                assert newest.pending_writes == [("task", "n", numbers[-1])]

    @invariant()
    def every_checkpoint_and_the_chain_are_whole(self) -> None:
        if self.count % 5 == 0:
            assert self.log.verify() == len(self.events)
            for thread, numbers in self.checkpoints.items():
                assert self.saver.verify(thread) == len(numbers)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_store_is_what_its_model_says_whatever_happens_to_it(ledger: Ledger) -> None:
    TALLIES[:] = [
        ledger.tally(
            "random lives of a store: writes, checkpoints, crashes, kills, leases, subscribers, clock jumps",
            "at every step, the store holds what a model in memory holds",
        )
    ]
    found = settings(
        max_examples=times(5, 200),
        stateful_step_count=times(20, 50),
        deadline=None,
        derandomize=not ALL,
        database=None,
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much),
        print_blob=True,
    )
    run_state_machine_as_test(StoreMachine, settings=found)
    TALLIES[0].figure("steps of each", f"up to {times(20, 50)}")
