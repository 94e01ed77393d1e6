"""The tally of one session of Claude Code: each message is settled as soon as it is complete.

The client makes its calls itself. Under a cap a gate has it wait for room before it uses tools; where it calls without
having used one it cannot wait, and is ended when there is no room. What it cost is priced by
list prices while it runs, where money is limited, and put right by the client's own word at its end.
"""

from stretto.agents.claude_stream import Stream
from stretto.agents.meter import UNKNOWN, Account
from stretto.agents.task import Usage


class Tally:
    """Settles what a stream has told since it was last looked at."""

    def __init__(self, stream: Stream, account: Account, *, gated: bool = False) -> None:
        self._stream = stream
        self._account = account
        self._gated = gated
        self._messages = 0
        self._seen = (0, 0)
        self._tools = 0
        self._cost: float | None = 0.0
        self._settled = False
        self.stopped = False
        """Whether the client must not go on."""

    async def begin(self) -> None:
        """Wait until there is room for a first call.

        Raises:
            Capped: There will be none.
        """
        await self._account.reserve(UNKNOWN)

    def look(self) -> None:
        """Settle the messages that have been completed, and see whether the client may go on."""
        stream = self._stream
        if stream.messages == self._messages or self.stopped:
            return
        self._messages = stream.messages
        used, tools = self._since()
        if stream.returned or (self._gated and stream.uses):
            self._account.settle(used, tools)
        else:
            self.stopped = not self._account.ahead(used, tools)

    def stop(self) -> None:
        """The client waits, and is to be ended: nothing is in flight."""
        self.stopped = self._settled = True

    def end(self) -> None:
        """Settle the rest, and what the client says that all of it cost."""
        if self._settled:
            return
        used, tools = self._since()
        total = self._stream.usage.cost_usd
        rest = None if total is None or self._cost is None else total - self._cost
        self._account.settle(used.model_copy(update={"cost_usd": rest}), tools)

    def _since(self) -> tuple[Usage, int]:
        whole = self._stream.usage
        now = (whole.input_tokens or 0, whole.output_tokens or 0)
        read, wrote = now[0] - self._seen[0], now[1] - self._seen[1]
        tools = self._stream.tools - self._tools
        self._seen, self._tools = now, self._stream.tools
        tools = 0 if self._gated else tools  # the gate has booked them
        cost = self._price(read, wrote)
        self._cost = None if cost is None or self._cost is None else self._cost + cost
        return Usage(input_tokens=read, output_tokens=wrote, cost_usd=cost), tools

    def _price(self, read: int, wrote: int) -> float | None:
        """What so many tokens cost, as if none came from a cache; 0 where it does not matter until the end."""
        if not self._account.priced:
            return 0.0
        from stretto.agents.pricing import cost

        return cost(f"anthropic/{self._stream.model}", {"input_tokens": read, "output_tokens": wrote}, {})
