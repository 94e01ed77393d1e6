"""Caching: whether outcomes of agents are used again, where they lie, and what makes them void. See `agents.reuse`."""

from pathlib import Path
from typing import Final, cast

from stretto.agents.outcome_cache import OutcomeCache
from stretto.agents.repository import Repository
from stretto.agents.reuse import Invalidation, Reuse, Rules, identity
from stretto.agents.runner import Runner
from stretto.state import store
from stretto.state.log import Log

CACHING: Final = "caching"
"""The name of the choice."""
LEVELS: Final = ("workflow_patterns", "findings")
"""Whose outcomes are kept: those of every agent; of those who change no file, such as researchers and planners."""
STRATEGIES: Final = ("smart", "strict", "time_based")
SHARINGS: Final = ("team_wide", "local")
SHARED: Final = ".stretto/cache"
"""Where a team's folder is in a project, unless another is named."""
DAY: Final = 86_400.0


def folder(value: dict[str, object], project: Path, directory: Path) -> Path:
    """The folder of a choice: the team's, or one in the store."""
    if value["cache_sharing"] == "local":
        return directory / store.CACHE / "outcomes"
    return project / str(value["path"])


def reuse(log: Log, runner: Runner, repository: Repository) -> Reuse | None:
    """What a driver may use again; None where that was not asked for, or a recording must hear every agent."""
    value = log.chosen(CACHING).value
    if not value.get("enabled") or getattr(runner, "recording", False):
        return None
    place = folder(value, repository.project, repository.store)
    inside = place.is_relative_to(repository.top)
    rules = Rules(
        invalidation=cast("Invalidation", value["invalidation_strategy"]),
        max_age=float(value["max_age"]),
        writing=value["cache_level"] == LEVELS[0],
        own=place.relative_to(repository.top).as_posix() if inside else "",
    )
    return Reuse(
        OutcomeCache(place, repository.top if inside else None), identity(runner.name, repository.project), rules
    )
