"""The nodes of a compiled graph: open a phase, run one task, close the phase, wait for a person.

A node that raises cancels its siblings, so nodes return failures. Each may run again after a crash, so what it does is
keyed.
"""

import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import Send, interrupt

from stretto.agents.executor import Drained, Pending
from stretto.agents.task import Outcome, Task, failed
from stretto.graph import advising, track_running
from stretto.graph.channels import Json, State, generation, step_key, stored
from stretto.graph.context import Fact, Run, Step, tails_of
from stretto.graph.spec import PhaseSpec, TaskSpec
from stretto.graph.stages import Closed, Stage, artifacts, as_task

Update = dict[str, Any]
Node = Callable[[State, Runtime[Run]], Awaitable[Update]]


def step_of(phase: PhaseSpec, state: State, run: Run) -> Step:
    """The pass through `phase` that the state is in."""
    return Step(phase=phase, number=generation(phase.kind, state), state=state, run=run)


def opening(phase: PhaseSpec, stage: Stage) -> Node:
    """The node that makes the tasks of a phase."""

    async def open_phase(state: State, runtime: Runtime[Run]) -> Update:
        run = runtime.context
        step = step_of(phase, state, run)
        if run.board.draining or (run.only and phase.kind != "debug" and phase.name != run.only):
            interrupt({"drained": phase.name})  # raises, unless this is a resume
        run.remember(f"base:{step.key}", await run.repository.tip(run.workflow_id))
        tasks = await stage.tasks(step)
        facts = {"tasks": len(tasks), "generation": step.number}
        key = f"open:{step.key}:{_tries(run, tasks)}"  # again when a resume leads back to a phase that failed
        run.enter(key, phase.name, facts, *stage.started(step, tasks))
        if phase.name in run.spec.leave:
            tasks = _brought(step) or tasks
        run.tails.update(tails_of(run, tasks))
        return {"tasks": {step.key: [t.model_dump(mode="json") for t in tasks]}}

    return open_phase


def _brought(step: Step) -> list[Task]:
    """The tasks that another command has brought to the phase; none if it is to do its own."""
    given = step.run.given(step.phase.name)
    if given is None:
        interrupt({"left": step.phase.name})  # raises: whoever resumes says first what is given
    return [as_task(step, TaskSpec.model_validate(spec), inputs=artifacts(step)) for spec in given or ()]


def fan_out(phase: PhaseSpec) -> Callable[[State], list[Send] | str]:
    """The edge from the opening node: every unfinished task of the phase in one superstep, in the order of the plan."""

    def send(state: State) -> list[Send] | str:
        tasks: list[Json] = state["tasks"].get(step_key(phase, generation(phase.kind, state)), [])
        done = {t for t, o in state["outcomes"].items() if o["status"] == "completed"}
        return [Send(f"{phase.name}.task", t) for t in tasks if t["task_id"] not in done] or f"{phase.name}.close"

    return send


async def task(payload: Json, runtime: Runtime[Run]) -> Update:
    """Run one task: wait for those it needs, then for a slot, then for its agent; record the outcome; return it."""
    run = runtime.context
    mine = Task.model_validate(payload)
    outcome = run.board.finished(mine.task_id)  # the log may be ahead of the checkpoint
    if outcome is None:
        try:
            outcome = await _execute(run, mine)
        except Drained:
            interrupt({"drained": mine.task_id})  # raises; the resumed node comes here only if it drains again
            raise
        except Pending:
            run.board.put_off(mine.task_id)
            interrupt({"pending": mine.task_id})  # raises; the resumed node asks again
            raise
    return {"outcomes": {mine.task_id: stored(outcome, run.fence.token)}}


async def _execute(run: Run, mine: Task) -> Outcome:
    inputs = {name: await run.board.outcome(name) for name in mine.after}
    if broken := [name for name, outcome in inputs.items() if outcome.status != "completed"]:
        return _told(run, mine, failed(f"not started, since {', '.join(broken)} failed"))
    await track_running.enter(run, mine)
    tail = math.inf if run.executor.ahead(mine) else run.tails.get(mine.task_id, 0.0)
    async with _turn(run, mine, tail), run.slots.slot(tail):
        if run.board.draining:
            raise Drained
        return _told(run, mine, await run.executor.run(mine, inputs))


def _turn(run: Run, mine: Task, tail: float) -> AbstractAsyncContextManager[None]:
    """A task's turn, where the tasks of its phase are done one at a time; where they are not, it is always its turn."""
    return nullcontext() if advising.mode_of(run, mine.phase) in (None, "parallel") else run.turns.slot(tail)


def _told(run: Run, mine: Task, outcome: Outcome) -> Outcome:
    """Record an outcome, then tell those who wait for it."""
    record(run, mine, outcome)
    run.board.post(mine.task_id, outcome)
    return outcome


def record(run: Run, mine: Task, outcome: Outcome) -> None:
    """Store an outcome with its event in one transaction. A failure stands until a failed workflow is resumed."""
    tried = [a for a in run.log.attempts(run.workflow_id) if a.task_id == mine.task_id]
    attempt = max((a.attempt for a in tried), default=0)
    body = outcome.model_dump(mode="json")
    with run.log.write(run.fence) as tx:
        if outcome.status == "completed":
            results = {"summary": outcome.summary, "usage": body["usage"], "writes": body["writes"]}
            data = {"agent_id": mine.agent, "results": results}
            tx.record_outcome(run.workflow_id, mine.task_id, attempt, body, "TASK_COMPLETED", mine.phase, data)
        else:
            facts = {"agent_id": mine.agent, "failure_reason": outcome.error, "final": True, "retry_count": attempt}
            facts |= {} if tried else {"usage": NOTHING_USED}
            tx.record_outcome(
                run.workflow_id, mine.task_id, attempt, body, "TASK_FAILED", mine.phase, facts, severity="error"
            )
        track_running.ended(tx, run, mine, outcome)


NOTHING_USED = {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0}
"""What a task that never began has used."""


def closing(phase: PhaseSpec, stage: Stage) -> Node:
    """The node that joins a phase and decides where the workflow goes next."""

    async def close_phase(state: State, runtime: Runtime[Run]) -> Update:
        run = runtime.context
        step = step_of(phase, state, run)
        closed = await stage.close(step)
        if not closed.failed:
            _passed(run, step, closed)
            return {"verdicts": {step.key: {**closed.verdict, "status": "passed", "next": "on"}}, **closed.update}
        tries = _failed(run, step, closed)
        debug = closed.curable and state["rounds"] < run.debug_rounds
        verdict = {"status": "failed", "why": closed.failed, "tries": tries, "next": "debug" if debug else "halt"}
        return {"verdicts": {step.key: {**closed.verdict, **verdict}}}

    return close_phase


def _passed(run: Run, step: Step, closed: Closed) -> None:
    metrics = {"phase_id": step.phase.name, "success_metrics": dict(closed.metrics)}
    run.emit(f"close:{step.key}", *closed.events, Fact("PHASE_COMPLETED", step.phase.name, metrics))


def _failed(run: Run, step: Step, closed: Closed) -> int:
    tries = _tries(run, step.tasks)
    name = step.phase.name
    reason = {"phase_id": name, "failure_reason": closed.failed, "partial_results": sorted(step.finished)}
    run.emit(f"failed:{step.key}:{tries}", *closed.events, Fact("PHASE_FAILED", name, reason, "error"))
    if step.phase.tracks:
        with run.log.write(run.fence) as tx:
            track_running.release(tx, run, "", f"{name} failed")
    return tries


def _tries(run: Run, tasks: Sequence[Task]) -> int:
    """How many attempts these tasks have had. It stays what it is while a node opens or closes their phase."""
    mine = {t.task_id for t in tasks}
    return sum(a.task_id in mine for a in run.log.attempts(run.workflow_id))


def halt(phase: PhaseSpec) -> Node:
    """The node where a workflow stands that could not go on. A resume leads back to the phase.

    Tests are run again under a new generation, since their outcome, once recorded, is kept.
    """

    async def halted(state: State, runtime: Runtime[Run]) -> Update:
        step = step_of(phase, state, runtime.context)
        verdict = state["verdicts"].get(step.key, {})
        interrupt({"halt": phase.name, "why": verdict.get("why", "")})
        return {"rounds": state["rounds"] + 1} if phase.kind == "test" or phase.tracks else {}

    return halted


def gate(name: str, phase: str) -> Node:
    """The node where a person is asked. The answer is `{"approve": bool, "why": str}`."""

    async def ask(state: State, runtime: Runtime[Run]) -> Update:
        del runtime
        key = f"gate:{name}~{1 + state['replans'] if name == 'plan' else 1}"
        answer: Json = interrupt({"gate": name, "phase": phase})
        verdict = {"status": "passed" if answer["approve"] else "failed", "why": answer.get("why", "")}
        rejected_plan = name == "plan" and not answer["approve"]
        return {"verdicts": {key: verdict}, **({"replans": state["replans"] + 1} if rejected_plan else {})}

    return ask
