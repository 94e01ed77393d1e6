"""/subagents on an orchestrated implementation: its tasks are the tracks that run there already, and join them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from stretto.commands.app import App, require_supported
from stretto.commands.coordinating import open_log, reading
from stretto.commands.invocation import Invocation
from stretto.commands.launch import relaunch
from stretto.commands.reply import Reply
from stretto.graph.spec import Spec, Track
from stretto.graph.staying_open import delivered
from stretto.graph.tracks import tracks_of
from stretto.state.errors import BadInput, InvalidTransition, WorkflowDriven
from stretto.state.figures import WorkflowView
from stretto.state.ids import workflow_id
from stretto.state.log import Log
from stretto.state.rows import WorkflowRow
from stretto.state.view import fold

COMMAND = "/implement"
KEYS = ("id", "description", "command", "phase", "scope", "specialization", "focus", "topic", "depth")
"""What a task may say that joins a track: what it waits for, changes and is checked by is the plan's to say."""
FACT = "subagents"
"""The fact that holds which task was which track when somebody joined last."""
_OVER = ("CANCELLED", "ARCHIVED", "FAILED")


class Joined(NamedTuple):
    """A running implementation, and the track of each task."""

    row: WorkflowRow
    tracks: tuple[Track, ...]


def joined(app: App, context: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]) -> Joined | None:
    """The implementation that `workflow_id` names, if it is an orchestrated one, with the tracks of these tasks.

    Raises:
        BadInput: A task is none of its tracks, or says what the plan says.
    """
    log = Log.find(app.state)
    if log is None or "workflow_id" not in context:
        return None
    with log:
        row = log.workflow(str(context["workflow_id"]))
    found = tracks_of(Spec.model_validate(row.spec)) if row and "phases" in row.spec and row.runner else ()
    if row is None or not found:
        return None
    return Joined(row, _matched(found, tasks))


def _matched(tracks: Sequence[Track], tasks: Sequence[Mapping[str, Any]]) -> tuple[Track, ...]:
    matched: list[Track] = []
    for i, task in enumerate(tasks):
        track = _track(tracks, task, f"tasks[{i}]")
        if track in matched:
            raise BadInput(
                f"tasks[{i}].phase: two tasks are track {track.number} ({track.name}).", field=f"tasks[{i}].phase"
            )
        matched.append(track)
    return tuple(matched)


def _track(tracks: Sequence[Track], task: Mapping[str, Any], field: str) -> Track:
    """By the number of the plan's phase, else by the words of its scope."""
    if (command := str(task.get("command", COMMAND))) != COMMAND:
        raise BadInput(f"{field}.command is {command!r}, and no track.", field=f"{field}.command", allowed=(COMMAND,))
    if said := next((k for k in task if k not in KEYS), None):
        raise BadInput(
            f"{field}.{said}: the plan says that of its tracks; leave it out.", field=f"{field}.{said}", allowed=KEYS
        )
    allowed = [f"{t.number} ({t.name})" for t in tracks]
    if "phase" in task:
        found = [t for t in tracks if str(task["phase"]) in (str(t.number), t.name)]
        asked = f"{field}.phase: there is no track {task['phase']!r}."
    else:
        words = set(re.findall(r"[a-z0-9]+", str(task.get("scope") or task.get("description") or "").lower()))
        found = [t for t in tracks if set(re.findall(r"[a-z0-9]+", t.name)) <= words]
        asked = f"{field}.phase: no track, or more than one, is what this scope names."
    if len(found) != 1:
        raise BadInput(asked, field=f"{field}.phase", allowed=allowed)
    return found[0]


def join(invocation: Invocation, app: App, context: Mapping[str, Any], tasks: Sequence[Any], to: Joined) -> Reply:
    """Attach to the execution; what it waits for is handed out again, and nothing is run twice.

    Raises:
        InvalidTransition: It has failed or was cancelled.
    """
    require_supported(invocation, frozenset({"dry-run", "durability", "runner"}))
    row = to.row
    if row.status in _OVER:
        again = f"stretto orchestrate --resume {row.id}" if row.status == "FAILED" else f"stretto diff {row.id}"
        raise InvalidTransition(
            f"{row.id!r} is {row.status}: there is no execution to join.", field="workflow_id", next_steps=(again,)
        )
    if "dry-run" in invocation.flags:
        return _told(Reply("subagents", "Nothing was written.", workflow_id=row.id), app, context, tasks, to)
    events = _recorded(app, tasks, to)
    done = _driven(invocation, app, row)
    return _told(done._replace(events=(*events, *done.events)), app, context, tasks, to)


def _recorded(app: App, tasks: Sequence[Mapping[str, Any]], to: Joined) -> tuple[str, ...]:
    """Which task is which track; said once, as long as nobody says otherwise."""
    pairs = zip(to.tracks, tasks, strict=True)
    named = {track.name: str(task.get("scope") or task.get("description") or "") for track, task in pairs}
    with open_log(app) as log:
        if log.fact(to.row.id, FACT) == named:
            return ()
        with log.write() as tx:
            tx.put_fact(to.row.id, FACT, named)
            tx.event("WORKFLOW_STATE_UPDATED", to.row.id, to.row.phase, {"subagents": named})
        return tuple(tx.ids)


def _driven(invocation: Invocation, app: App, row: WorkflowRow) -> Reply:
    with open_log(app) as log:
        over = row.status == "COMPLETED" or delivered(log.database, row.id) is not None
    if over:
        steps = (f"stretto orchestrate finalize-workflow {row.id} --validation=complete",)
        text = f"{row.id}: its tracks have ended; nothing is run again."
        return Reply("subagents", text, {"status": row.status}, workflow_id=row.id, next_steps=steps)
    try:
        return relaunch(workflow_id(row.id), invocation, app, answer=None, limits=None)
    except WorkflowDriven:
        text = f"{row.id} is being driven; these are tracks of that execution, and nothing is run twice."
        looks = (f"stretto events {row.id} --follow", f"stretto workflow-status {row.id}")
        return Reply("subagents", text, {"status": row.status}, workflow_id=row.id, next_steps=looks)


def _told(done: Reply, app: App, context: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]], to: Joined) -> Reply:
    with reading(app) as log:
        view = fold(log.events(to.row.id))
    found = [_row(t, task, view) for t, task in zip(to.tracks, tasks, strict=True)]
    lines = [
        f"  {f['phase']} {f['track']}: {f['state']}{_after(t.after)}" for f, t in zip(found, to.tracks, strict=True)
    ]
    asked = str(context.get("coordination", "parallel"))
    decided = f"  coordination {asked!r} was asked for, which overrides the table; what waits for what, the plan says"
    return done._replace(
        command="subagents",
        text="\n".join([f"Joined {to.row.id}:", *lines, decided, done.text]),
        result={**done.result, "joined": to.row.id, "tracks": found, "coordination": asked},
    )


def _row(track: Track, task: Mapping[str, Any], view: WorkflowView) -> dict[str, Any]:
    state = view.phases[track.name].state if track.name in view.phases else "pending"
    return {
        "track": track.name,
        "phase": track.number,
        "scope": task.get("scope"),
        "after": list(track.after),
        "state": state,
    }


def _after(names: Sequence[str]) -> str:
    return f" (after {', '.join(names)})" if names else ""
