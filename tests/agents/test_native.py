"""Outcomes that the provider holds to their schema, where it can; and what becomes of those that do not fit."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from stretto.agents.loop import tools_of
from stretto.agents.native import strictly
from stretto.agents.roles import ROLES
from stretto.agents.said import finished
from stretto.agents.task import Outcome, RoleName
from tests.agents.answering import answering
from tests.agents.test_loop import play_with_progress
from tests.agents.test_providers import ANSWERS, provider
from tests.agents.test_streaming import at, carry_out, runner_of
from tests.agents.wire import Answer

__all__ = ["provider"]  # a fixture
NAMES = {"anthropic": "claude-sonnet-5", "openai": "gpt-5", "ollama": "qwen3"}
FINISH: dict[str, Any] = {"status": "completed", "summary": "written", "data": {"files": ["a.md"]}, "artifacts": None}


def asked_with(
    provider: str, name: str, answers: list[Answer], cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Outcome, list[dict[str, Any]]]:
    asked: list[dict[str, Any]] = []
    with answering(answers, asked) as server:
        at(monkeypatch, provider, server.url)
        return carry_out(runner_of(provider, cwd, name), cwd)[0], asked


def finish_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """The tool `finish` of a request, as the wire has it."""
    tools = [cast("dict[str, Any]", tool.get("function", tool)) for tool in request["tools"]]
    (found,) = [tool for tool in tools if tool["name"] == "finish"]
    return found


def test_a_provider_that_checks_outcomes_is_asked_to(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome, asked = asked_with(provider, NAMES[provider], [ANSWERS[provider]("finish", FINISH)], tmp_path, monkeypatch)

    assert outcome.data == {"files": ["a.md"]}
    tool = finish_of(asked[0])
    schema = tool.get("input_schema") or tool["parameters"]
    assert set(schema["properties"]) == {"status", "summary", "data", "artifacts"}
    if provider == "ollama":
        assert "strict" not in tool
    else:
        assert tool["strict"] is True
        assert all(one["additionalProperties"] is False for one in objects(schema))
    others = [cast("dict[str, Any]", tool.get("function", tool)) for tool in asked[0]["tools"]]
    assert sum("strict" in one for one in others) <= 1


def test_a_model_of_which_nobody_knows_that_it_can_is_not_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("langchain_openai")
    monkeypatch.setenv("OPENAI_API_KEY", "for-this-machine")

    _, asked = asked_with("openai", "own-model", [ANSWERS["openai"]("finish", FINISH)], tmp_path, monkeypatch)

    assert "strict" not in finish_of(asked[0])


def test_a_provider_that_refuses_the_schema_is_asked_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("langchain_anthropic")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "for-this-machine")
    message = "tools.6.custom.strict: Extra inputs are not permitted"
    refusal: Answer = (400, {}, {"type": "error", "error": {"type": "invalid_request_error", "message": message}})
    say = ANSWERS["anthropic"]
    answers = [refusal, say("read_file", {"path": "a.md"}), say("finish", FINISH)]

    outcome, asked = asked_with("anthropic", "claude-sonnet-5", answers, tmp_path, monkeypatch)

    assert outcome.status == "completed", outcome.error
    assert ["strict" in finish_of(request) for request in asked] == [True, False, False]


def test_a_misfit_is_mended_in_one_turn_that_tells_all_that_is_wrong(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say = ANSWERS[provider]
    wrong = {"status": "done", "summary": "written", "data": {"files": ["/etc/passwd"]}, "artifacts": ["../x"]}

    outcome, asked = asked_with(provider, "m", [say("finish", wrong), say("finish", FINISH)], tmp_path, monkeypatch)

    assert outcome.status == "completed", outcome.error
    told = json.dumps(asked[1]["messages"][-1])
    for words in ("status", "artifacts.0.path", "Mend it and call finish again"):
        assert words in told


def test_an_outcome_that_does_not_fit_twice_is_a_failed_attempt(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say = ANSWERS[provider]
    wrong = say("finish", {"status": "completed", "summary": "s", "data": {"files": ["/etc/passwd"]}})

    outcome, asked = asked_with(provider, "m", [wrong, wrong], tmp_path, monkeypatch)

    assert outcome.status == "failed"
    assert "not even after it was sent back" in outcome.error
    assert "data.files.0" in outcome.error
    assert len(asked) == 2


def test_two_misfits_in_one_answer_are_one(tmp_path: Path) -> None:
    wrong = {"finish": {"status": "completed", "summary": "s", "data": {"title": "T"}}}
    right = {"finish": {"status": "completed", "summary": "s", "data": {"title": "T", "report": "R"}}}

    outcome, _ = play_with_progress(tmp_path, [{"call": [wrong, wrong]}, {"call": [right]}], "researcher")

    assert outcome.status == "completed"


def objects(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All schemas of objects in a schema."""
    if schema.get("type") == "object":
        yield schema
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", ()), schema.get("items")]
    for one in inner:
        if one:
            yield from objects(one)


def filled(schema: Mapping[str, Any]) -> Any:
    """The smallest value that a strict schema allows, a letter in each text."""
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return filled(schema["anyOf"][0])
    if schema["type"] == "object":
        return {name: filled(one) for name, one in schema["properties"].items()}
    if schema["type"] == "array":
        return [filled(schema["items"])] if schema["items"]["type"] == "object" else []
    return "x"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_a_strict_schema_is_closed_and_asks_for_no_more_than_the_role_does(role: RoleName, provider: str) -> None:
    tool = strictly(tools_of(role)[-1], provider)
    schema = tool.get("input_schema") or tool["function"]["parameters"]

    for one in objects(schema):
        assert one["additionalProperties"] is False
        assert one["required"] == [*one["properties"]]
    assert "default" not in json.dumps(schema)
    assert finished({"status": "failed", "summary": "no", "data": None, "artifacts": None}, role).status == "failed"
    assert finished(filled(schema), role).status == "completed"
