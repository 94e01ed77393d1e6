"""The model runner: any chat model of LangChain, through our own tool loop."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable

from stretto.agents.execute import Execute
from stretto.agents.loop import Agent, Speak, converse, tools_of
from stretto.agents.pricing import Price, cost_of, most, priced
from stretto.agents.record import Recorder
from stretto.agents.retry import Patience, classify, patiently
from stretto.agents.runner import Surroundings
from stretto.agents.task import Brief, Outcome
from stretto.state.errors import PermanentError

ChatFactory = Callable[[str, str], BaseChatModel]
"""From a role's name and a lane to the model that plays it."""
Model = Runnable[LanguageModelInput, AIMessage]


class ModelRunner:
    """Executes attempts with a chat model.

    Args:
        name: The KIND:ARG under which it was chosen.
        chat: Makes the model of an attempt.
        execute: Starts the programs that tools need.
        record: Keeps every turn, if given; `close` writes the cassette.
        patience: The budget for the provider's outages; shared by all attempts of this runner.
        source: `PROVIDER/NAME` of the model, by which its price is found; empty where nothing is to be paid for.
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
        prices: Mapping[str, Price] | None = None,
    ) -> None:
        self._name = name
        self._chat = chat
        self._execute = execute
        self._record = record
        self._patience = patience or Patience()
        self._source = source
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
        known = bool(self._source) and priced(self._source, self._prices)
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
        chat = self._chat(brief.role, brief.lane)
        model = chat.bind_tools(tools_of(brief.role))
        witness = self._record.lane(brief.lane, brief.cwd) if self._record else None
        speak = self._speaking(model, surroundings, limit)
        agent = Agent.of(brief, surroundings, self._execute, speak, witness)
        if self._source:
            expects = partial(most, self._source, chat, prices=self._prices)
            agent = agent._replace(expects=expects, price=partial(self._cost, self._source))
        return await converse(brief, agent, limit)

    def _cost(self, model: str, reply: AIMessage) -> float | None:
        return cost_of(model, reply, self._prices)

    def _speaking(self, model: Model, surroundings: Surroundings, limit: asyncio.Timeout) -> Speak:
        def waiting(facts: Mapping[str, Any]) -> None:
            if (when := limit.when()) is not None:
                limit.reschedule(when + float(facts["seconds"]))
            surroundings.progress("wait", facts)

        async def speak(messages: Sequence[BaseMessage]) -> AIMessage:
            return await patiently(lambda: called(model, messages), patience=self._patience, on_wait=waiting)

        return speak

    async def close(self) -> None:
        """Write the cassette, if there is one to write."""
        if self._record:
            self._record.save()


async def called(model: Model, messages: Sequence[BaseMessage]) -> AIMessage:
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
