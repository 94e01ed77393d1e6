"""The labelled plans through Stretto itself: real git, log, checks and tool loop; only the model is scripted.

    python benchmarks/engine_plans.py [PLAN…] [--json]

Prints what the simulator says of a plan beside what happened. Time is simulated: an attempt ends when its turn comes on
a clock that moves once every agent that can be at work has said all that it has to say.
"""

import argparse
import asyncio
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from labelled_plans import ATTEMPTS, SLOTS, Labelled, Place, line, plans
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolCall, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from replayed_plans import TOOLS, Mode, Turn, replay, took, turns

from stretto.agents.cassette import Tokens
from stretto.agents.model import ModelRunner
from stretto.agents.process import run as execute
from stretto.agents.speech import text_of, usage_metadata
from stretto.graph import dag
from stretto.graph.advice import MODES
from stretto.graph.run import start
from stretto.graph.spec import Limits, PhaseSpec, Spec, TaskSpec
from stretto.state.log import Log

SAMPLE = ("wide-0", "chain-1", "fan-3", "one-file-0", "blind-0", "stale-2", "two-chains-1")
CHECK = '''"""Whether the work of a task is in the files, whole, and agrees with what it was made for."""
import hashlib, pathlib, sys
texts = {p.as_posix(): p.read_text().splitlines() for p in pathlib.Path("src").glob("*.py")}
mine = [w for t in texts.values() for l in t for w in l.split() if w.split("!")[0].split("@")[0] == "+" + sys.argv[1]]
if not mine or any("!" in w for w in mine):
    sys.exit("it is not there, or broken")
for word in mine:
    if "@" in word:
        path, number, known = word.partition("@")[2].split(":")
        if hashlib.sha256(texts[path][int(number)].encode()).hexdigest()[:8] != known:
            sys.exit(f"{path} is not what it was made for")
'''


class Happened(NamedTuple):
    """What became of a plan: tokens, simulated seconds, attempts, those that failed, whether it was done.

    `resent` is the part of the input that its conversation was sent a turn before.
    """

    input: int
    resent: int
    output: int
    seconds: float
    attempts: int
    failures: int
    done: bool


class Clock:
    """Simulated seconds, which pass when everybody who can be at work waits for them to."""

    def __init__(self, store: Path, needs: dict[str, set[str]], slots: int) -> None:
        self.now = 0.0
        self._store, self._needs, self._slots = store, needs, slots
        self._waiting: list[tuple[float, asyncio.Future[None]]] = []
        self._sent: dict[str, int] = {}
        self.resent = 0

    def send(self, conversation: str, tokens: int) -> None:
        """Count what a turn is sent that the one before it was."""
        self.resent += self._sent.get(conversation, 0)
        self._sent[conversation] = tokens

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        mine = asyncio.get_running_loop().create_future()
        self._waiting.append((self.now + seconds, mine))
        while not mine.done():
            self._pass()
            await asyncio.wait([mine], timeout=0.01)

    def _pass(self) -> None:
        log = Log.find(self._store)
        assert log is not None
        with log:
            over = {t.partition("/")[2] for t in log.outcomes("plan")}
        ready = sum(name not in over and needs <= over for name, needs in self._needs.items())
        if len(self._waiting) == min(self._slots, ready):
            first = min(self._waiting, key=lambda one: one[0])
            self._waiting.remove(first)
            self.now = first[0]
            first[1].set_result(None)


class Scripted(BaseChatModel):
    """An agent that does the turns of its tasks."""

    plan: Any
    specs: Any
    attempt: int
    clock: Any

    @property
    def _llm_type(self) -> str:
        return "labelled"

    def bind_tools(self, tools: Any, *, tool_choice: str | None = None, **kwargs: Any) -> Any:  # noqa: ARG002
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> ChatResult:
        said = turns(self.plan, self.specs)
        number = sum(isinstance(m, AIMessage) for m in messages)
        if number == len(said) - 1:
            name = self.specs[0].id
            await self.clock.sleep(sum(took(name, self.attempt, i, t.output) for i, t in enumerate(said)))
        read = sum(len(text_of(m)) / 4 for m in messages if not isinstance(m, AIMessage))
        before = sum(t.output for t in said[:number])
        sent = round(TOOLS + read + before)
        self.clock.send(f"{self.specs[0].id}#{self.attempt}", sent)
        tool, args = self._action(said[number], messages)
        reply = AIMessage(
            "",
            tool_calls=[ToolCall(name=tool, args=args, id=f"c{number}")],
            usage_metadata=usage_metadata(Tokens(input_tokens=sent, output_tokens=said[number].output)),
        )
        return ChatResult(generations=[ChatGeneration(message=reply)])

    def _action(self, turn: Turn, messages: Sequence[BaseMessage]) -> tuple[str, dict[str, Any]]:
        if turn.does == "finish":
            return "finish", {"status": "completed", "summary": "done"}
        if turn.does != "edit":
            return "read_file", {"path": turn.path, "start": 1, "lines": 2000 if turn.does == "read" else 1}
        assert turn.place
        assert turn.job
        old = seen(messages, turn.place)
        mark = "!BROKEN" if self.attempt in turn.job.slips else ""
        if watched := turn.job.watches:
            digest = hashlib.sha256(seen(messages, watched).encode()).hexdigest()[:8]
            mark += f"@{watched.path}:{watched.line}:{digest}"
        return "edit_file", {"path": turn.path, "old": old, "new": f"{old} +{turn.job.id}{mark}"}


def seen(messages: Sequence[BaseMessage], place: Place) -> str:
    """A line as the agent knows it: as it was read, with the agent's own changes."""
    calls = {c["id"]: c for m in messages if isinstance(m, AIMessage) for c in m.tool_calls}
    text = ""
    for message in messages:
        if isinstance(message, ToolMessage):
            call = calls[message.tool_call_id]
            if call["args"].get("path") != place.path:
                continue
            if call["name"] == "read_file" and call["args"]["lines"] > 1:
                text = text_of(message).split("\n")[place.line]
            elif call["name"] == "edit_file" and call["args"]["old"] == text:
                text = call["args"]["new"]
    return text


def project_of(plan: Labelled, folder: Path) -> Path:
    """The plan's project, committed."""
    project = folder / "project"
    (project / "src").mkdir(parents=True)
    for path, count in plan.files.items():
        (project / path).write_text("".join(f"{line(path, n)}\n" for n in range(count)))
    (project / "check.py").write_text(CHECK)
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.invalid"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "start"]):
        subprocess.run(["git", *identity, *words], cwd=project, check=True)
    return project


def units(plan: Labelled, mode: Mode) -> dict[str, tuple[TaskSpec, ...]]:
    """What each conversation does, by the name of its task."""
    named = {s.id: s for s in plan.specs}
    if mode != "solo":
        return {name: (spec,) for name, spec in named.items()}
    order = dag.ordered(list(named), {s.id: s.depends_on for s in plan.specs}, "tasks")
    return {"solo": tuple(named[n] for n in order)}


async def carried_out(plan: Labelled, mode: Mode, folder: Path) -> Happened:
    """One plan in one mode."""
    project, store = project_of(plan, folder), folder / "store"
    lanes = units(plan, mode)
    needs = {name: set(specs[0].depends_on) if mode != "solo" else set[str]() for name, specs in lanes.items()}
    clock = Clock(store, needs, SLOTS if mode == "parallel" else 1)

    def chat(role: str, lane: str) -> BaseChatModel:
        del role
        name, _, attempt = lane.partition("/")[2].partition("#")
        return Scripted(plan=plan, specs=lanes[name], attempt=int(attempt), clock=clock)

    spec = Spec(
        workflow_id="plan",
        description=plan.name,
        type="bench",
        template="bench",
        complexity="low",
        phases=(PhaseSpec(name="implementation", kind="implement", tasks=plan.specs),),
        merge="never",
        limits=Limits(agents=SLOTS, attempts=ATTEMPTS, debug_rounds=0),
        parallel=mode,
    )
    result = await start(
        spec, project=project, runner=ModelRunner("model:scripted", chat, execute), store=store, durability="process"
    )
    log = Log.find(store)
    assert log is not None
    with log:
        rows = log.attempts("plan")
    used = [(row.outcome or {}).get("usage", {}) for row in rows]
    return Happened(
        sum(u.get("input_tokens") or 0 for u in used),
        clock.resent,
        sum(u.get("output_tokens") or 0 for u in used),
        clock.now,
        len(rows),
        sum(row.state == "failed" for row in rows),
        result.status == "completed",
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plans", nargs="*", default=SAMPLE)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    known = {plan.name: plan for plan in plans()}
    for name in given.plans:
        for mode in MODES:
            ran = replay(known[name], mode)
            with tempfile.TemporaryDirectory() as folder:
                real = asyncio.run(carried_out(known[name], mode, Path(folder)))
            simulated = Happened(
                round(ran.cost.input),
                round(ran.cost.resent),
                round(ran.cost.output),
                ran.cost.seconds,
                ran.attempts,
                ran.slipped + ran.sent_back,
                ran.done,
            )
            if given.json:
                row = {"plan": name, "mode": mode, "simulated": simulated._asdict(), "real": real._asdict()}
                print(json.dumps(row), flush=True)
            else:
                print(f"{name:<16}{mode:<10}simulated {simulated}\n{'':<26}real      {real}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
