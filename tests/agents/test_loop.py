"""The tool loop: how a conversation becomes an outcome, whatever the model says."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from pydantic import PrivateAttr

from stretto.agents.chain import ChatFactory
from stretto.agents.loop import instructions
from stretto.agents.model import ModelRunner
from stretto.agents.process import run as execute
from stretto.agents.retry import Patience
from stretto.agents.runner import Surroundings
from stretto.agents.script import Script, ScriptedChatModel
from stretto.agents.task import Artifact, Brief, Budget, Outcome, RoleName
from stretto.state.errors import PermanentError


def brief(cwd: Path, role: RoleName = "implementer", **more: Any) -> Brief:
    facts: dict[str, Any] = {
        "title": "Do it",
        "prompt": "Do what must be done.",
        "attempt": 1,
        "idempotency_key": "w/p/T1#1",
        **more,
    }
    return Brief(workflow_id="w", phase="p", task_id="p/T1", role=role, cwd=str(cwd), **facts)


def speaking(script: Script) -> ChatFactory:
    def chat(role: str, lane: str) -> BaseChatModel:
        del role
        return ScriptedChatModel(script=script, lane=lane)

    return chat


def play(cwd: Path, lines: Sequence[Mapping[str, Any]], role: RoleName = "implementer", **more: Any) -> Outcome:
    return play_with_progress(cwd, lines, role, **more)[0]


def play_with_progress(
    cwd: Path, lines: Sequence[Mapping[str, Any]], role: RoleName = "implementer", **more: Any
) -> tuple[Outcome, list[tuple[str, Mapping[str, Any]]]]:
    script = Script.model_validate({"task": "t", "lanes": {"p/T1#1": lines}})
    runner = ModelRunner("model:script/x", speaking(script), execute)
    seen: list[tuple[str, Mapping[str, Any]]] = []
    around = Surroundings(
        environment={"PATH": os.environ["PATH"]}, progress=lambda kind, facts: seen.append((kind, facts))
    )
    return asyncio.run(runner.run(brief(cwd, role, **more), around)), seen


Said = dict[str, Any]
DONE: Said = {"finish": {"status": "completed", "summary": "done"}}


def test_tools_run_and_finish_ends(tmp_path: Path) -> None:
    write = {"say": "I write.", "call": [{"write_file": {"path": "a.txt", "content": "hello"}}]}
    outcome, seen = play_with_progress(tmp_path, [write, DONE])
    assert outcome.status == "completed"
    assert outcome.summary == "done"
    assert outcome.writes == ("a.txt",)
    assert (tmp_path / "a.txt").read_text() == "hello"
    assert [kind for kind, _ in seen] == ["turn", "usage", "text", "tool", "turn", "usage", "tool"]
    assert ("tool", {"turn": 1, "name": "write_file", "ok": True, "about": "a.txt"}) in seen


def test_finish_beside_other_calls_counts_after_them(tmp_path: Path) -> None:
    line = {"call": [{"finish": DONE["finish"]}, {"write_file": {"path": "late.txt", "content": "x"}}]}
    assert play(tmp_path, [line]).writes == ("late.txt",)


def test_a_tool_error_goes_back_to_the_model(tmp_path: Path) -> None:
    outcome, seen = play_with_progress(tmp_path, [{"call": [{"read_file": {"path": "../x"}}]}, DONE])
    assert outcome.status == "completed"
    assert any(kind == "tool" and "refused" in str(facts.get("error")) for kind, facts in seen)


def test_plain_text_completes_a_role_without_data(tmp_path: Path) -> None:
    outcome = play(tmp_path, [{"say": "All checks pass."}])
    assert (outcome.status, outcome.summary) == ("completed", "All checks pass.")


@pytest.mark.parametrize(
    "text",
    [
        '{"title": "T", "report": "R"}',
        '{"status": "completed", "summary": "s", "data": {"title": "T", "report": "R"}}',
        'Here it is:\n```json\n{"title": "T", "report": "R"}\n```\nGood luck.',
    ],
)
def test_json_in_a_plain_answer_is_taken_as_data(tmp_path: Path, text: str) -> None:
    outcome = play(tmp_path, [{"say": text}], "researcher")
    assert outcome.status == "completed"
    assert outcome.data == {"title": "T", "report": "R"}


def test_a_role_with_data_is_reminded_once_and_may_mend_it(tmp_path: Path) -> None:
    finish = {"finish": {"status": "completed", "summary": "s", "data": {"title": "T", "report": "R"}}}
    assert play(tmp_path, [{"say": "I looked around."}, finish], "researcher").status == "completed"


def test_a_role_with_data_that_never_gives_any_fails(tmp_path: Path) -> None:
    outcome = play(tmp_path, [{"say": "I looked around."}, {"say": "It is fine."}], "researcher")
    assert outcome.status == "failed"
    assert "holds no data" in outcome.error
    assert "It is fine." in outcome.error


def test_an_empty_answer_is_not_done(tmp_path: Path) -> None:
    outcome = play(tmp_path, [{}, {}])
    assert outcome.status == "failed"
    assert "empty" in outcome.error


def test_a_finish_that_does_not_fit_is_sent_back_with_the_field(tmp_path: Path) -> None:
    wrong = {"finish": {"status": "completed", "summary": "s", "data": {"title": "T"}}}
    right = {"finish": {"status": "completed", "summary": "s", "data": {"title": "T", "report": "R"}}}
    outcome, seen = play_with_progress(tmp_path, [wrong, right], "researcher")
    assert outcome.status == "completed"
    assert any("data.report" in str(facts.get("error")) for kind, facts in seen if kind == "tool")


def test_an_artifact_outside_the_project_is_sent_back(tmp_path: Path) -> None:
    wrong = {"finish": {"status": "completed", "summary": "s", "artifacts": ["../x"]}}
    right = {"finish": {"status": "completed", "summary": "s", "artifacts": ["x.md"]}}
    assert play(tmp_path, [wrong, right]).artifacts == (Artifact(path="x.md"),)


def test_a_failed_finish_says_why(tmp_path: Path) -> None:
    outcome = play(tmp_path, [{"finish": {"status": "failed", "summary": "no such module"}}], "planner")
    assert (outcome.status, outcome.error) == ("failed", "no such module")


def test_the_turn_limit_ends_it(tmp_path: Path) -> None:
    look: Said = {"call": [{"list_files": {}}], "usage": {"input_tokens": 10, "output_tokens": 2}}
    outcome = play(tmp_path, [look] * 5, budget=Budget(turns=3))
    assert outcome.error == "Stopped after 3 turns without a result."
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (30, 6)


def test_the_output_budget_ends_it(tmp_path: Path) -> None:
    look: Said = {"call": [{"list_files": {}}], "usage": {"input_tokens": 10, "output_tokens": 60}}
    assert "120 output tokens; the budget is 100" in play(tmp_path, [look] * 5, budget=Budget(output_tokens=100)).error


def test_a_budget_of_money_is_refused_before_any_call(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"cannot keep to 0\.5 USD"):
        play(tmp_path, [], budget=Budget(usd=0.5))


def test_the_time_limit_ends_a_tool_too(tmp_path: Path) -> None:
    sleep: Said = {"call": [{"run": {"argv": [sys.executable, "-c", "import time; time.sleep(60)"], "seconds": 0.4}}]}
    began = time.monotonic()
    outcome = play(tmp_path, [sleep] * 9, budget=Budget(seconds=0.6))
    assert "0.6 s" in outcome.error
    assert time.monotonic() - began < 5


class Overloaded(ScriptedChatModel):
    """A model whose provider is overloaded until `_until`."""

    _until: float = PrivateAttr(default_factory=lambda: time.monotonic() + 1.2)

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        if time.monotonic() < self._until:
            raise OverloadedError
        return await super()._agenerate(messages, *args, **kwargs)


class OverloadedError(Exception):
    status_code = 529


def test_waiting_for_the_provider_does_not_count_as_the_agents_time(tmp_path: Path) -> None:
    script = Script.model_validate({"task": "t", "lanes": {"p/T1#1": [DONE]}})
    patience = Patience(60, jitter=lambda: 0.2)
    runner = ModelRunner(
        "model:x/y", lambda role, lane: Overloaded(script=script, lane=lane), execute, patience=patience
    )
    waits: list[Mapping[str, Any]] = []
    around = Surroundings(progress=lambda kind, facts: waits.append(facts) if kind == "wait" else None)
    outcome = asyncio.run(runner.run(brief(tmp_path, budget=Budget(seconds=1.0)), around))
    assert outcome.status == "completed"
    assert sum(facts["seconds"] for facts in waits) > 1.0


def test_usage_that_nobody_counted_is_unknown(tmp_path: Path) -> None:
    counted: Said = {"call": [{"list_files": {}}], "usage": {"input_tokens": 10, "output_tokens": 2}}
    usage = play(tmp_path, [counted, DONE]).usage
    assert (usage.input_tokens, usage.output_tokens, usage.cost_usd) == (None, None, None)


def test_a_script_that_ends_is_the_runners_fault_not_the_agents(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="ends after 1 turns"):
        play(tmp_path, [{"call": [{"list_files": {}}]}])


def test_the_brief_tells_the_task_and_why_it_failed_before(tmp_path: Path) -> None:
    text = instructions(
        brief(
            tmp_path,
            writes=("src/",),
            checks=("pytest -q",),
            inputs=(Artifact(path="specs/plans/001_x.md", digest="abc"),),
            feedback="2 tests failed",
        )
    )
    for words in ("Do what must be done.", "- src/", "- pytest -q", "- specs/plans/001_x.md", "2 tests failed"):
        assert words in text
    assert str(tmp_path) not in text
