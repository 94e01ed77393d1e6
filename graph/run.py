"""start, resume, stream: a workflow from its spec to its end, driven by this process.

    project = Path("/path/to/project")
    result = await start(spec, project=project, runner=parse_runner("command:./agent", project=project))

A driver holds the workflow's lease. Whatever ends it, `resume` goes on from the last checkpoint: what was finished is
kept.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from stretto.agents.choose import parse_runner
from stretto.agents.process import run as execute
from stretto.agents.retry import Patience
from stretto.agents.runner import Runner
from stretto.graph.capping import refuse_uncountable
from stretto.graph.control import Control
from stretto.graph.coordination import RUNNER
from stretto.graph.driver import LIMITS, PREFIX, Driver
from stretto.graph.entry import Answer, Given
from stretto.graph.result import Place, Result, end_of
from stretto.graph.spec import Limits, Spec, validate
from stretto.graph.staying_open import delivered
from stretto.state import purse
from stretto.state.errors import BadInput, InvalidTransition, NotFound
from stretto.state.log import Log
from stretto.state.rows import WorkflowRow
from stretto.state.store import find_project
from stretto.state.wire import Event

OnEvent = Callable[[Event], None]


def nothing(event: Event) -> None:
    """The listener that does nothing."""
    del event


async def start(
    spec: Spec,
    *,
    project: Path,
    runner: Runner,
    store: Path | None = None,
    kind: str = "orchestrate",
    durability: str = "power",
    on_event: OnEvent = nothing,
    control: Control | None = None,
    clock: Callable[[], float] = time.time,
) -> Result:
    """Create a workflow and drive it until it is done, waits for a person, fails, or is told to stop.

    Args:
        spec: What to run; its `workflow_id` must be new.
        project: The folder to work on: a git checkout, a folder in one, or a plain folder.
        runner: How agents are executed. It is closed when this returns.
        store: The state directory; None is `.stretto/state` at the project's root.
        kind: The command that the workflow belongs to.
        durability: `power` survives power loss, `process` survives `kill -9` and is faster.
        on_event: Called with every event of the workflow, in order.
        control: Levers to drain or stop it from outside.
        clock: Where the time of what is written comes from, in seconds since the epoch.

    Raises:
        BadInput: The spec cannot run, or the project cannot be worked on. Nothing was written.
        WorkflowExists: The id is taken by another workflow.
    """
    place = Place(project, store, durability, clock)
    await _countable(spec, runner)
    driver = await _opened(spec, place, runner, control, new=True)
    try:
        driver.create(kind)
        return await driver.drive(on_event)
    finally:
        await driver.close()


async def resume(
    workflow_id: str,
    *,
    project: Path,
    store: Path | None = None,
    runner: Runner | None = None,
    answer: Answer | None = None,
    given: Given | None = None,
    limits: Callable[[Limits], Limits] | None = None,
    durability: str = "power",
    on_event: OnEvent = nothing,
    control: Control | None = None,
    clock: Callable[[], float] = time.time,
) -> Result:
    """Go on with a workflow, whichever command began it.

    Finished tasks are not run again; a task that was cut off runs once more under the same idempotency key.

    Args:
        workflow_id: Which one.
        project: As for `start`.
        store: As for `start`.
        runner: Overrides the one that the workflow began with. It is closed when this returns. Without one, a usage
            limit for which the workflow was paused is heeded: before it is over nothing is begun.
        answer: The decision on the gate at which the workflow waits.
        given: What is brought to the phase that it leaves to other commands; it stops again when that is done.
        limits: Changes the limits that it had last, from now on.
        durability: As for `start`.
        on_event: As for `start`; called with the events from now on.
        control: As for `start`.
        clock: As for `start`.

    Raises:
        NotFound: The store has no such workflow.
        InvalidTransition: It was cancelled, commands move it by hand, an answer was given and it waits at no gate, or
            it does not leave that phase.
        WorkflowDriven: Another living process drives it.
    """
    place = Place(project, store, durability, clock)
    row, finished = find(workflow_id, place)
    place = place._replace(project=folder_of(workflow_id, place))
    if finished and row.status != "CANCELLED":
        _recap(workflow_id, place, row, limits)
        return finished
    _refuse_what_nothing_drives(row)
    spec = Spec.model_validate(row.spec)
    last = last_limits(workflow_id, place) or spec.limits
    spec = spec.model_copy(update={"limits": limits(last) if limits else last})
    patience = Patience(spec.limits.patience_seconds)
    chosen = runner or parse_runner(row.runner, project=place.project, execute=execute, patience=patience)
    await _countable(spec, chosen)
    driver = await _opened(spec, place, chosen, control, new=False)
    try:
        return await driver.drive(on_event, resuming=row, answer=answer, given=given, heeding=runner is None)
    finally:
        await driver.close()


def _refuse_what_nothing_drives(row: WorkflowRow) -> None:
    if row.status == "CANCELLED":
        raise InvalidTransition(
            f"Workflow {row.id!r} was cancelled and cannot be resumed. Its branch is still there.",
            field="workflow_id",
            next_steps=(f"stretto diff {row.id}", f"stretto undo {row.id}"),
        )
    if row.runner == RUNNER:
        raise InvalidTransition(
            f"Workflow {row.id!r} is moved by hand, phase by phase; nothing drives it. Nothing was written.",
            field="workflow_id",
            next_steps=(f"stretto workflow-status {row.id}", f"stretto coordination-hub start {row.id}"),
        )


async def _countable(spec: Spec, runner: Runner) -> None:
    try:
        refuse_uncountable(spec.limits.caps, runner)
    except BadInput:
        await runner.close()
        raise


def find(workflow_id: str, place: Place) -> tuple[WorkflowRow, Result | None]:
    """The row of a workflow, and its result if its driver has nothing left to do.

    Raises:
        NotFound: There is none; the message lists those that exist.
    """
    log = Log.find(place.directory())
    if log is None:
        raise NotFound(
            f"There is no workflow {workflow_id!r}: this project has no Stretto store yet.",
            field="workflow_id",
            next_steps=('stretto orchestrate "…"',),
        )
    with log:
        if row := log.workflow(workflow_id):
            over = row.status == "COMPLETED" or delivered(log.database, workflow_id) is not None
            return row, end_of(workflow_id, log, log.last_seq()) if over else None
        known = [w.id for w in reversed(log.newest_workflows(8))]
    raise NotFound(f"There is no workflow {workflow_id!r} in this store.", field="workflow_id", allowed=known)


def folder_of(workflow_id: str, place: Place) -> Path:
    """The folder that the workflow works on, wherever in the repository it is resumed from."""
    log = Log.find(place.directory())
    if log is None:
        return place.project
    with log:
        prefix = log.fact(workflow_id, PREFIX)
    return place.project if prefix is None else find_project(place.project) / str(prefix)


def last_limits(workflow_id: str, place: Place) -> Limits | None:
    """The limits of its last drive: what a resume changed stays changed, whatever becomes of that driver."""
    log = Log.find(place.directory())
    if log is None:
        return None
    with log:
        found = log.fact(workflow_id, LIMITS)
    return Limits.model_validate(found) if found else None


def _recap(workflow_id: str, place: Place, row: WorkflowRow, change: Callable[[Limits], Limits] | None) -> None:
    """Nothing is left to do here, but what belongs to it may be under its caps."""
    if change is None:
        return
    new = change(last_limits(workflow_id, place) or Spec.model_validate(row.spec).limits)
    with Log.open(place.directory(), durability=place.durability, clock=place.clock) as log, log.write() as tx:
        tx.put_fact(workflow_id, LIMITS, new.model_dump(mode="json"))
        purse.recap(tx, workflow_id, new.caps.given())


async def _opened(spec: Spec, place: Place, runner: Runner, control: Control | None, *, new: bool) -> Driver:
    try:
        return await Driver.open(validate(spec), place, runner, control or Control(), new=new)
    except BaseException:
        await runner.close()
        raise


async def stream(
    spec: Spec, *, project: Path, runner: Runner, store: Path | None = None, **options: Any
) -> AsyncIterator[Event | Result]:
    """Start a workflow and yield its events as they are written, then its result. Leaving the loop drains it."""
    queue: asyncio.Queue[Event | Result | BaseException] = asyncio.Queue()
    control = Control()

    async def run() -> None:
        try:
            result = await start(
                spec, project=project, runner=runner, store=store, on_event=queue.put_nowait, control=control, **options
            )
            queue.put_nowait(result)
        except Exception as error:  # noqa: BLE001 - handed to the reader, who raises it
            queue.put_nowait(error)

    driving = asyncio.ensure_future(run())
    try:
        while True:
            item = await queue.get()
            if isinstance(item, BaseException):
                raise item
            yield item
            if isinstance(item, Result):
                return
    finally:
        control.drain()
        with suppress(asyncio.CancelledError):
            await driving
