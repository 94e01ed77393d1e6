"""The testing stage: which testers work in which pass."""

from typing import Any, cast

from stretto.agents.task import Outcome
from stretto.graph.channels import State, empty
from stretto.graph.context import Run, Step
from stretto.graph.spec import PhaseSpec, TaskSpec
from stretto.graph.testing import open_testers

ONE = TaskSpec(id="one", title="One", role="tester", prompt="Test this.")
TWO = TaskSpec(id="two", title="Two", role="tester", prompt="And this.", depends_on=("one",))


def step(number: int, **outcomes: str) -> Step:
    """A pass through a testing phase of two testers, after these outcomes of `name` or `name_pass`."""
    found: dict[str, Any] = {}
    for name, status in outcomes.items():
        task, _, generation = name.partition("_")
        outcome = Outcome.model_validate({"status": status})
        found[f"testing/{task}" + (f"~{generation}" if generation else "")] = outcome.model_dump(mode="json")
    state: State = {**empty(), "outcomes": found}
    phase = PhaseSpec(name="testing", kind="test", tasks=(ONE, TWO))
    return Step(phase=phase, number=number, state=state, run=cast("Run", None))


def test_every_tester_works_in_the_first_pass() -> None:
    assert open_testers(step(1)) == (ONE, TWO)


def test_testers_who_are_done_do_not_work_again() -> None:
    assert open_testers(step(2, one="completed", two="completed")) == ()


def test_testers_work_when_a_debug_round_came_before_them() -> None:
    assert open_testers(step(2)) == (ONE, TWO)


def test_a_tester_who_failed_works_again_and_waits_for_nobody_who_is_done() -> None:
    assert open_testers(step(3, one_2="completed", two_2="failed")) == (TWO.model_copy(update={"depends_on": ()}),)
