"""The replay runner: recorded model turns, live tools.

Every attempt looks up its turns by address, (lane, turn), which depends on nothing but the plan: lanes may run in any
order, and an attempt that a crash cut off simply begins at turn 1 again. What differs from the recording is reported
or, if the conversation would no longer make sense, refused. A model is never called.
"""

import asyncio
import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, InvalidToolCall, ToolCall, ToolMessage

from stretto.agents.cassette import ToolNote, Turn, load
from stretto.agents.execute import Execute
from stretto.agents.loop import Agent, converse
from stretto.agents.prints import CWD, Normal, note, prints, tail_of
from stretto.agents.redact import Redactor, mapped
from stretto.agents.runner import Surroundings
from stretto.agents.speech import text_of, usage_metadata
from stretto.agents.task import Brief, Outcome
from stretto.agents.tools import Result
from stretto.state.errors import BadInput, PermanentError

REPLAYED = "replayed from recording; no model was called"


class ReplayRunner:
    """Executes attempts from a cassette.

    By default a request must have the recorded shape, and other differences are reported as progress of the kind
    `drift`. `strict` refuses any difference.

    Raises:
        BadInput: The cassette is missing or damaged.
    """

    metered = True
    counts = frozenset({"tokens", "tool_calls"})

    def __init__(self, path: Path, execute: Execute, *, name: str = "", strict: bool = False) -> None:
        self.cassette = load(path)
        self._path = path
        self._execute = execute
        self._name = name or f"replay:{path}{'?strict' if strict else ''}"
        self._strict = strict
        self._redactor = Redactor()
        self._lanes: dict[str, dict[int, Turn]] = {}
        for turn in self.cassette.turns:
            self._lanes.setdefault(turn.lane, {})[turn.turn] = turn

    @property
    def name(self) -> str:
        """The KIND:ARG under which it was chosen."""
        return self._name

    def known(self) -> list[str]:
        """The descriptions of the tasks that it can replay."""
        return list(self.cassette.tasks())

    def refuse_unknown(self, description: str) -> None:
        """Raise unless `description` is a recorded task.

        Raises:
            BadInput: It is not; the message lists those that are.
        """
        if not self.cassette.knows(description):
            tasks = "\n".join(f"  {task}" for task in self.known())
            raise BadInput(
                f"The recording {str(self._path)!r} does not know the task {description!r}. It knows:\n{tasks}",
                field="description",
                allowed=self.known(),
                next_steps=("Give a recorded task, or another runner: --runner model:PROVIDER/NAME.",),
            )

    async def run(self, brief: Brief, surroundings: Surroundings) -> Outcome:
        """Hold the recorded conversation of this attempt.

        Raises:
            PermanentError: The cassette has no such turn, or this run is not the recorded one any more.
        """
        player = _Player(self, brief, surroundings)
        agent = Agent.of(brief, surroundings, self._execute, player.speak)
        return await converse(brief, agent, asyncio.timeout(brief.budget.seconds))

    async def close(self) -> None:
        """Hold nothing, release nothing."""

    def turn(self, lane: str, number: int) -> Turn:
        """The recorded turn of this address.

        Raises:
            PermanentError: There is none; the message names the nearest lane.
        """
        turns = self._lanes.get(lane)
        if turns is None:
            near = difflib.get_close_matches(lane, self._lanes, 1, 0.0)
            raise self._stopped(lane, number, f"the recording has no such lane; the nearest is {''.join(near)!r}")
        if number not in turns:
            raise self._stopped(lane, number, f"the recording of this lane ends after {max(turns)} turns")
        return turns[number]

    def compare(self, turn: Turn, request: Sequence[BaseMessage], normal: Normal) -> list[str]:
        """Which prints of a request differ from the recorded ones.

        Raises:
            PermanentError: They differ more than the mode allows.
        """
        now = prints(request, normal)
        if now.full == turn.fp.full:
            return []
        parts = ("shape", "system", "tail")
        changed = [part for part in parts if getattr(now, part) != getattr(turn.fp, part)] or ["history"]
        if self._strict or "shape" in changed:
            raise self._stopped(
                turn.lane,
                turn.turn,
                f"changed: {', '.join(changed)}.\n"
                f"  recorded (line {self.cassette.turns.index(turn) + 2}): {turn.request_tail[:200]}\n"
                f"  this run: {tail_of(request, normal)[:200]}",
            )
        return changed

    def normal(self, cwd: str) -> Normal:
        """The normal form of texts of an attempt in `cwd`."""
        return Normal(cwd, self._redactor.text)

    def _stopped(self, lane: str, turn: int, why: str) -> PermanentError:
        made = self.cassette.header.recorded_at or "at an unknown time"
        return PermanentError(
            f"Replay stopped at lane {lane!r}, turn {turn}, of {str(self._path)!r} ({self.cassette.header.origin}"
            f" {made}): {why}",
            next_steps=("Record the task again, or take a runner that calls a model.",),
        )


class _Player:
    """Speaks one lane."""

    def __init__(self, runner: ReplayRunner, brief: Brief, surroundings: Surroundings) -> None:
        self._runner = runner
        self._brief = brief
        self._progress = surroundings.progress
        self._normal = runner.normal(brief.cwd)

    async def speak(self, messages: Sequence[BaseMessage]) -> AIMessage:
        """The recorded answer to the present turn."""
        number = 1 + sum(isinstance(message, AIMessage) for message in messages)
        turn = self._runner.turn(self._brief.lane, number)
        changed = self._runner.compare(turn, messages, self._normal)
        if changed:
            self._drift(number, changed=changed)
        if number > 1:
            self._compare_tools(self._runner.turn(self._brief.lane, number - 1), messages)
        return spoken(turn, self._brief.cwd)

    def _compare_tools(self, turn: Turn, messages: Sequence[BaseMessage]) -> None:
        for then, now in zip(turn.tools, self._notes(messages), strict=False):
            if then.hash != now.hash:
                self._drift(turn.turn, changed=["tool_result"], tool=now.name)

    def _notes(self, messages: Sequence[BaseMessage]) -> list[ToolNote]:
        """How the tools of the last turn answered in this run."""
        notes: list[ToolNote] = []
        for message in reversed(messages):
            if not isinstance(message, ToolMessage):
                break
            result = Result(text_of(message), message.status == "success")
            notes.append(note(message.name or "", result, self._normal))
        return notes[::-1]

    def _drift(self, turn: int, **facts: Any) -> None:
        known: Mapping[str, Any] = {"lane": self._brief.lane, "turn": turn, **facts}
        self._progress("drift", known)


def spoken(turn: Turn, cwd: str) -> AIMessage:
    """A recorded reply as the message that the model sent, with the workspace's path put back in."""
    reply = turn.reply
    good = [
        ToolCall(name=call.name, args=mapped(call.args, lambda text: text.replace(CWD, cwd)), id=_id(turn, call.n))
        for call in reply.tool_calls
        if not isinstance(call.args, str)
    ]
    broken = [
        InvalidToolCall(type="invalid_tool_call", name=call.name, args=call.args, id=_id(turn, call.n), error=None)
        for call in reply.tool_calls
        if isinstance(call.args, str)
    ]
    facts = {"model_name": reply.model, "stop_reason": reply.stop}
    return AIMessage(
        reply.text.replace(CWD, cwd),
        tool_calls=good,
        invalid_tool_calls=broken,
        usage_metadata=usage_metadata(reply.usage),
        response_metadata={key: value for key, value in facts.items() if value},
    )


def _id(turn: Turn, number: int) -> str:
    return f"call-{turn.turn}-{number}"
