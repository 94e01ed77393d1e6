"""What is set aside before a call is never less than what it used, whatever is said and whichever tools are told."""

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.agents.loop import tools_of
from stretto.agents.manner import Manner
from stretto.agents.model import ModelRunner
from stretto.agents.pricing import most
from stretto.agents.process import run as execute
from stretto.agents.runner import Surroundings
from stretto.agents.task import RoleName, Usage
from stretto.state.purse import Want
from tests.agents.test_loop import brief
from tests.agents.test_streaming import Ledger
from tests.client.api import Api
from tests.client.reply import Answer, Reply, call, text
from tests.client.request import Request, blocks

pytest.importorskip("langchain_anthropic")
from langchain_anthropic import ChatAnthropic

MODEL = "claude-sonnet-5"
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
DATA = {"title": "T", "report": "R", "phases": [{"name": "P", "tasks": [{"title": "T"}]}], "cause": "c", "files": []}


def counted(request: Request) -> int:
    """As harsh a count as a provider's may be: a token for two letters, for each byte of any other writing."""
    calls = [b["input"] for m in request.messages for b in blocks(m) if b.get("type") == "tool_use"]
    said = request.all + "".join(json.dumps(one, ensure_ascii=False) for one in calls)
    plain = len(said.encode("ascii", "ignore"))
    return plain // 2 + len(said.encode()) - plain


def acting(request: Request, name: str, args: dict[str, Any], harsh: bool) -> Answer:
    """A call of a tool, or its words where none are bound."""
    usage = {"input_tokens": counted(request)} if harsh else {}
    if request.tools:
        return Reply([call(name, **args)], usage=usage)
    return Reply([text(f"```json\n{json.dumps({'tool': name, 'args': args})}\n```")], usage=usage)


@pytest.mark.parametrize("harsh", [True, False], ids=["harsh", "letters"])
@pytest.mark.parametrize("adapter", ["", "json"])
@settings(max_examples=12, deadline=None)
@given(role=st.sampled_from(["researcher", "planner", "implementer", "debugger", "documenter"]), said=ANY, content=ANY)
def test_what_is_set_aside_covers_what_is_settled(
    harsh: bool, adapter: str, role: RoleName, said: str, content: str
) -> None:
    ledger = Ledger()
    with Api() as api, TemporaryDirectory() as folder:
        (Path(folder) / "a.md").write_text(content, encoding="utf-8", newline="")
        finish = {"status": "completed", "summary": said, "data": DATA}
        api.on(lambda r: r.turn == 0, lambda r: acting(r, "read_file", {"path": "a.md"}, harsh))
        api.on(lambda r: r.turn == 1, lambda r: acting(r, "finish", finish, harsh))

        def chat(role: str, lane: str) -> ChatAnthropic:
            options: dict[str, Any] = {"model": MODEL, "base_url": api.url, "api_key": "k"}
            return ChatAnthropic(**options, max_retries=0)

        runner = ModelRunner("model:x", chat, execute, source=f"anthropic/{MODEL}", manner=Manner(adapter))
        outcome = asyncio.run(
            runner.run(brief(Path(folder), role, prompt=f"Do it. {said}"), Surroundings(account=ledger))
        )

    assert outcome.status == "completed", outcome.error
    assert len(ledger.done) == 4
    for want, used in zip(ledger.done[::2], ledger.done[1::2], strict=True):
        assert isinstance(want, Want)
        assert isinstance(used, Usage)
        assert want.tokens is not None
        assert want.usd is not None
        assert used.input_tokens is not None
        assert used.output_tokens is not None
        assert used.cost_usd is not None
        assert want.tokens >= used.input_tokens + used.output_tokens
        assert want.usd >= used.cost_usd


def test_the_tools_are_a_part_of_what_is_set_aside() -> None:
    options: dict[str, Any] = {"model": MODEL, "api_key": "k"}
    chat = ChatAnthropic(**options)
    tools = tools_of("planner")
    bare, whole = (most(f"anthropic/{MODEL}", chat, [], {}, given) for given in ((), tools))

    assert bare.tokens is not None
    assert whole.tokens is not None
    assert whole.tokens - bare.tokens >= len(json.dumps(tools)) // 2 - 2
