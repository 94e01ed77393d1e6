"""Real provider packages against a server on this machine, for those who have the extras installed."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from stretto.agents.choose import parse_runner
from stretto.agents.execute import Execute, Finished
from stretto.agents.retry import Patience
from stretto.agents.runner import Surroundings
from stretto.agents.task import Brief, Outcome, Usage
from stretto.state.errors import PermanentError
from tests.agents.answering import answering
from tests.agents.wire import Answer, Slow


async def nothing(*_: object, **__: object) -> Finished:
    raise AssertionError("these agents run no program")


execute: Execute = nothing


def openai(name: str, args: dict[str, Any]) -> Answer:
    call = {"id": "c1", "type": "function", "function": {"name": name, "arguments": json.dumps(args)}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "finish_reason": "tool_calls", "message": message}
    usage = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
    return (
        200,
        {},
        {"id": "r", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage},
    )


def anthropic(name: str, args: dict[str, Any]) -> Answer:
    body = {
        "id": "r",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "So."}, {"type": "tool_use", "id": "c1", "name": name, "input": args}],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 11, "output_tokens": 3},
    }
    return 200, {}, body


def ollama(name: str, args: dict[str, Any]) -> Answer:
    body = {
        "model": "m",
        "created_at": "2026-01-01T00:00:00Z",
        "message": {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"function": {"name": name, "arguments": args}}],
        },
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 11,
        "eval_count": 3,
    }
    return 200, {}, body


ANSWERS = {"openai": openai, "anthropic": anthropic, "ollama": ollama}
ADDRESS = {"openai": "OPENAI_BASE_URL", "anthropic": "ANTHROPIC_BASE_URL", "ollama": "OLLAMA_HOST"}
PATHS = {"openai": "/v1", "anthropic": "", "ollama": ""}
OVERLOADED: Answer = (529, {"Retry-After": "0"}, {"error": {"type": "overloaded_error", "message": "Overloaded"}})
REFUSED: Answer = (401, {}, {"error": {"type": "authentication_error", "message": "invalid key"}})


@pytest.fixture(params=["openai", "anthropic", "ollama"])
def provider(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name = str(request.param)
    pytest.importorskip(f"langchain_{name}")
    monkeypatch.setenv("OPENAI_API_KEY", "for-this-machine")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "for-this-machine")
    return name


def brief_in(cwd: Path) -> Brief:
    return Brief(
        workflow_id="w",
        phase="p",
        task_id="p/T1",
        attempt=1,
        idempotency_key="k",
        role="documenter",
        title="Document it",
        prompt="Write it down.",
        cwd=str(cwd),
    )


def run(
    provider: str, answers: Sequence[Answer | Slow], cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Outcome, list[dict[str, Any]]]:
    asked: list[dict[str, Any]] = []
    brief = brief_in(cwd)

    async def main() -> Outcome:
        runner = parse_runner(
            f"model:{provider}/m", project=cwd, execute=execute, patience=Patience(5, jitter=lambda: 0.0)
        )
        return await runner.run(brief, Surroundings())

    with answering(answers, asked) as server:
        monkeypatch.setenv(ADDRESS[provider], server.url + PATHS[provider])
        return asyncio.run(main()), asked


def test_a_provider_speaks_through_the_loop_and_an_overload_is_waited_out(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say = ANSWERS[provider]
    finish = {"status": "completed", "summary": "written", "data": {"files": ["a.md"]}}
    answers = [say("write_file", {"path": "a.md", "content": "# A\n"}), OVERLOADED, say("finish", finish)]
    outcome, asked = run(provider, answers, tmp_path, monkeypatch)
    assert outcome.status == "completed"
    assert outcome.data == {"files": ["a.md"]}
    assert outcome.usage == Usage(input_tokens=22, output_tokens=6)
    assert (tmp_path / "a.md").read_text() == "# A\n"
    assert len(asked) == 3
    assert "write_file" in json.dumps(asked[0]["tools"])
    assert "Wrote a.md" in json.dumps(asked[2]["messages"])


def test_a_wrong_key_is_asked_once(provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PermanentError, match="invalid key"):
        run(provider, [REFUSED], tmp_path, monkeypatch)
