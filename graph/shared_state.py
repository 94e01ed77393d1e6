"""What commands keep of a workflow beside its events: named values that several of them write.

Every field remembers the version at which it was written last. Who writes from an older version than today's has read
something that changed since: fields that nobody else wrote merge; one that somebody else wrote meanwhile clashes, and
then nothing is written but the report of both values. The same value is a clash, too: of two who add one to what they
read, the second would be lost.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from stretto.state.database import Database
from stretto.state.queries import fact
from stretto.state.rows import WorkflowRow
from stretto.state.transaction import Transaction

SHARED: Final = "shared_state"
"""The fact that holds it."""


class Shared(NamedTuple):
    """The fields as they stand, and the version that a writer bases on."""

    version: int
    values: dict[str, Any]
    written: dict[str, int]


class Clash(NamedTuple):
    """One field that two wrote from one version: what stands, what was to be written, since which version."""

    field: str
    stands: Any
    yours: Any
    since: int


class Saved(NamedTuple):
    """What became of a write: the state after it, the fields of others that it merged with, the clashes if any."""

    shared: Shared
    merged: tuple[str, ...]
    clashes: tuple[Clash, ...]
    changed: bool


def shared(database: Database, workflow_id: str) -> Shared:
    """What stands; version 0 where nothing was ever written."""
    found = fact(database, workflow_id, SHARED)
    return Shared(**found) if found else Shared(0, {}, {})


def save(tx: Transaction, row: WorkflowRow, values: Mapping[str, Any], base: int) -> Saved:
    """Write fields that were decided on at version `base`; WORKFLOW_STATE_UPDATED tells of it, of a clash too."""
    old = shared(tx.database, row.id)
    since = {name for name, version in old.written.items() if version > base}
    clashes = tuple(
        Clash(name, old.values[name], value, old.written[name]) for name, value in values.items() if name in since
    )
    if clashes:
        data = {"clashes": [one._asdict() for one in clashes], "base_version": base, "shared_version": old.version}
        tx.event("WORKFLOW_STATE_UPDATED", row.id, row.phase, data, severity="warning")
        return Saved(old, (), clashes, changed=False)
    new = {name: value for name, value in values.items() if name not in old.values or old.values[name] != value}
    merged = tuple(sorted(since - values.keys()))
    if not new:
        return Saved(old, merged, (), changed=False)
    version = old.version + 1
    kept = Shared(version, {**old.values, **new}, {**old.written, **dict.fromkeys(new, version)})
    tx.put_fact(row.id, SHARED, kept._asdict())
    data = {"saved": new, "base_version": base, "shared_version": version, "merged_with": list(merged)}
    tx.event("WORKFLOW_STATE_UPDATED", row.id, row.phase, data)
    return Saved(kept, merged, (), changed=True)
