"""The meter: what agents use is set aside before each call and settled after it, under the caps of their workflow.

A runner that makes its calls itself says what the next one may use, waits until there is room, and tells afterwards
what it was. The attempts of any other runner are one call each.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol, TypeVar

from stretto.agents.executor import Drained
from stretto.agents.task import Usage
from stretto.state import lease, purse
from stretto.state.log import Log
from stretto.state.purse import Short, Want
from stretto.state.rows import Fence
from stretto.state.transaction import Transaction

R = TypeVar("R")

UNKNOWN: Final = Want(None, None, 0)
"""A call of which nobody can say what it will use."""
COUNTS: Final = frozenset({"tokens", "usd"})
"""What a runner counts that does not say what it counts: what its agents tell when they are done."""
CALLS: Final = frozenset({"tokens", "usd", "tool_calls"})
"""The caps for which something is set aside before each call."""
NOTHING: Final = Usage(input_tokens=0, output_tokens=0, cost_usd=0.0)
_LOOK_SECONDS = 0.5
GRACE_SECONDS: Final = 60.0
"""How long a call in flight may go on when the time of the workflow is up."""


class Capped(Drained):
    """A cap of the workflow is reached. Control flow, never shown."""


class Account(Protocol):
    """What a runner settles an attempt's calls with."""

    @property
    def priced(self) -> bool:
        """Whether it matters while it runs what its calls cost."""
        ...

    @property
    def limited(self) -> bool:
        """Whether a call may have to wait for room."""
        ...

    async def reserve(self, want: Want) -> None:
        """Wait until there is room for a call that may use `want`, and set it aside.

        Raises:
            Capped: A cap is reached; the attempt is to end here.
        """
        ...

    def settle(self, used: Usage, tool_calls: int = 0) -> None:
        """A call is over, and this is what it used."""
        ...

    def release(self) -> None:
        """A call came to nothing."""
        ...

    async def tool(self) -> None:
        """A tool is about to be used.

        Raises:
            Capped: As many have been used as may be.
        """
        ...

    def ahead(self, used: Usage, tool_calls: int = 0) -> bool:
        """A client that calls by itself has made a call and goes on; False if it must not, and is to be ended."""
        ...


class Free:
    """The account of an attempt whose use nobody limits or keeps."""

    priced = False
    limited = False

    async def reserve(self, want: Want) -> None:
        """Nothing to wait for."""
        del want

    def settle(self, used: Usage, tool_calls: int = 0) -> None:
        """Nothing to keep."""
        del used, tool_calls

    def release(self) -> None:
        """Nothing was set aside."""

    async def tool(self) -> None:
        """It may be used."""

    def ahead(self, used: Usage, tool_calls: int = 0) -> bool:
        """It may always go on."""
        del used, tool_calls
        return True


class Meter:
    """The purse of one workflow, for the driver that holds its lease.

    `on_cap` is told once, of the cap that was reached first. `expired` is set when the time is up.
    """

    def __init__(self, log: Log, fence: Fence, on_cap: Callable[[Short], None]) -> None:
        self._log = log
        self._fence = fence
        self._on_cap = on_cap
        self._moved = asyncio.Event()
        self.workflow_id = fence.workflow_id
        self.expired = asyncio.Event()
        self.short: Short | None = None
        self.capped = frozenset(cap for _, one in purse.chain(log.database, fence.workflow_id) for cap in one.caps)

    def open(self, tx: Transaction, key: str) -> None:
        """An agent is about to be asked: in the transaction that says so.

        Raises:
            Capped: The workflow may have no more.
        """
        if short := purse.open_account(tx, self.workflow_id, key, self._log.now()):
            raise self.stopped(short)

    def account(self, key: str) -> "Charged":
        """The account of an attempt."""
        return Charged(self, key)

    def stopped(self, short: Short) -> Capped:
        """Take note of the cap, the first time."""
        if self.short is None:
            self.short = short
            self._on_cap(short)
        return Capped()

    async def time_up(self) -> None:
        """Wait until the workflow may be driven no longer, and say so; nothing where nobody limits that."""
        while (left := purse.seconds_left(self._log.database, self.workflow_id, self._log.now())) != 0:
            if left is None:
                return
            await asyncio.sleep(min(left, _LOOK_SECONDS))
        for name, one in purse.chain(self._log.database, self.workflow_id):
            if (cap := one.caps.get("seconds")) is not None and one.driven(self._log.now()) >= cap:
                self.stopped(Short(name, "seconds", cap, one.driven(self._log.now())))
        self.expired.set()

    def write(self, act: Callable[[Transaction], R]) -> R:
        """One transaction of the driver's, and those who wait for room look again."""
        with self._log.write(self._fence) as tx:
            done = act(tx)
        self._moved.set()
        return done

    def reserve(self, key: str, want: Want) -> Short | None:
        """Once; see `purse.reserve`."""
        with self._log.write(self._fence) as tx:
            return purse.reserve(tx, self.workflow_id, key, want, self._log.now(), self._lives)

    async def room(self) -> None:
        """Wait until something was settled here, or may have been elsewhere."""
        self._moved.clear()
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await self._moved.wait()
        except TimeoutError:
            return

    def settle(self, key: str, used: Usage, tool_calls: int) -> None:
        """See `purse.settle`."""
        told = used.model_dump()
        self.write(lambda tx: purse.settle(tx, self.workflow_id, key, told, self._log.now(), tool_calls))

    def release(self, key: str) -> None:
        """See `purse.release`."""
        self.write(lambda tx: purse.release(tx, self.workflow_id, key))

    def _lives(self, workflow_id: str) -> bool:
        if workflow_id == self.workflow_id:
            return True
        holder = lease.holder(self._log, workflow_id)
        return holder is not None and holder.alive


class Charged:
    """The account of one attempt."""

    def __init__(self, meter: Meter, key: str) -> None:
        self._meter = meter
        self._key = key
        self._tools = 0
        self.waited: Callable[[float], None] = lambda _: None
        """Told of the seconds that it waited for room, which are not the agent's."""

    @property
    def priced(self) -> bool:
        """See `Account`."""
        return "usd" in self._meter.capped

    @property
    def limited(self) -> bool:
        """See `Account`."""
        return not self._meter.capped.isdisjoint(CALLS)

    async def reserve(self, want: Want) -> None:
        """See `Account.reserve`."""
        began = asyncio.get_running_loop().time()
        while not self.now(want):
            if self._meter.short:
                raise Capped
            await self._meter.room()
        if (took := asyncio.get_running_loop().time() - began) > _LOOK_SECONDS:
            self.waited(took)

    def open(self, tx: Transaction) -> None:
        """See `Meter.open`."""
        self._meter.open(tx, self._key)

    def now(self, want: Want) -> bool:
        """Set `want` aside, unless calls in flight leave no room for it.

        Raises:
            Capped: A cap is reached.
        """
        short = self._meter.reserve(self._key, want)
        if short and not short.wait:
            raise self._meter.stopped(short)
        return short is None

    def settle(self, used: Usage, tool_calls: int = 0) -> None:
        """See `Account.settle`."""
        self._meter.settle(self._key, used, tool_calls + self._tools)
        self._tools = 0

    def release(self) -> None:
        """See `Account.release`."""
        self._meter.release(self._key)

    async def tool(self) -> None:
        """See `Account.tool`. Without a cap it is written down with the next call."""
        self._tools += 1
        if "tool_calls" in self._meter.capped:
            self._tools -= 1
            await self.reserve(Want(tool_calls=1))
            self.settle(NOTHING, tool_calls=1)

    def ahead(self, used: Usage, tool_calls: int = 0) -> bool:
        """See `Account.ahead`. What does not fit beside the calls of others ends here, since it cannot wait."""
        self.settle(used, tool_calls)
        short = self._meter.reserve(self._key, UNKNOWN._replace(tool_calls=1))
        if short is not None:
            self._meter.stopped(short._replace(wait=False))
        return short is None


async def in_time(meter: Meter, work: Coroutine[Any, Any, R], grace: float) -> R:
    """What `work` returns; when the time of the workflow is up it is ended, after `grace` seconds.

    Raises:
        Capped: It was ended.
    """
    running = asyncio.ensure_future(work)
    expiring = asyncio.ensure_future(meter.expired.wait())
    both: set[asyncio.Future[Any]] = {running, expiring}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            await asyncio.wait({running}, timeout=grace)
        if running.done():
            return running.result()
        raise Capped
    finally:
        for one in both:
            one.cancel()
        await asyncio.wait(both)
        if not running.cancelled():
            running.exception()  # it is raised above, or nobody need hear it
