"""A chain of models: whoever cannot be had is followed by the next, for all agents of the workflow."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from langchain_core.language_models import BaseChatModel

from stretto.agents.manner import BEST, Manner
from stretto.agents.retry import OutOfPatience, Patience
from stretto.state.errors import PermanentError

FALLBACK_SECONDS: Final = 60.0
"""How long an outage of a model may last that another one can stand in for."""
_GONE: Final = frozenset({401, 402, 403, 404})
"""The key, the account, the right, or the model is not there: another model may have its own."""
ChatFactory = Callable[[str, str], BaseChatModel]
"""From a role's name and a lane to the model that plays it."""


class Candidate(NamedTuple):
    """One model of a chain: `PROVIDER/NAME`, what makes it, and how it is spoken to."""

    source: str
    chat: ChatFactory
    manner: Manner = BEST


class Change(NamedTuple):
    """From which model to which, and why."""

    old: str
    new: str
    reason: str


class Chain:
    """The models of a runner, first choice first. All its attempts speak with the same one at any time."""

    def __init__(self, candidates: Sequence[Candidate], patience: Patience) -> None:
        self._candidates = tuple(candidates)
        self._patience = patience
        self._shorter = [patience.of(FALLBACK_SECONDS) for _ in self._candidates[1:]]
        self._at = 0
        self._manners = [one.manner for one in self._candidates]

    @property
    def at(self) -> int:
        """The number of the present one."""
        return self._at

    @property
    def sources(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(one.source for one in self._candidates)

    def make(self, number: int, role: str, lane: str) -> BaseChatModel:
        """The model of that number, for one attempt."""
        return self._candidates[number].chat(role, lane)

    def manner(self, number: int) -> Manner:
        """How the model of that number is spoken to, in every attempt."""
        return self._manners[number]

    def refused(self, number: int, before: Manner, error: PermanentError) -> Manner | None:
        """Another manner for that model, from now on; None if it was not the manner `before` that it refused."""
        if (other := before.after(error)) is not None and self._manners[number] == before:
            self._manners[number] = other  # else a sibling was first
        return other

    def patience(self, number: int) -> Patience:
        """How long an outage of that model may last: the whole budget only where nobody stands in."""
        return self._shorter[number] if number < len(self._shorter) else self._patience

    def given_up(self, number: int, error: PermanentError) -> Change | None:
        """Go on with the next model, if the error says that this one cannot be had.

        Raises:
            PermanentError: It does not, or there is no next one.
        """
        if number + 1 == len(self._candidates) or not _gone(error):
            raise error
        if self._at != number:
            return None  # a sibling was first
        self._at += 1
        return Change(self._candidates[number].source, self._candidates[self._at].source, error.message)


def _gone(error: PermanentError) -> bool:
    told = error.details
    return isinstance(error, OutOfPatience) or "account" in told or told.get("status") in _GONE
