"""The purse: what is set aside fits, what was spent stays, whoever dies."""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.state import purse
from stretto.state.log import Log
from stretto.state.purse import Short, Want

W, PARENT, CHILD = "w", "parent", "child"
NOW = 1_800_000_000.0
UNKNOWN = Want(None, None, 0)


def alive(_: str) -> bool:
    return True


def used(tokens: int | None = 0, usd: float | None = 0.0) -> dict[str, Any]:
    return {"input_tokens": tokens, "output_tokens": 0 if tokens is not None else None, "cost_usd": usd}


@pytest.fixture
def log(tmp_path: Path) -> Generator[Log]:
    with Log.open(tmp_path, durability="process") as log:
        yield log


def begin(log: Log, name: str = W, within: str = "", at: float = NOW, **caps: float) -> dict[str, dict[str, Any]]:
    with log.write() as tx:
        return purse.begin(tx, name, caps, at, within=within)


def opened(log: Log, key: str, name: str = W) -> Short | None:
    with log.write() as tx:
        return purse.open_account(tx, name, key, NOW)


def reserved(log: Log, key: str, want: Want, name: str = W, lives: Callable[[str], bool] = alive) -> Short | None:
    with log.write() as tx:
        return purse.reserve(tx, name, key, want, NOW, lives)


def settled(log: Log, key: str, use: dict[str, Any], name: str = W, tools: int = 0) -> None:
    with log.write() as tx:
        purse.settle(tx, name, key, use, NOW, tools)


def spent(log: Log, what: str = "tokens", name: str = W) -> float:
    return purse.read(log.database, name).total.against(what)


def test_what_a_dead_driver_had_spent_is_not_forgotten(log: Log) -> None:
    begin(log, tokens=100)
    opened(log, "w/a/T#1")
    reserved(log, "w/a/T#1", Want(40))
    settled(log, "w/a/T#1", used(30, 0.5))
    reserved(log, "w/a/T#1", Want(40))

    cut = begin(log, at=NOW + 60, tokens=100)

    assert cut == {"a/T": {"usage": {"input_tokens": 30, "output_tokens": 0, "cost_usd": 0.5}, "in_flight": True}}
    assert spent(log) == 30
    assert opened(log, "w/a/T#1") is None
    assert spent(log, "agents") == 2


def test_an_account_that_stands_outside_is_left_open(log: Log) -> None:
    begin(log)
    opened(log, "w/a/T#1")

    with log.write() as tx:
        assert purse.end(tx, W, NOW, frozenset({"w/a/T#1"})) == {}

    assert list(purse.read(log.database, W).accounts) == ["w/a/T#1"]


def test_a_second_call_waits_until_it_fits_and_a_reached_cap_waits_for_nobody(log: Log) -> None:
    begin(log, tokens=100)
    for key in ("w/a#1", "w/b#1"):
        opened(log, key)

    assert reserved(log, "w/a#1", Want(70)) is None
    tight = reserved(log, "w/b#1", Want(40))
    settled(log, "w/a#1", used(20))
    fits = reserved(log, "w/b#1", Want(40))
    settled(log, "w/b#1", used(90))
    over = reserved(log, "w/a#1", Want(1))

    assert (tight, fits) == (Short(W, "tokens", 100, 0, wait=True), None)
    assert over == Short(W, "tokens", 100, 110, wait=False)


def test_what_nobody_counted_is_charged_as_it_was_set_aside_and_told_as_unknown(log: Log) -> None:
    begin(log, tokens=100)
    opened(log, "w/a#1")
    reserved(log, "w/a#1", Want(60))
    settled(log, "w/a#1", used(None, None))

    total = purse.read(log.database, W).total
    assert total.against("tokens") == 60
    assert total.usage() == {"input_tokens": None, "output_tokens": None, "cost_usd": None}


def test_the_largest_use_so_far_is_set_aside_for_what_nobody_can_foresee(log: Log) -> None:
    begin(log, tokens=100)
    for key in ("w/a#1", "w/b#1"):
        opened(log, key)

    assert reserved(log, "w/a#1", UNKNOWN) is None
    assert reserved(log, "w/b#1", UNKNOWN) is not None  # all that is left is set aside for the first
    settled(log, "w/a#1", used(10))
    assert reserved(log, "w/a#1", UNKNOWN) is None
    assert reserved(log, "w/b#1", UNKNOWN) is None


def test_a_child_spends_its_parents_too_and_its_dead_drivers_reservation_is_nobodys(log: Log) -> None:
    begin(log, PARENT, tokens=100)
    begin(log, CHILD, within=PARENT)
    opened(log, "child/a#1", CHILD)
    opened(log, "parent/b#1", PARENT)
    reserved(log, "child/a#1", Want(80), CHILD)

    held = reserved(log, "parent/b#1", Want(50), PARENT)
    freed = reserved(log, "parent/b#1", Want(50), PARENT, lives=lambda name: name != CHILD)
    settled(log, "parent/b#1", used(100), PARENT)

    assert (held and held.wait, freed) == (True, None)
    assert reserved(log, "child/a#1", Want(1), CHILD) == Short(PARENT, "tokens", 100, 100)
    assert opened(log, "child/c#1", CHILD) is None  # no cap on agents


def test_time_is_that_of_drives_and_a_dead_one_counts_until_it_was_last_seen(log: Log) -> None:
    begin(log, seconds=100)
    opened(log, "w/a#1")
    with log.write() as tx:
        purse.settle(tx, W, "w/a#1", used(1), NOW + 30)
    begin(log, at=NOW + 5000, seconds=100)
    with log.write() as tx:
        purse.end(tx, W, NOW + 5050, frozenset())

    assert purse.read(log.database, W).driven(NOW + 9000) == 80
    begin(log, at=NOW + 9000, seconds=100)
    assert purse.seconds_left(log.database, W, NOW + 9015) == 5


def test_work_that_goes_on_with_anothers_has_its_caps_and_what_it_spent(log: Log) -> None:
    begin(log, tokens=100, agents=5)
    opened(log, "w/a#1")
    settled(log, "w/a#1", used(70))

    with log.write() as tx:
        caps = purse.inherit(tx, CHILD, W, {"agents": 9})

    assert caps == {"agents": 9, "tokens": 100}
    assert (spent(log, name=CHILD), spent(log, "agents", CHILD)) == (70, 1)


CALLS = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 60), st.booleans()), max_size=60)


@given(cap=st.integers(1, 200), calls=CALLS)
def test_whatever_the_order_of_calls_at_most_one_goes_beyond_the_cap(
    tmp_path_factory: pytest.TempPathFactory, cap: int, calls: list[tuple[int, int, bool]]
) -> None:
    with Log.open(tmp_path_factory.mktemp("purse"), durability="process") as log:
        begin(log, tokens=cap)
        flying: dict[str, int] = {}
        largest = 0
        for who, tokens, known in calls:
            key = f"w/{who}#1"
            opened(log, key)
            if key in flying:
                settled(log, key, used(flying.pop(key)))
            elif reserved(log, key, Want(tokens) if known else UNKNOWN._replace(tokens=60)) is None:
                flying[key] = tokens
                largest = max(largest, tokens)
        for key, tokens in flying.items():
            settled(log, key, used(tokens))

        assert spent(log) < cap + max(largest, 1)
