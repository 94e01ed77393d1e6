"""An estimate says what it stands on; what nobody measured is unknown."""

import random
from typing import Any

import pytest

from stretto.agents.task import RoleName
from stretto.graph.analyze import analyze
from stretto.graph.estimate import DEFAULT_SECONDS, NO_HISTORY, PLANNED_TASKS, Estimate, PastTask, estimate
from stretto.graph.spec import Kind, Limits, PhaseSpec, Spec, TaskSpec
from stretto.graph.template import instantiate, load_template

FEATURE = load_template("feature-development", None)
ROLES: tuple[RoleName, ...] = ("researcher", "planner", "implementer", "tester", "documenter")


def spec(**overrides: Any) -> Spec:
    return instantiate(FEATURE, "Add JWT authentication", analysis=analyze("x"), workflow_id="w", **overrides)


def past(role: RoleName, seconds: float, kind: Kind = "review", **keys: Any) -> PastTask:
    counted: dict[str, Any] = {"input_tokens": 900, "output_tokens": 100, "cost_usd": 0.5, **keys}
    return PastTask(role, kind, seconds, **counted)


def full(seconds: float, times: int, **keys: Any) -> list[PastTask]:
    return [past(role, seconds, **keys) for role in ROLES for _ in range(times)]


def alone(role: RoleName, kind: Kind, count: int = 1, agents: int = 4) -> Spec:
    tasks = tuple(TaskSpec(id=f"t{n}", title="t", role=role, prompt="p") for n in range(count))
    return Spec(
        workflow_id="w",
        description="d",
        type="t",
        template="t",
        complexity="low",
        phases=(PhaseSpec(name="p", kind=kind, tasks=tasks),),
        limits=Limits(agents=agents),
    )


def test_without_history_time_is_the_labelled_default_and_the_rest_unknown() -> None:
    found = estimate(spec(complexity="medium"), [])

    assert found.seconds == (None, 180 + 180 + 420 + 240 + 180, None, NO_HISTORY, 0)
    assert found.tokens is None
    assert found.money is None
    assert any("default seconds are assumed" in line for line in found.assumptions)
    assert any(line.startswith("tokens: unknown") for line in found.assumptions)


@pytest.mark.parametrize("name", ["bug-fix", "research", "documentation-update", "refactoring", "testing"])
def test_no_phase_ever_takes_zero_seconds(name: str) -> None:
    plan = instantiate(load_template(name, None), "d", analysis=analyze("x"), workflow_id="w")

    for history in ([], full(60, 3)):
        assert all(phase.seconds > 0 and phase.tasks >= 1 for phase in estimate(plan, history).phases)


def test_tasks_of_a_plan_that_is_not_there_yet_are_an_assumption_and_said_so() -> None:
    found = estimate(spec(complexity="very_high"), [])
    phase = found.phases[2]

    assert (phase.name, phase.tasks, phase.assumed, phase.parallel) == ("implementation", 8, True, 4)
    assert "known after planning; 8 that do not wait for each other are assumed" in found.assumptions[0]
    assert [p.assumed for p in found.phases] == [False, False, True, False, False]


def test_a_harder_workflow_takes_longer() -> None:
    times = [estimate(spec(complexity=level, limits=Limits(agents=1)), []).seconds.likely for level in PLANNED_TASKS]

    assert times == sorted(times)
    assert len(set(times)) == 4


def test_parallelism_is_that_of_the_tasks_and_the_agents() -> None:
    wide = estimate(alone("reviewer", "review", 6, agents=4), [])
    narrow = estimate(alone("reviewer", "review", 6, agents=1), [])

    assert (wide.phases[0].parallel, narrow.phases[0].parallel) == (4, 1)
    assert wide.seconds.likely == 2 * DEFAULT_SECONDS["reviewer"]
    assert narrow.seconds.likely == 6 * DEFAULT_SECONDS["reviewer"]


def test_tasks_that_wait_for_each_other_are_not_counted_as_parallel() -> None:
    tasks = tuple(
        TaskSpec(id=f"t{n}", title="t", role="reviewer", prompt="p", depends_on=(f"t{n - 1}",) if n else ())
        for n in range(3)
    )
    chain = alone("reviewer", "review").model_copy(
        update={"phases": (PhaseSpec(name="p", kind="review", tasks=tasks),)}
    )

    found = estimate(chain, [])

    assert found.phases[0].parallel == 1
    assert found.seconds.likely == 3 * DEFAULT_SECONDS["reviewer"]


def test_with_history_the_interval_holds_the_median_and_names_its_basis() -> None:
    found = estimate(spec(), full(100, 8))

    assert found.seconds.low is not None
    assert found.seconds.high is not None
    assert found.seconds.low < found.seconds.likely < found.seconds.high
    assert found.seconds.n == 40
    assert "40 past tasks" in found.seconds.basis
    assert NO_HISTORY not in found.seconds.basis


def test_much_history_draws_the_estimate_to_what_was_measured() -> None:
    history = [past("reviewer", 100.0 + n % 5, "review") for n in range(400)]

    seconds = estimate(alone("reviewer", "review"), history).seconds

    assert seconds.likely == pytest.approx(102, rel=0.05)
    assert _width(seconds.low, seconds.high) < 1.5


def test_little_history_makes_a_wider_interval_than_much() -> None:
    def width(times: int) -> float:
        seconds = estimate(spec(), full(100, times)).seconds
        return _width(seconds.low, seconds.high)

    assert width(1) > width(5) > width(50)


def _width(low: float | None, high: float | None) -> float:
    assert low is not None
    assert high is not None
    return high / low


def test_the_interval_covers_about_eighty_percent_of_what_then_happens() -> None:
    chance = random.Random(7)
    hits = 0
    for _ in range(100):
        history = [past("reviewer", chance.lognormvariate(5, 0.8), "review") for _ in range(20)]
        seconds = estimate(alone("reviewer", "review"), history).seconds
        assert seconds.low is not None
        assert seconds.high is not None
        hits += seconds.low <= chance.lognormvariate(5, 0.8) <= seconds.high
    assert 70 <= hits <= 92


def test_a_role_without_history_is_named_and_leaves_sums_unknown() -> None:
    history = [task for task in full(100, 5) if task.role != "tester"]

    found = estimate(spec(), history)

    assert f"tester: {NO_HISTORY}" in found.seconds.basis
    assert found.tokens is None
    assert "tokens: unknown, because no past task of tester counted it" in found.assumptions


def test_tokens_and_money_are_sums_over_the_tasks() -> None:
    found = estimate(spec(complexity="medium"), full(100, 3))
    tasks = 3 + 1 + 3 + 1 + 1

    assert found.tokens is not None
    assert found.money is not None
    assert (found.tokens.low, found.tokens.likely, found.tokens.high) == (1000 * tasks,) * 3
    assert (found.money.likely, found.money.n) == (0.5 * tasks, 15)


def test_money_that_nobody_counted_is_unknown_and_money_that_was_nothing_is_zero() -> None:
    uncounted = estimate(spec(), full(100, 3, cost_usd=None))
    free = estimate(spec(), full(100, 3, cost_usd=0.0))

    assert uncounted.money is None
    assert uncounted.tokens is not None
    assert free.money is not None
    assert free.money.likely == 0


def test_half_counted_tokens_are_not_counted() -> None:
    assert estimate(spec(), full(100, 3, output_tokens=None)).tokens is None


def test_enough_tasks_of_the_same_kind_of_phase_outweigh_the_rest() -> None:
    elsewhere = [past("researcher", 1000, "review") for _ in range(20)]
    here = [past("researcher", 10, "research") for _ in range(5)]

    found = estimate(alone("researcher", "research"), [*elsewhere, *here]).seconds
    blended = estimate(alone("researcher", "research"), [*elsewhere, *here[:4]]).seconds

    assert found.n == 5
    assert found.likely < 20
    assert blended.n == 24
    assert blended.likely > 100


def test_the_same_question_gets_the_same_answer() -> None:
    def ask() -> Estimate:
        return estimate(spec(), full(90, 4))

    assert ask() == ask()


def test_phases_beside_each_other_share_the_agents() -> None:
    review = TaskSpec(id="r", title="r", role="reviewer", prompt="p")
    beside = (
        PhaseSpec(name="top", kind="review", tasks=(review,)),
        PhaseSpec(name="left", kind="review", after=("top",), tasks=(review,)),
        PhaseSpec(name="right", kind="review", after=("top",), tasks=(review,)),
        PhaseSpec(name="end", kind="review", after=("left", "right"), tasks=(review,)),
    )
    wide = alone("reviewer", "review", agents=2).model_copy(update={"phases": beside})
    narrow = wide.model_copy(update={"limits": Limits(agents=1)})

    assert estimate(wide, []).seconds.likely == 3 * DEFAULT_SECONDS["reviewer"]
    assert estimate(narrow, []).seconds.likely == 4 * DEFAULT_SECONDS["reviewer"]
