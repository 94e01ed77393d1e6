"""Slots: never more at once than there are, and the longest tail goes first."""

import asyncio
import itertools

import pytest

from stretto.graph.slots import Slots


def test_no_more_tasks_run_at_once_than_there_are_slots() -> None:
    running = most = 0

    async def task(slots: Slots) -> None:
        nonlocal running, most
        async with slots.slot(1.0):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    async def run() -> None:
        slots = Slots(3)
        await asyncio.gather(*(task(slots) for _ in range(20)))

    asyncio.run(run())

    assert most == 3


def test_a_free_slot_goes_to_the_waiting_task_with_the_longest_tail() -> None:
    order: list[float] = []

    async def task(slots: Slots, tail: float) -> None:
        async with slots.slot(tail):
            order.append(tail)
            await asyncio.sleep(0)

    async def run() -> None:
        slots = Slots(1)
        await asyncio.gather(*(task(slots, tail) for tail in (5.0, 1.0, 3.0, 9.0, 3.0)))

    asyncio.run(run())

    assert order == [9.0, 5.0, 3.0, 3.0, 1.0]


def test_a_waiting_task_that_is_cancelled_passes_its_place_on() -> None:
    async def run() -> bool:
        slots = Slots(1)
        async with slots.slot(1.0):
            waiting = asyncio.ensure_future(_enter(slots, 9.0))
            other = asyncio.ensure_future(_enter(slots, 1.0))
            await asyncio.sleep(0)
            waiting.cancel()
        return await asyncio.wait_for(other, 1)

    async def _enter(slots: Slots, tail: float) -> bool:
        async with slots.slot(tail):
            return True

    assert asyncio.run(run())


def test_a_task_cancelled_at_any_step_on_its_way_leaves_no_place_taken() -> None:
    async def run() -> bool:
        slots = Slots(1)
        for _ in range(100):  # wherever in its way to the place the task is cut off
            entering = asyncio.ensure_future(_hold(slots))
            for _ in range(next(steps)):
                await asyncio.sleep(0)
            entering.cancel()
            await asyncio.gather(entering, return_exceptions=True)
        async with asyncio.timeout(1), slots.slot(1.0):
            return True

    steps = itertools.cycle(range(40))

    async def _hold(slots: Slots) -> None:
        async with slots.slot(1.0):
            await asyncio.sleep(60)

    assert asyncio.run(run())


def test_no_slots_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Slots(0)
