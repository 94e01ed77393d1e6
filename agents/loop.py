"""The tool loop: one agent's conversation, from brief to outcome.

Ask the model, run the tools it calls, tell it the results, until it calls `finish` or answers in plain text. An agent's
failure (out of turns, out of tokens, an answer that does not fit) is an outcome; only what the agent cannot be blamed
for (a provider's error, a missing recording) is an exception.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from stretto.agents.adapter import UNREADABLE, problem
from stretto.agents.data import BadOutcome, needs_data
from stretto.agents.execute import Execute
from stretto.agents.meter import Account, Free
from stretto.agents.roles import Role, load_role
from stretto.agents.runner import Progress, Surroundings
from stretto.agents.said import finish_schema, finished, from_text
from stretto.agents.speech import Asked, asked, encodable, text_of, tokens_of
from stretto.agents.task import Brief, Outcome, RoleName, Usage, failed
from stretto.agents.till import Expects, Till, unknown
from stretto.agents.tools import Result, Toolbox, function, schemas

TURNS = 60
"""Turns of an attempt whose budget names none."""
OUTPUT_TOKENS = 200_000
"""Output tokens of an attempt whose budget names none. Turns whose usage nobody counted do not draw on it."""

_FINISH = "End your work and return its result. Call it once, alone, when you are done."
Speak = Callable[[Sequence[BaseMessage], Till], Awaitable[AIMessage]]
"""The model's next reply, its tools bound, waiting for outages included. Calls that broke off go through the till."""


def unpriced(reply: AIMessage) -> float | None:
    """What a reply cost, where nobody can say."""
    del reply
    return None


class Witness(Protocol):
    """Sees a conversation go by; the recorder is one."""

    def replied(self, turn: int, request: Sequence[BaseMessage], reply: AIMessage) -> None:
        """The model answered `request`, the `turn`th time (from 1)."""
        ...

    def answered(self, turn: int, results: Sequence[tuple[str, Result]]) -> None:
        """The tools that the reply called gave these results, by name and in order."""
        ...


class Tools(Protocol):
    """What answers the calls of a conversation; a toolbox is one."""

    @property
    def written(self) -> set[str]:
        """The relative paths that were written."""
        ...

    async def use(self, name: str, args: object) -> Result:
        """Run one tool call of a model."""
        ...


class Agent(NamedTuple):
    """What a conversation needs beside its brief.

    `account` is settled with each reply; `expects` tells what a call may use at most, `price` what a reply cost in USD.
    """

    role: Role
    toolbox: Tools
    speak: Speak
    progress: Progress
    witness: Witness | None = None
    account: Account = Free()
    expects: Expects = unknown
    price: Callable[[AIMessage], float | None] = unpriced

    @classmethod
    def of(
        cls, brief: Brief, surroundings: Surroundings, execute: Execute, speak: Speak, witness: Witness | None = None
    ) -> "Agent":
        """The agent of a brief, its tools in the brief's `cwd`."""
        role = load_role(brief.role)
        toolbox = Toolbox(
            Path(brief.cwd), role, writes=brief.writes, execute=execute, environment=surroundings.environment
        )
        return cls(role, toolbox, speak, surroundings.progress, witness, surroundings.account)


def tools_of(role: RoleName) -> list[dict[str, Any]]:
    """The tools that this role's model is given, `finish` last, in the form that every LangChain chat model binds."""
    return [*schemas(load_role(role)), function("finish", _FINISH, finish_schema(role))]


async def converse(brief: Brief, agent: Agent, limit: asyncio.Timeout) -> Outcome:
    """Hold the conversation of one attempt, until `limit`.

    Raises:
        StrettoError: Raised by the model's side; an agent's own failure is an outcome.
    """
    conversation = _Conversation(brief, agent)
    try:
        async with limit:
            return await conversation.run()
    except TimeoutError:
        if not limit.expired():
            raise
        return conversation.complete(failed(f"Stopped after {brief.budget.seconds:g} s without a result."))


class _Conversation:
    def __init__(self, brief: Brief, agent: Agent) -> None:
        self._brief = brief
        self._agent = agent
        self._till = Till(agent.account, agent.expects)
        self._reminded = False
        self._mending = 0  # the turn in which an outcome was sent back, to be mended once
        self._messages: list[BaseMessage] = [SystemMessage(agent.role.prompt), HumanMessage(instructions(brief))]

    async def run(self) -> Outcome:
        limit = self._brief.budget.turns or TURNS * self._brief.budget.tasks
        most = self._brief.budget.output_tokens or OUTPUT_TOKENS * self._brief.budget.tasks
        for turn in range(1, limit + 1):
            reply = await self._ask(turn)
            if outcome := await self._act(turn, reply):
                return self.complete(outcome)
            if (wrote := self._till.wrote) >= most:
                return self.complete(failed(f"Stopped after {wrote} output tokens; the budget is {most}."))
            usd, cost = self._brief.budget.usd, self._till.used.cost_usd
            if usd is not None and cost is not None and cost >= usd:
                return self.complete(failed(f"Stopped after {cost:.4f} USD; the budget is {usd:g}."))
        return self.complete(failed(f"Stopped after {limit} turns without a result."))

    async def _ask(self, turn: int) -> AIMessage:
        reply = await self._called()
        if self._agent.witness:
            self._agent.witness.replied(turn, self._messages, reply)
        self._messages.append(reply)
        self._count(turn, reply)
        if text := text_of(reply):
            self._agent.progress("text", {"turn": turn, "text": text[:2000]})
        return reply

    async def _called(self) -> AIMessage:
        """One call, paid for."""
        await self._till.room(self._messages)
        try:
            return await self._agent.speak(self._messages, self._till)
        except Exception:
            self._till.release()
            raise

    def _count(self, turn: int, reply: AIMessage) -> None:
        read, wrote = tokens_of(reply)
        used = Usage(input_tokens=read, output_tokens=wrote, cost_usd=self._agent.price(reply))
        self._till.settle(used)
        self._agent.progress("turn", {"turn": turn, "tools": [call.name for call in asked(reply, turn)]})
        self._agent.progress("usage", {"turn": turn, **used.model_dump()})

    async def _act(self, turn: int, reply: AIMessage) -> Outcome | None:
        calls = asked(reply, turn)
        if not calls:
            return self._heard(turn, text_of(reply))
        outcome: Outcome | None = None
        results: list[tuple[str, Result]] = []
        # A finish beside other calls counts after them, wherever the model put it.
        for call in sorted(calls, key=lambda call: call.name == "finish"):
            result, done = await self._use(turn, call)
            outcome = outcome or done
            results.append((call.name, result))
            self._messages.append(_told(call, result))
            self._agent.progress("tool", {"turn": turn, "name": call.name, "ok": result.ok, **_gist(call, result)})
        if self._agent.witness:
            self._agent.witness.answered(turn, results)
        return outcome

    async def _use(self, turn: int, call: Asked) -> tuple[Result, Outcome | None]:
        if isinstance(call.args, str):
            if call.name == UNREADABLE:
                return Result(problem(call.args), ok=False), None
            said = f"The arguments of {call.name} are not a JSON object; call it again."
            return Result(said, ok=False), self._mended(turn, said) if call.name == "finish" else None
        if call.name != "finish":
            await self._agent.account.tool()
            return await self._agent.toolbox.use(call.name, call.args), None
        try:
            return Result("Accepted."), finished(call.args, self._brief.role)
        except BadOutcome as error:
            said = f"finish: {error.message} Mend it and call finish again.{_each(error)}"
            return Result(said, ok=False), self._mended(turn, error.message)

    def _mended(self, turn: int, problem: str) -> Outcome | None:
        """None the first time that an outcome does not fit: it may be mended once. Then a failed one."""
        if self._mending in (0, turn):
            self._mending = turn
            return None
        return failed(f"The agent's result does not fit, not even after it was sent back: {problem}")

    def _heard(self, turn: int, text: str) -> Outcome | None:
        """The outcome that a plain text is; None after asking, once, for a proper one."""
        said = from_text(text, self._brief.role)
        try:
            if said is not None:
                return finished(said, self._brief.role)
            if text.strip() and not needs_data(self._brief.role):
                return Outcome(status="completed", summary=text.strip())
            problem = "Your answer holds no data for this role." if text.strip() else "Your answer is empty."
        except BadOutcome as error:
            self._messages.append(
                HumanMessage(f"{error.message} Call the finish tool with your result now.{_each(error)}")
            )
            return self._mended(turn, error.message)
        if self._reminded:
            return failed(f"The agent ended without a usable result: {problem} It said: {text.strip()[:300]!r}")
        self._reminded = True
        self._messages.append(HumanMessage(f"{problem} Call the finish tool with your result now."))
        return None

    def complete(self, outcome: Outcome) -> Outcome:
        """`outcome` with what was counted: tokens, and the files that were written."""
        return outcome.model_copy(
            update={"usage": self._till.used, "writes": tuple(sorted(self._agent.toolbox.written))}
        )


def _each(error: BadOutcome) -> str:
    """All that does not fit, where that is more than one thing."""
    most = 20
    return "".join(f"\n- {one}" for one in error.wrong[:most]) if len(error.wrong) > 1 else ""


def _told(call: Asked, result: Result) -> ToolMessage:
    status = "success" if result.ok else "error"
    return ToolMessage(result.text, tool_call_id=call.id, name=call.name, status=status)


def _gist(call: Asked, result: Result) -> dict[str, Any]:
    """The few words by which a person recognises a call: what it was about, and why it went wrong."""
    args = call.args if isinstance(call.args, dict) else {}
    about = args.get("path") or args.get("argv") or args.get("pattern") or args.get("glob") or ""
    words = " ".join(map(str, cast("list[object]", about))) if isinstance(about, list) else str(about)
    return {"about": encodable(words[:200]), **({} if result.ok else {"error": result.text[:300]})}


def instructions(brief: Brief) -> str:
    """The brief as the first message to a model. Nothing in it changes from one run of the same task to the next."""
    parts = [
        f"# {brief.title}\n\n{brief.prompt}",
        _listed("Earlier results to read first", [artifact.path for artifact in brief.inputs]),
        _listed("Read", brief.reads),
        _listed("May write", brief.writes),
        _listed("Checks that must pass", brief.checks),
        f"## Why the attempt before this one was not accepted\n\n{brief.feedback}" if brief.feedback else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _listed(title: str, items: Sequence[str]) -> str:
    return f"## {title}\n\n" + "\n".join(f"- {item}" for item in items) if items else ""
