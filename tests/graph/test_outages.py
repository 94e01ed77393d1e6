"""Outages of a provider, met by whole workflows: a real client of LangChain's, and a server on this machine."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from stretto.agents.chain import Candidate
from stretto.agents.model import ModelRunner
from stretto.agents.process import run as execute
from stretto.agents.retry import Patience
from stretto.graph.result import Result
from stretto.graph.run import resume, start
from stretto.graph.spec import Caps, Limits, PhaseSpec, Spec, TaskSpec
from stretto.state import purse
from stretto.state.log import Log
from stretto.state.wire import Event
from tests.agents.answering import answering
from tests.agents.gitproject import GitProject
from tests.agents.test_providers import openai
from tests.client.api import Api
from tests.client.reply import OVERLOADED, Answer, Failure, Reply, call, use
from tests.client.request import Request

pytest.importorskip("langchain_anthropic")
from langchain_anthropic import ChatAnthropic

W = "outage_001"
NAMES = ("T1", "T2", "T3")


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    def patience(self, seconds: float = 1200) -> Patience:
        return Patience(seconds, clock=lambda: self.now, sleep=self.sleep, jitter=lambda: 1.0)


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as api:
        yield api
    api.check()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitProject:
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "for-this-machine")
    found = GitProject(tmp_path / "project", tmp_path / "store")
    found.begin({"README.md": "# Here\n"})
    return found


def about(name: str) -> Callable[[Request], bool]:
    return lambda request: f"# Write {name}" in request.first


def works(api: Api, name: str, *, before: Callable[[Request], Answer | None] = lambda _: None) -> None:
    """An agent that writes its file and finishes; `before` may have the server answer something else."""

    def answer(request: Request) -> Answer:
        plain = (
            use("write_file", path=f"{name}.txt", content=f"{name}\n"),
            use("finish", status="completed", summary=f"{name} written"),
        )
        return before(request) or plain[request.turn]

    api.on(about(name), answer)


def runner(
    api: Api, patience: Patience, *, model: str = "claude-sonnet-5", timeout: float = 30, **more: Any
) -> ModelRunner:
    return ModelRunner(
        f"model:anthropic/{model}",
        chat(api, model, timeout),
        execute,
        patience=patience,
        source=f"anthropic/{model}",
        **more,
    )


def chat(api: Api, model: str, timeout: float = 30) -> Callable[[str, str], ChatAnthropic]:
    def make(role: str, lane: str) -> ChatAnthropic:
        options: dict[str, Any] = {"model": model, "base_url": api.url, "api_key": "k", "timeout": timeout}
        return ChatAnthropic(**options, max_retries=0)

    return make


def spec(caps: Caps | None = None, agents: int = 3) -> Spec:
    tasks = tuple(
        TaskSpec(id=n, title=f"Write {n}", role="implementer", prompt="Do it.", writes=(f"{n}.txt",)) for n in NAMES
    )
    return Spec(
        workflow_id=W,
        description="Three files",
        type="feature",
        template="",
        complexity="low",
        phases=(PhaseSpec(name="work", kind="implement", tasks=tasks),),
        merge="never",
        limits=Limits(agents=agents, caps=caps or Caps()),
    )


def run(project: GitProject, chosen: ModelRunner, seen: list[Event], **more: Any) -> Result:
    return asyncio.run(
        start(spec(**more), project=project.root, store=project.store, runner=chosen, on_event=seen.append)
    )


def again(project: GitProject, chosen: ModelRunner, seen: list[Event], **more: Any) -> Result:
    return asyncio.run(
        resume(W, project=project.root, store=project.store, runner=chosen, on_event=seen.append, **more)
    )


def started(seen: list[Event]) -> Counter[str]:
    return Counter(e.data["task_id"] for e in seen if e.type == "TASK_STARTED")


def files(project: GitProject) -> list[str]:
    return project.git("ls-tree", "--name-only", f"stretto/{W}").split()


def test_a_wall_of_fifteen_minutes_costs_no_finished_sibling_and_no_attempt(api: Api, project: GitProject) -> None:
    clock, seen = Clock(), list[Event]()
    works(api, "T1")
    for name in ("T2", "T3"):
        works(api, name, before=lambda r: OVERLOADED if r.turn == 1 and clock.now < 900 else None)

    result = run(project, runner(api, clock.patience()), seen)

    assert result.status == "completed", result.why
    assert clock.now >= 900
    assert started(seen) == {f"work/{n}": 1 for n in NAMES}
    assert sum(about("T1")(r) for r in api.requests) == 2
    assert not [e for e in seen if e.type == "TASK_FAILED"]
    assert {f"{n}.txt" for n in NAMES} <= set(files(project))


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_wait_that_the_provider_advises_is_kept(api: Api, project: GitProject, form: str) -> None:
    clock, seen = Clock(), list[Event]()
    until = datetime.now(UTC) + timedelta(seconds=120)
    advice = "120" if form == "seconds" else format_datetime(until, usegmt=True)
    refusal = Failure(429, "rate_limit_error", "slow down", {"retry-after": advice})
    for name in NAMES:
        works(api, name, before=lambda r: refusal if about("T1")(r) and clock.now < 90 else None)

    assert run(project, runner(api, clock.patience()), seen).status == "completed"

    assert clock.now >= 90
    assert sum(about("T1")(r) for r in api.requests) == 3


@pytest.mark.parametrize("broken", ["stall", "cut"])
def test_an_answer_that_stops_in_the_middle_is_asked_for_again(api: Api, project: GitProject, broken: str) -> None:
    clock, seen = Clock(), list[Event]()
    said = [call("finish", status="completed", summary="x")]
    half = Reply(said, stall=1) if broken == "stall" else Reply(said, cut=1)
    api.on(lambda r: about("T2")(r) and r.turn == 1, half, times=2)
    for name in NAMES:
        works(api, name)

    result = run(project, runner(api, clock.patience(), timeout=2), seen)

    assert result.status == "completed"
    assert started(seen) == {f"work/{n}": 1 for n in NAMES}
    assert sum(about("T2")(r) for r in api.requests) == 4


def test_an_outage_without_end_pauses_and_a_resume_asks_nobody_who_had_finished(api: Api, project: GitProject) -> None:
    clock, seen = Clock(), list[Event]()
    up = False
    for name in NAMES:
        works(api, name, before=lambda r: None if up or about("T1")(r) else OVERLOADED)

    stopped = run(project, runner(api, clock.patience(60)), seen, agents=1)
    up = True
    done = again(project, runner(api, clock.patience(60)), seen)

    assert (stopped.status, stopped.facts["outage"]["retry_at"]) == ("paused", None)
    assert "the provider does not answer" in stopped.why
    assert done.status == "completed"
    assert not [e for e in seen if e.type == "TASK_FAILED"]
    assert sum(about("T1")(r) for r in api.requests) == 2
    with Log.open(project.store) as log:
        assert {a.attempt for a in log.attempts(W)} == {1}


def test_a_usage_limit_pauses_until_its_end_and_is_not_tried_before(api: Api, project: GitProject) -> None:
    clock, seen = Clock(), list[Event]()
    refusal = Failure(429, "rate_limit_error", "usage limit", {"retry-after": "18000"})
    over = False
    for name in NAMES:
        works(api, name, before=lambda r: None if over or about("T1")(r) else refusal)
    now = 1_800_000_000.0

    stopped = asyncio.run(
        start(
            spec(agents=1),
            project=project.root,
            store=project.store,
            runner=runner(api, clock.patience()),
            clock=lambda: now,
        )
    )
    asked = len(api.requests)
    over = True

    assert stopped.status == "paused"
    assert stopped.facts["outage"]["retry_at"] == "2027-01-15T13:00:00.000Z"
    assert "takes nothing more until" in stopped.why
    assert clock.now == 0
    heeded = asyncio.run(resume(W, project=project.root, store=project.store, clock=lambda: now + 17_000))
    assert (heeded.status, len(api.requests)) == ("paused", asked)
    assert again(project, runner(api, clock.patience()), seen).status == "completed"  # another runner may have more
    assert sum(about("T1")(r) for r in api.requests) == 2


def test_another_model_stands_in_and_is_paid_at_its_own_price(api: Api, project: GitProject) -> None:
    clock, seen = Clock(), list[Event]()
    gone = Failure(404, "not_found_error", "no such model")
    for name in NAMES:
        works(api, name, before=lambda r: gone if r.body["model"] == "claude-opus-5-5" else None)
    second = Candidate("anthropic/claude-sonnet-5", chat(api, "claude-sonnet-5"))

    chosen = runner(api, clock.patience(), model="claude-opus-5-5", fallback=[second])
    assert run(project, chosen, seen).status == "completed"

    (told,) = [e for e in seen if e.type == "MODEL_CHANGED"]
    assert (told.data["old"], told.data["new"]) == ("anthropic/claude-opus-5-5", "anthropic/claude-sonnet-5")
    assert "404" in told.data["reason"] or "no such model" in told.data["reason"]
    used = [e.data["results"]["usage"] for e in seen if e.type == "TASK_COMPLETED"]
    for one in used:  # a million tokens of the second: 2 USD in, 10 USD out
        assert one["cost_usd"] == pytest.approx((2 * one["input_tokens"] + 10 * one["output_tokens"]) / 1e6)


def test_an_outage_moves_on_to_the_next_model_long_before_the_patience_is_over(api: Api, project: GitProject) -> None:
    clock, seen = Clock(), list[Event]()
    for name in NAMES:
        works(api, name, before=lambda r: OVERLOADED if r.body["model"] == "first" else None)

    chosen = runner(api, clock.patience(), model="first", fallback=[Candidate("anthropic/second", chat(api, "second"))])

    assert run(project, chosen, seen).status == "completed"
    assert clock.now <= 180
    assert len([e for e in seen if e.type == "MODEL_CHANGED"]) == 1


def test_a_request_that_is_wrong_is_not_tried_with_another_model(api: Api, project: GitProject) -> None:
    clock, seen = Clock(), list[Event]()
    wrong = Failure(400, "invalid_request_error", "prompt is too long")
    for name in NAMES:
        works(api, name, before=lambda _: wrong)

    chosen = runner(api, clock.patience(), model="first", fallback=[Candidate("anthropic/second", chat(api, "second"))])

    assert run(project, chosen, seen).status == "failed"
    assert {r.body["model"] for r in api.requests} == {"first"}


@pytest.mark.parametrize("name", ["tokens", "usd", "tool_calls"])
def test_agents_at_once_go_beyond_a_cap_by_one_call_at_most(api: Api, project: GitProject, name: str) -> None:
    clock, seen = Clock(), list[Event]()

    def endless(request: Request) -> Answer:
        return Reply([call("read_file", path="README.md")], usage={"input_tokens": 1000, "output_tokens": 100})

    api.on(lambda _: True, endless)
    cap, one = {"tokens": (7000, 1100), "usd": (0.02, 0.003), "tool_calls": (5, 0)}[name]

    result = run(project, runner(api, clock.patience()), seen, caps=Caps.model_validate({name: cap}))

    assert result.status == "paused"
    assert result.facts["limit"]["name"] == name
    assert cap <= result.facts["limit"]["spent"] < cap + one + 1e-9 or (
        one == 0 and result.facts["limit"]["spent"] == cap
    )
    with Log.open(project.store) as log:
        total = purse.read(log.database, W).total
    assert total.against(name) == pytest.approx(result.facts["limit"]["spent"])
    if name != "tool_calls":
        assert total.input_tokens == 1000 * len(api.requests)


def test_a_conversation_goes_on_with_a_model_of_another_provider(
    api: Api, project: GitProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    openai_client = pytest.importorskip("langchain_openai").ChatOpenAI
    clock, seen, asked = Clock(), list[Event](), list[dict[str, Any]]()
    gone = Failure(403, "permission_error", "no more credit")
    works(api, "T1", before=lambda r: gone if r.turn == 1 else None)
    finish = openai("finish", {"status": "completed", "summary": "T1 written"})

    with answering([finish], asked) as server:

        def other(role: str, lane: str) -> Any:
            options = {"model": "gpt-5", "base_url": f"{server.url}/v1", "api_key": "k", "max_retries": 0}
            return openai_client(**options, stream_usage=True)

        chosen = runner(api, clock.patience(), fallback=[Candidate("openai/gpt-5", other)])
        one = spec()
        (phase,) = one.phases
        only = one.model_copy(update={"phases": (phase.model_copy(update={"tasks": phase.tasks[:1]}),)})
        result = asyncio.run(
            start(only, project=project.root, store=project.store, runner=chosen, on_event=seen.append)
        )

    assert result.status == "completed", result.why
    (request,) = asked
    assert [m["role"] for m in request["messages"]] == ["system", "user", "assistant", "tool"]
    (done,) = [e.data["results"]["usage"] for e in seen if e.type == "TASK_COMPLETED" and "T1" in e.data["task_id"]]
    first = api.requests[0]
    assert first.turn == 0
    assert done["cost_usd"] is not None
    assert done["cost_usd"] > (11 * 1.25 + 3 * 10) / 1e6  # the first turn at the first model's price, the last at this
