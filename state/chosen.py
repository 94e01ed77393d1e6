"""Choices that commands go by from now on: `configure` and its like, each under a name, with a version."""

from __future__ import annotations

import json
from collections.abc import Mapping

from stretto.state import wire
from stretto.state.database import Database
from stretto.state.errors import StateConflict
from stretto.state.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stretto.state.transaction import Transaction


class Chosen(NamedTuple):
    """What was chosen under a name. Version 0: nothing was."""

    name: str
    version: int
    value: dict[str, Any]
    at: str


def chosen(database: Database, name: str) -> Chosen:
    """What was chosen last under this name; an empty value of version 0 where nothing was."""
    found = [c for c in all_chosen(database) if c.name == name]
    return found[0] if found else Chosen(name, 0, {}, "")


def all_chosen(database: Database) -> list[Chosen]:
    """Everything that was chosen, by name."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'settings'"):
        return []
    rows = database.read("settings", "ORDER BY name")
    return [Chosen(r[0], r[1], json.loads(r[2]), r[3]) for r in rows]


def choose(tx: Transaction, name: str, value: Mapping[str, Any], *, expect: int | None = None) -> Chosen:
    """Choose `value` and write SETTINGS_CHANGED with what it was before, so that it can be undone.

    The same value again changes nothing and writes nothing. `expect` is the version that the choice was based on.

    Raises:
        StateConflict: The version is not `expect`.
    """
    old = chosen(tx.database, name)
    if expect is not None and expect != old.version:
        raise StateConflict(
            f"{name!r} is at version {old.version}, not {expect}: somebody else changed it. Nothing was written.",
            next_steps=("Read it again, then decide.",),
        )
    if old.version and old.value == value:
        return old
    new = Chosen(name, old.version + 1, dict(value), tx.now)
    tx.database.put("settings", (name, new.version, wire.compact(value), tx.now))
    tx.event("SETTINGS_CHANGED", "system", "configuration", {**new._asdict(), "before": old.value})
    return new
