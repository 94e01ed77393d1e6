"""HostRunner: from what was reported of an order to an outcome."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stretto.agents.executor import Pending
from stretto.agents.host import HostRunner
from stretto.agents.runner import Surroundings
from stretto.agents.task import Brief, Outcome
from stretto.state.errors import PermanentError

USED = {"input_tokens": 10, "output_tokens": 4}


def brief(role: Any = "implementer") -> Brief:
    return Brief(
        workflow_id="w_001",
        phase="implementation",
        task_id="implementation/T1",
        attempt=1,
        idempotency_key="w_001/implementation/T1#1",
        role=role,
        title="Do it",
        prompt="Do it.",
        cwd="/x",
    )


class Told(list[tuple[str, Mapping[str, Any]]]):
    """What was said of the progress."""

    def __call__(self, kind: str, facts: Mapping[str, Any]) -> None:
        self.append((kind, facts))


def judged(report: Mapping[str, Any], role: str = "implementer", told: Told | None = None) -> Outcome:
    surroundings = Surroundings(environment={}, progress=told if told is not None else Told(), order=lambda _: report)
    return asyncio.run(HostRunner().run(brief(role), surroundings))


def transcribed(place: Path, *texts: str, usage: object = USED) -> Path:
    rows = [
        {"type": "assistant", "message": {"id": f"m{n}", "content": [{"type": "text", "text": t}], "usage": usage}}
        for n, t in enumerate(texts)
    ]
    place.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return place


def test_without_a_desk_there_is_nobody_to_hand_orders_out() -> None:
    with pytest.raises(PermanentError):
        asyncio.run(HostRunner().run(brief(), Surroundings(environment={}, progress=Told())))


def test_an_order_that_is_out_is_pending() -> None:
    def out(_: Brief) -> Mapping[str, Any]:
        raise Pending

    with pytest.raises(Pending):
        asyncio.run(HostRunner().run(brief(), Surroundings(environment={}, progress=Told(), order=out)))


@pytest.mark.parametrize("status", ["completed", "partial", "failed"])
def test_a_report_is_an_outcome(status: str) -> None:
    found = judged({"outcome": {"status": status, "summary": "so it is"}})

    assert (found.status, found.summary) == (status, "so it is")
    assert found.usage.input_tokens is None


def test_the_data_of_a_role_is_checked() -> None:
    good = judged({"outcome": {"status": "completed", "data": {"title": "A", "report": "# A\n"}}}, "researcher")
    bad = judged({"outcome": {"status": "completed", "data": {"title": 5}}}, "researcher")

    assert good.data["title"] == "A"
    assert (bad.status, "does not fit" in bad.error) == ("failed", True)


@pytest.mark.parametrize("text", ["", "I am done", "{", "[]", '```\n{"status": "completed"}\n```\n```\n{}\n```'])
def test_last_words_that_hold_no_report_are_a_failure_that_quotes_them(text: str) -> None:
    found = judged({"text": text})

    assert found.status == "failed"
    assert (text.strip()[:20] in found.error.replace("\\n", "\n")) if text else ("It said nothing" in found.error)


@pytest.mark.parametrize(
    "report", [{}, {"outcome": None}, {"outcome": 5}, {"outcome": []}, {"text": None}, {"outcome": {}}]
)
def test_a_report_of_any_shape_is_at_worst_a_failure(report: dict[str, Any]) -> None:
    assert judged(report).status == "failed"


def test_last_words_with_a_report_in_their_only_fence_count() -> None:
    assert judged({"text": 'Done:\n```json\n{"status": "completed", "summary": "yes"}\n```\n'}).summary == "yes"


def test_what_the_agent_used_is_read_off_its_transcript_not_believed(tmp_path: Path) -> None:
    last = json.dumps({"status": "completed", "summary": "yes", "usage": {"input_tokens": 0, "output_tokens": 0}})
    told = Told()

    found = judged({"text": last, "transcript": str(transcribed(tmp_path / "t", "I look", last))}, told=told)

    assert (found.usage.input_tokens, found.usage.output_tokens, found.usage.cost_usd) == (20, 8, None)
    assert [kind for kind, _ in told] == ["text", "text", "usage"]


def test_a_transcript_that_is_still_being_written_is_waited_for(tmp_path: Path) -> None:
    last = '{"status": "completed", "summary": "yes"}'
    place = transcribed(tmp_path / "t", "I look")

    async def scene() -> Outcome:
        surroundings = Surroundings(
            environment={}, progress=Told(), order=lambda _: {"text": last, "transcript": str(place)}
        )
        judging = asyncio.ensure_future(HostRunner().run(brief(), surroundings))
        await asyncio.sleep(0.3)
        transcribed(place, "I look", last)
        return await judging

    assert asyncio.run(scene()).usage.input_tokens == 20


@pytest.mark.slow
def test_what_was_used_by_whom_no_whole_transcript_tells_is_unknown(tmp_path: Path) -> None:
    last = '{"status": "completed", "summary": "yes"}'
    began = time.monotonic()

    cut_off = judged({"text": last, "transcript": str(transcribed(tmp_path / "t", "I look"))})
    gone = judged({"text": last, "transcript": str(tmp_path / "gone")})

    assert (cut_off.status, gone.status) == ("completed", "completed")
    assert (cut_off.usage.input_tokens, gone.usage.input_tokens) == (None, None)
    assert time.monotonic() - began < 15
