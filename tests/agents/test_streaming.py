"""A model is listened to while it speaks: real provider packages, and a server that is slow, or does not end."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk

from stretto.agents.cassette import Header
from stretto.agents.chain import Candidate
from stretto.agents.listening import TOLD_SECONDS, Speaking, summed
from stretto.agents.manner import Manner
from stretto.agents.meter import Free
from stretto.agents.model import ModelRunner
from stretto.agents.providers import chat_factory
from stretto.agents.record import Recorder
from stretto.agents.replay import ReplayRunner
from stretto.agents.retry import Patience
from stretto.agents.runner import Surroundings
from stretto.agents.task import Outcome, Usage
from stretto.state.purse import Want
from tests.agents.answering import answering
from tests.agents.test_providers import ADDRESS, ANSWERS, PATHS, brief_in, execute, provider
from tests.agents.wire import Answer, Slow

__all__ = ["provider"]  # a fixture
FINISH = {"status": "completed", "summary": "written", "data": {"files": ["a.md"]}}
WRITE = {"path": "a.md", "content": "# A title that is a few parts long\n"}
Told = list[tuple[str, Mapping[str, Any]]]
PATIENCE_SECONDS = 30.0


def openai_text(text: str) -> Answer:
    status, headers, body = ANSWERS["openai"]("finish", {})
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return status, headers, {**body, "choices": [choice]}


def anthropic_text(text: str) -> Answer:
    status, headers, body = ANSWERS["anthropic"]("finish", {})
    return status, headers, {**body, "content": [{"type": "text", "text": text}], "stop_reason": "end_turn"}


def ollama_text(text: str) -> Answer:
    status, headers, body = ANSWERS["ollama"]("finish", {})
    return status, headers, {**body, "message": {"role": "assistant", "content": text}}


SAYING = {"openai": openai_text, "anthropic": anthropic_text, "ollama": ollama_text}


class Ledger:
    """An account without a limit, which keeps what is done with it."""

    priced = True
    limited = True

    def __init__(self) -> None:
        self.done: list[Want | Usage | str] = []

    async def reserve(self, want: Want) -> None:
        self.done.append(want)

    def settle(self, used: Usage, tool_calls: int = 0) -> None:
        del tool_calls
        self.done.append(used)

    def release(self) -> None:
        self.done.append("released")

    async def tool(self) -> None: ...

    def ahead(self, used: Usage, tool_calls: int = 0) -> bool:
        raise NotImplementedError


def runner_of(provider: str, cwd: Path, name: str = "m", **more: Any) -> ModelRunner:
    more = {"patience": Patience(60, jitter=lambda: 0.0), **more}
    source = f"{provider}/{name}"
    return ModelRunner(f"model:{source}", chat_factory(source, project=cwd), execute, source=source, **more)


def carry_out(runner: ModelRunner | ReplayRunner, cwd: Path, ledger: Ledger | None = None) -> tuple[Outcome, Told]:
    told: Told = []
    around = Surroundings(progress=lambda kind, facts: told.append((kind, facts)), account=ledger or Free())

    async def main() -> Outcome:
        try:
            return await runner.run(brief_in(cwd), around)
        finally:
            await runner.close()

    return asyncio.run(main()), told


def at(monkeypatch: pytest.MonkeyPatch, provider: str, url: str) -> None:
    monkeypatch.setenv(ADDRESS[provider], url + PATHS[provider])


@pytest.mark.parametrize("how", ["cut", "short", "breaks", "stall"])
@pytest.mark.parametrize("after", [1, 4])
def test_an_answer_that_breaks_off_is_asked_for_again_and_paid_for(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, after: int
) -> None:
    say = ANSWERS[provider]
    broken = Slow(SAYING[provider]("word " * 40), **{how: after})
    asked: list[dict[str, Any]] = []
    ledger = Ledger()

    with answering([broken, say("finish", FINISH)], asked) as server:
        at(monkeypatch, provider, server.url)
        outcome, told = carry_out(runner_of(provider, tmp_path, stall_seconds=0.3), tmp_path, ledger)

    assert outcome.status == "completed", outcome.error
    assert len(asked) == 2
    assert asked[0] == asked[1]
    assert [kind for kind, _ in told if kind in ("broken_off", "wait")] == ["broken_off", "wait"]
    wanted, lost, again, used = ledger.done
    assert isinstance(wanted, Want)
    assert again == wanted
    assert isinstance(lost, Usage)
    assert lost.output_tokens is None  # nobody counted them
    assert isinstance(used, Usage)
    assert (used.input_tokens, used.output_tokens) == (11, 3)
    assert outcome.usage.output_tokens is None


def test_an_answer_that_never_began_costs_nothing(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say = ANSWERS[provider]
    asked: list[dict[str, Any]] = []
    ledger = Ledger()

    with answering([Slow(say("finish", FINISH), short=0), say("finish", FINISH)], asked) as server:
        at(monkeypatch, provider, server.url)
        outcome, _ = carry_out(runner_of(provider, tmp_path), tmp_path, ledger)

    assert outcome.status == "completed", outcome.error
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (11, 3)
    assert len(ledger.done) == 2  # set aside once, settled once


def test_a_streamed_run_leaves_the_cassette_of_one_in_whole_answers_and_replays(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say = ANSWERS[provider]
    tapes: list[str] = []
    outcomes: list[Outcome] = []

    for stream in (True, False):
        cwd = tmp_path / f"stream-{stream}"
        cwd.mkdir()
        asked: list[dict[str, Any]] = []
        recorder = Recorder(tmp_path / f"{stream}.jsonl", Header(task="t", workflow="w"))
        with answering([say("write_file", WRITE), say("finish", FINISH)], asked) as server:
            at(monkeypatch, provider, server.url)
            runner = runner_of(provider, cwd, record=recorder, manner=Manner(stream=stream))
            outcomes.append(carry_out(runner, cwd)[0])
        if provider != "ollama":  # whose client streams in any case
            assert [bool(request.get("stream")) for request in asked] == [stream, stream]
        tapes.append(recorder.path.read_text())

    assert tapes[0] == tapes[1]
    assert outcomes[0] == outcomes[1]
    assert outcomes[0].status == "completed"
    (tmp_path / "again").mkdir()
    replay = ReplayRunner(tmp_path / "True.jsonl", execute, name="replay:x", strict=True)
    again, told = carry_out(replay, tmp_path / "again")
    assert again.model_copy(update={"usage": outcomes[0].usage}) == outcomes[0]
    assert not [facts for kind, facts in told if kind == "drift"]


def test_arguments_that_were_cut_short_are_not_mended(tmp_path: Path) -> None:
    pieces = [
        AIMessageChunk(content="", tool_call_chunks=[tool_call_chunk(name="write_file", args="", id="c1", index=0)]),
        AIMessageChunk(content="", tool_call_chunks=[tool_call_chunk(args='{"path": "a", "content": "ha', index=0)]),
        AIMessageChunk(content="", chunk_position="last", response_metadata={"finish_reason": "length"}),
    ]

    reply = summed(pieces)

    assert reply.tool_calls == []
    assert [call["name"] for call in reply.invalid_tool_calls] == ["write_file"]


def test_what_it_is_at_is_told_at_a_bounded_rate() -> None:
    now, told = [0.0], list[Mapping[str, Any]]()
    speaking = Speaking(told.append, clock=lambda: now[0])

    for _ in range(1000):
        now[0] += 0.01
        speaking.take(AIMessageChunk(content="word "))
    named = tool_call_chunk(name="write_file", args="", id="c1", index=0)
    for chunk in (named, *[tool_call_chunk(args="12345", index=0)] * 300):
        now[0] += 0.01
        speaking.take(AIMessageChunk(content="", tool_call_chunks=[chunk]))

    assert len(told) == int(13.01 / TOLD_SECONDS)
    assert told[0] == {"doing": "says", "characters": 1000}
    assert told[-1]["doing"] == "calls"
    assert told[-1]["tool"] == "write_file"
    assert 5000 < told[-1]["characters"] <= 6500


def test_a_slow_answer_is_told_of_while_it_comes(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    with answering([Slow(SAYING[provider]("x" * 12 * 50), pause=0.05)], []) as server:
        at(monkeypatch, provider, server.url)
        outcome, told = carry_out(runner_of(provider, tmp_path), tmp_path)

    assert outcome.status == "completed", outcome.error
    speaking = [facts for kind, facts in told if kind == "speaking"]
    assert 1 <= len(speaking) <= 10
    assert speaking[0]["doing"] == "says"
    assert speaking[0]["turn"] == 1
    assert 0 < speaking[0]["characters"] <= 600
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (11, 3)


def test_a_cancelled_attempt_hangs_up_in_the_middle_of_an_answer(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    heard = asyncio.Event()

    async def main(hung_up: Any) -> None:
        around = Surroundings(progress=lambda kind, _: heard.set() if kind == "speaking" else None)
        attempt = asyncio.ensure_future(runner_of(provider, tmp_path).run(brief_in(tmp_path), around))
        await asyncio.wait_for(heard.wait(), PATIENCE_SECONDS)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        assert await asyncio.to_thread(hung_up.wait, PATIENCE_SECONDS)

    with answering([Slow(SAYING[provider]("x" * 12 * 5000), pause=0.05)], asked) as server:
        at(monkeypatch, provider, server.url)
        asyncio.run(main(server.hung_up))
    assert len(asked) == 1


def test_a_provider_that_does_not_stream_this_model_is_asked_for_whole_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("langchain_openai")
    monkeypatch.setenv("OPENAI_API_KEY", "for-this-machine")
    refusal: Answer = (400, {}, {"error": {"message": "Your organization must be verified to stream this model."}})
    say = ANSWERS["openai"]
    asked: list[dict[str, Any]] = []

    with answering([refusal, say("write_file", WRITE), say("finish", FINISH)], asked) as server:
        at(monkeypatch, "openai", server.url)
        outcome, told = carry_out(runner_of("openai", tmp_path), tmp_path)

    assert outcome.status == "completed", outcome.error
    assert [bool(request.get("stream")) for request in asked] == [True, False, False]
    assert [facts["stream"] for kind, facts in told if kind == "adapter"] == [False]


@pytest.mark.parametrize("how", ["cut", "short", "breaks"])
def test_a_model_that_breaks_off_again_and_again_is_followed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    for name in ("anthropic", "openai"):
        pytest.importorskip(f"langchain_{name}")
        monkeypatch.setenv(f"{name.upper()}_API_KEY", "for-this-machine")
    now = [0.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    patience = Patience(1200, clock=lambda: now[0], sleep=sleep, jitter=lambda: 1.0)
    broken = Slow(anthropic_text("word " * 40), **{how: 4})
    asked: list[dict[str, Any]] = []
    other: list[dict[str, Any]] = []
    ledger = Ledger()

    finish = ANSWERS["openai"]("finish", FINISH)
    with answering([broken] * 50, asked) as first, answering([finish], other) as second:
        at(monkeypatch, "anthropic", first.url)
        at(monkeypatch, "openai", second.url)
        stands_in = Candidate("openai/gpt-5", chat_factory("openai/gpt-5", project=tmp_path))
        runner = runner_of("anthropic", tmp_path, "claude-sonnet-5", patience=patience, fallback=[stands_in])
        outcome, told = carry_out(runner, tmp_path, ledger)

    assert outcome.status == "completed", outcome.error
    assert 60 <= now[0] <= 180
    assert all(request["stream"] for request in asked)
    (change,) = [facts for kind, facts in told if kind == "fallback"]
    assert (change["old"], change["new"]) == ("anthropic/claude-sonnet-5", "openai/gpt-5")
    lost = [one for one in ledger.done if isinstance(one, Usage)][:-1]
    assert len(lost) == len(asked)
    wants = [one for one in ledger.done if isinstance(one, Want)]
    assert len({want.usd for want in wants}) == 2  # what the other one may cost is set aside anew
    assert [message["role"] for message in other[0]["messages"]] == ["system", "user"]
