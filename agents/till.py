"""The till of one conversation: room is made for each call before it is made, and each is paid for once."""

from collections.abc import Callable, Sequence

from langchain_core.messages import BaseMessage

from stretto.agents.meter import UNKNOWN, Account
from stretto.agents.task import Usage
from stretto.state.purse import Want

Expects = Callable[[Sequence[BaseMessage]], Want]
"""What the next call may use at most."""


def unknown(messages: Sequence[BaseMessage]) -> Want:
    """What a call may use, where nobody can say."""
    del messages
    return UNKNOWN


class Till:
    """What a conversation has used, and the account that it is settled with."""

    def __init__(self, account: Account, expects: Expects = unknown) -> None:
        self._account = account
        self._expects = expects
        self._open = False
        self.used = Usage(input_tokens=0, output_tokens=0, cost_usd=0.0)
        """By all calls so far; unknown once a call did not say."""
        self.wrote = 0
        """Output tokens that somebody counted."""

    async def room(self, messages: Sequence[BaseMessage]) -> None:
        """Set aside what a call may use; once, until it is settled or released.

        Raises:
            Capped: There is no room, and there will be none.
        """
        if not self._open:
            await self._account.reserve(self._expects(messages))
            self._open = True

    def settle(self, used: Usage) -> None:
        """A call is over, or broke off when it had begun: both are paid for."""
        self._account.settle(used)
        self._open = False
        self.used += used
        self.wrote += used.output_tokens or 0

    def release(self) -> None:
        """A call came to nothing."""
        if self._open:
            self._account.release()
            self._open = False
