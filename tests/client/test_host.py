"""The host runner, seen from outside: the real client's own subagents carry a workflow out."""

import pytest

from tests.client.api import Api
from tests.client.assistant import Assistant
from tests.client.claude import Claude

pytestmark = [pytest.mark.client, pytest.mark.slow]
WORKFLOW = "multiplication_subtraction_001"
SENTENCE = "Add multiplication and subtraction"


def test_a_sentence_becomes_commits_by_the_work_of_the_clients_own_subagents(api: Api, calc: Claude) -> None:
    assistant = Assistant(api)

    session = calc.say(f'/orchestrate "{SENTENCE}"', seconds=110)

    assert session.result["permission_denials"] == []
    assert sorted(assistant.worked) == sorted(assistant.launched)
    assert len(assistant.launched) == len(set(assistant.launched)) == 9
    subjects = calc.git("log", "--format=%s").splitlines()
    assert subjects[-1] == "Begin"
    assert len(subjects) == 6
    assert calc.git("status", "--porcelain") == ""
    assert (calc.project / "src/calc/mul.py").is_file()


def test_a_killed_client_leaves_its_orders_to_the_next_one(api: Api, calc: Claude) -> None:
    assistant = Assistant(api)
    assistant.stalls.add("T1")
    first = calc.start(f'/orchestrate "{SENTENCE}"')
    api.until(lambda r: "T2" in r.first and r.turn == 1, 60)  # T2 is nearly done, T1 has only begun
    api.until(lambda r: "T1" in r.first and bool(r.agent), 60)
    first.kill()
    assistant.stalls.clear()
    seen = len(api.requests)

    second = calc.say(f"/orchestrate --resume {WORKFLOW}", seconds=110)

    begun = api.requests[seen].text
    assert f"Stretto: {WORKFLOW} waits for" in begun
    assert "left by agents that are gone" in begun
    assert second.result["permission_denials"] == []
    events = [e for e in calc.log() if e["event_type"] == "TASK_COMPLETED"]
    done = [e["data"]["task_id"] for e in events]
    assert len(done) == len(set(done)) == 10
    assert len(calc.git("log", "--format=%s").splitlines()) == 6
    assert calc.git("worktree", "list").count("\n") == 1
    assert (calc.project / "src/calc/mul.py").is_file()
