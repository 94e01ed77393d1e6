"""The ledger: what may be held, in which order it is given, and that the log alone tells all of it."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.graph import admission, coordination
from stretto.graph.coordinated import Coordinated, Needs
from stretto.state import allocation, ledger
from stretto.state.allocation import Allocation
from stretto.state.errors import StrettoError
from stretto.state.log import Log
from stretto.state.moments import stamp
from stretto.state.transaction import Transaction

CAPACITY = {"agents": 4.0, "memory": 8.0, "workflows": 3.0}
NAMES = ("a_001", "b_002", "c_003", "d_004")
PATHS = ("src/a.py", "src/b.py", "src/")
PRIORITIES = ("low", "medium", "high", "critical")
Step = Callable[["Store"], None]


class Store:
    """A log, its clock, and the moves that commands make."""

    def __init__(self, log: Log, clock: list[float]) -> None:
        self.log, self.clock = log, clock

    @property
    def now(self) -> float:
        return self.clock[0]

    def write(self, change: Callable[[Transaction], object]) -> None:
        with self.log.write() as tx:
            change(tx)
            admission.admit(tx, CAPACITY, self.now)

    def live(self, state: str) -> list[Allocation]:
        return [one for one in self.log.allocations(live=True) if one.state == state]


def create(name: str, priority: Any, agents: int, files: list[str], seconds: float | None) -> Step:
    asked = Coordinated(
        name=name, priority=priority, resources=Needs(agents=agents, files=tuple(files), seconds=seconds)
    )
    return lambda s: s.write(lambda tx: coordination.create(tx, name, asked, CAPACITY))


def more(name: str, priority: str, agents: int, memory: int, touches: list[str]) -> Step:
    wanted = {"agents": agents, "memory": memory, "touches": touches}
    return lambda s: s.write(lambda tx: allocation.ask(tx, name, priority, wanted, CAPACITY, {"hash": "x"}))


def reserve(name: str, agents: int, after: float, seconds: float) -> Step:
    def step(s: Store) -> None:
        wanted = {"agents": agents, "starts": stamp(s.now + after), "seconds": seconds}
        until = stamp(s.now + after + seconds)
        s.write(lambda tx: allocation.reserve(tx, name, "high", wanted, CAPACITY, until))

    return step


def _some(state: str, act: Callable[[Transaction, Allocation], object]) -> Step:
    def step(s: Store) -> None:
        if found := s.live(state):
            s.write(lambda tx: act(tx, found[0]))

    return step


def resize(agents: int) -> Step:
    return _some("active", lambda tx, one: allocation.grant(tx, one, CAPACITY, {**one.granted, "agents": agents}))


def shrink(agents: int) -> Step:
    return _some(
        "active",
        lambda tx, one: allocation.shrink(tx, one, {"agents": min(agents, one.granted.get("agents", 0))}, "less"),
    )


def hand_over(state: str, to: str) -> Step:
    return _some(state, lambda tx, one: allocation.hand_over(tx, one, to, {"hash": "y"}))


def use(_: object) -> Step:
    return _some("reserved", lambda tx, one: allocation.grant(tx, one, CAPACITY))


def end(state: str) -> Step:
    return _some(state, lambda tx, one: allocation.release(tx, one, "done"))


def later(seconds: float) -> Step:
    def step(s: Store) -> None:
        s.clock[0] += seconds
        s.write(lambda _: None)

    return step


_N, _A = st.sampled_from(NAMES), st.integers(1, 5)
_FILES = st.lists(st.sampled_from(PATHS), max_size=2, unique=True)
STEPS = st.one_of(
    st.builds(create, _N, st.sampled_from(PRIORITIES), _A, _FILES, st.none() | st.just(100.0)),
    st.builds(more, _N, st.sampled_from(PRIORITIES), _A, st.integers(0, 9), _FILES),
    st.builds(reserve, _N, _A, st.sampled_from([0.0, 50.0, 500.0]), st.just(200.0)),
    st.builds(resize, _A),
    st.builds(shrink, _A),
    st.builds(hand_over, st.sampled_from(["active", "queued", "reserved"]), _N),
    st.builds(use, st.none()),
    st.builds(end, st.sampled_from(["active", "queued", "reserved"])),
    st.builds(later, st.sampled_from([10.0, 300.0, 1000.0])),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(STEPS, min_size=3, max_size=25))
def test_the_fold_of_the_log_is_the_live_rows_at_every_prefix_and_never_more_than_there_is(steps: list[Step]) -> None:
    clock = [1_800_000_000.0]
    with (
        tempfile.TemporaryDirectory() as folder,
        Log.open(Path(folder), durability="process", clock=lambda: clock[0]) as log,
    ):
        store = Store(log, clock)
        seen: list[tuple[int, dict[str, Allocation]]] = []
        for step in steps:
            before = log.last_seq(), rows(log)
            try:
                step(store)
            except StrettoError:
                assert (log.last_seq(), rows(log)) == before
            seen.append((log.last_seq(), rows(log)))

        events = list(log.events())
        for last, standing in seen:
            assert ledger.fold(e for e in events if e.seq <= last) == standing
        folded = ledger.Ledger()
        for event in events:
            folded.apply(event)
            check(list(folded.rows.values()))


def rows(log: Log) -> dict[str, Allocation]:
    return {one.id: one for one in log.allocations(live=True)}


def check(live: list[Allocation]) -> None:
    """What active allocations hold is there, and no two of them hold one file."""
    active = [one for one in live if one.state == "active"]
    for name, used in allocation.in_use(active).items():
        assert used <= CAPACITY[name], (name, active)
    for at, one in enumerate(active):
        for other in active[:at]:
            assert not admission.clashing(one, other, "reactive"), (one, other)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(PRIORITIES), st.integers(1, 4), st.sampled_from([100.0, 300.0])),
        min_size=2,
        max_size=8,
    ),
    st.integers(0, 4),
)
def test_a_lower_priority_never_starts_before_a_higher_one_that_fits_as_well(
    asked: list[tuple[Any, int, float]], held: int
) -> None:
    rank = {name: at for at, name in enumerate(PRIORITIES)}
    now = 1_800_000_000.0
    with (
        tempfile.TemporaryDirectory() as folder,
        Log.open(Path(folder), durability="process", clock=lambda: now) as log,
    ):
        with log.write() as tx:
            if held:
                allocation.grant(tx, allocation.ask(tx, "held_000", "low", {"agents": held}, CAPACITY), CAPACITY)
            for n, (priority, agents, seconds) in enumerate(asked):
                allocation.ask(tx, f"w_{n:03d}", priority, {"agents": agents, "seconds": seconds}, CAPACITY)
            found = admission.admit(tx, CAPACITY, now)
        started = [int(d.workflow_id[2:]) for d in found if d.admitted]
        waits = [int(d.workflow_id[2:]) for d in found if not d.admitted]
        free = CAPACITY["agents"] - held - sum(asked[n][1] for n in started)

    for one in started:
        for other in waits:
            if rank[asked[other][0]] > rank[asked[one][0]]:  # it would not have fitted in the other's place
                assert asked[other][1] > asked[one][1] + free
