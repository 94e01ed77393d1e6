"""/coordination-hub save-state and load-state: named values of a workflow that several commands write."""

import json
from typing import Any, cast

from stretto.commands.app import App
from stretto.commands.coordinating import looking, workflow_named, writing
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.graph import coordination
from stretto.graph.shared_state import Saved, Shared, save, shared
from stretto.state.errors import BadInput

_LARGEST = 64 * 1024
"""Bytes of the values of one write, as JSON."""


def save_state(invocation: Invocation, app: App) -> Reply:
    """`ID save-state '{"base_version": 3, "state": {"migrated": 120}}'`; the base is what load-state told."""
    fields = Fields(invocation.json[0] if invocation.json else {})
    base = fields.whole("base_version")
    values = fields.read("state", _values, dict[str, Any]())
    fields.close()
    if not values:
        raise BadInput("What shall be saved?", field="state", allowed=('{"name": value}',))
    with writing(app) as desk:
        row = coordination.row_of(desk.tx, workflow_named(invocation))
        now = shared(desk.tx.database, row.id)
        if base is not None and base > now.version:
            raise BadInput(
                f"Version {base} is still to come; {row.id!r} is at {now.version}.",
                field="base_version",
                allowed=(f"0 to {now.version}",),
            )
        done = save(desk.tx, row, values, now.version if base is None else base)
    return _answer(invocation, row.id, done, tuple(desk.tx.ids))


def _values(value: object, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInput(f"{field} must be an object.", field=field, allowed=('{"name": value}',))
    found = cast("dict[str, Any]", value)
    if any(not name or len(name) > 100 for name in found) or len(json.dumps(found)) > _LARGEST:
        raise BadInput(f"{field}: names of 1 to 100 characters, 64 KiB in all.", field=field)
    return found


def _answer(invocation: Invocation, name: str, done: Saved, events: tuple[str, ...]) -> Reply:
    again = (f"stretto coordination-hub load-state {name}   (what stands, and its version)",)
    if done.clashes:
        lines = [f"{name}: somebody else wrote meanwhile; nothing of yours was saved."]
        lines += [f"  {c.field}: stands {c.stands!r} since version {c.since}, yours {c.yours!r}" for c in done.clashes]
        result: dict[str, Any] = {
            "saved": False,
            "code": "STATE_CONFLICT",
            "clashes": [one._asdict() for one in done.clashes],
            "version": done.shared.version,
        }
        return Reply("coordination-hub", "\n".join(lines), result, invocation.operation, name, events, again, 1)
    merged = f", merged with {', '.join(done.merged)} of others" if done.merged else ""
    text = f"{name}: {'saved' if done.changed else 'is so already'}, version {done.shared.version}{merged}"
    result = {"saved": done.changed, "merged_with": list(done.merged), **_told(done.shared)}
    return Reply("coordination-hub", text, result, invocation.operation, name, events, again)


def load_state(invocation: Invocation, app: App) -> Reply:
    """`ID load-state`: the values as they stand, and the version to write from."""
    Fields(invocation.json[0] if invocation.json else {}).close()
    with looking(app) as desk:
        row = coordination.row_of(desk.tx, workflow_named(invocation))
        found = shared(desk.tx.database, row.id)
    lines = [f"{row.id}: version {found.version}", *(f"  {name}: {value!r}" for name, value in found.values.items())]
    steps = (f'stretto coordination-hub save-state {row.id} \'{{"base_version": {found.version}, "state": {{…}}}}\'',)
    result = _told(found)
    return Reply("coordination-hub", "\n".join(lines), result, invocation.operation, row.id, next_steps=steps)


def _told(found: Shared) -> dict[str, Any]:
    return {"version": found.version, "state": found.values}
