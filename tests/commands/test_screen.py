"""The live view, drawn as rich draws it."""

from io import StringIO
from typing import Any

from rich.console import Console

from stretto.commands.screen import Screen
from stretto.state.wire import Event


def drawn(*told: tuple[str, str, dict[str, Any]]) -> str:
    """The view after these events, as text that a terminal would get."""
    screen = Screen()
    for i, (kind, phase, data) in enumerate(told):
        screen.apply(Event(i, f"e{i}", kind, "w_001", phase, f"2026-01-01T00:00:0{i}.000Z", "test", "info", data))
    out = StringIO()
    Console(file=out, width=100, force_terminal=True, color_system=None).print(screen)
    return out.getvalue()


CREATED = ("WORKFLOW_CREATED", "setup", {"description": "Add a count", "phases": ["testing", "documentation"]})


def test_a_phase_that_runs_again_counts_the_tasks_of_this_pass() -> None:
    shown = drawn(
        CREATED,
        ("PHASE_STARTED", "testing", {"phase_id": "testing", "tasks": 2, "generation": 1}),
        ("TASK_COMPLETED", "testing", {"task_id": "testing/verify"}),
        ("TASK_COMPLETED", "testing", {"task_id": "testing/tests"}),
        ("PHASE_STARTED", "testing", {"phase_id": "testing", "tasks": 1, "generation": 2}),
        ("TASK_COMPLETED", "testing", {"task_id": "testing/tests~2"}),
    )

    assert "1/1" in shown
    assert "3/" not in shown


def test_what_an_agent_wrote_steers_no_terminal() -> None:
    evil = "\x1b[2J\x1b]0;owned\x07 [red]title\nsecond"
    shown = drawn(
        CREATED,
        ("PHASE_STARTED", "testing", {"phase_id": "testing", "tasks": 1, "generation": 1}),
        ("TASK_STARTED", "testing", {"task_id": "testing/a", "title": evil, "agent_id": "tester"}),
    )

    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[red]title second" in shown
