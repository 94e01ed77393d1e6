"""How events are delivered and how often state is kept, as chosen through the hub."""

import math
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from stretto.graph import intervals
from stretto.state.log import Log
from stretto.state.subscription import Subscription
from stretto.state.wire import Event
from tests.commands.door import Project
from tests.commands.test_coordination_hub import hub, told, types


def gathered(store: Path, pauses: list[float]) -> tuple[list[int], list[float]]:
    """The sizes of the batches in which a subscriber gets an event after each pause; how long their first waited."""
    sizes: list[int] = []
    waits: list[float] = []
    with Subscription.open(store, "mine") as mine, Log.open(store, durability="process") as log:
        wrote: list[float] = []

        def write() -> None:
            for pause in pauses:
                time.sleep(pause)
                with log.write() as tx:
                    tx.event("PHASE_PROGRESS", "shop_001", "build", {"progress_percentage": 1})
                    wrote.append(time.monotonic())  # before the commit: the event may be handed over right after it

        thread = threading.Thread(target=write)
        thread.start()

        def take(batch: Sequence[Event]) -> None:
            waits.append(time.monotonic() - wrote[sum(sizes)])
            sizes.append(len(batch))
            if sum(sizes) == len(pauses):
                mine.stop()

        mine.deliver(take)
        thread.join()
    return sizes, waits


def test_where_nobody_has_chosen_how_events_are_gathered_the_log_tells_of_no_batch(project: Project) -> None:
    gathered(project.store, [0.0] * 3)

    assert "BATCH_DELIVERED" not in project.types()


def test_events_are_handed_over_in_batches_as_chosen(project: Project) -> None:
    ran = hub(project, "configure-performance", event_batching={"size": 4, "timeout": "60s"})
    assert ran.code == 0, ran.err
    assert told(project, "SETTINGS_CHANGED")["value"] == {"size": 4, "seconds": 60, "adaptive": False}

    assert gathered(project.store, [0.0] * 8)[0] == [4, 4]


def test_a_batch_waits_no_longer_than_chosen(project: Project) -> None:
    hub(project, "configure-performance", event_batching={"size": 20, "timeout": "300ms"})

    sizes, waits = gathered(project.store, [0.0, 0.02, 0.02])

    assert sizes == [3]
    assert waits[0] >= 0.25


def test_an_adaptive_delivery_does_not_wait_after_a_pause(project: Project) -> None:
    hub(
        project,
        "configure-performance",
        event_batching={"size": 20, "timeout": "2s"},
        state_sync={"frequency": "adaptive"},
    )

    sizes, waits = gathered(project.store, [0.1])

    assert sizes == [1]
    assert waits[0] < 1


def test_without_batching_each_event_comes_alone(project: Project) -> None:
    hub(project, "configure-performance", event_batching={"enabled": False})

    assert gathered(project.store, [0.0] * 3)[0] == [1, 1, 1]


def test_the_same_choice_again_changes_nothing(project: Project) -> None:
    body = {"event_batching": {"size": 20, "timeout": "3s"}}
    first = hub(project, "configure-performance", "--json", **body)
    before = project.everything()
    second = hub(project, "configure-performance", "--json", **body)

    assert (first.json["result"]["version"], second.json["result"]["version"]) == (1, 1)
    assert project.everything() == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"event_batching": {"size": 0}}, "event_batching.size"),
        ({"event_batching": {"timeout": "2h"}}, "event_batching.timeout"),
        ({"event_batching": {"sizes": 1}}, "event_batching.sizes"),
        ({"state_sync": {"strategy": "full"}}, "state_sync.strategy"),
        ({"checkpoint_optimization": {"compression": False}}, "checkpoint_optimization.compression"),
        ({"compress": True}, "compress"),
    ],
)
def test_what_cannot_be_chosen_is_refused_by_its_name(project: Project, body: dict[str, object], field: str) -> None:
    ran = hub(project, "configure-performance", "--json", **body)

    assert (ran.code, ran.json["error"]["details"]["field"]) == (2, field)
    assert not project.store.exists()


def test_state_is_kept_when_the_last_checkpoint_is_too_old(project: Project) -> None:
    hub(project, "create", "shop_001", phases=["build", "check"])
    hub(project, "start", "shop_001")
    ran = hub(project, "adaptive-checkpoints", base_frequency="1s", risk_based_adjustment=False)
    assert "every 1s: as chosen" in ran.out

    hub(project, "complete-phase", "shop_001", "build")
    assert types(project).count("CHECKPOINT_CREATED") == 1
    hub(project, "start-phase", "shop_001", "check")
    time.sleep(1.1)
    hub(project, "complete-phase", "shop_001", "check")

    assert told(project, "CHECKPOINT_CREATED")["checkpoint_type"] == "interval"


def test_the_interval_follows_from_what_is_on_record_within_bounds(project: Project) -> None:
    clock = iter([*range(1000, 1010), 5000, 5001, 5002, *range(6000, 7000)]).__next__
    with Log.open(project.store, durability="process", clock=clock) as log:
        with log.write() as tx:
            tx.create_workflow("shop_001", kind="k", description="d", spec={}, runner="coordinated")
            tx.event("CHECKPOINT_CREATED", "shop_001", "build", {"seconds": 2.0})
        assert intervals.interval(log.database, {}).why == "the base, since no failure is on record"
        with log.write() as tx:
            for status in ("SCHEDULED", "RUNNING"):
                tx.set_status("shop_001", status)
        for _ in range(8):
            with log.write() as tx:
                tx.event("PHASE_PROGRESS", "shop_001", "build", {"progress_percentage": 1})
        with log.write() as tx:
            tx.event("PHASE_FAILED", "shop_001", "build", {"failure_reason": "no"}, severity="error")
            tx.set_status("shop_001", "FAILED", {"failure_reason": "no"})
        found = intervals.interval(log.database, {"base": 60.0})

    assert found.between_failures is not None
    assert found.seconds == pytest.approx(math.sqrt(2 * 2.0 * found.between_failures), rel=1e-9)
    assert 15 <= found.seconds <= 240
    assert found.cost == 2.0
