"""The driver: holds a workflow's lease, puts its parts together, runs the compiled graph, and says how it ended."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal, cast

from stretto.agents.desk import Desk
from stretto.agents.environment import ProjectEnvironment, find_environment
from stretto.agents.environment_scrub import scrub
from stretto.agents.filelock import drive_lock
from stretto.agents.host import HostRunner
from stretto.agents.local import LocalExecutor
from stretto.agents.meter import Meter
from stretto.agents.process import run as execute
from stretto.agents.reading import workflows
from stretto.agents.refs import Start
from stretto.agents.repository import Repository, open_repository
from stretto.agents.runner import Runner
from stretto.agents.task import Outcome, Task
from stretto.agents.workspace import clean
from stretto.graph import admission, caching, capping, continuing, outages, recovering, tracking
from stretto.graph.board import Board
from stretto.graph.channels import State, tasks_of
from stretto.graph.compiler import compile as compile_spec
from stretto.graph.context import GIVEN, Run, one_second, tails_of
from stretto.graph.control import Control
from stretto.graph.entry import Answer, Entry, Given, enter, expected, leaves, ordered, waiting
from stretto.graph.following import LOOK_EVERY, following
from stretto.graph.plan_data import from_data
from stretto.graph.result import End, Place, Result, end_of
from stretto.graph.slots import Slots
from stretto.graph.spec import Spec
from stretto.state import lease, purse, store
from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.errors import Fenced, StoreDamaged, StrettoError, WorkflowExists
from stretto.state.log import Log
from stretto.state.rows import Fence, WorkflowRow
from stretto.state.settings import Settings
from stretto.state.settings import load as load_settings
from stretto.state.transaction import Transaction
from stretto.state.view import fold
from stretto.state.wire import Event

LIMITS = "limits"
"""The fact that holds the limits of the last drive."""
LEFT = "left"
"""The fact that holds the ids of the gate or the halts that the last drive set out from."""
ONLY = "only"
"""The fact that names the phase that another command has brought tasks to: when it is done, the workflow stops."""
PREFIX = "prefix"
"""The fact that holds the project's folder, seen from the repository's root."""
Durability = Literal["power", "process"]


class Driver:
    """One process driving one workflow."""

    def __init__(self, spec: Spec, place: Place, runner: Runner, control: Control, repository: Repository) -> None:
        self.spec = spec
        self.place = place
        self.runner = runner
        self.control = control
        self.repository = repository
        self.directory = place.directory()
        store.create(self.directory)
        strict = load_settings(repository.top).strict
        self.log = Log.open(self.directory, durability=place.durability, clock=place.clock, strict=strict)
        self.saver = DiskCacheSaver(self.directory / store.CHECKPOINTS, durability=cast("Durability", place.durability))
        self.graph = compile_spec(spec, checkpointer=self.saver)
        self._given: Given | None = None
        self._meter: Meter | None = None  # both of the present drive
        self._outage: outages.Outage | None = None

    @classmethod
    async def open(cls, spec: Spec, place: Place, runner: Runner, control: Control, *, new: bool) -> "Driver":
        """Find the repository first: a project that cannot be worked on leaves nothing behind."""
        repository = await open_repository(place.project, place.directory())
        if new and spec.workflow_id in await workflows(repository):
            raise WorkflowExists(
                f"Git has work of a workflow {spec.workflow_id!r} already (refs/stretto/{spec.workflow_id}).",
                field="workflow_id",
                next_steps=("Choose another id with --workflow-id.",),
            )
        return cls(spec, place, runner, control, repository)

    async def close(self) -> None:
        """Let go of everything that is held."""
        await self.runner.close()
        self.saver.close()
        self.log.close()

    def create(self, kind: str) -> None:
        """Store the workflow, scheduled."""
        spec = self.spec
        facts = {
            "priority": spec.priority,
            "resources": {"agents": spec.limits.agents},
            "workflow_type": spec.type,
            "template": spec.template,
            "phases": [*(spec.continues.inherited if spec.continues else ()), *(p.name for p in spec.phases)],
            **({"continues": spec.continues.workflow_id} if spec.continues else {}),
        }
        if self.log.workflow(spec.workflow_id) is None:
            self.saver.delete_thread(spec.workflow_id)  # a store that came from elsewhere may hold one of this name
        with self.log.write() as tx:
            created = tx.create_workflow(
                spec.workflow_id,
                kind=kind,
                description=spec.description,
                spec=spec.model_dump(mode="json"),
                runner=self.runner.name,
                data=facts,
            )
            if created:
                tx.put_fact(spec.workflow_id, PREFIX, self.repository.prefix)
                self.spec = capping.create(tx, spec)
                continuing.link(tx, spec)
                if spec.orchestrated and spec.orchestrated.sampling:
                    tracking.follow(tx, spec.workflow_id, spec.orchestrated.sampling)
                tx.set_status(spec.workflow_id, "SCHEDULED", {"start_time": "immediate"})

    async def drive(
        self,
        on_event: Callable[[Event], None],
        *,
        resuming: WorkflowRow | None = None,
        answer: Answer | None = None,
        given: Given | None = None,
        heeding: bool = True,
    ) -> Result:
        """Run the graph from where it stands until it ends or stops; with something `given`, until that is done.

        `heeding`: a usage limit that was met is not tried before it is over.
        """
        before = self.log.last_seq() if resuming else 0
        fence = lease.acquire(self.log, self.spec.workflow_id)  # before all else: what is read now stays so
        try:
            self.log.check()  # what is done already must be found, or it is done again
            async with (
                drive_lock(self.directory, self.spec.workflow_id),
                following(self.log, self.spec.workflow_id, before, on_event),
            ):
                entry = enter(self.spec.workflow_id, await self.graph.aget_state(self._config()), answer)
                if given:
                    expected(self.spec.workflow_id, entry, given)
                self._given = given or self._begun()
                if self._untold(entry):
                    return await self._ended(fence, before)
                if entry.waits:
                    facts = waiting(entry.waits)
                    return Result(self.spec.workflow_id, "paused", facts["pause_reason"], entry.waits, facts)
                if facts := self._still_stopped(heeding):
                    return Result(self.spec.workflow_id, "paused", facts["pause_reason"], facts=facts)
                await self._begin(fence, entry, before, given)
                result = await self._invoke(fence, entry, before)
                self._settle(fence)
                return result
        finally:
            lease.release(self.log, fence)

    def _still_stopped(self, heeding: bool) -> dict[str, Any]:
        """Why nothing is begun: a cap that nobody has raised, or a usage limit that is not over. Else empty."""
        name, now = self.spec.workflow_id, self.log.now()
        told = [e for e in self.log.events(name) if e.type in ("WORKFLOW_PAUSED", "WORKFLOW_RESUMED")]
        outside = bool(self.log.standing_orders(name))
        if at := capping.reached_before(told[-1].data) if told and not outside else "":
            short = purse.reached(self.log.database, name, now, self.spec.limits.caps.given())
            return capping.paused(short, name) if short and short.name == at else {}
        met = outages.standing(told, now) if heeding else None
        return outages.paused(met) if met else {}

    def _unreachable(self, error: StrettoError, board: Board) -> None:
        """Begin nothing new: who is at work may find the provider answering, the others wait for a resume."""
        self._outage = outages.longer(self._outage, outages.outage(error, self.log.now()))
        board.drain()

    def _settle(self, fence: Fence) -> None:
        """Say so if the work done ends a recovery: of this workflow, or of the one whose work it took over."""
        if purse.read(self.log.database, self.spec.workflow_id).since is not None:  # it came to its end
            with self.log.write(fence) as tx:
                capping.end(tx, self.spec.workflow_id, self.log.now())
        if not (self.spec.continues or recovering.concerned(self.log.database, self.spec.workflow_id)):
            return
        view = fold(self.log.events(self.spec.workflow_id))
        with self.log.write(fence) as tx:
            recovering.settle(tx, view)
            if view.status == "COMPLETED":
                continuing.take_over(tx, self.spec.workflow_id)

    def _untold(self, entry: Entry) -> bool:
        """Whether a driver came to a stop and died before it could say so.

        That comes first, and before any answer: who gave it may have meant the stop before.
        """
        row = self.log.workflow(self.spec.workflow_id)
        left = self.log.fact(self.spec.workflow_id, LEFT) == list(entry.stops)  # what the driver before set out from
        return row is not None and row.status == "RUNNING" and bool(entry.stops) and (bool(entry.waits) or not left)

    async def _begin(self, fence: Fence, entry: Entry, before: int, given: Given | None) -> None:
        """Say that the workflow runs."""
        try:
            await self._sweep(fence)  # worktrees of a driver that died
            start = await self._branch()
            facts = {"branch": start.branch, "base": start.base, "warnings": list(self.repository.warnings)}
            with self.log.write(fence) as tx:
                facts = {**facts, "runner": self.runner.name, **entry.facts}
                facts |= capping.begin(tx, self.spec, self.log.now())
                tx.put_fact(self.spec.workflow_id, LIMITS, self.spec.limits.model_dump(mode="json"))
                tx.put_fact(self.spec.workflow_id, LEFT, list(entry.stops))
                facts |= self._take_up(tx, entry, given)
                if entry.retries:
                    facts["retried"] = tx.forget_failures(self.spec.workflow_id)
                tx.set_status(self.spec.workflow_id, "RUNNING", facts)
        except Exception as error:
            self._broke(fence, before, error)
            raise

    def _begun(self) -> Given | None:
        """What was brought before and is not done yet: whoever goes on with it stops there, too."""
        phase = self.log.fact(self.spec.workflow_id, ONLY)
        if phase is None:
            return None
        found = fold(self.log.events(self.spec.workflow_id)).phases.get(phase)
        return Given(phase) if found is None or found.state != "completed" else None

    def _take_up(self, tx: Transaction, entry: Entry, given: Given | None) -> dict[str, Any]:
        """Keep what is brought to the phase that was left; whoever goes on without bringing anything does it itself.

        What a driver brought that died before the phase knew of it stays.
        """
        name = f"{GIVEN}{entry.left}"
        if not entry.left or (given is None and self.log.fact(self.spec.workflow_id, name) is not None):
            return {}
        tasks = given.tasks if given else ()
        tx.put_fact(self.spec.workflow_id, name, list(tasks))
        if given:
            tx.put_fact(self.spec.workflow_id, ONLY, entry.left)
        return {"taken_up": entry.left, **({"tasks": [str(t["id"]) for t in tasks]} if tasks else {})}

    async def _branch(self) -> Start:
        """Where it begins: at the checkout, or where the one stood whose work it goes on with."""
        goes_on = self.spec.continues
        if goes_on and goes_on.commit:
            return await self.repository.go_on(self.spec.workflow_id, goes_on.workflow_id, goes_on.commit)
        return await self.repository.begin(self.spec.workflow_id)

    async def _invoke(self, fence: Fence, entry: Entry, before: int) -> Result:
        repository = self.repository
        settings = load_settings(repository.top)
        environ = scrub(os.environ, settings.environment)  # no secret of the user's reaches what agents start
        environment = await find_environment(repository.top, repository.project, environ, execute)
        run, meter = self._run(fence, environment, settings)
        timing = asyncio.ensure_future(meter.time_up())
        values = (await self.graph.aget_state(self._config())).values
        for key in values.get("tasks", {}):
            run.tails.update(tails_of(run, tasks_of(cast("State", values), key)))
        driving = asyncio.ensure_future(
            self.graph.ainvoke(entry.payload, self._config(), context=run, durability="sync")  # pyright: ignore[reportArgumentType, reportUnknownMemberType] - LangGraph's input type
        )
        self.control.attach(driving, run.board.drain)
        watching = asyncio.ensure_future(self._watch(fence))
        try:
            await driving
        except asyncio.CancelledError:
            return await self._stopped(fence, before)
        except Exception as error:
            failed = self._broke(fence, before, error)
            if failed is None or not isinstance(error, StrettoError):
                raise
            return failed
        finally:
            for beside in (watching, timing):
                beside.cancel()
                with suppress(asyncio.CancelledError):
                    await beside
        return await self._ended(fence, before)

    def _reported(self) -> bool:
        """Whether a report waits to be judged, and may be."""
        standing = self.log.standing_orders(self.spec.workflow_id)
        return not self.control.draining and any(o.state == "reported" for o in standing)

    async def _sweep(self, fence: Fence) -> None:
        """Remove the workspaces that nobody outside works in. Orders stand only as long as the host is the runner."""
        desk = Desk(self.log, fence)
        if not isinstance(self.runner, HostRunner):
            desk.void(self.spec.workflow_id)
        await clean(self.repository, self.spec.workflow_id, desk.names(self.spec.workflow_id))

    def _broke(self, fence: Fence, before: int, error: Exception) -> Result | None:
        """No node could take this for a failure of its task: the workflow failed, and can be resumed.

        None where the status must stay: it is no longer ours, or the store cannot be trusted.
        """
        row = self.log.workflow(self.spec.workflow_id)
        if isinstance(error, Fenced | StoreDamaged) or row is None or row.status not in {"SCHEDULED", "RUNNING"}:
            return None
        why = error.message if isinstance(error, StrettoError) else f"{type(error).__name__}: {error}"
        return self._end(fence, before, "FAILED", "failed", {"failure_reason": why})

    def _run(self, fence: Fence, environment: ProjectEnvironment, settings: Settings) -> tuple[Run, Meter]:
        row = self.log.workflow(self.spec.workflow_id)
        outcomes = self.log.outcomes(self.spec.workflow_id)
        board = Board({k: Outcome.model_validate(v.outcome) for k, v in outcomes.items()})
        limits = self.spec.limits
        meter = self._meter = Meter(self.log, fence, lambda _: board.drain())
        executor = LocalExecutor(
            runner=self.runner,
            repository=self.repository,
            log=self.log,
            fence=fence,
            environment=environment,
            logs=self.directory / store.LOGS,
            attempts=limits.attempts,
            task_seconds=limits.task_seconds,
            test_command=self.spec.test_command or settings.test,
            prove=prove,
            draining=lambda: board.draining,
            reuse=caching.reuse(self.log, self.runner, self.repository),
            meter=meter,
            unreachable=lambda error: self._unreachable(error, board),
        )
        run = Run(
            spec=self.spec,
            log=self.log,
            fence=fence,
            executor=executor,
            repository=self.repository,
            board=board,
            slots=Slots(limits.agents),
            date=row.created[:10] if row else "",
            debug_rounds=limits.debug_rounds,
            only=self._given.phase if self._given else "",
            expect=one_second,
            capacity=admission.machine(settings.agents),
        )
        return run, meter

    async def _watch(self, fence: Fence) -> None:
        """Do what other processes ask of this driver."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            if not self.log.requests(self.spec.workflow_id):
                continue
            with self.log.write(fence) as tx:
                asked = {r.kind for r in tx.take_requests(self.spec.workflow_id)}
            if "cancel" in asked:
                self.control.cancel()
            elif "drain" in asked:
                self.control.drain()

    async def _stopped(self, fence: Fence, before: int) -> Result:
        """The run was cut. Whoever cut it decides whether for good."""
        row = self.log.workflow(self.spec.workflow_id)
        if row and row.status == "COMPLETED":  # the order came when all was done
            return end_of(self.spec.workflow_id, self.log, before)
        await self._sweep(fence)
        if self.control.cancelled:
            await clean(self.repository, self.spec.workflow_id)
            facts = {"cancellation_reason": "asked for", "cleanup_status": "worktrees removed, branch kept"}
            return self._end(fence, before, "CANCELLED", "cancelled", facts)
        paused = {"pause_reason": "stopped", "current_state": "resumable"}
        result = self._end(fence, before, "PAUSED", "paused", paused)
        if not self.control.cutting:  # whoever awaited us was cancelled
            raise asyncio.CancelledError
        return result

    async def _ended(self, fence: Fence, before: int) -> Result:
        snapshot = await self.graph.aget_state(self._config())
        kinds = {k: v for i in snapshot.interrupts for k, v in i.value.items()}
        if "halt" in kinds:
            facts = {"failure_reason": kinds["why"], "recovery_options": ["resume", "undo"]}
            return self._end(fence, before, "FAILED", "failed", facts, phase=kinds["halt"])
        if "gate" in kinds:
            return self._end(fence, before, "PAUSED", "paused", waiting(kinds["gate"]), gate=kinds["gate"])
        if "left" in kinds:
            return self._end(fence, before, "PAUSED", "paused", leaves(kinds["left"]))
        if "pending" in kinds and self._reported():
            return await self._invoke(fence, Entry(), before)  # it came while we were at work
        if "pending" in kinds:
            facts = ordered(self.log, self.spec.workflow_id)
            if stopped := self._why_drained():
                both = f"{facts['pause_reason']}; {stopped['pause_reason']}"
                facts = {**stopped, **facts, "pause_reason": both}
            return self._end(fence, before, "PAUSED", "paused", facts)
        if "drained" in kinds and (facts := self._why_drained()):
            return self._end(fence, before, "PAUSED", "paused", facts)
        if "drained" in kinds:
            given = self._given if not self.control.draining else None
            why = f"{given.phase} is done, and no more was asked for" if given else "drained"
            facts = {"pause_reason": why, "current_state": "resumable"}
            return self._end(fence, before, "PAUSED", "paused", {**facts, **await self._delivered()})
        await clean(self.repository, self.spec.workflow_id)
        return end_of(self.spec.workflow_id, self.log, before)._replace(warnings=tuple(self.repository.warnings))

    async def _delivered(self) -> dict[str, Any]:
        """What another command had done here is for the next commands, too: it is brought to the checkout."""
        if self._given is None or self.spec.merge != "auto":
            return {}
        found = await self.repository.deliver(self.spec.workflow_id)
        return {"merged": found.merged, **({"reason": found.reason, "command": found.command} if found.reason else {})}

    def _end(
        self,
        fence: Fence,
        before: int,
        status: str,
        end: End,
        facts: dict[str, Any],
        *,
        phase: str = "",
        gate: str = "",
    ) -> Result:
        with self.log.write(fence) as tx:
            facts = facts | capping.end(tx, self.spec.workflow_id, self.log.now())
            tx.set_status(self.spec.workflow_id, status, facts, phase=phase)
            if status == "CANCELLED":
                agents = load_settings(self.repository.top).agents
                admission.pass_on(tx, self.spec.workflow_id, admission.machine(agents), self.log.now())
        why = str(facts.get("failure_reason") or facts.get("pause_reason") or "")
        return Result(
            self.spec.workflow_id, end, why, gate, facts, self._written(before), tuple(self.repository.warnings)
        )

    def _why_drained(self) -> dict[str, Any]:
        """What made it stop, if not somebody outside."""
        if self._meter and self._meter.short:
            return capping.paused(self._meter.short, self.spec.workflow_id)
        return outages.paused(self._outage) if self._outage else {}

    def _written(self, before: int) -> tuple[str, ...]:
        return tuple(e.event_id for e in self.log.events(self.spec.workflow_id, after=before))

    def _config(self) -> Any:
        return {"configurable": {"thread_id": self.spec.workflow_id}, "recursion_limit": 10_000}


def prove(task: Task, outcome: Outcome) -> None:
    """A plan whose tasks do not fit together is not done, whatever its planner says."""
    if task.role == "planner":
        from_data(outcome.data)
