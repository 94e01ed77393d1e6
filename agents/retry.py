"""The one retry layer: waiting for somebody else's failure to pass.

Only `TransientError` is tried again. Everything else, cancellation and LangGraph's interrupts included, passes straight
through. The budget is time, not a number of tries, and one `Patience` is shared by all siblings of a workflow: an
outage of the provider is one outage, however many agents notice it.
"""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, cast

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from stretto.state.errors import PermanentError, TransientError

T = TypeVar("T")

DEFAULT_SECONDS = 1200.0
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 60.0
_PASSING_STATUS = frozenset({408, 409, 425, 429})
_PASSING_NAMES = frozenset({"APIConnectionError", "APITimeoutError", "TransportError"})
"""Connection errors of openai, anthropic and httpx: they carry no status, and none derives from ConnectionError."""
_PASSING_KINDS = frozenset(
    {"overloaded_error", "api_error", "rate_limit_error", "timeout_error", "server_error", "rate_limit_exceeded"}
)
"""What providers call a failure that may pass, where they tell of it in the middle of an answer, under status 200."""
_EMPTY_ACCOUNT = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
"""Sent as 429, but no wait cures them."""
_MID_ANSWER = -1
"""The status that ollama's client gives to what its server says in the middle of an answer."""


class OutOfPatience(PermanentError):
    """An outage lasted longer than the budget. Not transient, so that no outer layer waits a second time.

    `retry_after` is the provider's own advice in seconds, or None.
    """

    code = "OUT_OF_PATIENCE"

    def __init__(self, message: str, *, retry_after: float | None = None, next_steps: Sequence[str] = ()) -> None:
        super().__init__(message, next_steps=next_steps)
        self.retry_after = retry_after


class Patience:
    """How long an outage may last before it is given up.

    The time counts from the first failure of an outage, whoever saw it; any success of any sibling ends the outage.
    Waits double from 1 s to at most 60 s, with full jitter, and are never shorter than the provider's `Retry-After`.
    """

    def __init__(
        self,
        seconds: float = DEFAULT_SECONDS,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.seconds = seconds
        self.sleep = sleep
        self._clock = clock
        self._jitter = jitter
        self._since: float | None = None

    def of(self, seconds: float) -> "Patience":
        """One of at most so many seconds, by the same clock."""
        return Patience(min(seconds, self.seconds), clock=self._clock, sleep=self.sleep, jitter=self._jitter)

    def failed(self) -> None:
        """An outage begins, or goes on."""
        if self._since is None:
            self._since = self._clock()

    def succeeded(self) -> None:
        """The provider answers again."""
        self._since = None

    def left(self) -> float:
        """Seconds that the present outage may still last."""
        return self.seconds if self._since is None else self._since + self.seconds - self._clock()

    def wait(self, attempt: int, retry_after: float | None) -> float:
        """Seconds to wait after the `attempt`th failure of one call; the last wait ends with the budget."""
        most = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(attempt - 1, 16))
        jittered = most * self._jitter()
        if retry_after is not None:
            return retry_after + min(jittered, _FIRST_WAIT)
        return min(jittered, max(self.left(), 0.0))


async def patiently(
    call: Callable[[], Awaitable[T]],
    *,
    patience: Patience,
    on_wait: Callable[[Mapping[str, Any]], None] | None = None,
) -> T:
    """Await `call()`, again and again while it raises `TransientError` and the patience lasts.

    Args:
        call: Makes one try.
        patience: The budget, shared with the siblings.
        on_wait: Told before each wait: `attempt`, `seconds`, `error`.

    Raises:
        OutOfPatience: The outage outlasted the budget, or the provider asks for a longer wait than is left of it.
        Exception: Whatever else `call` raises, at once.
    """

    async def once() -> T:
        try:
            result = await call()
        except TransientError:
            patience.failed()
            raise
        patience.succeeded()
        return result

    def wait(state: RetryCallState) -> float:
        return patience.wait(state.attempt_number, _reason(state).retry_after)

    def stop(state: RetryCallState) -> bool:
        advised = _reason(state).retry_after or 0.0
        return patience.left() <= 0 or advised > patience.left()

    def told(state: RetryCallState) -> None:
        if on_wait:
            on_wait({"attempt": state.attempt_number, "seconds": state.upcoming_sleep, "error": _reason(state).message})

    tries = AsyncRetrying(
        retry=retry_if_exception_type(TransientError),
        wait=wait,
        stop=stop,
        before_sleep=told,
        sleep=patience.sleep,
        reraise=True,
    )
    try:
        return await tries(once)
    except TransientError as error:
        raise _given_up(error, patience) from error


def _reason(state: RetryCallState) -> TransientError:
    outcome = state.outcome
    return cast("TransientError", outcome.exception() if outcome else None)


def _given_up(error: TransientError, patience: Patience) -> OutOfPatience:
    advised = f" It asks to wait {error.retry_after:.0f} s." if error.retry_after else ""
    return OutOfPatience(
        f"{error.message}{advised} That is longer than the {patience.seconds:.0f} s of patience for one outage."
        " What is finished stays finished.",
        retry_after=error.retry_after,
        next_steps=("Resume the workflow when the provider answers again.",),
    )


def classify(error: BaseException) -> TransientError | PermanentError | None:
    """What a provider's exception means for a second try; None for one that is not known to come from a provider."""
    status = status_of(error)
    what = f"The model could not be called: {type(error).__name__}: {str(error)[:300]}"
    if status is not None and status >= 400:
        if getattr(error, "code", None) in _EMPTY_ACCOUNT:
            steps = ("Check the account's credit with the provider.",)
            return PermanentError(what, next_steps=steps, details={"account": "empty"})
        if passes(status):
            return TransientError(what, retry_after=retry_after(error))
        return PermanentError(what, next_steps=_cure(status), details={"status": status})
    if isinstance(error, ConnectionError | TimeoutError) or _PASSING_NAMES.intersection(_names(error)):
        return TransientError(what)
    if kinds := _kinds(error):
        return TransientError(what) if kinds & _PASSING_KINDS else PermanentError(what)
    return TransientError(what) if status == _MID_ANSWER else None


def passes(status: int) -> bool:
    """Whether an HTTP status of 400 or more tells of a failure that may pass."""
    return status in _PASSING_STATUS or status >= 500


def _kinds(error: BaseException) -> set[str]:
    """What the provider calls an error that it told in the middle of an answer; nothing for any other exception."""
    told = _facts(getattr(error, "body", None))
    said = _facts(told.get("error", told))
    return {kind for name in ("type", "code") if isinstance(kind := said.get(name), str)}


def _facts(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _cure(status: int) -> tuple[str, ...]:
    if status in (401, 403):
        return ("Check the provider's key, and that it may use this model.",)
    return ("Check the model's name.",) if status == 404 else ()


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an exception carries, itself or through its response."""
    for holder in (error, getattr(error, "response", None)):
        status = getattr(holder, "status_code", None)
        if isinstance(status, int):
            return status
    return None


def retry_after(error: BaseException) -> float | None:
    """The seconds of the response's `Retry-After`, given as a number or as a date; None without a sensible one."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    if not isinstance(headers, Mapping):
        return None
    advice = {key.lower(): value for key, value in cast("Mapping[str, object]", headers).items()}.get("retry-after")
    if not isinstance(advice, str):
        return None
    try:
        seconds = float(advice)
    except ValueError:
        seconds = _until(advice)
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _until(date: str) -> float:
    try:
        return max(0.0, (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return math.nan
