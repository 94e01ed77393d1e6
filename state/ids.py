"""Ids: what one may look like, and how a workflow gets its name.

Ids become file names, git refs and fields of the event wire line, so they are checked at every door.
"""

from stretto.state.errors import BadInput
from stretto.state.light import pattern

TYPE_CHECKING = False  # the hooks import this, and `typing` would cost them half as long as the interpreter's start
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NewType

    WorkflowId = NewType("WorkflowId", str)
    TaskId = NewType("TaskId", str)
else:
    WorkflowId = TaskId = str
"""A workflow's id is also the LangGraph thread id. A task's is `phase/name`, or `phase/name~2` the second time that a
phase runs: the same on every resume."""

_FIRST = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_REST = _FIRST | {"_", ".", "-"}
_WORD = pattern(r"[a-z0-9]+")
RESERVED = frozenset({"system", "global"})

_DROPPED = """
a an and add as at be build by change code create do feature fix for from get given has have implement in into is it
its make new of on onto or our please should some support that the their then there this to up update us use using
want we with write you your
"""
DROPPED_WORDS = frozenset(_DROPPED.split())
"""Words that say nothing about which workflow it is; left out of its name."""


def workflow_id(text: str, *, field: str = "workflow_id") -> WorkflowId:
    """Return `text` as a workflow id.

    Raises:
        BadInput: Not `[A-Za-z0-9][A-Za-z0-9_.-]*` of at most 100 characters, contains `..`, ends with `.lock` or
            a dot (git refuses such refs), or is reserved.
    """
    fits = _is_name(text, 100) and ".." not in text and not text.endswith((".lock", "."))
    if not fits or text in RESERVED:
        raise BadInput(
            f"{field} {text!r} is not a usable id: letters, digits, '_', '-' and single dots, at most 100 characters,"
            " starting with a letter or digit, and not 'system' or 'global'.",
            field=field,
        )
    return WorkflowId(text)


def task_id(text: str, *, field: str = "task_id") -> TaskId:
    """Return `text` as a task id.

    Raises:
        BadInput: Not `phase/name` or `phase/name~N`.
    """
    phase, _, rest = text.partition("/")
    name, again, number = rest.partition("~")
    fits = _is_name(phase, 64) and _is_name(name, 64) and (not again or _is_number(number))
    if not fits or ".." in text:
        raise BadInput(f"{field} {text!r} is not a task id such as 'implementation/T1'.", field=field)
    return TaskId(text)


def _is_name(text: str, longest: int) -> bool:
    """Not by a regular expression: to import `re` would be a quarter of a hook's time."""
    return 0 < len(text) <= longest and text[0] in _FIRST and _REST.issuperset(text)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 5 and text[0] != "0"


def order_id(text: str) -> tuple[str, str, int]:
    """The workflow, the task and the number of the attempt that an order's id names.

    Raises:
        BadInput: It is no order's id.
    """
    workflow, _, rest = text.partition("/")
    task, hash_, number = rest.rpartition("#")
    if not hash_ or not _is_number(number):
        raise BadInput(
            f"{text[:200]!r} is not an order's id such as 'shop_001/implementation/T1#1'.",
            field="order",
            next_steps=("stretto workflow-status",),
        )
    return workflow_id(workflow, field="order"), task_id(task, field="order"), int(number)


def is_order_id(text: str) -> bool:
    """Whether a word is an order's id."""
    try:
        order_id(text)
    except BadInput:
        return False
    return True


def file_name(task: str) -> str:
    """A task id as one path component."""
    return task.replace("/", ".").replace("~", "-")


def slug(text: str, *, words: int = 4, fallback: str = "workflow") -> str:
    """The first telling words of a description, as snake case: `Add JWT authentication` → `jwt_authentication`."""
    kept = [w for w in _WORD.findall(text.lower()) if w not in DROPPED_WORDS] or _WORD.findall(text.lower())
    return "_".join(kept[:words])[:60].strip("_") or fallback


def name_workflow(description: str, taken: "Callable[[str], bool]") -> WorkflowId:
    """`slug_001`, or the next free number."""
    base = slug(description)
    number = 1
    while taken(f"{base}_{number:03d}"):
        number += 1
    return workflow_id(f"{base}_{number:03d}")
