"""LocalExecutor: tasks run on this machine, each attempt in its own git worktree, and count once proven and landed."""

import asyncio
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from stretto.agents import attempt_log
from stretto.agents.checks import CheckReport, run_checks
from stretto.agents.data import check_data, schema_for
from stretto.agents.desk import Desk
from stretto.agents.detect import detect_test_command
from stretto.agents.environment import ProjectEnvironment
from stretto.agents.executor import Drained, Pending
from stretto.agents.host import HostRunner
from stretto.agents.landing import land
from stretto.agents.meter import GRACE_SECONDS, UNKNOWN, Charged, Meter, in_time
from stretto.agents.outcome_cache import Unusable
from stretto.agents.process import run as execute
from stretto.agents.proof import Prove, Unproven, as_data, checked, instructions, left, said, summary
from stretto.agents.repository import Repository
from stretto.agents.retry import OutOfPatience
from stretto.agents.reuse import Found, Reuse
from stretto.agents.roles import load_role
from stretto.agents.runner import Progress, Runner, Surroundings, metered
from stretto.agents.task import Brief, Outcome, Task, Usage, failed
from stretto.agents.workspace import Refused, Workspace, open_workspace, reopen_workspace
from stretto.agents.wrote import wrote
from stretto.state import orders, purse
from stretto.state.errors import Fenced, PermanentError, StoreDamaged, StrettoError, TransientError
from stretto.state.ids import file_name
from stretto.state.log import Log
from stretto.state.rows import AttemptRow, Fence
from stretto.state.transaction import Transaction

NO_AGENT = Usage(input_tokens=0, output_tokens=0, cost_usd=0.0)
"""What checks use: nothing, which is known, so that it must not make the sum of a workflow unknown."""

SENT_BACK = ("conflict", "check_failed")
"""How a landing ends that another task's stood in the way of."""


class _Proven(NamedTuple):
    """An outcome that holds, and the commit of its files; None if it left none."""

    sha: str | None
    outcome: Outcome


class LocalExecutor:
    """Runs attempts until one is proven, and lands its work on the workflow's branch.

    An attempt's row goes started → proven (its commit exists) → done, or failed. A crash in `started` runs the same
    attempt again under the same idempotency key; a crash in `proven` only lands it. Under the host runner an attempt
    begins when somebody takes its order, and its workspace stays until the report is judged.
    """

    def __init__(
        self,
        *,
        runner: Runner,
        repository: Repository,
        log: Log,
        fence: Fence,
        environment: ProjectEnvironment,
        logs: Path,
        attempts: int,
        task_seconds: float,
        test_command: str,
        prove: Prove,
        draining: Callable[[], bool],
        reuse: Reuse | None = None,
        meter: Meter | None = None,
        unreachable: Callable[[StrettoError], None] | None = None,
    ) -> None:
        self._runner = runner
        self._repository = repository
        self._log = log
        self._fence = fence
        self._environment = environment
        self._logs = logs
        self._attempts = attempts
        self._task_seconds = task_seconds
        self._test_command = test_command
        self._prove = prove
        self._draining = draining
        self._reuse = reuse
        self._meter = meter or Meter(log, fence, lambda _: None)
        self._unreachable = unreachable
        self._desk = Desk(log, fence) if isinstance(runner, HostRunner) else None

    def ahead(self, task: Task) -> bool:
        """Whether the task has had its turn already: its work order stands."""
        return self._desk is not None and self._desk.has(task)

    async def run(self, task: Task, inputs: Mapping[str, Outcome]) -> Outcome:
        """Try until an attempt counts or the limit is reached. See `Executor.run`."""
        rows = [a for a in self._log.attempts(task.workflow_id) if a.task_id == task.task_id]
        last = rows[-1] if rows else None
        cut_off = last is not None and last.state in {"started", "proven"}
        first = (last.attempt if cut_off else last.attempt + 1) if last else 1
        feedback = _error_of(rows[-2] if cut_off and len(rows) > 1 else last)
        outcome = Outcome.model_validate(last.outcome) if last and last.outcome else failed("it never ran")
        last_allowed = self._log.forgiven(task.workflow_id, task.task_id) + self._attempts
        for number in range(first, max(last_allowed, first if cut_off else 0) + 1):
            if self._draining():
                raise Drained
            outcome = await self._attempt(task, number, dict(inputs), feedback)
            if outcome.status == "completed" or outcome.data.get("fatal"):
                break
            feedback = outcome.error
        return outcome

    async def _attempt(self, task: Task, number: int, inputs: dict[str, Outcome], feedback: str) -> Outcome:
        """One attempt in a workspace of its own; that of an order stays until it is told how the attempt ended."""
        proven = self._proven(task, number)
        desk = self._desk if task.prompt else None
        if proven is None and desk is None:
            self._start(task, number, asks=bool(task.prompt))
        leaving = AsyncExitStack()
        told = False
        try:
            outcome = await self._worked(leaving, task, number, inputs, feedback, proven)
            if outcome.status == "failed":
                self._failed(task, number, outcome)
            elif desk:
                desk.close(key(task, number))
            told = True
        finally:
            if told or desk is None:
                await leaving.aclose()
        return outcome

    async def _worked(
        self,
        leaving: AsyncExitStack,
        task: Task,
        number: int,
        inputs: dict[str, Outcome],
        feedback: str,
        proven: "_Proven | None",
    ) -> Outcome:
        """What came of an attempt; one that is proven already is landed from where it stood."""
        try:
            workspace = await self._workspace(task, number, proven)
            leaving.push_async_callback(_close, workspace)
            return await self._in_workspace(workspace, task, number, inputs, feedback, proven)
        except (Fenced, StoreDamaged, Pending, Drained):
            raise  # nothing may be written any more, or nothing is to be said yet
        except Exception as error:  # noqa: BLE001 - whatever broke is this attempt's failure; its siblings go on
            return failed(self._trouble(task, number, error))

    async def _workspace(self, task: Task, number: int, proven: "_Proven | None") -> Workspace:
        """A fresh workspace, or the one in which somebody has carried out the attempt's order."""
        if self._desk and task.prompt and proven is None and (left := self._desk.left(key(task, number))):
            return reopen_workspace(self._repository, task.workflow_id, left)
        name = f"{file_name(task.task_id)}.{number}"
        return await open_workspace(self._repository, task.workflow_id, name, base=proven.sha if proven else None)

    def _trouble(self, task: Task, number: int, error: Exception) -> str:
        """What an attempt broke on; where it is no error of ours, `stretto logs` has the whole story."""
        if isinstance(error, StrettoError):
            return error.message
        log = attempt_log.writer(self._logs, task.workflow_id, task.task_id, number)
        log("error", {"text": "".join(traceback.format_exception(error))})
        return f"{type(error).__name__}: {error}"

    async def _in_workspace(
        self,
        workspace: Workspace,
        task: Task,
        number: int,
        inputs: dict[str, Outcome],
        feedback: str,
        proven: "_Proven | None",
    ) -> Outcome:
        if not task.prompt:
            return await self._only_checks(workspace, task)
        brief, key = self._brief(workspace, task, number, inputs, feedback), ""
        if proven is None and self._reuse and self._reuse.concerns(brief.role):
            key = await self._reuse.key(workspace, brief)
            proven = await self._reused(self._reuse, workspace, task, number, key)
        if proven is None:
            found = await self._verify(workspace, task, number, await self._agent(workspace, brief), key)
            if isinstance(found, Outcome):
                return found
            proven = found
        return await self._land(workspace, task, proven)

    async def _reused(self, reuse: Reuse, workspace: Workspace, task: Task, number: int, key: str) -> "_Proven | None":
        """A kept outcome of the same inputs, if it holds here, too; else the workspace is as it was."""
        if self._desk and self._desk.has(task):
            return None  # somebody is at work on it
        try:
            if (found := reuse.find(key, self._log.now())) is None:
                return None
            reuse.bring(found, workspace)
            proven = await self._verify(workspace, task, number, found.outcome, reused=found)
        except Unusable as why:
            proven = failed(str(why))
        if isinstance(proven, _Proven):
            return proven
        facts = {"task_id": task.task_id, "key": key, "reason": proven.error}
        with self._log.write(self._fence) as tx:
            tx.event("CACHE_REFUSED", task.workflow_id, task.phase, facts, severity="warning")
        await workspace.restart()
        return None

    async def _only_checks(self, workspace: Workspace, task: Task) -> Outcome:
        """A task without an agent. Tests that fail are a result, not a failure of the task."""
        commands = task.checks
        if not commands:
            found = await detect_test_command(workspace.cwd, self._environment, execute, self._test_command)
            commands = (found.command,) if found else ()
        report = await self._checks(workspace, commands)
        return Outcome(status="completed", summary=summary(report), data=as_data(report), usage=NO_AGENT)

    def _brief(self, workspace: Workspace, task: Task, number: int, inputs: dict[str, Outcome], feedback: str) -> Brief:
        return Brief(
            workflow_id=task.workflow_id,
            phase=task.phase,
            task_id=task.task_id,
            attempt=number,
            idempotency_key=key(task, number),
            role=task.role,
            title=task.title,
            prompt=instructions(task, inputs),
            cwd=str(workspace.cwd),
            inputs=task.inputs,
            reads=task.reads,
            writes=task.writes,
            checks=task.checks,
            budget=task.budget,
            feedback=feedback,
            schema=schema_for(task.role),
        )

    async def _agent(self, workspace: Workspace, brief: Brief) -> Outcome:
        limit = brief.budget.seconds or self._task_seconds
        desk = self._desk
        progress = attempt_log.writer(self._logs, brief.workflow_id, brief.task_id, brief.attempt)
        clock = asyncio.timeout(limit)
        account = self._meter.account(brief.idempotency_key)
        account.waited = partial(_longer, clock)
        surroundings = Surroundings(
            environment=self._environment.variables(workspace.path, workspace.cwd),
            progress=self._told(brief, progress, clock),
            order=(lambda b: desk.order(b, workspace.saved(), limit)) if desk else None,
            account=account,
            wrote=lambda normal: wrote(workspace, normal),
        )
        try:
            async with clock:
                await self._room(account)
                grace = GRACE_SECONDS if metered(self._runner) else 0
                return await in_time(self._meter, self._runner.run(brief, surroundings), grace)
        except TimeoutError:
            return failed(f"no outcome within {limit:g} s; the agent was ended")
        except (PermanentError, TransientError) as error:
            if self._unreachable and isinstance(error, OutOfPatience | TransientError):
                self._unreachable(error)
                raise Drained from error  # nobody failed: it begins again when there is somebody to answer
            return Outcome(status="failed", error=error.message, data={"fatal": True})

    def _told(self, brief: Brief, progress: Progress, clock: asyncio.Timeout) -> Progress:
        """`progress`; waits for the provider are added to the time of the attempt, and another model is an event."""

        def told(kind: str, facts: Mapping[str, Any]) -> None:
            if kind == "wait":
                _longer(clock, float(facts.get("seconds") or 0))
            if kind == "fallback":
                data = {"task_id": brief.task_id, "attempt": brief.attempt, **facts}
                with self._log.write(self._fence) as tx:
                    tx.event("MODEL_CHANGED", brief.workflow_id, brief.phase, data, severity="warning")
            progress(kind, facts)

        return told

    async def _room(self, account: Charged) -> None:
        """For a runner that does not settle its calls itself an attempt is one call; what is handed out cannot wait."""
        if self._desk:
            self._meter.write(account.open)
            if not account.now(UNKNOWN):
                raise Pending
        elif not metered(self._runner):
            await account.reserve(UNKNOWN)

    def _paid(self, tx: Transaction, task: Task, number: int, used: Usage | None) -> None:
        """The attempt is over: what it used is used; None if no agent was asked."""
        if used is None:
            purse.give_back(tx, task.workflow_id, key(task, number))
        elif not metered(self._runner):
            purse.settle(tx, task.workflow_id, key(task, number), used.model_dump(), self._log.now())
        purse.close(tx, task.workflow_id, key(task, number))

    async def _verify(
        self,
        workspace: Workspace,
        task: Task,
        number: int,
        outcome: Outcome,
        key: str = "",
        *,
        reused: Found | None = None,
    ) -> "_Proven | Outcome":
        """Prove an outcome and commit its files; a failed outcome if it does not hold. Kept under `key`, if any."""
        writes = load_role(task.role).writes
        changes = await workspace.changes()
        changed = changes.paths
        wrong = said(task, outcome, self._prove)
        if not wrong and changes.refused:
            wrong = Unproven("refused: " + "; ".join(f"{r.path} {r.reason}" for r in changes.refused))
        wrong = wrong or left(task, outcome, workspace.cwd, changed, writes=writes)
        if not wrong and task.checks:
            wrong = checked(await self._checks(workspace, task.checks))
        if wrong:
            if writes:
                await self._keep(workspace, task, number)
            return outcome.model_copy(update={"status": "failed", "error": wrong.reason})
        data = check_data(task.role, outcome.data).model_dump(mode="json")
        kept = outcome.model_copy(update={"writes": tuple(changed) if writes else (), "data": data})
        sha = await workspace.commit(task.title, task.task_id) if writes and changed else None
        if reused and self._log.attempt(task.workflow_id, task.task_id, number) is None:
            self._start(task, number)  # no order was handed out
        with self._log.write(self._fence) as tx:
            tx.update_attempt(
                task.workflow_id,
                task.task_id,
                number,
                state="proven",
                commit_sha=sha,
                outcome=kept.model_dump(mode="json"),
            )
            self._paid(tx, task, number, None if reused else outcome.usage)
            if reused:
                saved = reused.entry.usage.model_dump(mode="json")
                facts = {"task_id": task.task_id, "agent_id": task.agent, "key": reused.key, "saved": saved}
                tx.event("TASK_REUSED", task.workflow_id, task.phase, facts)
        if key and self._reuse:
            self._reuse.keep(key, workspace, kept, changed if writes else (), self._log.now())
        return _Proven(sha, kept)

    async def _land(self, workspace: Workspace, task: Task, proven: "_Proven") -> Outcome:
        sha, outcome = proven
        if sha is None:
            return outcome
        landing = await land(workspace, sha, task.task_id, lambda _: self._checks(workspace, task.checks))
        if landing.status == "landed":
            return outcome
        facts = {**outcome.data, "landing": landing.status}
        return outcome.model_copy(update={"status": "failed", "error": landing.log, "data": facts})

    async def _checks(self, workspace: Workspace, commands: Sequence[str]) -> CheckReport:
        return await run_checks(
            commands,
            root=workspace.path,
            cwd=workspace.cwd,
            environment=self._environment,
            seconds=self._task_seconds,
            execute=execute,
        )

    async def _keep(self, workspace: Workspace, task: Task, number: int) -> None:
        """Nothing an agent did is thrown away unseen: a failed attempt's commit stays reachable in git."""
        with suppress(Refused):
            await workspace.commit(f"{task.title} (attempt {number}, not accepted)", task.task_id)

    def _start(self, task: Task, number: int, *, asks: bool = False) -> None:
        """Say that an attempt begins; one that `asks` an agent only as long as the workflow may have another.

        Raises:
            Capped: It may not.
        """
        facts = {
            "agent_id": task.agent,
            "role": task.role,
            "title": task.title,
            "start_time": self._log.now(),
        }
        with self._log.write(self._fence) as tx:
            if asks:
                self._meter.open(tx, key(task, number))
            tx.start_attempt(task.workflow_id, task.task_id, number, key(task, number), task.phase, facts)

    def _proven(self, task: Task, number: int) -> "_Proven | None":
        for row in self._log.attempts(task.workflow_id):
            if (row.task_id, row.attempt, row.state) == (task.task_id, number, "proven") and row.outcome:
                return _Proven(row.commit_sha or None, Outcome.model_validate(row.outcome))
        return None

    def _failed(self, task: Task, number: int, outcome: Outcome) -> None:
        if self._log.attempt(task.workflow_id, task.task_id, number) is None:
            self._start(task, number)  # nobody came to take its order
        facts = {
            "task_id": task.task_id,
            "agent_id": task.agent,
            "failure_reason": outcome.error,
            "retry_count": number,
            "final": False,
            "usage": outcome.usage.model_dump(mode="json"),
            **({"landing": outcome.data["landing"]} if outcome.data.get("landing") in SENT_BACK else {}),
        }
        with self._log.write(self._fence) as tx:
            tx.update_attempt(
                task.workflow_id, task.task_id, number, state="failed", outcome=outcome.model_dump(mode="json")
            )
            self._paid(tx, task, number, outcome.usage)
            tx.event("TASK_FAILED", task.workflow_id, task.phase, facts, severity="warning")
            orders.close(tx, key(task, number))


def _longer(clock: asyncio.Timeout, seconds: float) -> None:
    """Time spent waiting for others is not the agent's."""
    if (when := clock.when()) is not None and not clock.expired():
        clock.reschedule(when + seconds)


async def _close(workspace: Workspace) -> None:
    with suppress(StrettoError, OSError):  # whoever opens it next removes what is left
        await workspace.close()


def key(task: Task, number: int) -> str:
    """The idempotency key of an attempt: the same when a cut-off attempt runs again."""
    return f"{task.workflow_id}/{task.task_id}#{number}"


def _error_of(row: AttemptRow | None) -> str:
    return str(row.outcome.get("error", "")) if row and row.outcome and row.state == "failed" else ""
