"""A spec that cannot run is refused before anything is written, and the message names the phase or the task."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.agents.task import RoleName
from stretto.graph.spec import Kind, PhaseSpec, Spec, TaskSpec, ancestors, conflicts, order, validate, validate_tasks
from stretto.state.errors import BadInput


def task(
    name: str, *, after: Sequence[str] = (), writes: Sequence[str] = (), role: RoleName = "implementer"
) -> TaskSpec:
    return TaskSpec(id=name, title=name, role=role, prompt="do it", depends_on=tuple(after), writes=tuple(writes))


def phase(
    name: str, kind: Kind = "research", *, after: Sequence[str] = (), tasks: Sequence[TaskSpec] = ()
) -> PhaseSpec:
    return PhaseSpec(name=name, kind=kind, after=tuple(after), tasks=tuple(tasks))


def spec(*phases: PhaseSpec, gates: Sequence[str] = (), plan_file: str = "", workflow: str = "w_001") -> Spec:
    return Spec(
        workflow_id=workflow,
        description="d",
        type="general_development",
        template="t",
        complexity="low",
        phases=phases,
        gates=tuple(gates),
        plan_file=plan_file,
    )


def refusal(*phases: PhaseSpec, gates: Sequence[str] = (), workflow: str = "w_001") -> BadInput:
    with pytest.raises(BadInput) as caught:
        validate(spec(*phases, gates=gates, workflow=workflow))
    return caught.value


def test_phases_without_after_keep_the_order_of_the_spec() -> None:
    names = ["research", "planning", "implementation", "testing", "documentation"]

    found = order(spec(*(phase(n) for n in names)))

    assert [p.name for p in found] == names


def test_a_diamond_of_phases_is_ordered_by_its_dependencies_then_by_the_listing() -> None:
    phases = (phase("end", after=["left", "right"]), phase("right", after=["top"]), phase("left", after=["top"]))

    found = order(spec(phase("top"), *phases))

    assert [p.name for p in found] == ["top", "right", "left", "end"]


def test_a_circle_of_phases_is_refused_and_spelt_out() -> None:
    error = refusal(phase("a", after=["c"]), phase("b", after=["a"]), phase("c", after=["b"]))

    assert "a → c → b → a" in error.message
    assert error.field == "phases"


def test_a_phase_that_waits_for_itself_is_a_circle() -> None:
    assert "a → a" in refusal(phase("a", after=["a"])).message


def test_an_unknown_phase_in_after_is_refused_with_the_known_ones() -> None:
    error = refusal(phase("a"), phase("b", after=["nowhere"]))

    assert "'b' waits for 'nowhere'" in error.message
    assert error.allowed == ("a", "b")


def test_a_phase_twice_is_refused_by_validation_and_by_ordering() -> None:
    assert "'a' is there twice" in refusal(phase("a"), phase("a")).message
    with pytest.raises(BadInput, match="twice"):
        order(spec(phase("a"), phase("a")))


def test_a_phase_that_leads_nowhere_is_refused_by_name() -> None:
    error = refusal(phase("top"), phase("lost", after=["top"]), phase("end", after=["top"]))

    assert "'lost' leads nowhere" in error.message
    assert error.field == "phases.lost"


def test_an_implement_phase_needs_tasks_a_plan_file_or_a_plan_before_it() -> None:
    assert "'build' has nothing to implement" in refusal(phase("look"), phase("build", "implement")).message

    validate(spec(phase("think", "plan"), phase("look"), phase("build", "implement")))
    validate(spec(phase("build", "implement", tasks=[task("t")])))
    validate(spec(phase("build", "implement"), plan_file="specs/plans/001_x.md"))


def test_a_plan_beside_the_implement_phase_does_not_count_as_before_it() -> None:
    error = refusal(
        phase("top"),
        phase("think", "plan", after=["top"]),
        phase("build", "implement", after=["top"]),
        phase("end", after=["think", "build"]),
    )

    assert "'build' has nothing to implement" in error.message


def test_a_phase_of_tests_alone_can_run() -> None:
    alone = spec(phase("testing", "test"))

    assert validate(alone) == alone


def test_an_unknown_gate_is_refused_with_the_known_ones() -> None:
    error = refusal(phase("a"), gates=["party"])

    assert "'party'" in error.message
    assert error.allowed == ("plan", "merge")


def test_a_plan_gate_without_a_plan_is_refused() -> None:
    assert "needs a phase of kind 'plan'" in refusal(phase("a"), gates=["plan"]).message


@pytest.mark.parametrize("bad", ["../x", "a/b", "system", "a.lock", ""])
def test_a_workflow_id_that_could_leave_the_store_is_refused(bad: str) -> None:
    assert refusal(phase("a"), workflow=bad).field == "workflow_id"


def test_a_task_twice_an_unknown_dependency_and_a_circle_are_refused_by_name() -> None:
    twice = refusal(phase("p", tasks=[task("x"), task("x")]))
    unknown = refusal(phase("p", tasks=[task("x", after=["y"])]))
    circle = refusal(phase("p", tasks=[task("x", after=["y"]), task("y", after=["x"])]))

    assert "phases.p.tasks: 'x' is there twice" in twice.message
    assert "Task 'x' depends on 'y'" in unknown.message
    assert unknown.field == "phases.p.tasks.x.depends_on"
    assert "x → y → x" in circle.message


def test_a_task_id_that_git_or_the_disk_would_refuse_is_refused() -> None:
    assert refusal(phase("p", tasks=[task("a..b")])).field == "phases.p.tasks.a..b.id"


def test_two_writers_of_one_path_need_an_order_between_them() -> None:
    one, two = task("one", writes=["src/a.py"]), task("two", writes=["src/a.py"])

    error = refusal(phase("p", tasks=[one, two]))
    validate(spec(phase("p", tasks=[one, two.model_copy(update={"depends_on": ("one",)})])))

    assert "Tasks 'one' and 'two' both write 'src/a.py'" in error.message
    assert error.next_steps


def test_an_order_through_a_third_task_is_an_order() -> None:
    tasks = [task("one", writes=["a.py"]), task("mid", after=["one"]), task("two", after=["mid"], writes=["a.py"])]

    validate_tasks(tasks, "tasks")

    assert not list(conflicts(tasks))
    assert ancestors(tasks)["two"] == {"one", "mid"}


def test_every_conflicting_pair_is_predicted_once() -> None:
    tasks = [task("a", writes=["src"]), task("b", writes=["src/x.py", "src/y.py"]), task("c", writes=["docs"])]

    assert list(conflicts(tasks)) == [("a", "b", "src")]


@pytest.mark.parametrize(
    "path", ["../other/a.py", "/etc/passwd", "~/x", "a/../../b", ".git/config", "a\nb", "", "C:\\x"]
)
@pytest.mark.parametrize("key", ["reads", "writes"])
def test_a_declared_path_outside_the_project_is_refused_by_task_and_key(path: str, key: str) -> None:
    bad = task("t").model_copy(update={key: (path,)})

    assert refusal(phase("p", tasks=[bad])).field == f"phases.p.tasks.t.{key}"


@given(st.integers(1, 12), st.data())
def test_any_acyclic_listing_is_ordered_after_its_dependencies(count: int, data: st.DataObject) -> None:
    names = [f"p{i}" for i in range(count)]
    before = {n: data.draw(st.lists(st.sampled_from(names[:i]), unique=True)) if i else [] for i, n in enumerate(names)}
    listing = data.draw(st.permutations(names[1:]))
    # The first phase is listed first: an empty `after` there means "no phase before it".
    phases = [phase("p0"), *(phase(n, after=before[n] or ["p0"]) for n in listing)]

    found = [p.name for p in order(spec(*phases))]

    assert sorted(found) == sorted(names)
    assert all(found.index(b) < found.index(n) for n in listing for b in before[n])
