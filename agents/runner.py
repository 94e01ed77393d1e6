"""The runner protocol: how one attempt of a task is executed.

A runner never imports langgraph and never retries an attempt; it may retry a single model call inside one
(agents/retry.py).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from stretto.agents.meter import COUNTS, Account, Free
from stretto.agents.task import Brief, Outcome

if TYPE_CHECKING:
    from stretto.agents.kept import Wrote
    from stretto.agents.prints import Normal

Progress = Callable[[str, Mapping[str, Any]], None]
"""Called with a kind (`turn`, `tool`, `text`, `usage`) and JSON-able facts, for the live view and `logs`."""


def silent(kind: str, facts: Mapping[str, Any]) -> None:
    """The progress sink that drops everything."""
    del kind, facts


def deaf(line: str) -> None:
    """The hearer that drops everything."""
    del line


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an attempt may use beside its brief: facts of the machine, never part of the deterministic task.

    `environment` is the scrubbed environment for whatever the agent runs. `order` hands the brief to somebody outside
    as a work order and returns the report; until there is one it raises `Pending`. With `account` a runner that makes
    its calls itself settles each of them. `hear` is told what an agent's program says,
    line by line, and `wrote` tells what was left in the workspace: both are for a recording.
    """

    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    progress: Progress = silent
    order: Callable[[Brief], Mapping[str, Any]] | None = None
    account: Account = field(default_factory=Free)
    hear: Callable[[str], None] = deaf
    wrote: "Callable[[Normal], Awaitable[Wrote]] | None" = None


class Runner(Protocol):
    """Executes attempts. One instance serves a whole workflow and many attempts at once."""

    @property
    def name(self) -> str:
        """The KIND:ARG under which it was chosen; stored with the workflow, so that a resume finds it again."""
        ...

    async def run(self, brief: Brief, surroundings: Surroundings) -> Outcome:
        """Execute one attempt in `brief.cwd` and return what the agent said.

        An agent's own failure is an outcome, not an exception.

        Raises:
            TransientError: A provider's failure that may pass; the caller waits and tries again.
            PermanentError: The runner itself cannot work (no program, no key, no cassette lane).
        """
        ...

    async def close(self) -> None:
        """Release what it holds; end every process it started."""
        ...


def metered(runner: Runner) -> bool:
    """Whether a runner settles each call by itself. The attempts of any other are one call each."""
    return bool(getattr(runner, "metered", False))


def counts(runner: Runner) -> frozenset[str]:
    """The caps, beside those on agents and time, that a runner can be held to."""
    found: frozenset[str] = getattr(runner, "counts", COUNTS)
    return found
