"""What agents at work are at, in the status and in the live view: while it happens, and never more than is known."""

import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from stretto.agents import attempt_log
from stretto.agents.attempt_log import tail
from stretto.commands.at_work import doing, lines
from stretto.commands.screen import Screen
from stretto.state.wire import Event
from tests.agents.answering import answering
from tests.agents.test_providers import ollama
from tests.agents.test_streaming import ollama_text
from tests.agents.wire import Slow
from tests.commands.door import Project
from tests.commands.test_verbs import SECONDS, wait_for

W, TASK = "w_001", "testing/a"


@pytest.mark.parametrize(
    ("kind", "facts", "said"),
    [
        ("speaking", {"doing": "says", "characters": 1240}, "says, 1,240 characters so far"),
        (
            "speaking",
            {"doing": "calls", "tool": "write_file", "characters": 5},
            "calls write_file, 5 characters so far",
        ),
        ("turn", {"tools": ["read_file", "run"]}, "uses read_file, run"),
        ("tool", {"name": "run", "ok": False, "about": "pytest -q"}, "used run pytest -q, which failed"),
        ("tool", {"name": "list_files", "ok": True, "about": ""}, "used list_files"),
        ("wait", {"attempt": 1, "seconds": 12.4, "error": "529"}, "waits 12 s: 529"),
        ("broken_off", {"error": "cut"}, "was cut off: cut"),
        ("text", {"text": "I look\n\x1b[2Jaround."}, "said: I look \ufffd[2Jaround."),
    ],
)
def test_the_last_word_of_a_log_is_what_an_agent_does(
    tmp_path: Path, kind: str, facts: dict[str, Any], said: str
) -> None:
    note = attempt_log.writer(tmp_path, W, TASK, 2)
    note("text", {"text": "earlier"})
    note(kind, {"turn": 3, **facts})
    note("usage", {"turn": 3, "input_tokens": 1})

    found = doing(str(tmp_path), W, TASK, 2)

    assert found is not None
    assert (found["what"], found["turn"]) == (said, 3)
    assert abs(found["at"] - time.time()) < 60


def test_where_nothing_is_noted_nothing_is_told(tmp_path: Path) -> None:
    assert doing(str(tmp_path), W, TASK, 1) is None
    (told,) = [*lines({TASK: {"turn": None, "what": None, "usage": None}})][1:]
    assert told.endswith("nothing noted yet")


def test_a_long_log_is_read_from_its_end_and_a_torn_line_passed_over(tmp_path: Path) -> None:
    note = attempt_log.writer(tmp_path, W, TASK, 1)
    for number in range(2000):
        note("text", {"text": f"{number} " + "x" * 100})
    with Path(attempt_log.path_of(tmp_path, W, TASK, 1)).open("a") as file:
        file.write('{"kind": "te')

    found = tail(tmp_path, W, TASK, 1)

    assert 10 < len(found) < 500
    assert found[-1]["text"].startswith("1999 ")


def test_the_live_view_shows_it_behind_the_task(tmp_path: Path) -> None:
    attempt_log.writer(tmp_path, W, TASK, 1)("speaking", {"turn": 1, "doing": "thinks", "characters": 99})
    screen = Screen(logs=str(tmp_path))
    told: list[tuple[str, dict[str, Any]]] = [
        ("WORKFLOW_CREATED", {"description": "d", "phases": ["testing"]}),
        ("PHASE_STARTED", {"phase_id": "testing", "tasks": 1}),
        ("TASK_STARTED", {"task_id": TASK, "title": "Test it", "agent_id": "tester", "attempt": 1}),
    ]
    for at, (kind, data) in enumerate(told):
        screen.apply(Event(at, f"e{at}", kind, W, "testing", f"2026-01-01T00:00:0{at}.000Z", "test", "info", data))
    out = StringIO()
    Console(file=out, width=100, force_terminal=True, color_system=None).print(screen)

    assert "Test it  thinks, 99 characters so far" in out.getvalue()


@pytest.mark.slow
def test_a_status_from_elsewhere_tells_of_an_answer_that_is_still_coming(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("langchain_ollama")
    slow = Slow(ollama_text("x" * 12 * 20_000), pause=0.05)
    with answering([ollama("list_files", {})] * 2 + [slow] * 2, []) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        driver = project.start("report", "Sessions", "--runner", "model:ollama/m")
        try:

            def speaking() -> list[dict[str, Any]]:
                ran = project.run("workflow-status", "sessions_001", "--json")
                found = ran.json["result"]["at_work"].values() if ran.code == 0 else ()
                return [one for one in found if "so far" in str(one["what"]) and one["turn"] > 1]

            wait_for(speaking, "an answer")
            one = speaking()[0]
            shown = project.run("workflow-status", "sessions_001").out
        finally:
            driver.kill()
            driver.communicate(timeout=SECONDS)

    assert one["what"].startswith("says, ")
    assert one["attempt"] == 1
    assert one["seconds_ago"] < SECONDS
    known = one["turn"] - 1
    assert one["usage"] == {"input_tokens": 11 * known, "output_tokens": 3 * known, "cost_usd": None}
    assert "  at work\n" in shown
    assert f"turn {one['turn']} · says, " in shown
    assert f"{11 * known} tokens in, {3 * known} out so far" in shown
