"""Launch: what every command that runs agents does with its spec, and how a result becomes a reply."""

import asyncio
import json
import os
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stretto.agents.choose import header_for, parse_runner
from stretto.agents.host import HOST
from stretto.agents.process import run as execute
from stretto.agents.reading import workflows
from stretto.agents.repository import open_repository
from stretto.agents.retry import Patience
from stretto.agents.runner import Runner
from stretto.commands import driving
from stretto.commands.app import App
from stretto.commands.ending import reply
from stretto.commands.estimating import as_facts, estimated, in_short, too_low
from stretto.commands.invocation import Invocation
from stretto.commands.progress import Watcher, watcher
from stretto.commands.reply import Reply
from stretto.commands.trust import require_own
from stretto.commands.workflows import find
from stretto.graph.control import Control
from stretto.graph.entry import Answer, Given
from stretto.graph.result import Result
from stretto.graph.run import resume, start
from stretto.graph.spec import Limits, Spec
from stretto.state.errors import BadInput, WorkflowDriven
from stretto.state.ids import WorkflowId, name_workflow, workflow_id
from stretto.state.log import Log
from stretto.state.settings import Settings, load
from stretto.state.store import LOGS, find_project
from stretto.state.wire import Event

if TYPE_CHECKING:
    from stretto.agents.cassette import Header
    from stretto.agents.record import Recorder


def settings_of(app: App) -> Settings:
    """The project's settings."""
    return load(find_project(app.project))


def new_id(invocation: Invocation, app: App, description: str) -> WorkflowId:
    """`--workflow-id`, or a name made from the description that is not taken."""
    if given := invocation.flags.get("workflow-id"):
        return workflow_id(str(given), field="--workflow-id")
    taken = asyncio.run(_in_git(app))
    if log := Log.find(app.directory):
        with log:
            taken.update(log.workflow_ids())
    return name_workflow(description, taken.__contains__)


async def _in_git(app: App) -> set[str]:
    return await workflows(await open_repository(app.project, app.directory))


def chosen_runner(app: App) -> str:
    """The runner asked for by flag, environment or settings; else the assistant's own; empty if there is none."""
    text = app.runner or os.environ.get("STRETTO_RUNNER", "") or settings_of(app).runner
    return text or (HOST if os.environ.get("CLAUDECODE") == "1" else "")


def runner_for(app: App, invocation: Invocation, spec: Spec) -> Runner:
    """The runner asked for by flag, environment or settings, recording if that was asked for; else the assistant's own.

    Raises:
        BadInput: None was, or it cannot do this work; the message says what to plug in.
    """
    if app.agents:
        return app.agents()
    text = chosen_runner(app)
    patience = Patience(spec.limits.patience_seconds)
    if {"wait", "record"} <= invocation.flags.keys():
        raise BadInput(
            "A cassette is written when the run stops, so it cannot wait: --wait or --record.", field="--wait"
        )
    record = recorder(text, app, invocation, spec) if text and "record" in invocation.flags else None
    runner = parse_runner(text, project=app.project, execute=execute, patience=patience, record=record)
    if text.strip().startswith("replay:"):
        from stretto.agents.replay import ReplayRunner

        if isinstance(runner, ReplayRunner):
            runner.refuse_unknown(spec.description)
    return runner


def recorder(text: str, app: App, invocation: Invocation, spec: Spec) -> "Recorder":
    """What keeps the turns of agents, for `--record FILE`.

    Raises:
        BadInput: The runner is a recording itself, or the file cannot be written.
    """
    if text.startswith("replay:"):
        raise BadInput(
            f"{text!r} cannot be recorded: it is a recording.",
            field="--record",
            allowed=("model:PROVIDER/NAME", "claude", "command:PROGRAM", "host"),
        )
    header = header_for(
        text,
        project=app.project,
        task=spec.description,
        template=spec.template,
        workflow=spec.workflow_id,
        recorded_at=datetime.now(UTC).isoformat(timespec="seconds"),
    ).model_copy(update=replayable(invocation))
    from stretto.agents.record import Recorder

    path = _writable(str(invocation.flags["record"]))
    return Recorder(path, _begun(path, header) or header)


def _begun(path: Path, header: "Header") -> "Header | None":
    """The header of a cassette of the same workflow that is gone on with."""
    from stretto.agents.cassette import load

    if not path.is_file():
        return None
    with suppress(BadInput):
        found = load(path).header
        return found if found.workflow == header.workflow else None
    return None


_OF_ONE_RUN = frozenset(
    {
        *("record", "runner", "project", "store", "json", "workflow-id", "durability", "gate", "merge", "dry-run"),
        *("resume", "approve", "reject"),
    }
)


def replayable(invocation: Invocation) -> dict[str, object]:
    """What a replay gives again of a command. Of /orchestrate that is the task, which may have several wordings."""
    given = [*(word.text for word in invocation.words), *(json.dumps(one, sort_keys=True) for one in invocation.json)]
    arguments = () if invocation.command == "orchestrate" else tuple(given)
    return {"command": invocation.command, "options": _options(invocation), "arguments": arguments}


def _options(invocation: Invocation) -> tuple[str, ...]:
    """The options that a replay must give again: not those of one machine or run, nor those that only stop it."""
    flags = {name: value for name, value in invocation.flags.items() if name not in _OF_ONE_RUN}
    return tuple(f"--{name}" if value is True else f"--{name}={value}" for name, value in sorted(flags.items()))


def _writable(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    folder = next(f for f in path.parents if f.exists())
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise BadInput(f"--record {text!r} is not a file that can be written.", field="--record")
    return path


def launch(spec: Spec, invocation: Invocation, app: App) -> Reply:
    """Start a workflow, show it while it runs, and say how it ended."""
    runner = runner_for(app, invocation, spec)
    expected = estimated(spec, app)
    control = Control()
    with watcher(app.json, f"{app.state}/{LOGS}") as watch:
        for line in (in_short(expected), *too_low(expected, spec.limits.caps)):
            watch.note(line)
        work = start(
            spec,
            project=app.project,
            runner=runner,
            store=Path(app.store) if app.store else None,
            kind=invocation.command,
            durability=durability(invocation, app),
            on_event=watch.event,
            control=control,
            clock=app.clock,
        )
        result = driving.drive(work, control, watch)
        if "wait" in invocation.flags:
            result = driving.waited(result, durability(invocation, app), app, watch)
    done = reply(invocation, app, result)
    return done._replace(result={**done.result, "estimate": as_facts(expected)})


def relaunch(
    name: WorkflowId,
    invocation: Invocation,
    app: App,
    *,
    answer: Answer | None,
    limits: Callable[[Limits], Limits] | None,
    given: Given | None = None,
) -> Reply:
    """Resume a workflow, whichever command began it.

    Raises:
        BadInput: Somebody else made the store, and no runner is named: what would run is their choice.
    """
    if not (app.runner or app.agents):
        require_own(app, name)
    runner = app.agents() if app.agents else _named(name, invocation, app)
    control = Control()

    def work(watch: Watcher) -> Coroutine[Any, Any, Result]:
        return resume(
            name,
            project=app.project,
            store=Path(app.store) if app.store else None,
            runner=runner,
            answer=answer,
            given=given,
            limits=limits,
            durability=durability(invocation, app),
            on_event=watch.event,
            control=control,
            clock=app.clock,
        )

    with watcher(app.json, f"{app.state}/{LOGS}", _history(name, app)) as watch:
        result: Result | None
        try:
            result = driving.drive(work(watch), control, watch)
        except WorkflowDriven:
            if answer or given or limits or not _handed_out(name, app):
                raise
            result = _after_the_other(lambda: driving.drive(work(watch), control, watch))
        if result and "wait" in invocation.flags:
            result = driving.waited(result, durability(invocation, app), app, watch)
    if result is None:
        return Reply(invocation.command, GOES_ON.format(name=name), workflow_id=name)
    return reply(invocation, app, result)


def _named(name: WorkflowId, invocation: Invocation, app: App) -> Runner | None:
    """The runner that a resume names, or records: a cassette of this workflow is gone on with."""
    if "record" not in invocation.flags:
        return parse_runner(app.runner, project=app.project, execute=execute) if app.runner else None
    log, row = find(app, name)
    log.close()
    spec, text = Spec.model_validate(row.spec), app.runner or row.runner
    patience = Patience(spec.limits.patience_seconds)
    record = recorder(text, app, invocation, spec)
    return parse_runner(text, project=app.project, execute=execute, patience=patience, record=record)


GOES_ON = "Another call is at work on {name} and takes up what was reported. Its reply says what comes next."


def _handed_out(name: WorkflowId, app: App) -> bool:
    """Whether agents of the assistant's are at work for it: then two of them may have ended at once."""
    log = Log.find(app.directory)
    if log is None:
        return False
    with log:
        return bool(log.standing_orders(name))


def _after_the_other(go: Callable[[], Result]) -> Result | None:
    """Go on as soon as the other call has ended; None if it stays at work, for then it will see every report."""
    for _ in range(_LOOKS):
        time.sleep(_LOOK_SECONDS)
        with suppress(WorkflowDriven):
            return go()
    return None


def _history(name: WorkflowId, app: App) -> list[Event]:
    """What is known of a workflow before it is resumed."""
    log = Log.find(app.directory)
    if log is None:
        return []
    with log:
        return list(log.events(name))


def durability(invocation: Invocation, app: App) -> str:
    """`--durability`, or the project's setting."""
    return str(invocation.flags.get("durability", settings_of(app).durability))


_LOOKS, _LOOK_SECONDS = 6, 0.5
