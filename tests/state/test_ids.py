"""Which ids there are: written as regular expressions here, and without them where hooks look."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from stretto.state.errors import BadInput
from stretto.state.ids import is_order_id, task_id, workflow_id

WORKFLOW = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
TASK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}/[A-Za-z0-9][A-Za-z0-9_.-]{0,63}(~[1-9][0-9]{0,3})?")
LIKELY = (
    st.text(st.sampled_from("aZ09_.-/~#\n \u0660\u00e9"), max_size=12) | st.from_regex(TASK) | st.from_regex(WORKFLOW)
)


def taken(text: str, check: object) -> bool:
    assert callable(check)
    try:
        return bool(check(text) == text)
    except BadInput:
        return False


@given(LIKELY)
@example("a" * 100)
@example("a" * 101)
@example("a\n")
@example("system")
def test_a_workflows_id_is_one_word_of_letters_digits_and_a_few_signs(text: str) -> None:
    fits = WORKFLOW.fullmatch(text) and ".." not in text and not text.endswith((".lock", "."))

    assert taken(text, workflow_id) == bool(fits and text not in {"system", "global"})


@given(LIKELY)
@example("a/b~")
@example("a/b~0")
@example("a/b~10000")
@example("a/b~1~2")
@example("a/b/c")
@example("a/b~\u0661")
@example(f"{'a' * 64}/{'b' * 64}~9999")
@example(f"{'a' * 65}/b")
def test_a_tasks_id_is_a_phase_and_a_name_and_a_number_if_it_runs_again(text: str) -> None:
    assert taken(text, task_id) == bool(TASK.fullmatch(text) and ".." not in text)


@given(LIKELY, LIKELY, st.text(st.sampled_from("0123456789\u0661#"), max_size=6))
@example("shop_001", "plan/T1", "1")
@example("shop_001", "plan/T1", "0")
@example("shop_001", "plan/T1", "12345")
def test_an_orders_id_names_a_workflow_a_task_and_an_attempt(workflow: str, task: str, number: str) -> None:
    fits = taken(workflow, workflow_id) and taken(task, task_id) and re.fullmatch("[1-9][0-9]{0,3}", number)

    assert is_order_id(f"{workflow}/{task}#{number}") == bool(fits)
