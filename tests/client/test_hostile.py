"""Arguments are data: whatever a person or a model puts behind a command is a text for its handler, and never run."""

import json
import shlex
from pathlib import Path

import pytest

from stretto.commands.free import answer
from tests.client.api import Api
from tests.client.claude import Claude
from tests.client.reply import call, reply, say

pytestmark = [pytest.mark.client, pytest.mark.slow]

CORPUS = Path(__file__).parents[1] / "data" / "hostile_arguments.json"
HOSTILE = {str(case["name"]): str(case["arguments"]) for case in json.loads(CORPUS.read_text("utf-8"))}
CANARY = "STRETTO_PWNED"
ALL = "\n".join(text for text in HOSTILE.values() if len(text) < 1_000)
"""Nearly all of them as one text, as it is to stand in the event log."""


def answered(text: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What /workflow-status says to this line: it quotes what it does not understand, and the place."""
    monkeypatch.chdir(project)
    found = answer("workflow-status", text, str(project))
    assert found is not None
    return found


def nothing_ran(claude: Claude) -> bool:
    """Whether no command of the corpus was executed: each would leave a file."""
    return not [*claude.folder.rglob(f"{CANARY}*"), *Path("/tmp").glob(CANARY)]


def test_what_a_person_types_is_read_as_a_terminal_would_have_it_read(
    api: Api, calc: Claude, monkeypatch: pytest.MonkeyPatch
) -> None:
    with calc.talk() as session:
        said = [session.say(f"/stretto:workflow-status {text}") for text in HOSTILE.values()]

    for text, got in zip(HOSTILE.values(), said, strict=True):
        # The client itself takes the blanks around the arguments away.
        expected = answered(text.strip(), calc.project, monkeypatch)
        assert got == f"UserPromptExpansion operation blocked by hook:\n{expected}"
    assert api.requests == []
    assert nothing_ran(calc)


def test_what_a_model_puts_behind_a_command_is_read_alike(
    api: Api, calc: Claude, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [call("Skill", skill="stretto:workflow-status", args=text) for text in HOSTILE.values()]
    api.on(lambda r: r.turn == 0, reply(*calls))
    api.on(lambda r: True, say("Noted."))

    calc.say("Look", "--allowedTools", "Skill(stretto:workflow-status)")

    last = api.requests[-1].last
    for text in HOSTILE.values():
        assert answered(text, calc.project, monkeypatch) in last
    assert last.count("That is Stretto's reply.") == len(HOSTILE)
    assert nothing_ran(calc)


def test_a_hostile_text_arrives_byte_for_byte_in_the_event_log(api: Api, calc: Claude) -> None:
    by_model = call("Skill", skill="stretto:report", args=shlex.quote(ALL))
    api.on(lambda r: "Look into it" in r.last, reply(by_model))
    api.on(lambda r: True, say("Noted."))

    with calc.talk("--allowedTools", "Skill(stretto:report)") as session:
        session.say(f"/stretto:report {shlex.quote(ALL)}")
        session.say("Look into it")

    created = [e["data"]["description"] for e in calc.log() if e["event_type"] == "WORKFLOW_CREATED"]
    assert created == [ALL, ALL]
    assert nothing_ran(calc)


def test_a_model_may_not_begin_work_by_itself_unless_the_person_allows_it(api: Api, calc: Claude) -> None:
    api.on(lambda r: r.turn == 0, reply(call("Skill", skill="stretto:report", args="How keys are kept")))
    api.on(lambda r: True, say("Noted."))

    session = calc.say("Look into it")

    (result,) = api.requests[-1].results
    assert result.failed
    assert [d["tool_name"] for d in session.result["permission_denials"]] == ["Skill"]
    assert not (calc.project / ".stretto").exists()
