"""/coordination-hub enable-caching: whether what agents have done before is used again, and by whom."""

from pathlib import Path
from typing import Any

from stretto.agents.outcome_cache import OutcomeCache
from stretto.agents.paths import declared
from stretto.commands.amounts import size
from stretto.commands.app import App
from stretto.commands.coordinating import writing
from stretto.commands.fields import Fields, text
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.graph import caching
from stretto.state.chosen import choose, chosen
from stretto.state.errors import BadInput
from stretto.state.store import find_project
from stretto.state.units import said_seconds, seconds

_HOLDS = {
    "smart": "until a file changes that its task says it reads or writes; any file, where it does not say",
    "strict": "until any file of the project changes",
    "time_based": "until a file changes that its task says it reads or writes, {age} at most",
}
_WHOSE = {"workflow_patterns": "every agent", "findings": "agents that change no files"}


def enable_caching(invocation: Invocation, app: App) -> Reply:
    """`'{"cache_level": …, "invalidation_strategy": …, "cache_sharing": …, "path": …, "enabled": true}'`."""
    if invocation.ids:
        raise BadInput("Caching holds for all workflows of the project; leave the id out.", field="workflow_id")
    fields = Fields(invocation.json[0] if invocation.json else {})
    value = _wanted(fields, app)
    fields.close()
    with writing(app) as desk:
        if not value["enabled"]:
            value = {**(chosen(desk.tx.database, caching.CACHING).value or value), "enabled": False}
        new = choose(desk.tx, caching.CACHING, value)
    place = caching.folder(new.value, find_project(app.project), app.directory)
    held = OutcomeCache(place).size()
    lines = [*_said(new.value, place), f"{held.entries} outcomes lie there, {size(held.size)}."]
    lines.append(f"{new.name}: version {new.version}")
    result = {"name": new.name, "version": new.version, "value": new.value, "folder": str(place), **held._asdict()}
    off = "stretto coordination-hub enable-caching '{\"enabled\": false}'"
    steps = (off,) if new.value["enabled"] else ("stretto coordination-hub enable-caching",)
    return Reply("coordination-hub", "\n".join(lines), result, invocation.operation, "", tuple(desk.tx.ids), steps)


def _wanted(fields: Fields, app: App) -> dict[str, Any]:
    value = {
        "enabled": fields.flag("enabled", default=True),
        "cache_level": fields.choice("cache_level", caching.LEVELS, caching.LEVELS[0]),
        "invalidation_strategy": fields.choice("invalidation_strategy", caching.STRATEGIES, caching.STRATEGIES[0]),
        "cache_sharing": fields.choice("cache_sharing", caching.SHARINGS, caching.SHARINGS[1]),
        "max_age": fields.read("max_age", seconds, caching.DAY),
        "path": fields.read("path", lambda found, field: _path(found, field, app), caching.SHARED),
    }
    if "max_age" in fields and value["invalidation_strategy"] != "time_based":
        raise BadInput(
            "max_age belongs to time_based.", field="max_age", allowed=("invalidation_strategy: time_based",)
        )
    if "path" in fields and value["cache_sharing"] != "team_wide":
        raise BadInput("path is the folder of a team.", field="path", allowed=("cache_sharing: team_wide",))
    if not value["enabled"] and any(name in fields for name in value if name != "enabled"):
        raise BadInput("What is turned off keeps its settings; leave the others out.", field="enabled")
    return value


def _path(value: object, field: str, app: App) -> str:
    """A folder inside the project, or the absolute path of one that is there."""
    said = text(value, field, longest=500)
    if not said.startswith("/"):
        inside = declared(said.rstrip("/"), field)
        if inside in (".", ".stretto", ".stretto/state") or inside.startswith(".stretto/state/"):
            raise BadInput(f"{field} {said!r} is no folder for this alone.", field=field, allowed=(caching.SHARED,))
        return inside
    if app.window is None:
        raise BadInput("An example keeps to its own project.", field=field, allowed=(caching.SHARED,))
    if not Path(said).is_dir():
        raise BadInput(f"There is no folder {said!r}.", field=field, next_steps=(f"mkdir {said}",))
    return said


def _said(value: dict[str, Any], place: Path) -> list[str]:
    if not value["enabled"]:
        return ["What agents do is not kept, and nothing kept is used. What lies in the folder stays."]
    shared = "shared by whoever has this folder" if value["cache_sharing"] == "team_wide" else "for this store alone"
    age = said_seconds(value["max_age"])
    return [
        f"Outcomes of {_WHOSE[value['cache_level']]} are kept and used again, {shared}: {place}",
        f"One holds for the same task, brief and runner {_HOLDS[value['invalidation_strategy']].format(age=age)}.",
        "It is proven and landed like an agent's, and uses no tokens.",
    ]
