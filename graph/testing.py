"""Testing: the project's own tests, run where the workflow's branch is checked out. No tests found is not success."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from stretto.agents.task import Task
from stretto.graph.committing import about, gather
from stretto.graph.context import Fact, Step
from stretto.graph.implementing import plan_at
from stretto.graph.spec import TaskSpec
from stretto.graph.stages import Closed, artifacts, as_task, fatal, why

TESTS = "tests"
PLANNED = "planned"
NO_TESTS = (
    "No way to test this project was found, so nothing is proven. "
    'Say how in .stretto/config.toml (test = "python -m pytest"), or add tests; then resume.'
)
NOT_RUN = "No agent can cure that: install it, or say another way in .stretto/config.toml (test = …); then resume."


class Testing:
    """The spec's testers, if it names any; then, without an agent, the project's tests and the plan's commands."""

    async def tasks(self, step: Step) -> Sequence[Task]:
        """The testers who have not done their work in an earlier pass, and the runs, which wait for them."""
        testers = open_testers(step)
        own = (step.spec.test_command,) if step.spec.test_command else ()
        runs = [_run(TESTS, "Run the project's tests", own, testers)]
        if planned := await _planned(step):
            runs.append(_run(PLANNED, "Run the commands that the plan names", planned, testers))
        return [as_task(step, s, inputs=artifacts(step)) for s in (*testers, *runs)]

    def started(self, step: Step, tasks: Sequence[Task]) -> tuple[Fact, ...]:
        """TESTING_STARTED."""
        return (Fact("TESTING_STARTED", step.phase.name, {"agents": sum(bool(t.prompt) for t in tasks)}),)

    async def close(self, step: Step) -> Closed:
        """Read the report of the test run; a failing test is worth a debug round, missing tests are not."""
        if failure := why(step):
            return Closed({}, failed=failure, curable=not fatal(step), events=(_failed(step, {"reason": failure}),))
        await gather(step, about("test: verify", step.spec.description))
        report: dict[str, Any] = step.finished[step.task_id(TESTS)].data
        if not report["results"]:
            return Closed({}, failed=NO_TESTS, events=(_failed(step, {"reason": NO_TESTS}),))
        facts = counted(report["results"][0])
        bad = next((r for r in _results(step) if r["problem"]), None)
        if bad is None:
            events = (Fact("TESTING_COMPLETED", step.phase.name, facts),)
            return Closed({"tests": facts}, metrics={**facts, "tests_passing": True}, events=events)
        verdict = {"tests": facts, "output": "\n\n".join(bad["failures"]) or bad["output"]}
        curable = bad["ran"] and (not bad["tests"] or bad["tests"]["tests"] > 0)
        events = (_failed(step, {**counted(bad), "success": False}),)
        return Closed(verdict, failed=_sentence(bad), curable=curable, events=events)


def _run(name: str, title: str, commands: tuple[str, ...], testers: Sequence[TaskSpec]) -> TaskSpec:
    after = tuple(t.id for t in testers)
    return TaskSpec(id=name, title=title, role="tester", prompt="", checks=commands, depends_on=after)


async def _planned(step: Step) -> tuple[str, ...]:
    """The commands under `Testing:` in the plan, each once."""
    plan = await plan_at(step)
    return tuple(dict.fromkeys(c for phase in plan.phases for c in phase.testing)) if plan else ()


def _results(step: Step) -> Iterator[dict[str, Any]]:
    for name in (TESTS, PLANNED):
        if outcome := step.finished.get(step.task_id(name)):
            yield from outcome.data["results"]


def open_testers(step: Step) -> tuple[TaskSpec, ...]:
    """The testers whose work is still to do: a debug round may come before the first pass, or because of a tester."""
    done = {t.id for t in step.phase.tasks if _done_before(step, t.id)}
    return tuple(
        t.model_copy(update={"depends_on": tuple(d for d in t.depends_on if d not in done)})
        for t in step.phase.tasks
        if t.id not in done
    )


def _done_before(step: Step, name: str) -> bool:
    earlier = (step.outcome(replace(step, number=n).task_id(name)) for n in range(1, step.number))
    return any(outcome is not None and outcome.status == "completed" for outcome in earlier)


def _failed(step: Step, data: dict[str, Any]) -> Fact:
    return Fact("TESTING_FAILED", step.phase.name, data, "error")


def counted(result: dict[str, Any]) -> dict[str, Any]:
    """What was counted: from JUnit where the runner writes it, else the exit code alone."""
    counts: dict[str, Any] = result.get("tests") or {}
    return {
        "command": result["command"],
        "exit_code": result["exit_code"],
        "counted_from": "junit" if counts else "exit code",
        **{k: counts[k] for k in ("tests", "failures", "errors", "skipped") if k in counts},
    }


def _sentence(result: dict[str, Any]) -> str:
    counts, command = result["tests"], result["command"]
    if not result["ran"]:
        return f"`{command}` cannot be run: {result['problem']}. {NOT_RUN}"
    if counts and not counts["tests"]:
        return f"`{command}` found no tests; that is not success."
    bad = counts["failures"] + counts["errors"] if counts else 0
    if bad:
        return f"{bad} of {counts['tests']} tests failed (`{command}`)."
    return f"`{command}` did not pass: {result['problem'] or 'it says nothing more'}."
