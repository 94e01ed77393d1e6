"""/subagents: the given tasks as parallel agents, each in its own workspace, landed one at a time."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from stretto.commands import bringing
from stretto.commands.app import App, require_supported
from stretto.commands.coordinating import open_log, writing
from stretto.commands.development import run
from stretto.commands.fields import Fields
from stretto.commands.inputs import committed, existing
from stretto.commands.invocation import Invocation
from stretto.commands.options import TEAM
from stretto.commands.reply import Reply
from stretto.commands.safe import one_line
from stretto.commands.scanning import scanned
from stretto.commands.track_tasks import join, joined
from stretto.graph import recipes
from stretto.graph.coordination import RUNNER
from stretto.graph.deciding import Decision, decide, ordered_by_files, specialised
from stretto.state.chosen import choose
from stretto.state.errors import BadInput
from stretto.state.log import Log

SUPPORTED = TEAM
CHOSEN = "subagents"
"""The name of the choice that says how runs decide."""
CONTEXT = ("phase", "name", "workflow_id", "complexity", "plan_file", "standards_file", "coordination")
COORDINATION = ("parallel", "dependency_aware")
"""Both run what is ready at once and honour the dependencies given; `dependency_aware` refuses tasks without any."""
TASK = (
    "id",
    "description",
    "files",
    "command",
    "topic",
    "scope",
    "depth",
    "analysis",
    "phase",
    "dependencies",
    "validation",
    "specialization",
    "focus",
    "coverage_target",
    "operation",
)

_LISTS = frozenset({"files", "dependencies", "validation"})
_TEXTS = frozenset({*CONTEXT, "id", "description", "command", "topic", "scope"})
_ID = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def handle(invocation: Invocation, app: App) -> Reply:
    """Run `'{context}' '[tasks]'`.

    Raises:
        BadInput: The JSON is not of this form; the message names the key.
    """
    if invocation.operation == "configure":
        return configure(invocation, app)
    if len(invocation.json) != 2:
        raise BadInput(
            "/subagents takes a context object and a list of tasks.",
            field="tasks",
            next_steps=("""stretto subagents '{"phase": "research"}' '[{"command": "/report", "topic": "…"}]'""",),
        )
    context, tasks = read(invocation.json[0], invocation.json[1])
    if to := joined(app, context, tasks):
        return join(invocation, app, context, tasks, to)
    require_supported(invocation, SUPPORTED)
    ordered(context, tasks)
    reads = [existing(app.project, context[k], f"context.{k}") for k in ("plan_file", "standards_file") if k in context]
    committed(app, reads, "context")
    name = one_line(context.get("name") or context.get("phase") or "subagents", 100)
    description = f"{name}: {len(tasks)} task{'' if len(tasks) == 1 else 's'}"
    rules, parent, twice = _known(app, context)
    if rules.get("dependency_analysis") == "automatic":
        tasks = ordered_by_files(tasks)
    if rules.get("agent_specialization") == "adaptive":
        tasks = [specialised(task) for task in tasks]
    phases = scanned(app, recipes.subagents(context, tasks, reads), tasks, dry="dry-run" in invocation.flags)
    left = bringing.left(app, context)
    decided: Decision | None = None
    if rules.get("parallel_optimization"):
        decided = decide(tasks, str(context.get("phase", "")), str(context.get("coordination", "")))
        invocation = _at_most(invocation, decided)
    if left:
        return _with(decided, bringing.bring(invocation, app, left, phases[0].tasks))
    named = None if parent else context.get("workflow_id")
    done = run(invocation, app, description, phases, named=named, complexity=context.get("complexity"), within=parent)
    done = _beside(_with(decided, done), parent, twice)
    return _linked(done, app, parent) if parent and "dry-run" not in invocation.flags else done


def _at_most(invocation: Invocation, decided: Decision) -> Invocation:
    """With no more agents at once than the table allows."""
    if not decided.agents:
        return invocation
    most = min(decided.agents, int(invocation.flags.get("max-agents", decided.agents)))
    return invocation._replace(flags={**invocation.flags, "max-agents": most})


def _with(decided: Decision | None, done: Reply) -> Reply:
    """The reply with how the tasks run, and why."""
    if decided is None:
        return done
    told = {"mode": decided.mode, "score": decided.score, "reasons": list(decided.reasons)}
    text = "\n".join([done.text, f"  How they run: {decided.mode}", *(f"    {r}" for r in decided.reasons)])
    return done._replace(text=text, result={**done.result, "decision": told})


def _beside(done: Reply, parent: str, twice: list[str]) -> Reply:
    """The reply with what does the same besides: orders of the workflow's own, for which its driver waits."""
    if not twice:
        return done
    text = f"{done.text}\n  {parent} waits for work orders of its own in this phase: {', '.join(twice)}."
    text += " What is done there and here is done twice."
    own = f"stretto orchestrate --resume {parent}   (goes on with its own)"
    return done._replace(text=text, result={**done.result, "also_ordered": twice}, next_steps=(*done.next_steps, own))


def configure(invocation: Invocation, app: App) -> Reply:
    """`configure '{…}'`: how the next runs decide."""
    require_supported(invocation, frozenset())
    fields = Fields(invocation.json[0] if invocation.json else {})
    value = {
        "parallel_optimization": fields.flag("parallel_optimization", default=True),
        "dependency_analysis": fields.choice("dependency_analysis", ("automatic", "explicit"), "explicit"),
        "load_balancing": fields.choice("load_balancing", ("dynamic",), "dynamic"),
        "agent_specialization": fields.choice("agent_specialization", ("adaptive", "explicit"), "explicit"),
    }
    fields.close()
    with writing(app) as desk:
        new = choose(desk.tx, CHOSEN, value)
    lines = [f"{CHOSEN}: version {new.version}", *(f"  {k}: {v}" for k, v in new.value.items())]
    result = {"name": new.name, "version": new.version, "value": new.value}
    steps = ("stretto subagents '{…}' '[…]'   (decides so from now on)",)
    return Reply("subagents", "\n".join(lines), result, "configure", "", tuple(desk.tx.ids), steps)


def _known(app: App, context: dict[str, Any]) -> tuple[dict[str, Any], str, list[str]]:
    """What was configured; the workflow of `workflow_id`, if it is there and no run of this command's own; its orders.

    Of those that stand, the ones of the context's phase.
    """
    log = Log.find(app.state)
    if log is None:
        return {}, "", []
    with log:
        row = log.workflow(str(context["workflow_id"])) if "workflow_id" in context else None
        other = row is not None and (row.runner == RUNNER or row.kind != "subagents")
        parent = row.id if row and other else ""
        standing = log.standing_orders(parent) if parent else []
        of_phase = [order.id for order in standing if order.task_id.startswith(f"{context.get('phase')}/")]
        return log.chosen(CHOSEN).value, parent, of_phase


def _linked(done: Reply, app: App, parent: str) -> Reply:
    """The run as a child of the workflow that it belongs to."""
    with open_log(app) as log, log.write() as tx:
        tx.put_fact(done.workflow_id, "parent", parent)
        data = {"child": done.workflow_id, "child_status": str(done.result.get("status"))}
        tx.event("WORKFLOW_STATE_UPDATED", parent, "coordination", data)
    return done._replace(
        text=f"{done.text}\n  It belongs to {parent}.",
        result={**done.result, "parent": parent},
        events=(*done.events, *tx.ids),
    )


def checked(context: Any, tasks: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The two arguments of a run of its own. See `read` and `ordered`.

    Raises:
        BadInput: A key is not known, or nobody says what depends on what.
    """
    about, found = read(context, tasks)
    ordered(about, found)
    return about, found


def read(context: Any, tasks: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The two arguments, each key known.

    Raises:
        BadInput: One is not; the message names it and the allowed ones.
    """
    about = _object(context, CONTEXT, "context")
    if not isinstance(tasks, list) or not tasks:
        raise BadInput("The tasks are not a JSON list with at least one task.", field="tasks")
    found = [_object(task, TASK, f"tasks[{i}]") for i, task in enumerate(cast("list[object]", tasks))]
    way = about.get("coordination", "parallel")
    if way not in COORDINATION:
        raise BadInput(f"There is no coordination {way!r}.", field="context.coordination", allowed=COORDINATION)
    return about, found


def ordered(context: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]) -> None:
    """Where dependencies shall count, there are some, or files to infer them from.

    Raises:
        BadInput: There are neither.
    """
    aware = context.get("coordination") == "dependency_aware"
    if aware and len(tasks) > 1 and not any(t.get("dependencies") or t.get("files") for t in tasks):
        raise BadInput(
            "dependency_aware has to know what depends on what: give 'dependencies', or the 'files' of each task.",
            field="tasks",
            allowed=("dependencies", "files"),
        )


def _object(value: Any, allowed: tuple[str, ...], field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInput(f"{field} is not a JSON object.", field=field, allowed=allowed)
    found = dict(cast("dict[str, Any]", value))
    if isinstance(found.get("phase"), int) and not isinstance(found["phase"], bool):
        found["phase"] = str(found["phase"])
    for key in found:
        if key not in allowed:
            raise BadInput(f"{field} has the unknown key {key!r}.", field=f"{field}.{key}", allowed=allowed)
    for key in _LISTS & found.keys():
        if not _texts(found[key]):
            raise BadInput(f"{field}.{key} is not a list of strings.", field=f"{field}.{key}")
    for key in _TEXTS & found.keys():
        if not isinstance(found[key], str) or not found[key].strip():
            raise BadInput(f"{field}.{key} is not a string with something in it.", field=f"{field}.{key}")
    if "id" in found and not _ID.fullmatch(found["id"]):
        raise BadInput(
            f"{field}.id {found['id'][:80]!r} is not an id: letters, digits, '_', '-' and single dots, at most 64,"
            " starting with a letter or digit.",
            field=f"{field}.id",
        )
    return found


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in cast("list[object]", value))
