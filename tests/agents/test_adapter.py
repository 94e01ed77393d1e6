"""The JSON adapter, with the real provider packages where they differ: a model without tools works all the same."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage

from stretto.agents.adapter import UNREADABLE, problem, read
from stretto.agents.cassette import Header
from stretto.agents.choose import parse_runner
from stretto.agents.manner import Manner
from stretto.agents.model import ModelRunner
from stretto.agents.record import Recorder
from stretto.agents.replay import ReplayRunner
from stretto.agents.runner import Runner, Surroundings
from stretto.agents.script import Script, ScriptedChatModel
from stretto.agents.speech import asked
from stretto.agents.task import Outcome
from stretto.state.errors import BadInput
from tests.agents.answering import answering
from tests.agents.test_providers import brief_in, execute, provider, run
from tests.agents.test_streaming import at, carry_out, runner_of
from tests.agents.wire import Answer

__all__ = ["provider"]  # a fixture
FINISH = {"status": "completed", "summary": "written", "data": {"files": ["a.md"]}}


def fenced(tool: str, **args: Any) -> str:
    return f"I go on.\n\n```json\n{json.dumps({'tool': tool, 'args': args})}\n```\n"


def saying(provider: str, text: str) -> Answer:
    """An answer of this provider that is nothing but text."""
    if provider == "openai":
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        usage = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
        body = {"id": "r", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    elif provider == "anthropic":
        body = {
            "id": "r",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 11, "output_tokens": 3},
        }
    else:
        body = {
            "model": "m",
            "created_at": "2026-01-01T00:00:00Z",
            "message": {"role": "assistant", "content": text},
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": 11,
            "eval_count": 3,
        }
    return 200, {}, body


REFUSAL: Answer = (
    400,
    {},
    {"error": {"type": "invalid_request_error", "message": "registry/library/m does not support tools"}},
)


def test_a_model_that_refuses_tools_is_told_them_in_text_and_does_the_work(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [
        REFUSAL,
        saying(provider, fenced("write_file", path="a.md", content="# A\n")),
        saying(provider, fenced("finish", **FINISH)),
    ]

    outcome, sent = run(provider, answers, tmp_path, monkeypatch)

    assert outcome.status == "completed", outcome.error
    assert (tmp_path / "a.md").read_text() == "# A\n"
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (22, 6)
    assert ["tools" in request and bool(request["tools"]) for request in sent] == [True, False, False]
    assert "exactly one action" in json.dumps(sent[1])
    assert "write_file answered:" in json.dumps(sent[2])
    assert "tool_call" not in json.dumps(sent[2]["messages"])


def test_what_cannot_be_read_goes_back_with_the_reason_and_the_next_answer_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("langchain_ollama")
    (tmp_path / "a.md").write_text("# A\n")
    comma = '```json\n{"tool": "finish", "args": {"status": "completed",}}\n```'
    two = fenced("read_file", path="a.md") + fenced("finish", **FINISH)
    answers = [REFUSAL, *(saying("ollama", text) for text in (comma, two, fenced("finish", **FINISH)))]

    outcome, sent = run("ollama", answers, tmp_path, monkeypatch)

    assert outcome.status == "completed", outcome.error
    assert "Your JSON cannot be read" in json.dumps(sent[2])
    assert "Your answer holds 2 blocks of JSON" in json.dumps(sent[3])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('```json\n{"tool": "run"\n```', "cannot be read"),
        ('```json\n["run"]\n```', "cannot be read"),
        ('```json\n{"name": "run", "args": {}}\n```', "no action"),
        ('```json\n{"tool": "run", "args": []}\n```', "no action"),
        ('```json\n{"tool": "read_file", "path": "a"}\n```', 'has path beside "tool"'),
        ('{"tool": "run", "args": {"argv": [NaN]}}', "cannot be read"),
        ('{"thought": "x", "action": {"tool": "run", "args": []}}', "no action"),
        ('{"thought": "x", "action": {"tool": "run", "args": {}}, "more": 1}', "no action"),
        ("```json\n{}\n```\nor\n```json\n{}\n```", "2 blocks"),
    ],
)
def test_an_answer_that_is_no_action_says_why(text: str, why: str) -> None:
    (call,) = asked(read(AIMessage(text)), 1)

    assert call.name == UNREADABLE
    assert why in problem(str(call.args))


@pytest.mark.parametrize("text", ["Done.", "See `a.md`.", ""])
def test_plain_words_are_left_to_the_loop(text: str) -> None:
    assert read(AIMessage(text)).content == text


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), VALUES, max_size=4))
def test_any_arguments_come_through_whatever_stands_in_them(args: dict[str, Any]) -> None:
    text = f"So:\n```json\n{json.dumps({'tool': 'write_file', 'args': args})}\n```\nThat is all."

    (call,) = asked(read(AIMessage(text)), 1)

    assert (call.name, call.args) == ("write_file", args)


def test_it_can_be_chosen_and_another_option_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("task: t\nlanes:\n  a#1:\n  - say: hello\n")
    runner = parse_runner("model:script/s.yaml?adapter=json", project=tmp_path, execute=execute)
    assert runner.name == "model:script/s.yaml?adapter=json"
    with pytest.raises(BadInput) as refused:
        parse_runner("model:script/s.yaml?adapter=xml", project=tmp_path, execute=execute)
    assert refused.value.details["allowed"] == ["adapter=json"]


def test_a_schema_is_for_those_whose_servers_hold_answers_to_one(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del monkeypatch  # the provider's key is set
    spec = f"model:{provider}/m?adapter=schema"
    if provider == "anthropic":
        with pytest.raises(BadInput, match="no option 'adapter=schema'"):
            parse_runner(spec, project=tmp_path, execute=execute)
    else:
        assert parse_runner(spec, project=tmp_path, execute=execute).name == spec


def bare(tool: str, **args: Any) -> str:
    return json.dumps({"thought": "I go on.", "action": {"tool": tool, "args": args}})


def held_to(request: dict[str, Any]) -> Any:
    """The schema to which a request asks the server to hold the answer."""
    return request.get("format") or request.get("response_format", {}).get("json_schema", {}).get("schema")


@pytest.mark.parametrize("provider", ["openai", "ollama"])
def test_a_model_without_tools_is_held_to_a_schema_of_actions(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(f"langchain_{provider}")
    monkeypatch.setenv("OPENAI_API_KEY", "for-this-machine")
    texts = (
        bare("write_file", path="a.md", content="# A\n"),
        '{"thought": "?", "action": {}}',
        bare("finish", **FINISH),
    )
    sent: list[dict[str, Any]] = []

    with answering([saying(provider, text) for text in texts], sent) as server:
        at(monkeypatch, provider, server.url)
        outcome, told = carry_out(runner_of(provider, tmp_path, manner=Manner("schema")), tmp_path)

    assert outcome.status == "completed", outcome.error
    assert (tmp_path / "a.md").read_text() == "# A\n"
    schema = held_to(sent[0])
    assert all(held_to(request) == schema for request in sent)
    names = [one["properties"]["tool"]["enum"][0] for one in schema["properties"]["action"]["anyOf"]]
    assert names[-1] == "finish"
    assert "write_file" in names
    assert not any(request.get("tools") for request in sent)
    assert '"action"' in str(sent[1]["messages"][2]["content"])
    assert "Your JSON is no action" in json.dumps(sent[2]["messages"])
    assert ("text", {"turn": 1, "text": "I go on."}) in told


def test_a_server_that_takes_no_schema_is_asked_for_fenced_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("langchain_openai")
    monkeypatch.setenv("OPENAI_API_KEY", "for-this-machine")
    refusal: Answer = (400, {}, {"error": {"message": "response_format of type json_schema is not supported"}})
    sent: list[dict[str, Any]] = []

    with answering([refusal, saying("openai", fenced("finish", **FINISH))], sent) as server:
        at(monkeypatch, "openai", server.url)
        outcome, _ = carry_out(runner_of("openai", tmp_path, manner=Manner("schema")), tmp_path)

    assert outcome.status == "completed", outcome.error
    assert [held_to(request) is None for request in sent] == [False, True]
    assert "exactly one action, as one fenced block" in json.dumps(sent[1])


def test_a_recording_of_an_adapted_model_replays_strictly_with_its_unreadable_answers(tmp_path: Path) -> None:
    texts = ['```json\n{"tool": "finish",}\n```', fenced("write_file", path="a.md", content="# A\n")]
    lines = [{"say": text} for text in (*texts, fenced("finish", **FINISH))]
    script = Script.model_validate({"task": "t", "lanes": {"p/T1#1": lines}})
    tape = tmp_path / "tape.jsonl"

    def carried_out(runner: Runner, folder: Path) -> Outcome:
        folder.mkdir()

        async def main() -> Outcome:
            try:
                return await runner.run(brief_in(folder), Surroundings())
            finally:
                await runner.close()

        return asyncio.run(main())

    def chat(role: str, lane: str) -> ScriptedChatModel:
        del role
        return ScriptedChatModel(script=script, lane=lane)

    recorder = Recorder(tape, Header(origin="authored", task="t", workflow="w"))
    live = carried_out(ModelRunner("model:x", chat, execute, recorder, manner=Manner("json")), tmp_path / "live")
    again = carried_out(ReplayRunner(tape, execute, name="replay:x", strict=True), tmp_path / "again")

    assert live.status == "completed", live.error
    assert again.model_copy(update={"usage": live.usage}) == live
    assert (tmp_path / "again" / "a.md").read_text() == "# A\n"
