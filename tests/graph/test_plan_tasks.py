"""From a plan to tasks that may run at the same time."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.graph.plan import Plan, PlanPhase, PlanTask
from stretto.graph.plan_tasks import check, tasks
from stretto.graph.spec import ancestors, conflicts, overlap, validate_tasks
from stretto.state.errors import BadInput


def task(
    name: str, writes: str = "", *, reads: str = "", after: str = "", done: bool = False, description: str = ""
) -> PlanTask:
    return PlanTask(
        id=name,
        title=f"Do {name}",
        description=description,
        reads=tuple(reads.split()),
        writes=tuple(writes.split()),
        depends_on=tuple(after.split()),
        done=done,
    )


def plan(*phases: list[PlanTask]) -> Plan:
    listed = (PlanPhase(number=i, name=f"P{i}", objective=f"O{i}", tasks=tuple(p)) for i, p in enumerate(phases, 1))
    return Plan(title="Demo", overview="What it is for.", phases=tuple(listed))


def waits(found: Plan, first_phase: int = 1) -> dict[str, tuple[str, ...]]:
    return {t.id: t.depends_on for t in tasks(found, first_phase).tasks}


def test_a_task_carries_what_the_plan_says() -> None:
    found = PlanTask(id="T1", title="Sign", reads=("a",), writes=("b",), checks=("pytest -q",))

    (only,) = tasks(plan([found])).tasks

    assert (only.id, only.title, only.role) == ("T1", "Sign", "implementer")
    assert (only.reads, only.writes, only.checks) == (("a",), ("b",), ("pytest -q",))


def test_the_prompt_tells_the_task_first_and_then_what_it_belongs_to() -> None:
    (only,) = tasks(plan([task("T1", "a", description="In detail.")])).tasks

    parts = ["Do T1", "In detail.", "phase 1, 'P1', of the plan 'Demo'", "O1", "What it is for."]
    places = [only.prompt.index(p) for p in parts]
    assert places == sorted(places)


def test_tasks_with_an_order_or_with_paths_of_their_own_are_left_alone() -> None:
    found = tasks(plan([task("A", "a"), task("B", "b"), task("C", "a", after="A")]))

    assert {t.id: t.depends_on for t in found.tasks} == {"A": (), "B": (), "C": ("A",)}
    assert found.notes == ()


def test_two_writers_of_a_path_in_one_phase_run_in_the_order_of_the_list_and_it_is_said() -> None:
    found = tasks(plan([task("A", "src/app.py"), task("B", "src"), task("C", "docs")]))

    assert {t.id: t.depends_on for t in found.tasks} == {"A": (), "B": ("A",), "C": ()}
    assert found.notes == ("B waits for A: both write 'src/app.py', and the plan gives them no order.",)


def test_an_order_that_the_plan_states_backwards_is_kept() -> None:
    assert waits(plan([task("A", "x", after="B"), task("B", "x")])) == {"A": ("B",), "B": ()}


def test_a_later_phase_waits_for_the_earlier_writers_of_what_it_writes_or_reads() -> None:
    found = tasks(plan([task("A", "a"), task("B", "b")], [task("C", "a"), task("D", "d", reads="b"), task("E", "e")]))

    assert {t.id: t.depends_on for t in found.tasks} == {"A": (), "B": (), "C": ("A",), "D": ("B",), "E": ()}
    assert found.notes == ()


def test_tasks_that_do_not_say_what_they_write_wait_for_earlier_phases_only() -> None:
    found = tasks(plan([task("A"), task("B")], [task("C"), task("D", "d")]))

    assert {t.id: set(t.depends_on) for t in found.tasks} == {"A": set(), "B": set(), "C": {"A", "B"}, "D": {"A", "B"}}
    assert found.notes == ()


def test_done_tasks_are_left_out_and_nothing_waits_for_them() -> None:
    found = tasks(plan([task("A", "a", done=True), task("B", "b", after="A")], [task("C", "a", after="A B")]))

    assert {t.id: t.depends_on for t in found.tasks} == {"B": (), "C": ("B",)}
    assert found.phase_of == {"B": 1, "C": 2}


def test_work_can_begin_at_a_later_phase() -> None:
    assert waits(plan([task("A", "a")], [task("B", "a", after="A")]), first_phase=2) == {"B": ()}


def test_a_finished_plan_has_nothing_to_do() -> None:
    finished = PlanPhase(number=1, name="x", completed=True)

    assert tasks(Plan(title="x", phases=(finished,))).tasks == ()


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (plan([task("A", "a")], [task("A", "b")]), "'A' is there twice, in phases 1 and 2"),
        (plan([task("A", "a", after="Z")]), "depends on 'Z', which is not in the plan"),
        (plan([task("A", "a", after="B")], [task("B", "b")]), "depends on 'B', which is in the later phase 2"),
        (plan([task("A", "a", after="B"), task("B", "b", after="A")]), "A → B → A"),
        (plan([task("A", "a", after="A")]), "A → A"),
    ],
)
def test_a_plan_that_cannot_be_put_in_an_order_is_refused(bad: Plan, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        check(bad)
    with pytest.raises(BadInput, match=words):
        tasks(bad)


def test_an_open_phase_without_tasks_is_refused() -> None:
    with pytest.raises(BadInput, match=r"Phase 2 \('P2'\) is open and has no task"):
        tasks(plan([task("A", "a")], []))


@pytest.mark.parametrize("number", [0, 3])
def test_a_phase_that_is_not_there_cannot_be_the_first(number: int) -> None:
    with pytest.raises(BadInput, match=f"no phase {number}") as error:
        tasks(plan([task("A", "a")], [task("B", "b")]), number)

    assert error.value.allowed == ("1", "2")


@st.composite
def random_plans(draw: st.DrawFn) -> Plan:
    names: list[str] = []
    phases: list[list[PlanTask]] = []
    for _ in range(draw(st.integers(1, 3))):
        phases.append([])
        for _ in range(draw(st.integers(1, 4))):
            after = draw(st.sets(st.sampled_from(names), max_size=2)) if names else set[str]()
            paths = draw(st.sets(st.sampled_from(["a", "a/b", "c", "*.py", "d.py"]), max_size=2))
            names.append(f"T{len(names)}")
            phases[-1].append(task(names[-1], " ".join(sorted(paths)), after=" ".join(sorted(after))))
    return plan(*phases)


@settings(deadline=None)
@given(random_plans())
def test_whatever_the_plan_the_tasks_run_and_no_two_write_one_path_at_once(random: Plan) -> None:
    found = tasks(random).tasks

    validate_tasks(found, "tasks")
    before = ancestors(found)
    assert not list(conflicts(found))
    phase_of = tasks(random).phase_of
    for one, two in combinations(found, 2):
        unknown = not (one.writes and two.writes) and phase_of[one.id] != phase_of[two.id]
        if unknown or any(overlap(a, b) for a in one.writes for b in two.writes):
            assert one.id in before[two.id] or two.id in before[one.id]


@settings(deadline=None)
@given(random_plans())
def test_orders_are_only_added_never_taken_away(random: Plan) -> None:
    stated = {t.id: t.depends_on for t in random.tasks}

    assert all(t.depends_on[: len(stated[t.id])] == stated[t.id] for t in tasks(random).tasks)


def test_a_plan_of_a_hundred_bare_tasks_is_ordered_in_a_moment() -> None:
    found = tasks(plan(*([task(f"T{i}")] for i in range(100))))

    assert [t.depends_on for t in found.tasks] == [(), *((f"T{i}",) for i in range(99))]
