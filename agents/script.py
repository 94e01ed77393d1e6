"""The scripted model: speaks the lines of an authored script, by lane and turn.

It is how cassettes are authored: a run with a script is recorded like any other, tools live, and labelled as authored.

A script is YAML or JSON: `task`, optionally `aliases` (other wordings of it), and `lanes`, which maps a lane such as
`implementation/T1#1` to its turns. A turn has `say` (text), `call` (a list of one-key mappings from a tool to its
arguments), `finish` (the arguments of that tool) and `usage` (`input_tokens`, `output_tokens`), each optional.
"""

import difflib
from pathlib import Path
from typing import Any

import yaml
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from pydantic import Field, ValidationError, model_validator

from stretto.agents.cassette import Tokens
from stretto.agents.data import bad_outcome
from stretto.agents.speech import usage_metadata
from stretto.agents.task import Frozen
from stretto.state.errors import BadInput, PermanentError


class Line(Frozen):
    """What the model says in one turn."""

    say: str = ""
    call: tuple[dict[str, dict[str, Any]], ...] = ()
    finish: dict[str, Any] | None = None
    usage: Tokens | None = None

    @model_validator(mode="after")
    def _one_tool_an_item(self) -> "Line":
        if any(len(item) != 1 for item in self.call):
            raise ValueError("each item of call is one tool and its arguments")
        return self

    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        """The tool calls, in order."""
        listed = [pair for item in self.call for pair in item.items()]
        return listed if self.finish is None else [*listed, ("finish", self.finish)]


class Script(Frozen):
    """A whole script. Lanes are matched exactly."""

    task: str
    aliases: tuple[str, ...] = ()
    lanes: dict[str, tuple[Line, ...]] = Field(min_length=1)


def load_script(path: Path) -> Script:
    """Read a script.

    Raises:
        BadInput: It cannot be read, or is not a script; the message names the field.
    """
    try:
        return Script.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise BadInput(f"The script {str(path)!r} cannot be read: {error}", field="runner") from error
    except ValidationError as error:
        raise BadInput(bad_outcome(error, "", f"Script {str(path)!r}").message, field="runner") from error


class ScriptedChatModel(BaseChatModel):
    """A chat model that speaks one lane of a script. The turn is counted from the conversation, so it has no state."""

    script: Script
    lane: str

    @property
    def _llm_type(self) -> str:
        return "script"

    def bind_tools(
        self,
        tools: Any,  # noqa: ARG002 - a script knows which tools it calls
        *,
        tool_choice: str | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return the model itself."""
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> ChatResult:
        turn = 1 + sum(isinstance(message, AIMessage) for message in messages)
        return ChatResult(generations=[ChatGeneration(message=self._message(turn))])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        return self._generate(messages, stop, **kwargs)

    def _message(self, turn: int) -> AIMessage:
        line = self._line(turn)
        calls = enumerate(line.calls())
        return AIMessage(
            line.say,
            tool_calls=[ToolCall(name=name, args=args, id=f"call-{turn}-{n}") for n, (name, args) in calls],
            usage_metadata=usage_metadata(line.usage),
        )

    def _line(self, turn: int) -> Line:
        lines = self.script.lanes.get(self.lane)
        if lines is None:
            near = difflib.get_close_matches(self.lane, self.script.lanes, 1, 0.0)
            raise PermanentError(f"The script has no lane {self.lane!r}; the nearest is {''.join(near)!r}.")
        if turn > len(lines):
            raise PermanentError(f"The script's lane {self.lane!r} ends after {len(lines)} turns.")
        return lines[turn - 1]
