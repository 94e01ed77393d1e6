"""Gates: a workflow that waits for a person, and drivers that die around the answer."""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.bench import Bench, Ending, Warm
from tests.crash.chaos import Chaos
from tests.crash.conftest import SMALL

pytestmark = pytest.mark.slow  # real drivers, each run to its end several times


@pytest.fixture
def gated(bench: Bench) -> Bench:
    bench.options = ("--gate", "plan")
    return bench


def plans(bench: Bench) -> list[str]:
    return sorted(p.name for p in (bench.project / "specs" / "plans").glob("*.md"))


def test_a_gate_stops_with_code_3_and_stays_until_it_is_answered(gated: Bench, small: Ending) -> None:
    assert gated.start().wait() == 3
    assert gated.status() == "PAUSED"
    assert not gated.processes()
    events = gated.events()
    assert gated.resume().wait() == 3
    assert gated.events() == events

    assert gated.resume("--approve").wait() == 0
    assert not Ending.of(gated).differs(small)
    resumed = next(e.data for e in gated.events() if e.type == "WORKFLOW_RESUMED")
    assert (resumed["gate"], resumed["approved"]) == ("plan", True)


def test_a_rejected_plan_goes_back_to_the_planner_with_the_reason_and_leaves_no_trace_in_the_tree(gated: Bench) -> None:
    assert gated.start().wait() == 3
    assert gated.resume("--reject", "in one phase").wait() == 3
    asked = [line["prompt"] for line in gated.journal() if line["key"] == "toolbox/planning/plan~2#1"]
    assert "sent it back: in one phase" in asked[0]

    assert gated.resume("--approve").wait() == 0
    assert plans(gated) == ["001_sixteen_parts_one_phase.md"]
    assert Ending.of(gated).status == "COMPLETED"


def test_an_answer_where_nothing_waits_is_bad_input(bench: Bench) -> None:
    bench.order(fail=["*"])
    assert bench.start().wait() == 1
    events = bench.events()
    assert bench.resume("--approve").wait() == 2
    assert bench.events() == events
    assert bench.status() == "FAILED"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_gates_end_as_they_do_undisturbed_whenever_drivers_die(
    tmp_path: Path, warm: Warm, chance: random.Random
) -> None:
    def answered(name: str, fuses: Iterator[int]) -> Ending:
        with Bench(
            tmp_path / name, warm=warm, parts=SMALL, sleep=(0.0, 0.01), options=("--gate", "plan,merge")
        ) as bench:
            chaos = Chaos(bench)
            assert chaos.until_it_stops(fuses) == 3
            assert chaos.until_it_stops(fuses, "--reject", "in one phase") == 3
            assert chaos.until_it_stops(fuses, "--approve") == 3
            assert bench.branches() == ["main", "stretto/toolbox"]  # nothing is merged before the second gate
            assert chaos.until_it_stops(fuses, "--approve") == 0
            chaos.check()
            return Ending.of(bench)

    calm = answered("calm", itertools.repeat(0))
    for number in range(3):
        assert not answered(str(number), iter(lambda: chance.randint(1, 90), 0)).differs(calm)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_later_answer_stands_where_a_driver_died_with_an_earlier_one(tmp_path: Path, warm: Warm) -> None:
    codes: list[int] = []
    for fuse in range(1, 30, 3):
        with Bench(
            tmp_path / str(fuse), warm=warm, parts=SMALL, sleep=(0.0, 0.01), options=("--gate", "plan")
        ) as bench:
            assert bench.start().wait() == 3
            assert bench.resume("--approve", fuse=fuse).wait() == -9
            codes.append(bench.resume("--reject", "in one phase").wait())
            if codes[-1] == 3:
                assert "toolbox/planning/plan~2#1" in bench.starts()
    assert set(codes) == {2, 3}  # 2: the approval had been taken, and nothing waits any more


def test_an_answer_is_not_taken_for_a_gate_that_nobody_was_told_of(gated: Bench, small: Ending) -> None:
    driver = gated.start()
    driver.until(lambda: any(e.type == "PLAN_COMPLETED" for e in gated.events()))
    driver.kill()
    if gated.status() == "RUNNING" and gated.resume("--approve").wait() == 2:  # it had not come to the gate
        assert gated.resume().wait() == 3
    assert gated.status() == "PAUSED"
    assert gated.resume("--approve").wait() == 0
    assert not Ending.of(gated).differs(small)
