"""The host runner: the assistant around us carries the attempts out, with its own agents and its own login."""

from stretto.agents.runner import Surroundings
from stretto.agents.task import Brief, Outcome
from stretto.state.errors import PermanentError

HOST = "host"


class HostRunner:
    """Hands each attempt out as a work order. Nothing runs here, so there is nothing to end."""

    name = HOST

    async def run(self, brief: Brief, surroundings: Surroundings) -> Outcome:
        """What was reported of the order.

        Raises:
            Pending: Nothing was, so far.
            PermanentError: There is nobody here to hand orders out.
        """
        if surroundings.order is None:
            raise PermanentError("The host runner needs an executor that hands out work orders, and this one does not.")
        return surroundings.order(brief)

    async def close(self) -> None:
        """Hold nothing, release nothing."""
