"""The advice as a function of the plan and of what a store has seen."""

from pathlib import Path

import pytest

from stretto.graph.advice import advise, why
from stretto.graph.advising import advised, works
from stretto.graph.mode_cost import Figures, Work
from stretto.graph.mode_history import PRIOR, figures_of
from stretto.graph.spec import PhaseSpec, Spec, TaskSpec
from stretto.state.log import Log


def work(name: str, *needs: str, size: int = 500, says: bool = True, reads: tuple[str, ...] = ()) -> Work:
    writes = (f"{name}.py",) if says else ()
    return Work(name, needs, reads, writes, 100, dict.fromkeys((*writes, *reads), size))


def chosen(*plan: Work, figures: Figures | None = None, slots: int = 4) -> str:
    return advise(plan, slots=slots, attempts=3, figures=figures or Figures()).mode


def test_one_task_is_for_one_agent_and_what_is_wide_and_apart_for_several() -> None:
    assert chosen(work("a")) == "solo"
    assert chosen(*map(work, "abcdef")) == "parallel"


def test_with_one_slot_or_a_single_chain_nothing_is_gained_at_once() -> None:
    assert chosen(*map(work, "abcdef"), slots=1) == "serial"
    chain = [work("a"), *(work(b, a) for a, b in zip("abcdefg", "bcdefgh", strict=True))]
    assert chosen(*chain) == "serial"


def test_small_tasks_that_read_the_same_large_files_belong_in_one_conversation() -> None:
    plan = [
        work("a", size=9000, reads=("big.py",)),
        work("b", "a", size=9000, reads=("big.py",)),
        work("c", "b", size=9000, reads=("big.py",)),
    ]
    assert chosen(*plan, figures=Figures(turns=1)) == "solo"


def test_tasks_that_hide_what_they_write_in_one_file_are_not_set_at_work_at_once() -> None:
    blind = [work(name, says=False, reads=("m.py",)) for name in "abcd"]
    found = advise(blind, slots=4, attempts=3, figures=Figures())
    assert found.mode != "parallel"
    assert found.risky == 6
    assert "Not parallel: a task would be sent back 2.1 times, and it has 3 attempts." in why(found)


def test_a_conversation_that_would_outgrow_its_window_is_not_advised() -> None:
    huge = [work(name, size=40_000) for name in "abcd"]
    found = advise(huge, slots=1, attempts=3, figures=Figures())
    assert found.mode == "serial"
    assert "Not solo: one conversation would come to" in why(found)


def test_what_was_asked_for_stands_and_is_said_so() -> None:
    found = advise([work("a")], slots=4, attempts=3, figures=Figures(), asked="parallel")
    assert found.mode == "parallel"
    assert why(found).startswith("parallel: several agents at once, as was asked for. The plan has 1 task, 1 of them")


def plan_of(*tasks: TaskSpec) -> Spec:
    return Spec(
        workflow_id="w_001",
        description="w",
        type="feature_development",
        template="implement",
        complexity="low",
        phases=(PhaseSpec(name="implementation", kind="implement", tasks=tasks),),
        parallel="auto",
    )


def task(name: str) -> TaskSpec:
    return TaskSpec(id=name, title=name, role="implementer", prompt="Do it.", writes=(f"{name}.py",))


def test_a_provider_that_keeps_nothing_makes_long_conversations_dearer() -> None:
    spec = plan_of(task("a"), task("b"))
    phase = spec.phases[0]
    sizes = {"a.py": 3000, "b.py": 3000}
    keeps = advised(spec, phase, phase.tasks, sizes, None, "model:openai/gpt").costs
    assert keeps == advised(spec, phase, phase.tasks, sizes, None, "model:anthropic/claude").costs
    assert keeps["solo"].weight(1.0) / keeps["serial"].weight(1.0) > keeps["solo"].weight(0.1) / keeps["serial"].weight(
        0.1
    )


def test_globs_and_folders_stand_for_the_files_below_them() -> None:
    spec = TaskSpec(id="a", title="a", role="implementer", prompt="x" * 400, reads=("src/*.py",), writes=("docs/",))
    (found,) = works([spec], {"src/a.py": 400, "src/b.txt": 400, "docs/x.md": 40})
    assert found.files == {"src/a.py": 100, "docs/x.md": 10}
    assert found.brief == 100


@pytest.mark.parametrize("sent_back", [0, 12])
def test_what_a_store_has_seen_of_merges_moves_the_choice(tmp_path: Path, sent_back: int) -> None:
    with Log.open(tmp_path / "store") as log:
        spec = plan_of(task("a"), task("b"))
        with log.write() as tx:
            tx.create_workflow(
                "w_001", kind="implement", description="w", spec=spec.model_dump(mode="json"), runner="x", data={}
            )
            for n in range(12):
                for name in ("a", "b"):
                    facts = {"task_id": f"implementation/{name}{n}", "agent_id": "x", "role": "implementer"}
                    tx.event("TASK_STARTED", "w_001", "implementation", facts)
                failure = {"failure_reason": "r", "retry_count": 1, "landing": "conflict"}
                for name in ("a", "b"):
                    facts = {"task_id": f"implementation/{name}{n}", "agent_id": "x"}
                    if n < sent_back:
                        tx.event("TASK_FAILED", "w_001", "implementation", {**facts, **failure})
                    else:
                        tx.event("TASK_COMPLETED", "w_001", "implementation", {**facts, "results": {}})
        figures, basis = figures_of(log)

    seen = 2 * sent_back
    assert (figures.near < Figures().near) == (sent_back == 0)
    assert figures.apart == pytest.approx(seen / (PRIOR + 24))
    assert f"{seen} of 24 attempts beside others sent back" in basis
    assert chosen(*map(work, "abcdef"), figures=figures) == ("parallel" if not sent_back else "serial")
