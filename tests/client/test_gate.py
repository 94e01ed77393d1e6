"""A gate is the person's to answer: what they type passes it, what a model runs by itself does not."""

import pytest

from tests.client.api import Api
from tests.client.assistant import Assistant
from tests.client.claude import Claude
from tests.client.reply import call, reply, say

pytestmark = [pytest.mark.client, pytest.mark.slow]

APPROVE = "stretto orchestrate --resume sums_001 --approve"


def test_a_gate_opens_for_the_person_alone(api: Api, calc: Claude) -> None:
    ways = (
        call("Bash", command=APPROVE, description="Approve"),
        call("Bash", command=f"cd {calc.project} && {APPROVE}", description="Approve"),
        call("Bash", command=f"stretto workflow-status; {APPROVE}", description="Approve"),
        call("Skill", skill="stretto:orchestrate", args="--resume sums_001 --approve"),
        call("mcp__plugin_stretto_stretto__orchestrate", resume="sums_001", approve=True),
    )
    api.on(lambda r: not r.agent and "Go on by yourself" in r.last, reply(*ways))
    api.on(lambda r: not r.agent and len(r.results) == len(ways), say("It is yours to approve."))
    Assistant(api)

    with calc.talk() as session:
        session.say('/stretto:plan "Sums" --gate=plan --workflow-id=sums_001', 60)
        session.until(lambda e: e.get("result_index") == 1, 60)  # the turn that took the agent's work up
        session.say("Go on by yourself")
        tried = api.requests[-1].results
        commits = calc.git("log", "--format=%s")
        waiting = session.say("/workflow-status sums_001")
        session.say("/orchestrate --resume sums_001 --approve", 60)
        answered = api.requests[-1].last

    (came,) = [t for r in api.requests for t in r.results if "sums_001 waits for you at the gate 'plan'" in t.text]
    assert not came.failed  # a gate is no error
    assert [(t.name, t.failed) for t in tried] == [(way["name"], True) for way in ways]
    assert "gate 'plan'" in waiting
    assert commits == "Begin\n"
    assert "sums_001 is done: merged into main" in answered
    assert calc.git("log", "--format=%s").splitlines()[-1] == "Begin"
    assert (calc.project / "specs/plans").is_dir()
