"""The adapters: a model that cannot call tools calls them in its text, one action an answer.

With `json` an action is a fenced block of JSON, and words may stand around it. With `schema` the answer is nothing but
an action, and the server is told its JSON Schema, so that the model can write nothing else.

The conversation stays what it is for everyone else: to the loop, the cassette and the next model it looks as if tools
had been called. Only what the model itself sees is told in text. What it writes is read strictly; what cannot be read
goes back to it with the reason.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, InvalidToolCall, SystemMessage, ToolCall
from langchain_core.messages import ToolMessage as Told

from stretto.agents.data import BadOutcome
from stretto.agents.said import json_object
from stretto.agents.speech import asked, text_of
from stretto.state.errors import PermanentError

UNREADABLE: Final = "unreadable_answer"
"""The name of a call that stands for an answer which could not be read; its arguments are what was written."""
JSON: Final = "json"
SCHEMA: Final = "schema"
ADAPTERS: Final = (JSON, SCHEMA)
_FENCE = re.compile(r"^[ \t]*```[ \t]*(?:json|JSON)?[ \t]*\n(.*?)\n[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)
_REFUSALS = re.compile(
    r"(?:does not|doesn't|do not) support (?:the use of )?(?:tool|function)|tools?\W? (?:is|are) not supported"
    r"|(?:function|tool) calling is not (?:enabled|supported)|support tool use|unsupported parameter:? \W?tools",
    re.IGNORECASE,
)
_HOW = """

# How to act

You cannot call tools directly. Every answer of yours ends with exactly one action, as one fenced block of JSON:

```json
{{"tool": "NAME", "args": {{}}}}
```

Strict JSON: double quotes, no comments, no comma behind the last item. You may think in plain words before the block.
You are told the result, then you answer with the next action. The last action is `finish`. The tools, with the JSON
Schema of their args:

{tools}"""


_HOW_BARE = """

# How to act

You cannot call tools directly. Every answer of yours is one JSON object and nothing else: what you think, and exactly
one action.

{{"thought": "…", "action": {{"tool": "NAME", "args": {{}}}}}}

You are told the result, then you answer with the next action. The last action is `finish`. The tools, with the JSON
Schema of their args:

{tools}"""


def action_schema(tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The JSON Schema of an answer that is one action: one of these tools, with its own arguments."""
    actions = [
        _object(tool={"type": "string", "enum": [function["name"]]}, args=function["parameters"])
        for function in (tool["function"] for tool in tools)
    ]
    return _object(thought={"type": "string"}, action={"anyOf": actions})


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }


def refuses_tools(error: PermanentError) -> bool:
    """Whether a provider says that this model takes no tools."""
    return bool(_REFUSALS.search(error.message))


class Adapter:
    """Tells a chat model its tools in text; `read` finds the calls in what it answers."""

    def __init__(self, tools: Sequence[Mapping[str, Any]], form: str = JSON) -> None:
        described = [_described(tool["function"]) for tool in tools]
        self._bare = form == SCHEMA
        self._how = (_HOW_BARE if self._bare else _HOW).format(tools="\n\n".join(described))

    def told(self, messages: Sequence[BaseMessage]) -> list[BaseMessage]:
        """The conversation as the model sees it."""
        return [self._as_text(message) for message in messages]

    def _as_text(self, message: BaseMessage) -> BaseMessage:
        if isinstance(message, SystemMessage):
            return SystemMessage(text_of(message) + self._how)
        if isinstance(message, Told):
            state = "failed" if message.status == "error" else "answered"
            return HumanMessage(f"{message.name} {state}:\n{text_of(message)}")
        if isinstance(message, AIMessage):
            return AIMessage(_bare(message) if self._bare else _fenced(message))
        return message


def _described(function: Mapping[str, Any]) -> str:
    return f"{function['name']}: {function['description']}\n{json.dumps(function['parameters'], ensure_ascii=False)}"


def _fenced(message: AIMessage) -> str:
    """A message as the model would have written it, its calls in fences."""
    acts = [
        call.args if isinstance(call.args, str) else f"```json\n{json.dumps(_action(call.name, call.args))}\n```"
        for call in asked(message, 0)
    ]
    return "\n\n".join(part for part in (text_of(message), *acts) if part) or "…"


def _bare(message: AIMessage) -> str:
    """A message as the model would have written it, as one object."""
    calls = asked(message, 0)
    if not calls:
        return text_of(message) or "…"
    acts = [
        call.args
        if isinstance(call.args, str)
        else json.dumps({"thought": text_of(message), "action": _action(call.name, call.args)})
        for call in calls
    ]
    return "\n\n".join(acts)


def _action(name: str, args: Mapping[str, Any]) -> dict[str, Any]:
    return {"tool": name, "args": dict(args)}


def read(reply: AIMessage) -> AIMessage:
    """A reply in text as one that calls a tool; as it is, where it holds no action."""
    text = text_of(reply)
    if not _blocks(text):
        return reply
    if problem(text):
        broken = InvalidToolCall(name=UNREADABLE, args=text, id=None, error=None, type="invalid_tool_call")
        return _with(reply, "", invalid_tool_calls=[broken])
    (block,) = _blocks(text)
    found = json_object(block)
    action, thought = _inner(found)
    prose = _FENCE.sub("", text).strip() if block != text.strip() else thought
    return _with(reply, prose, tool_calls=[ToolCall(name=action["tool"], args=action.get("args") or {}, id=None)])


def problem(text: str) -> str:
    """Why an answer could not be read as one action, for the model; empty if it could.

    It depends on the text alone, so that a recording says the same again.
    """
    blocks = _blocks(text)
    if len(blocks) > 1:
        return f"Your answer holds {len(blocks)} blocks of JSON. Answer with one action; you are told its result first."
    try:
        action, _ = _inner(json_object(blocks[0]) if blocks else {})
    except BadOutcome as error:
        return f"Your JSON cannot be read: {error.message} Write the block again, as strict JSON."
    if not isinstance(action.get("tool"), str) or not isinstance(action.get("args", {}), dict):
        return 'Your JSON is no action. It must be {"tool": "NAME", "args": {…}}.'
    if beside := sorted(action.keys() - {"tool", "args"}):
        return f'Your JSON has {", ".join(beside)} beside "tool" and "args". Arguments stand inside "args".'
    return ""


def _inner(found: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The action of an answer, and the thought beside it; an answer may be the action itself."""
    action, thought = found.get("action"), found.get("thought", "")
    if isinstance(action, dict) and isinstance(thought, str) and found.keys() <= {"thought", "action"}:
        return cast("dict[str, Any]", action), thought
    return found, ""


def _blocks(text: str) -> list[str]:
    """The fenced blocks of a text, or the whole of it where it is an object by itself."""
    bare = text.strip()
    return _FENCE.findall(text) or ([bare] if bare.startswith("{") and bare.endswith("}") else [])


def _with(reply: AIMessage, text: str, **calls: Any) -> AIMessage:
    """The same reply, said so."""
    return AIMessage(text, usage_metadata=reply.usage_metadata, response_metadata=reply.response_metadata, **calls)
