"""/resource-manager check-conflicts, resolve-conflicts, prevent-conflicts."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from stretto.state.errors import BadInput
from tests.commands.clocked import Clocked

BENCH = Path(__file__).parents[2] / "benchmarks" / "bench_conflicts.py"


@pytest.fixture
def shop(tmp_path: Path) -> Clocked:
    """A store of four agents."""
    found = Clocked(tmp_path / "shop")
    found.manager("configure", capacity={"agents": 4})
    return found


def hold(shop: Clocked, name: str, agents: int = 1, **body: Any) -> dict[str, Any]:
    return dict(shop.manager("allocate", workflow_id=name, resources={"agents": agents}, **body).result)


def kinds(shop: Clocked, **body: Any) -> list[str]:
    return [one["conflict_type"] for one in shop.manager("check-conflicts", **body).result["conflicts"]]


def test_planted_clashes_are_found_and_few_others() -> None:
    bench = runpy.run_path(str(BENCH))

    found, _ = bench["score"](bench["corpus"](1500, seed=7))

    assert found.hits > 500
    assert found.recall == 1.0
    assert found.precision >= 0.94  # a glob with `[ab]` is taken for more than it names


def test_where_nothing_clashes_nothing_is_found(shop: Clocked) -> None:
    hold(shop, "one_001", files=["src/a.py"])
    hold(shop, "two_002", files=["src/b.py"])

    assert shop.manager("check-conflicts").text == "nothing clashes"
    assert kinds(shop) == []


def test_a_proposal_is_checked_and_nothing_is_written(shop: Clocked) -> None:
    hold(shop, "one_001", agents=3, exclusive_files=["src/"])
    before = shop.events()

    assert kinds(shop, proposed_allocation={"workflow_id": "new_009", "files": ["src/shop/cart.py"]}) == [
        "simultaneous_write"
    ]
    assert kinds(shop, proposed_allocation={"resources": {"agents": 2}}) == ["contention"]
    assert kinds(shop, proposed_allocation={"resources": {"agents": 1}, "files": ["docs/"]}) == []
    assert shop.events() == before


def test_of_two_that_write_one_file_the_lower_rank_lets_go_and_gets_it_when_the_other_has_ended(shop: Clocked) -> None:
    hold(shop, "high_001", priority="high", files=["src/cart.py"])
    hold(shop, "low_002", priority="low", files=["src/cart.py", "src/other.py"])
    (clash,) = shop.manager("check-conflicts").result["conflicts"]
    assert shop.told("RESOURCE_CONFLICT")["conflict_id"] == clash["conflict_id"]

    reply = shop.manager("resolve-conflicts", conflict_id=clash["conflict_id"])

    assert reply.result["resolved"][0]["strategy"] == "queue_and_serialize"
    assert kinds(shop) == []
    assert {one.state: one.granted.get("touches") for one in shop.live("low_002")} == {
        "active": ["src/other.py"],
        "queued": None,
    }
    assert shop.told("RESOURCE_CONFLICT")["state"] == "RESOLVED"

    shop.manager("release", "high_001")
    assert {one.state for one in shop.live("low_002")} == {"active"}


def test_a_promise_that_cannot_be_kept_is_moved_to_the_next_time_that_fits(shop: Clocked) -> None:
    hold(shop, "one_001", agents=2, duration="2h")
    shop.manager("reserve", "night_002", start_time="1h", duration="1h", resources={"agents": 2})
    shop.manager("configure", capacity={"agents": 3})

    assert kinds(shop) == ["contention"]
    shop.manager("resolve-conflicts", strategy="intelligent_queuing")

    (moved,) = shop.live("night_002")
    assert moved.granted["starts"] == shop.live("one_001")[0].until
    assert kinds(shop) == []


def test_those_who_wait_for_each_other_in_a_circle_are_found_and_one_gives_way(shop: Clocked) -> None:
    hold(shop, "one_001", exclusive_files=["a.py"], priority="high")
    hold(shop, "two_002", exclusive_files=["b.py"], priority="low")
    hold(shop, "one_001", exclusive_files=["b.py"], priority="high")
    assert kinds(shop) == []
    hold(shop, "two_002", exclusive_files=["a.py"], priority="low")

    (clash,) = shop.manager("check-conflicts").result["conflicts"]
    assert (clash["conflict_type"], clash["severity"]) == ("circular_wait", "critical")
    assert clash["affected_workflows"] == ["one_001", "two_002"]

    shop.manager("resolve-conflicts", conflict_id=clash["conflict_id"])

    assert [one.state for one in shop.live("two_002")] == ["active"]
    assert kinds(shop) == []


def test_a_clash_may_be_accepted_or_left_to_a_person(shop: Clocked) -> None:
    for name in ("one_001", "two_002"):
        hold(shop, name, files=["src/cart.py"])

    left = shop.manager("resolve-conflicts", strategy="escalate")
    assert left.result["refused"][0]["state"] == "ESCALATED"
    assert (left.exit_code, shop.told("RESOURCE_CONFLICT")["severity"]) == (0, "critical")

    shop.manager("resolve-conflicts", strategy="accept")
    assert shop.manager("check-conflicts").text == "nothing clashes"
    assert shop.manager("check-conflicts").result["conflicts"][0]["state"] == "ACCEPTED"


def test_prevention_keeps_a_foreseen_clash_apart_which_happens_without_it(shop: Clocked) -> None:
    hold(shop, "one_001", agents=4, files=["src/cart.py"], duration="1h")
    hold(shop, "two_002", files=["src/cart.py"], duration="1h")
    shop.now += 60
    hold(shop, "three_003", files=["src/cart.py"], duration="1h")

    off = shop.manager("prevent-conflicts", enforcement="disabled").result["foreseen"]
    on = shop.manager("prevent-conflicts", auto_mitigation=True).result
    assert {one["state"] for one in off} == {"not kept apart"}
    assert {one["state"] for one in on["foreseen"]} == {"kept apart"}
    assert on["conflict_prevention"] == "proactive"
    soon = shop.manager("prevent-conflicts", prediction_horizon="90m").result["foreseen"]
    assert len(soon) < len(on["foreseen"])

    for name in ("one_001", "two_002"):
        shop.manager("release", name)
        assert [one.workflow_id for one in shop.live() if one.state == "active"] == [
            {"one_001": "two_002", "two_002": "three_003"}[name]
        ]
        assert kinds(shop) == []
    assert "RESOURCE_CONFLICT" not in shop.types()


@pytest.mark.parametrize(
    ("args", "field"),
    [
        (("check-conflicts", '{"proposed": {}}'), "proposed"),
        (("check-conflicts", '{"proposed_allocation": {"files": ["/etc"]}}'), "proposed_allocation.files[0]"),
        (("check-conflicts", '{"time_horizon": "soon"}'), "time_horizon"),
        (("resolve-conflicts", '{"conflict_id": "conf_nobody"}'), "conflict_id"),
        (("resolve-conflicts", '{"strategy": "coin"}'), "strategy"),
        (("resolve-conflicts", '{"strategy": "intelligent_queuing"}'), "strategy"),
        (("prevent-conflicts", '{"enforcement": "strict"}'), "enforcement"),
        (("prevent-conflicts", '{"enforcement": "proactive", "auto_mitigation": true}'), "auto_mitigation"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(shop: Clocked, args: tuple[str, ...], field: str) -> None:
    for name in ("one_001", "two_002"):
        hold(shop, name, files=["src/cart.py"])
    before = shop.events()

    with pytest.raises(BadInput) as caught:
        shop.manager(*args)

    assert (caught.value.details["field"], shop.events()) == (field, before)
