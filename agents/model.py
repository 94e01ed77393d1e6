"""The model runner: any chat model of LangChain, through our own tool loop."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage

from stretto.agents.adapter import SCHEMA, Adapter, action_schema, read
from stretto.agents.chain import Candidate, Chain, ChatFactory
from stretto.agents.execute import Execute
from stretto.agents.listening import STALL_SECONDS, BrokenOff, Model, listen
from stretto.agents.loop import Agent, converse, tools_of
from stretto.agents.manner import BEST, Manner
from stretto.agents.meter import UNKNOWN
from stretto.agents.native import CONSTRAINING, constrained, strictly, takes_strict
from stretto.agents.pricing import Price, cost, cost_of, most, priced
from stretto.agents.record import Recorder
from stretto.agents.retry import Patience, patiently
from stretto.agents.runner import Progress, Surroundings
from stretto.agents.task import Brief, Outcome, Usage
from stretto.agents.till import Till
from stretto.state.errors import PermanentError
from stretto.state.purse import Want


class ModelRunner:
    """Executes attempts with a chat model.

    Args:
        name: The KIND:ARG under which it was chosen.
        chat: Makes the model of an attempt.
        execute: Starts the programs that tools need.
        record: Keeps every turn, if given; `close` writes the cassette.
        patience: The budget for the provider's outages; shared by all attempts of this runner.
        source: `PROVIDER/NAME` of the model, by which its price is found; empty where nothing is to be paid for.
        fallback: The models that stand in, one after the other, when those before them cannot be had.
        manner: How it is spoken to.
        prices: What the project says that models cost.
        stall_seconds: How long a model that has begun to answer may be silent before the call is made again.
    """

    metered = True

    def __init__(
        self,
        name: str,
        chat: ChatFactory,
        execute: Execute,
        record: Recorder | None = None,
        *,
        patience: Patience | None = None,
        source: str = "",
        fallback: Sequence[Candidate] = (),
        manner: Manner = BEST,
        prices: Mapping[str, Price] | None = None,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        self._name = name
        self._execute = execute
        self._record = record
        self._chain = Chain([Candidate(source, chat, manner), *fallback], patience or Patience())
        self._prices = prices or {}
        self._stall_seconds = stall_seconds

    @property
    def name(self) -> str:
        """The KIND:ARG under which it was chosen."""
        return self._name

    @property
    def recording(self) -> bool:
        """Whether every turn is kept for a cassette."""
        return self._record is not None

    @property
    def counts(self) -> frozenset[str]:
        """The caps that it can be held to: money only where the price is known."""
        known = all(source and priced(source, self._prices) for source in self._chain.sources)
        return frozenset({"tokens", "tool_calls", *(["usd"] if known else [])})

    async def run(self, brief: Brief, surroundings: Surroundings) -> Outcome:
        """Hold one conversation. `brief.budget.seconds` does not count the time spent waiting for the provider.

        Raises:
            PermanentError: The provider refuses (a wrong key, an unknown model), its outage outlasted the patience, or
                the budget limits money, and nobody knows what the model costs.
        """
        if brief.budget.usd is not None and "usd" not in self.counts:
            raise PermanentError(
                f"Nobody knows what the runner {self._name!r} costs, so it cannot keep to {brief.budget.usd:g} USD."
                " No model was called.",
                next_steps=("Limit `output_tokens`, or set what it costs under [prices] in .stretto/config.toml.",),
            )
        limit = asyncio.timeout(brief.budget.seconds)
        witness = self._record.lane(brief.lane, brief.cwd) if self._record else None
        voice = _Voice(self._chain, brief, surroundings.progress, limit, self._prices, self._stall_seconds)
        agent = Agent.of(brief, surroundings, self._execute, voice.speak, witness)
        return await converse(brief, agent._replace(expects=voice.expects, price=voice.price), limit)

    async def close(self) -> None:
        """Write the cassette, if there is one to write."""
        if self._record:
            self._record.save()


class _Speech(NamedTuple):
    """A model as it is spoken to: what is bound to it, what it is told of tools, and what translates for it."""

    model: Model
    tools: Sequence[Mapping[str, Any]] = ()
    adapter: Adapter | None = None


class _Voice:
    """Speaks for one attempt with the model that the chain has come to."""

    def __init__(
        self,
        chain: Chain,
        brief: Brief,
        progress: Progress,
        limit: asyncio.Timeout,
        prices: Mapping[str, Price],
        stall_seconds: float,
    ) -> None:
        self._chain = chain
        self._brief = brief
        self._progress = progress
        self._limit = limit
        self._prices = prices
        self._stall_seconds = stall_seconds
        self._chats: dict[int, BaseChatModel] = {}
        self._speaks = 0

    async def speak(self, messages: Sequence[BaseMessage], till: Till) -> AIMessage:
        """One call; in another manner, if this one is refused, and with the next model, if this one cannot be had."""
        while True:
            number = self._chain.at
            patience, before = self._chain.patience(number), self._chain.manner(number)
            call = partial(self._call, number, messages, till)
            try:
                reply = await patiently(call, patience=patience, on_wait=self._waits)
            except PermanentError as error:
                if other := self._chain.refused(number, before, error):
                    self._progress("adapter", {**other.changed(before), "reason": error.message})
                    continue
                if change := self._chain.given_up(number, error):
                    self._progress("fallback", change._asdict())
                till.release()  # the next one has another price
            else:
                self._speaks = number
                return reply

    async def _call(self, number: int, messages: Sequence[BaseMessage], till: Till) -> AIMessage:
        """One call of a model, room made for it; one that breaks off is settled, and the next is another."""
        await till.room(messages)
        speech, manner = self._speech(number), self._chain.manner(number)
        said = speech.adapter.told(messages) if speech.adapter else messages
        says_why = bool(self._chain.sources[number])
        turn = 1 + sum(isinstance(message, AIMessage) for message in messages)
        try:
            reply = await listen(
                speech.model,
                said,
                lambda facts: self._progress("speaking", {"turn": turn, **facts}),
                whole=not manner.stream,
                says_why=says_why,
                stall_seconds=self._stall_seconds,
            )
        except BrokenOff as error:
            used = error.used.model_copy(update={"cost_usd": self._cost(number, error.used)})
            self._progress("broken_off", {"turn": turn, "error": error.message, **used.model_dump()})
            till.settle(used)
            raise
        return read(reply) if speech.adapter else reply

    def _cost(self, number: int, used: Usage) -> float | None:
        known = used.input_tokens is not None and used.output_tokens is not None
        return cost(self._chain.sources[number], used.model_dump(), self._prices) if known else None

    def expects(self, messages: Sequence[BaseMessage]) -> Want:
        """What the next call may use at most."""
        number = self._chain.at
        source = self._chain.sources[number]
        if not source:
            return UNKNOWN
        speech = self._speech(number)
        said = speech.adapter.told(messages) if speech.adapter else messages
        return most(source, self._chat(number), said, self._prices, speech.tools)

    def price(self, reply: AIMessage) -> float | None:
        """What the last reply cost, by the model that gave it."""
        source = self._chain.sources[self._speaks]
        return cost_of(source, reply, self._prices) if source else None

    def _speech(self, number: int) -> _Speech:
        tools, chat = tools_of(self._brief.role), self._chat(number)
        manner, provider = self._chain.manner(number), self._chain.sources[number].partition("/")[0]
        if manner.adapter:
            adapter = Adapter(tools, manner.adapter)
            if manner.adapter == SCHEMA and provider in CONSTRAINING:
                schema = action_schema(tools)
                return _Speech(constrained(chat, provider, schema), [schema], adapter)
            return _Speech(chat, adapter=adapter)
        if manner.strict and takes_strict(provider, chat):
            *others, finish = tools
            tools = [*others, strictly(finish, provider)]
        return _Speech(chat.bind_tools(tools), tools)

    def _chat(self, number: int) -> BaseChatModel:
        if number not in self._chats:
            self._chats[number] = self._chain.make(number, self._brief.role, self._brief.lane)
        return self._chats[number]

    def _waits(self, facts: Mapping[str, Any]) -> None:
        if (when := self._limit.when()) is not None:
            self._limit.reschedule(when + float(facts["seconds"]))
        self._progress("wait", facts)
