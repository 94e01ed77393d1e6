"""What needs no model asks none, and the person sees the answer; and which names our commands answer to."""

import pytest

from tests.client.api import Api
from tests.client.claude import Claude
from tests.client.reply import say
from tests.snapshot import snapshot

pytestmark = [pytest.mark.client, pytest.mark.slow]

FREE = [
    ("/workflow-status", "No workflow has run here yet."),
    ("/stretto:workflow-status unheard_of_001", "There is no workflow 'unheard_of_001'"),
    ("/stretto:workflow-status --json", '"workflows": []'),
    ('/orchestrate "Add multiplication" --dry-run', "Dry run of multiplication_001: nothing was written"),
    ('/stretto:plan "Add division" --dry-run', "Dry run of division_001: nothing was written"),
    ("/orchestrate --help", "--gate=plan,merge"),
    ("/stretto:debug --help", "Usage: "),
    ('/orchestrate "Add multiplication', "This quote is not closed."),
    ("/stretto:report keys --no-such-flag", "/report has no flag '--no-such-flag'."),
    ("/orchestrate", "a description"),
]


def test_what_needs_no_model_makes_no_request_and_is_seen(api: Api, calc: Claude) -> None:
    before = snapshot(calc.project)

    with calc.talk() as session:
        said = [session.say(line) for line, _ in FREE]

    for (line, expected), answer in zip(FREE, said, strict=True):
        assert expected in answer, line
    assert api.requests == []
    assert snapshot(calc.project) == before


def test_what_was_said_for_free_is_no_part_of_a_later_request(api: Api, calc: Claude) -> None:
    api.on(lambda r: "Good morning" in r.last, say("Good morning to you."))

    with calc.talk() as session:
        session.say("/workflow-status")
        session.say("Good morning")

    (request,) = api.requests
    assert "No workflow has run here" not in request.text
    assert "<command-name>" not in request.text


def test_a_status_of_a_workflow_is_what_the_terminal_says(api: Api, calc: Claude) -> None:
    api.on(lambda r: not r.agent, say("Noted."))

    with calc.talk() as session:
        session.say('/report "How keys are kept" --workflow-id=keys_001')
        asked = len(api.requests)
        said = session.say("/workflow-status keys_001")

    assert len(api.requests) == asked
    assert "keys_001" in said
    assert "waits for 1 work order" in said


def test_a_bare_name_and_a_prefixed_one_reach_the_same_handler(api: Api, calc: Claude) -> None:
    api.on(lambda r: "That is Stretto's reply." in r.last, say("Noted."))

    with calc.talk() as session:
        session.say('/report "How keys are kept"')
        session.say('/stretto:report "How keys are kept"')

    created = [e["data"] for e in calc.log() if e["event_type"] == "WORKFLOW_CREATED"]
    assert created[0] == created[1]
    assert created[0]["description"] == "How keys are kept"
    assert all("stretto:researcher" in r.last for r in api.requests)


def test_plan_and_debug_are_the_clients_own_and_ours_have_the_prefix(api: Api, calc: Claude) -> None:
    """The client's built-in commands come first; README says to write /stretto:plan and /stretto:debug."""
    api.on(lambda r: True, say("Noted."))

    with calc.talk() as session:
        said = session.say('/plan "Add division"')
        session.say('/debug "it fails"')
        theirs = len(api.requests)
        session.say('/stretto:plan "Add division"')
        session.say('/stretto:debug "it fails"')

    assert said == "/plan isn't available in this environment."
    assert all("Stretto's reply" not in r.text for r in api.requests[:theirs])
    created = [e["data"]["type"] for e in calc.log() if e["event_type"] == "WORKFLOW_CREATED"]
    assert created == ["plan", "debug"]
