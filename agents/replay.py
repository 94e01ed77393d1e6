"""The replay runner: recorded model turns, live tools.

Every attempt looks up its turns by address, (lane, turn), which depends on nothing but the plan: lanes may run in any
order, and an attempt that a crash cut off simply begins at turn 1 again. What differs from the recording is reported
or, if the conversation would no longer make sense, refused. A model is never called.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, InvalidToolCall, ToolCall, ToolMessage

from stretto.agents.cassette import Cassette, ToolNote, Turn
from stretto.agents.execute import Execute
from stretto.agents.loop import Agent, converse
from stretto.agents.prints import CWD, Printer, note, tail_of
from stretto.agents.recording import Mode, Recording
from stretto.agents.redact import mapped
from stretto.agents.replay_agent import replay_agent
from stretto.agents.replay_tools import Answering
from stretto.agents.runner import Surroundings
from stretto.agents.speech import text_of, usage_metadata
from stretto.agents.task import Brief, Outcome
from stretto.agents.till import Till
from stretto.agents.tools import Result
from stretto.state.errors import BadInput

REPLAYED = "replayed from recording; no model was called"


class ReplayRunner:
    """Executes attempts from a cassette.

    By default a request must have the recorded shape, and other differences are reported as progress of the kind
    `drift`. `strict` refuses any difference; `lenient` refuses none and reports what it ignored, but still finds turns
    by their address alone.

    Raises:
        BadInput: The cassette is missing or damaged, or one of a session.
    """

    metered = True
    counts = frozenset({"tokens", "tool_calls"})

    def __init__(
        self, path: Path, execute: Execute, *, name: str = "", strict: bool = False, lenient: bool = False
    ) -> None:
        mode: Mode = "strict" if strict else "lenient" if lenient else "default"
        self._recording = Recording(path, mode)
        self._execute = execute
        self._name = name or f"replay:{path}{'' if mode == 'default' else f'?{mode}'}"
        if self.cassette.header.origin == "imported":
            raise BadInput(
                f"The cassette {str(path)!r} is an imported session: it has lanes of its own, and no workflow's tasks.",
                field="runner",
                next_steps=(f"stretto cassette replay {path}",),
            )

    @property
    def cassette(self) -> Cassette:
        """What it replays."""
        return self._recording.cassette

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
            path = str(self._recording.path)
            raise BadInput(
                f"The recording {path!r} does not know the task {description!r}. It knows:\n{tasks}",
                field="description",
                allowed=self.known(),
                next_steps=("Give a recorded task, or another runner: --runner model:PROVIDER/NAME.",),
            )

    async def run(self, brief: Brief, surroundings: Surroundings) -> Outcome:
        """Hold the recorded conversation of this attempt.

        Raises:
            PermanentError: The cassette has no such turn, or this run is not the recorded one any more.
        """
        turns = self._recording.lane(brief.lane)
        if turns and turns[-1].end:
            return await replay_agent(self._recording, brief, surroundings)
        player = _Player(self._recording, brief, surroundings)
        agent = Agent.of(brief, surroundings, self._execute, player.speak)
        return await converse(brief, player.with_tools(agent), asyncio.timeout(brief.budget.seconds))

    async def close(self) -> None:
        """Hold nothing, release nothing."""


class _Player:
    """Speaks one lane."""

    def __init__(self, recording: Recording, brief: Brief, surroundings: Surroundings) -> None:
        self._recording = recording
        self._brief = brief
        self._progress = surroundings.progress
        self._normal = recording.normal(brief.cwd)
        self._printer = Printer(self._normal)
        self._turn: Turn | None = None

    def with_tools(self, agent: Agent) -> Agent:
        """The agent, its calls to the outside answered from the recording."""
        tools = Answering(agent.toolbox, self._brief.cwd, self._normal, self._now, self._refused)
        return agent._replace(toolbox=tools)

    def _now(self) -> Turn:
        assert self._turn is not None  # noqa: S101 - a tool is called by a reply, and so after one
        return self._turn

    def _refused(self, why: str) -> Exception:
        return self._recording.stopped(*self._now().address, why)

    async def speak(self, messages: Sequence[BaseMessage], till: Till) -> AIMessage:
        """The recorded answer to the present turn."""
        del till  # a recorded call does not break off
        number = 1 + sum(isinstance(message, AIMessage) for message in messages)
        before = self._turn
        turn = self._recording.turn(self._brief.lane, number, tail_of(messages, self._normal))
        self._turn = turn
        changed = self._recording.compare(turn, messages, self._printer)
        if changed:
            self._drift(number, changed=changed)
        if before:
            self._compare_tools(before, messages)
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
