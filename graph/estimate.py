"""Estimates of a workflow before it runs: agents, time, tokens and money, each with its basis.

Seconds come from simulated runs: each of `DRAWS` times, every task gets a duration that `forecast` holds possible after
the past tasks of its role (of its kind of phase too, when there are `ENOUGH` of those), and the schedule is simulated
on the slots that there are. Few past tasks make a wide interval. Tokens and money are sums of values drawn from the
past tasks themselves, and unknown (None) as soon as one role has none.

Without any history only the seconds have a value: the default of each role, named as such, without an interval. Draws
are seeded, so that the same spec and history give the same estimate. Agents are attempts, as many as past tasks needed;
debug rounds are not in it, and second attempts neither where there is no history.
"""

import math
import random
from collections.abc import Callable, Sequence
from statistics import median, quantiles
from typing import Final, NamedTuple

from stretto.agents.task import RoleName
from stretto.graph.complexity import Complexity
from stretto.graph.forecast import ENOUGH, Forecaster, Phase
from stretto.graph.schedule import Schedule, simulate
from stretto.graph.spec import Kind, PhaseSpec, Spec, order, waits

DRAWS: Final = 200
DEFAULT_SECONDS: Final[dict[RoleName, float]] = {
    "researcher": 180,
    "planner": 180,
    "implementer": 420,
    "tester": 240,
    "debugger": 300,
    "documenter": 180,
    "reviewer": 180,
}
"""Assumed seconds of a task where there is no history. Nobody measured them; every use says so."""
NO_HISTORY: Final = "no history: default of the template, confidence 0"
PLANNED_TASKS: Final[dict[Complexity, int]] = {"low": 1, "medium": 3, "high": 5, "very_high": 8}
"""Assumed tasks of a plan that is not written yet."""

_ROLE: Final[dict[Kind, RoleName]] = {
    "research": "researcher",
    "plan": "planner",
    "implement": "implementer",
    "test": "tester",
    "document": "documenter",
    "review": "reviewer",
}
_PRIOR_SPREAD = 0.8


class PastTask(NamedTuple):
    """A task that finished earlier. None is what nobody counted."""

    role: RoleName
    phase_kind: Kind
    seconds: float
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    attempts: int = 1


class Amount(NamedTuple):
    """An estimated amount: `likely` is the median, `low` to `high` holds 80 %; None is unknown.

    `n` past tasks stand behind it, and `basis` says it in words.
    """

    low: float | None
    likely: float
    high: float | None
    basis: str
    n: int


class PhaseEstimate(NamedTuple):
    """A phase: how many tasks (`assumed` when the plan decides), how many of them at once, the likely seconds."""

    name: str
    kind: Kind
    tasks: int
    assumed: bool
    parallel: int
    seconds: float


class Estimate(NamedTuple):
    """What a workflow may take. None is unknown."""

    seconds: Amount
    tokens: Amount | None
    money: Amount | None
    phases: tuple[PhaseEstimate, ...]
    assumptions: tuple[str, ...]
    agents: Amount


class _Expected(NamedTuple):
    key: str
    phase: str
    role: RoleName
    kind: Kind
    needs: tuple[str, ...]


_Groups = dict[tuple[RoleName, Kind], list[PastTask]]


def estimate(spec: Spec, history: Sequence[PastTask]) -> Estimate:
    """Estimate a valid spec from finished tasks, the project's own or none."""
    tasks = _expected(spec)
    past: _Groups = {(t.role, t.kind): _alike(t, history) for t in tasks}
    used = set[PastTask]().union(*past.values())
    runs = _runs(tasks, past, spec.limits.agents)
    counted = [task for task in history if task in used]
    return Estimate(
        seconds=_seconds(runs, past, len(counted), spec.limits.agents),
        tokens=_sum(tasks, past, counted, _tokens),
        money=_sum(tasks, past, counted, _cost),
        phases=tuple(_phase(phase, tasks, runs, spec.limits.agents) for phase in order(spec)),
        assumptions=_assumptions(spec, past),
        agents=_sum(tasks, past, counted, _attempts) or Amount(None, len(tasks), None, NO_HISTORY, 0),
    )


# ── which tasks ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _expected(spec: Spec) -> list[_Expected]:
    """The tasks that there will be; each waits for the tasks of the phases before its own."""
    found: dict[str, list[_Expected]] = {}
    leads = waits(spec)
    ends: dict[str, tuple[str, ...]] = {}
    for phase in order(spec):
        before = tuple(key for name in leads[phase.name] for key in ends[name])
        found[phase.name] = _of_phase(spec, phase, before)
        ends[phase.name] = tuple(t.key for t in found[phase.name]) or before
    return [task for tasks in found.values() for task in tasks]


def _of_phase(spec: Spec, phase: PhaseSpec, before: tuple[str, ...]) -> list[_Expected]:
    if phase.tasks:
        return [
            _Expected(
                f"{phase.name}/{task.id}",
                phase.name,
                task.role,
                phase.kind,
                (*before, *(f"{phase.name}/{need}" for need in task.depends_on)),
            )
            for task in phase.tasks
        ]
    count = PLANNED_TASKS[spec.complexity] if phase.kind == "implement" else 1
    role = _ROLE[phase.kind]
    return [_Expected(f"{phase.name}/{n}", phase.name, role, phase.kind, before) for n in range(1, count + 1)]


def _alike(task: _Expected, history: Sequence[PastTask]) -> list[PastTask]:
    role = [past for past in history if past.role == task.role and past.seconds > 0]
    close = [past for past in role if past.phase_kind == task.kind]
    return close if len(close) >= ENOUGH else role


# ── seconds ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _runs(tasks: Sequence[_Expected], past: _Groups, slots: int) -> list[Schedule]:
    """Simulated runs; one alone, at the defaults, when there is no history."""
    needs = {t.key: t.needs for t in tasks}
    if not any(past.values()):
        return [simulate({t.key: DEFAULT_SECONDS[t.role] for t in tasks}, needs, slots)]
    # The same draws every time, so that two readings of one estimate agree.
    chance = random.Random(0)  # noqa: S311  - no secret hangs on it
    drawn: dict[str, list[float]] = {}
    for group, found in past.items():
        keys = [t.key for t in tasks if (t.role, t.kind) == group]
        futures = _futures(found, group[0], len(keys), chance)
        drawn |= {key: [future[i] for future in futures] for i, key in enumerate(keys)}
    return [simulate({t.key: drawn[t.key][n] for t in tasks}, needs, slots) for n in range(DRAWS)]


def _futures(past: Sequence[PastTask], role: RoleName, count: int, chance: random.Random) -> list[list[float]]:
    """`DRAWS` times the seconds of `count` tasks; about the default of the role where nothing has passed."""
    if not past:
        usual = math.log(DEFAULT_SECONDS[role])
        return [[math.exp(chance.gauss(usual, _PRIOR_SPREAD)) for _ in range(count)] for _ in range(DRAWS)]
    forecaster = Forecaster()
    for task in past:
        forecaster.observe(Phase(role), task.seconds)
    return forecaster.draws([Phase(role)] * count, DRAWS, chance)


def _seconds(runs: Sequence[Schedule], past: _Groups, counted: int, slots: int) -> Amount:
    if not counted:
        return Amount(None, runs[0].makespan, None, NO_HISTORY, 0)
    missing = sorted({role for (role, _), found in past.items() if not found})
    basis = f"{counted} past tasks, {len(runs)} simulated runs on {slots} agents"
    if missing:
        basis += f"; {', '.join(missing)}: {NO_HISTORY}"
    return _amount([run.makespan for run in runs], basis, counted)


def _amount(values: Sequence[float], basis: str, n: int) -> Amount:
    tenths = quantiles(values, n=10, method="inclusive")
    return Amount(tenths[0], median(values), tenths[-1], basis, n)


def _phase(phase: PhaseSpec, tasks: Sequence[_Expected], runs: Sequence[Schedule], slots: int) -> PhaseEstimate:
    own = [t for t in tasks if t.phase == phase.name]
    spans = [max(run.finish[t.key] for t in own) - min(run.start[t.key] for t in own) for run in runs]
    return PhaseEstimate(
        name=phase.name,
        kind=phase.kind,
        tasks=len(own),
        assumed=phase.kind == "implement" and not phase.tasks,
        parallel=_at_once(own, slots),
        seconds=median(spans),
    )


def _at_once(tasks: Sequence[_Expected], slots: int) -> int:
    """The most tasks of a phase at one time, when each takes as long as the others."""
    keys = {t.key for t in tasks}
    needs = {t.key: [need for need in t.needs if need in keys] for t in tasks}
    starts = list(simulate(dict.fromkeys(needs, 1.0), needs, slots).start.values())
    return max(starts.count(at) for at in starts)


# ── tokens and money ─────────────────────────────────────────────────────────────────────────────────────────────────


def _tokens(task: PastTask) -> float | None:
    if task.input_tokens is None or task.output_tokens is None:
        return None
    return task.input_tokens + task.output_tokens


def _attempts(task: PastTask) -> float:
    return task.attempts


def _cost(task: PastTask) -> float | None:
    return task.cost_usd


def _sum(
    tasks: Sequence[_Expected],
    past: _Groups,
    counted: Sequence[PastTask],
    read: Callable[[PastTask], float | None],
) -> Amount | None:
    known = {group: [v for task in found if (v := read(task)) is not None] for group, found in past.items()}
    if not all(known.values()):
        return None
    chance = random.Random(0)  # noqa: S311  - no secret hangs on it
    sums = [sum(chance.choice(known[t.role, t.kind]) for t in tasks) for _ in range(DRAWS)]
    n = sum(read(task) is not None for task in counted)
    return _amount(sums, f"{n} past tasks that counted it, {DRAWS} draws", n)


def _assumptions(spec: Spec, past: _Groups) -> tuple[str, ...]:
    found: list[str] = []
    for phase in spec.phases:
        if phase.kind == "implement" and not phase.tasks:
            count = PLANNED_TASKS[spec.complexity]
            found.append(
                f"{phase.name}: tasks are known after planning; {count} that do not wait for each other are assumed,"
                f" by complexity {spec.complexity}"
            )
    blank: list[RoleName] = sorted({role for (role, _), tasks in past.items() if not tasks})
    if blank:
        defaults = ", ".join(f"{role} {DEFAULT_SECONDS[role]:.0f} s" for role in blank)
        found.append(f"no history of these roles, their default seconds are assumed: {defaults}")
    for name, read in (("tokens", _tokens), ("money", _cost)):
        uncounted = sorted({role for (role, _), tasks in past.items() if all(read(t) is None for t in tasks)})
        if uncounted:
            found.append(f"{name}: unknown, because no past task of {', '.join(uncounted)} counted it")
    if any(phase.kind == "test" for phase in spec.phases):
        found.append("no debug round and no second attempt is counted")
    return tuple(found)
