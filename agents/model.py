"""The model runner: any chat model of LangChain, through our own tool loop."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable

from stretto.agents.adapter import JSON, Adapted, refuses_tools
from stretto.agents.chain import Candidate, Chain, ChatFactory
from stretto.agents.execute import Execute
from stretto.agents.loop import Agent, converse, tools_of
from stretto.agents.meter import UNKNOWN
from stretto.agents.pricing import Price, cost_of, most, priced
from stretto.agents.record import Recorder
from stretto.agents.retry import Patience, classify, patiently
from stretto.agents.runner import Progress, Surroundings
from stretto.agents.task import Brief, Outcome
from stretto.state.errors import PermanentError
from stretto.state.purse import Want

Model = Runnable[LanguageModelInput, AIMessage]
Speaking = Model | Adapted


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
        adapted: Whether it is to call its tools in text, see `agents.adapter`.
        prices: What the project says that models cost.
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
        adapted: bool = False,
        prices: Mapping[str, Price] | None = None,
    ) -> None:
        self._name = name
        self._execute = execute
        self._record = record
        self._chain = Chain([Candidate(source, chat, adapted), *fallback], patience or Patience())
        self._prices = prices or {}

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
        voice = _Voice(self._chain, brief, surroundings.progress, limit, self._prices)
        agent = Agent.of(brief, surroundings, self._execute, voice.speak, witness)
        return await converse(brief, agent._replace(expects=voice.expects, price=voice.price), limit)

    async def close(self) -> None:
        """Write the cassette, if there is one to write."""
        if self._record:
            self._record.save()


class _Voice:
    """Speaks for one attempt with the model that the chain has come to."""

    def __init__(
        self, chain: Chain, brief: Brief, progress: Progress, limit: asyncio.Timeout, prices: Mapping[str, Price]
    ) -> None:
        self._chain = chain
        self._brief = brief
        self._progress = progress
        self._limit = limit
        self._prices = prices
        self._chats: dict[int, BaseChatModel] = {}
        self._speaks = 0

    async def speak(self, messages: Sequence[BaseMessage]) -> AIMessage:
        """One call, and with the next model, should this one not be there."""
        while True:
            number = self._chain.at
            model = self._model(number)
            patience = self._chain.patience(number)
            try:
                reply = await patiently(partial(called, model, messages), patience=patience, on_wait=self._waits)
            except PermanentError as error:
                if refuses_tools(error) and not self._chain.adapted(number):
                    self._chain.adapt(number)
                    self._progress("adapter", {"adapter": JSON, "reason": error.message})
                    continue
                if change := self._chain.given_up(number, error):
                    self._progress("fallback", change._asdict())
            else:
                self._speaks = number
                return reply

    def expects(self, messages: Sequence[BaseMessage]) -> Want:
        """What the next call may use at most."""
        number = self._chain.at
        source = self._chain.sources[number]
        return most(source, self._chat(number), messages, self._prices) if source else UNKNOWN

    def price(self, reply: AIMessage) -> float | None:
        """What the last reply cost, by the model that gave it."""
        source = self._chain.sources[self._speaks]
        return cost_of(source, reply, self._prices) if source else None

    def _model(self, number: int) -> Speaking:
        """The model with its tools bound, or told in text."""
        tools, chat = tools_of(self._brief.role), self._chat(number)
        return Adapted(chat, tools) if self._chain.adapted(number) else chat.bind_tools(tools)

    def _chat(self, number: int) -> BaseChatModel:
        if number not in self._chats:
            self._chats[number] = self._chain.make(number, self._brief.role, self._brief.lane)
        return self._chats[number]

    def _waits(self, facts: Mapping[str, Any]) -> None:
        if (when := self._limit.when()) is not None:
            self._limit.reschedule(when + float(facts["seconds"]))
        self._progress("wait", facts)


async def called(model: Speaking, messages: Sequence[BaseMessage]) -> AIMessage:
    """One call of a model, its provider's exceptions told apart.

    Raises:
        TransientError: A second call may succeed.
        PermanentError: It would fail the same way.
    """
    try:
        return await model.ainvoke(list(messages))
    except Exception as error:
        if known := classify(error):
            raise known from error
        raise
