"""Waiting for a provider: by the clock of the outage, and for nothing else."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from langgraph.errors import GraphBubbleUp

from stretto.agents.retry import OutOfPatience, Patience, classify, patiently
from stretto.state.errors import PermanentError, TransientError


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def patience(self, seconds: float, jitter: float = 1.0) -> Patience:
        return Patience(seconds, clock=lambda: self.now, sleep=self.sleep, jitter=lambda: jitter)


def wall(clock: Clock, until: float, **facts: Any) -> Callable[[], Awaitable[str]]:
    async def call() -> str:
        if clock.now < until:
            raise TransientError("529 overloaded", **facts)
        return "answered"

    return call


def test_a_wall_of_fifteen_minutes_is_survived() -> None:
    clock = Clock()
    assert asyncio.run(patiently(wall(clock, 900), patience=clock.patience(1200))) == "answered"
    assert clock.slept[:4] == [1, 2, 4, 8]
    assert max(clock.slept) == 60


def test_an_outage_longer_than_the_budget_is_given_up_at_its_end() -> None:
    clock = Clock()
    with pytest.raises(OutOfPatience, match="529 overloaded") as caught:
        asyncio.run(patiently(wall(clock, 5000), patience=clock.patience(1200)))
    assert clock.now == 1200
    assert isinstance(caught.value, PermanentError)


def test_retry_after_is_honoured() -> None:
    clock = Clock()
    asyncio.run(patiently(wall(clock, 300, retry_after=300.0), patience=clock.patience(1200, jitter=0)))
    assert clock.slept == [300]


def test_an_advice_longer_than_what_is_left_is_not_waited_for() -> None:
    clock = Clock()
    with pytest.raises(OutOfPatience, match="asks to wait 7200 s"):
        asyncio.run(patiently(wall(clock, 9000, retry_after=7200.0), patience=clock.patience(1200)))
    assert clock.slept == []


@pytest.mark.parametrize("error", [PermanentError("401"), ValueError("bug"), asyncio.CancelledError(), GraphBubbleUp()])
def test_everything_else_passes_straight_through(error: BaseException) -> None:
    clock = Clock()
    tries = 0

    async def call() -> str:
        nonlocal tries
        tries += 1
        raise error

    async def main() -> None:
        with pytest.raises(type(error)) as caught:
            await patiently(call, patience=clock.patience(1200))
        assert caught.value is error

    asyncio.run(main())
    assert (tries, clock.slept) == (1, [])


def test_cancelling_a_wait_ends_it() -> None:
    async def main() -> None:
        patience = Patience(1200, jitter=lambda: 1.0)
        waiting: asyncio.Event = asyncio.Event()

        async def call() -> str:
            raise TransientError("down")

        task = asyncio.create_task(patiently(call, patience=patience, on_wait=lambda _: waiting.set()))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_siblings_share_one_outage() -> None:
    """The second to notice has only what the first left of the budget; together they give up once."""
    clock = Clock()
    patience = clock.patience(100)

    async def main() -> tuple[float, float]:
        with pytest.raises(OutOfPatience):
            await patiently(wall(clock, 9999), patience=patience)
        first = clock.now
        with pytest.raises(OutOfPatience):
            await patiently(wall(clock, 9999), patience=patience)
        return first, clock.now

    assert asyncio.run(main()) == (100, 100)


def test_any_siblings_success_renews_the_budget() -> None:
    clock = Clock()
    patience = clock.patience(100, jitter=0.5)
    tries = 0

    async def flaky() -> str:
        nonlocal tries
        tries += 1
        if tries % 4 == 0:
            patience.succeeded()  # what a sibling's answered call does
        if clock.now < 250:
            raise TransientError("down")
        return "answered"

    assert asyncio.run(patiently(flaky, patience=patience)) == "answered"
    assert clock.now >= 250


def test_waits_are_told() -> None:
    clock = Clock()
    told: list[Mapping[str, Any]] = []
    asyncio.run(patiently(wall(clock, 2), patience=clock.patience(60), on_wait=told.append))
    assert told == [
        {"attempt": 1, "seconds": 1.0, "error": "529 overloaded"},
        {"attempt": 2, "seconds": 2.0, "error": "529 overloaded"},
    ]


def test_no_patience_is_one_try() -> None:
    clock = Clock()
    with pytest.raises(OutOfPatience):
        asyncio.run(patiently(wall(clock, 1), patience=clock.patience(0)))
    assert clock.slept == []


class Response:
    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self.status_code = status
        self.headers = headers


class ProviderError(Exception):
    def __init__(self, status: int, headers: Mapping[str, str] | None = None, code: str = "") -> None:
        super().__init__(f"status {status}")
        self.response = Response(status, headers or {})
        self.code = code


class APIConnectionError(Exception):
    """Named as those of openai and anthropic, which carry no status."""


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_statuses_that_pass_are_transient(status: int) -> None:
    assert isinstance(classify(ProviderError(status)), TransientError)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_statuses_that_stay_are_permanent(status: int) -> None:
    assert isinstance(classify(ProviderError(status)), PermanentError)


@pytest.mark.parametrize("error", [ConnectionResetError("cut"), TimeoutError("slow"), APIConnectionError("cut")])
def test_cut_connections_are_transient(error: Exception) -> None:
    assert isinstance(classify(error), TransientError)


def test_an_empty_account_is_permanent_though_it_says_429() -> None:
    assert isinstance(classify(ProviderError(429, code="insufficient_quota")), PermanentError)


def test_what_no_provider_raised_is_left_alone() -> None:
    assert classify(KeyError("bug")) is None


@pytest.mark.parametrize(("text", "seconds"), [("12", 12.0), ("0.5", 0.5), ("nan", None), ("-3", None), ("soon", None)])
def test_retry_after_is_read_as_seconds(text: str, seconds: float | None) -> None:
    error = classify(ProviderError(429, {"Retry-After": text}))
    assert isinstance(error, TransientError)
    assert error.retry_after == seconds


def test_retry_after_is_read_as_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    error = classify(ProviderError(503, {"retry-after": soon}))
    assert isinstance(error, TransientError)
    assert error.retry_after == pytest.approx(90, abs=5)
