"""Record, then replay: the same outcomes in any order, tools live, and a closed door where the recording ends."""

import asyncio
import json
import os
import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, InvalidToolCall, ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult

from stretto.agents.cassette import Call, Cassette, Header, Prints, Reply, ToolNote, Turn, lint, load, save
from stretto.agents.chain import ChatFactory
from stretto.agents.listening import Model
from stretto.agents.model import ModelRunner
from stretto.agents.process import run as execute
from stretto.agents.record import Recorder
from stretto.agents.redact import Redactor
from stretto.agents.replay import ReplayRunner
from stretto.agents.runner import Runner, Surroundings
from stretto.agents.script import Script, ScriptedChatModel
from stretto.agents.task import Brief, Outcome
from stretto.state.errors import BadInput, PermanentError

LANES = 32
HEADER = Header(origin="authored", task="Add JWT authentication", workflow="w_001", recorded_at="2026-01-02T03:04:05Z")


def lane(number: int) -> str:
    return f"implement/T{number}#1"


def script() -> Script:
    """Three turns a lane: write a file below the workspace's own path, run a program on it, finish."""

    def lines(number: int) -> list[dict[str, Any]]:
        look = "import time; print(open('out.txt').read(), 'at', time.strftime('%Y-%m-%dT%H:%M:%S'))"
        return [
            {"say": f"I am {number}", "call": [{"write_file": {"path": "out.txt", "content": f"lane {number}"}}]},
            {"call": [{"run": {"argv": ["python3", "-c", look]}}, {"read_file": {"path": "missing"}}]},
            {
                "finish": {"status": "completed", "summary": f"lane {number}", "artifacts": ["out.txt"]},
                "usage": {"input_tokens": 7, "output_tokens": number},
            },
        ]

    return Script.model_validate({"task": HEADER.task, "lanes": {lane(n): lines(n) for n in range(LANES)}})


def brief(root: Path, number: int, attempt: int = 1, prompt: str = "Do it.") -> Brief:
    cwd = root / f"wt{number}"
    cwd.mkdir(parents=True, exist_ok=True)
    return Brief(
        workflow_id="w_001",
        phase="implement",
        task_id=f"implement/T{number}",
        attempt=attempt,
        idempotency_key=f"w_001/implement/T{number}#{attempt}",
        role="implementer",
        title=f"Task {number}",
        prompt=prompt,
        cwd=str(cwd),
    )


Seen = list[tuple[str, Mapping[str, Any]]]


def run_all(runner: Runner, root: Path, seed: int) -> tuple[dict[int, Outcome], Seen]:
    order = list(range(LANES))
    random.Random(seed).shuffle(order)
    seen: Seen = []
    around = Surroundings(
        environment={"PATH": os.environ["PATH"]}, progress=lambda kind, facts: seen.append((kind, facts))
    )

    async def main() -> list[Outcome]:
        outcomes = await asyncio.gather(*(runner.run(brief(root, n), around) for n in order))
        await runner.close()
        return outcomes

    return dict(zip(order, asyncio.run(main()), strict=True)), seen


def speaking(script: Script) -> ChatFactory:
    def chat(role: str, lane: str) -> BaseChatModel:
        del role
        return ScriptedChatModel(script=script, lane=lane)

    return chat


def recording(path: Path, root: Path, seed: int = 1, lines: Script | None = None) -> dict[int, Outcome]:
    recorder = Recorder(path, HEADER)
    return run_all(ModelRunner("model:script/x", speaking(lines or script()), execute, recorder), root, seed)[0]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, Outcome]]:
    base = tmp_path_factory.mktemp("recorded")
    path = base / "cassettes" / "demo.jsonl"
    return path, recording(path, base / "first")


def test_a_replay_of_32_lanes_in_any_order_gives_the_recorded_outcomes_without_drift(
    recorded: tuple[Path, dict[int, Outcome]], tmp_path: Path
) -> None:
    path, outcomes = recorded
    replayed, seen = run_all(ReplayRunner(path, execute, strict=True), tmp_path, seed=2)
    assert replayed == outcomes
    assert [facts for kind, facts in seen if kind == "drift"] == []
    assert all((tmp_path / f"wt{n}" / "out.txt").read_text() == f"lane {n}" for n in range(LANES))


def test_two_recordings_in_different_orders_are_the_same_file(
    recorded: tuple[Path, dict[int, Outcome]], tmp_path: Path
) -> None:
    recording(tmp_path / "again.jsonl", tmp_path / "elsewhere", seed=3)
    assert (tmp_path / "again.jsonl").read_text() == recorded[0].read_text()


def test_the_file_is_sorted_readable_and_clean(recorded: tuple[Path, dict[int, Outcome]]) -> None:
    lines = [json.loads(line) for line in recorded[0].read_text().splitlines()]
    addresses = [(line["lane"], line["turn"]) for line in lines[1:]]
    assert lines[0]["origin"] == "authored"
    assert addresses == sorted(addresses)
    assert len(addresses) == 3 * LANES
    assert all(list(line) == sorted(line) for line in lines)
    assert lint(load(recorded[0])) == []
    assert [entry.name for entry in recorded[0].parent.iterdir()] == ["demo.jsonl"]


def play_one(path: Path, told: Brief, *, strict: bool = False) -> tuple[Outcome, Seen]:
    seen: Seen = []
    around = Surroundings(
        environment={"PATH": os.environ["PATH"]}, progress=lambda kind, facts: seen.append((kind, facts))
    )
    return asyncio.run(ReplayRunner(path, execute, strict=strict).run(told, around)), seen


def test_other_words_in_the_brief_are_drift_by_default(
    recorded: tuple[Path, dict[int, Outcome]], tmp_path: Path
) -> None:
    outcome, seen = play_one(recorded[0], brief(tmp_path, 3, prompt="Do it well."))
    assert outcome == recorded[1][3]
    drift = [facts for kind, facts in seen if kind == "drift"]
    assert drift[0] == {"lane": lane(3), "turn": 1, "changed": ["tail"]}


def test_other_words_in_the_brief_stop_a_strict_replay(
    recorded: tuple[Path, dict[int, Outcome]], tmp_path: Path
) -> None:
    with pytest.raises(PermanentError, match="Do it well") as caught:
        play_one(recorded[0], brief(tmp_path, 3, prompt="Do it well."), strict=True)
    assert "implement/T3#1" in caught.value.message
    assert "Do it." in caught.value.message


def test_a_tool_that_answers_otherwise_is_drift(recorded: tuple[Path, dict[int, Outcome]], tmp_path: Path) -> None:
    """The file to be read is missing in the recording; here a link makes it refused for another reason."""
    told = brief(tmp_path, 4)
    (Path(told.cwd) / "missing").mkdir()
    outcome, seen = play_one(recorded[0], told)
    assert outcome == recorded[1][4]
    assert {"lane": lane(4), "turn": 2, "changed": ["tool_result"], "tool": "read_file"} in [f for _, f in seen]


def test_a_tool_that_succeeds_where_it_failed_stops_the_replay(
    recorded: tuple[Path, dict[int, Outcome]], tmp_path: Path
) -> None:
    told = brief(tmp_path, 5)
    (Path(told.cwd) / "missing").write_text("here now")
    with pytest.raises(PermanentError, match="shape") as caught:
        play_one(recorded[0], told)
    assert "turn 3" in caught.value.message
    assert "read_file (error)" in caught.value.message
    assert "read_file (success)" in caught.value.message


def test_an_unknown_lane_is_refused_with_the_nearest(recorded: tuple[Path, dict[int, Outcome]], tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"no such lane; the nearest is 'implement/T3#1'"):
        play_one(recorded[0], brief(tmp_path, 3, attempt=2))


def test_an_attempt_that_was_cut_off_replays_from_its_first_turn(
    recorded: tuple[Path, dict[int, Outcome]], tmp_path: Path
) -> None:
    runner = ReplayRunner(recorded[0], execute)

    async def main() -> Outcome:
        first = asyncio.create_task(runner.run(brief(tmp_path, 6), Surroundings()))
        await asyncio.sleep(0.03)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        return await runner.run(brief(tmp_path, 6), Surroundings(environment={"PATH": os.environ["PATH"]}))

    assert asyncio.run(main()) == recorded[1][6]


def test_an_unknown_task_is_refused_with_the_known_ones(recorded: tuple[Path, dict[int, Outcome]]) -> None:
    runner = ReplayRunner(recorded[0], execute)
    runner.refuse_unknown('"add  jwt authentication."')
    with pytest.raises(BadInput, match="Add JWT authentication") as caught:
        runner.refuse_unknown("Add a blog")
    assert caught.value.allowed == ("Add JWT authentication",)


class Clumsy(BaseChatModel):
    """A model that first writes broken arguments and an absolute path, without ids for its calls."""

    cwd: str

    @property
    def _llm_type(self) -> str:
        return "clumsy"

    def bind_tools(self, tools: Any, *, tool_choice: str | None = None, **kwargs: Any) -> Model:
        return self

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        broken = InvalidToolCall(type="invalid_tool_call", name="write_file", args='{"path": ', id=None, error="cut")
        path = {"path": f"{self.cwd}/none.txt"}
        replies = [
            AIMessage(
                [{"type": "thinking", "thinking": "secret"}, {"type": "text", "text": "Hm."}],
                invalid_tool_calls=[broken],
            ),
            AIMessage("", tool_calls=[ToolCall(name="read_file", args=path, id=None)] * 2),
            AIMessage(f"Nothing in {self.cwd}."),
        ]
        turn = sum(isinstance(message, AIMessage) for message in messages)
        return ChatResult(generations=[ChatGeneration(message=replies[turn])])


def test_broken_arguments_missing_ids_and_absolute_paths_replay_elsewhere(tmp_path: Path) -> None:
    told, elsewhere = brief(tmp_path / "one", 1), brief(tmp_path / "two", 1)
    runner = ModelRunner(
        "model:x/y", lambda role, lane: Clumsy(cwd=told.cwd), execute, Recorder(tmp_path / "c.jsonl", HEADER)
    )
    around = Surroundings(environment={"PATH": os.environ["PATH"]})

    async def main() -> Outcome:
        outcome = await runner.run(told, around)
        await runner.close()
        return outcome

    assert asyncio.run(main()).summary == f"Nothing in {told.cwd}."
    outcome, seen = play_one(tmp_path / "c.jsonl", elsewhere, strict=True)
    assert outcome.summary == f"Nothing in {elsewhere.cwd}."
    assert [facts for kind, facts in seen if kind == "drift"] == []
    assert [facts["ok"] for kind, facts in seen if kind == "tool"] == [False, False, False]
    assert "thinking" not in (tmp_path / "c.jsonl").read_text()


def leaking(cwd_secret: str) -> Script:
    write = {"write_file": {"path": "k.py", "content": f"KEY = '{cwd_secret}'"}}
    key = "sk-ant-" + "a1B2" * 8
    lines = [
        {"say": f"The key is {key}.", "call": [write]},
        {"call": [{"read_file": {"path": "k.py"}}]},
        {"say": "done"},
    ]
    return Script.model_validate({"task": HEADER.task, "lanes": {lane(n): lines for n in range(LANES)}})


def test_secrets_and_machine_paths_are_never_in_the_file(tmp_path: Path) -> None:
    secret = "correct-horse-battery"
    redactor = Redactor({"HOME": "/home/alice", "SHOP_TOKEN": secret})
    recorder = Recorder(tmp_path / "c.jsonl", HEADER, redactor)
    runner = ModelRunner("model:script/x", speaking(leaking(secret)), execute, recorder)
    told = brief(tmp_path, 1, prompt=f"See /home/alice/notes, {tmp_path}/wt1/k.py and sk-ant-{'x' * 30}")

    async def main() -> None:
        await runner.run(told, Surroundings())
        assert secret not in (tmp_path / "c.jsonl.part").read_text()
        await runner.close()

    asyncio.run(main())
    text = (tmp_path / "c.jsonl").read_text()
    for unwanted in (secret, "sk-ant-", "alice", str(tmp_path)):
        assert unwanted not in text
    assert "<cwd>/k.py" in text
    assert lint(load(tmp_path / "c.jsonl")) == []
    assert load(tmp_path / "c.jsonl").header.redactions == text.count("<anthropic-key>") + text.count(
        "<secret>"
    ) + text.count("<home>")


def test_a_redacted_recording_replays_strictly(tmp_path: Path) -> None:
    recording(tmp_path / "c.jsonl", tmp_path / "one", lines=leaking("sk-ant-" + "z" * 30))
    outcome, seen = play_one(tmp_path / "c.jsonl", brief(tmp_path / "two", 1), strict=True)
    assert outcome.status == "completed"
    assert [facts for kind, facts in seen if kind == "drift"] == []
    assert (tmp_path / "two" / "wt1" / "k.py").read_text() == "KEY = '<anthropic-key>'"


@pytest.fixture
def killed(recorded: tuple[Path, dict[int, Outcome]], tmp_path: Path) -> Path:
    """What a driver leaves that was killed after two turns of lane 1 and one of lane 2, the last line torn."""
    head, *lines = recorded[0].read_text().splitlines(keepends=True)
    own = [line for line in lines if '"lane": "implement/T1#1"' in line or '"lane": "implement/T2#1"' in line]
    (tmp_path / "c.jsonl.part").write_text(head + "".join([*own[:2], own[3], own[4][:50]]))
    return tmp_path / "c.jsonl"


def test_a_recording_survives_its_driver(killed: Path) -> None:
    cassette = Recorder(killed, HEADER).save()
    assert [turn.address for turn in cassette.turns] == [(lane(1), 1), (lane(1), 2), (lane(2), 1)]


def test_an_attempt_that_begins_again_replaces_its_turns(killed: Path) -> None:
    recorder = Recorder(killed, HEADER)
    first = next(turn for turn in recorder.save().turns if turn.address == (lane(1), 1))
    recorder.put(first)
    assert [turn.address for turn in recorder.save().turns] == [(lane(1), 1), (lane(2), 1)]


def test_a_recorder_takes_turns_from_many_threads_and_after_it_was_saved(
    recorded: tuple[Path, dict[int, Outcome]], tmp_path: Path
) -> None:
    turns = load(recorded[0]).turns
    recorder = Recorder(tmp_path / "c.jsonl", HEADER)
    recorder.save()

    def put_lane(number: int) -> None:
        for turn in turns:
            if turn.lane == lane(number):
                recorder.put(turn)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put_lane, range(LANES)))
    assert Recorder(tmp_path / "c.jsonl", HEADER).save() == recorder.save() == load(recorded[0])


def test_a_finished_recording_of_the_same_workflow_is_continued(killed: Path) -> None:
    Recorder(killed, HEADER).save()
    assert len(Recorder(killed, HEADER).save().turns) == 3


def test_another_workflow_records_afresh(killed: Path) -> None:
    assert Recorder(killed, HEADER.model_copy(update={"workflow": "other"})).save().turns == ()


def external(answer: str | None, status: str = "success") -> Cassette:
    """A lane whose first turn calls a tool that reaches outside, and whose second finishes."""
    note = ToolNote(name="WebFetch", status="error" if status == "error" else "success", hash="0" * 12, text=answer)
    call = Call(n=0, name="WebFetch", args={"url": "https://example.org"})
    done = Call(n=0, name="finish", args={"status": "completed", "summary": "read"})
    none = Prints(system="0" * 12, shape="0" * 12, tail="0" * 12, full="0" * 12)
    turns = (
        Turn(lane=lane(1), turn=1, fp=none, reply=Reply(tool_calls=(call, call)), tools=(note, note)),
        Turn(lane=lane(1), turn=2, fp=none, reply=Reply(tool_calls=(done,))),
    )
    return Cassette(HEADER, turns)


def replayed(path: Path, root: Path, number: int = 1) -> tuple[Outcome, Seen]:
    seen: Seen = []
    around = Surroundings(environment={}, progress=lambda kind, facts: seen.append((kind, facts)))
    return asyncio.run(ReplayRunner(path, execute, lenient=True).run(brief(root, number), around)), seen


def test_a_tool_that_reaches_outside_is_answered_from_the_recording(tmp_path: Path) -> None:
    save(tmp_path / "c.jsonl", external("what the page said in <cwd>"))
    outcome, seen = replayed(tmp_path / "c.jsonl", tmp_path)
    assert outcome.summary == "read"
    assert [facts["ok"] for kind, facts in seen if kind == "tool"] == [True, True, True]


def test_a_tool_that_reaches_outside_and_is_not_recorded_stops_the_replay(tmp_path: Path) -> None:
    save(tmp_path / "c.jsonl", external(None))
    with pytest.raises(PermanentError, match="'WebFetch' reaches outside of the workspace, and its answer is not"):
        replayed(tmp_path / "c.jsonl", tmp_path)


def test_lenient_ignores_the_shape_and_says_so(recorded: tuple[Path, dict[int, Outcome]], tmp_path: Path) -> None:
    cassette = load(recorded[0])
    other = [t.model_copy(update={"fp": t.fp.model_copy(update={"shape": "0" * 12})}) for t in cassette.turns]
    changed = [t.model_copy(update={"fp": t.fp.model_copy(update={"full": "0" * 12})}) for t in other]
    save(tmp_path / "c.jsonl", Cassette(cassette.header, tuple(changed)))

    outcome, seen = replayed(tmp_path / "c.jsonl", tmp_path)

    assert outcome == recorded[1][1]
    assert [facts["changed"] for kind, facts in seen if kind == "drift"] == [["shape"]] * 3
    with pytest.raises(PermanentError, match="changed: shape"):
        asyncio.run(ReplayRunner(tmp_path / "c.jsonl", execute).run(brief(tmp_path, 1), Surroundings()))


def test_a_miss_shows_the_nearest_recording_and_the_difference(
    recorded: tuple[Path, dict[int, Outcome]], tmp_path: Path
) -> None:
    with pytest.raises(PermanentError) as raised:
        replayed(recorded[0], tmp_path, LANES + 7)
    assert "has no such lane; the nearest is 'implement/T" in raised.value.message
    assert "\n  recorded (line " in raised.value.message
    assert "\n  this run: human: " in raised.value.message
