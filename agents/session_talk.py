"""Conversations from what was said: turns by message, each call with its result, usage counted once."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from stretto.agents.cassette import Tokens
from stretto.agents.session_rows import Facts, facts, items, word
from stretto.agents.session_said import AGENTS, Heard, Key, Said

_INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})
NO_RESULT = "(no result was recorded)"


@dataclass(slots=True)
class Used:
    """A tool call and what came of it. `told` is the client's own account of the result; `ok` None: none came."""

    id: str
    name: str
    args: Any
    text: str = NO_RESULT
    ok: bool | None = None
    told: Facts = field(default_factory=dict[str, Any])


@dataclass(slots=True)
class Spoken:
    """One message of the model."""

    id: str = ""
    model: str = ""
    stop: str = ""
    texts: list[str] = field(default_factory=list[str])
    calls: list[Used] = field(default_factory=list[Used])
    usage: Facts = field(default_factory=dict[str, Any])

    def count(self, usage: Facts) -> None:
        """Take what a row says of the message's usage: it only grows, but rows need not stand in their order."""
        for name, value in usage.items():
            if (count := _count(value)) is not None:
                self.usage[name] = max(count, self.usage.get(name, 0))

    def tokens(self) -> Tokens | None:
        """What the provider counted, each message once; None if it did not."""
        read = [_count(self.usage.get(name)) for name in _INPUT if name in self.usage]
        wrote = _count(self.usage.get("output_tokens"))
        if wrote is None or not read or None in read:
            return None
        return Tokens(input_tokens=sum(n or 0 for n in read), output_tokens=wrote)


@dataclass(slots=True)
class Talk:
    """One conversation: what people said and what the model did, in order. `call` is the call that began it."""

    key: Key
    name: str = ""
    call: str = ""
    told: list[str | Spoken] = field(default_factory=list["str | Spoken"])

    @property
    def spoken(self) -> Iterator[Spoken]:
        """The model's messages."""
        return (one for one in self.told if isinstance(one, Spoken))


class Talks:
    """All conversations of a recording, by key."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._tally = heard.tally
        self.talks: dict[Key, Talk] = {}
        self.calls: dict[str, tuple[Talk, Used]] = {}
        self._messages: dict[str, dict[Key, Spoken]] = {}
        for said in heard.said:
            self._take(said)
        self._counted()
        self._unanswered()

    def _key(self, key: Key) -> Key:
        """An agent's conversation goes by the call that began it, where that is known."""
        call = self._heard.calls_of_agents.get(key[1], "") if key[0] == "agent" else ""
        if call and key in self._heard.kinds:
            self._heard.kinds.setdefault(("tool", call), self._heard.kinds[key])
        return ("tool", call) if call else key

    def _take(self, said: Said) -> None:
        key = self._key(said.key)
        talk = self.talks.setdefault(key, Talk(key, call=key[1] if key[0] == "tool" else ""))
        if said.kind == "assistant":
            self._assistant(talk, said)
        else:
            self._user(talk, said)

    def _assistant(self, talk: Talk, said: Said) -> None:
        message = said.message
        spoken = self._spoken(talk, word(message.get("id")))
        spoken.model = word(message.get("model")) or spoken.model
        spoken.stop = word(message.get("stop_reason")) or spoken.stop
        spoken.count(facts(message.get("usage")))
        content = message.get("content")
        if isinstance(content, str):
            spoken.texts.append(content)
        for item in items(content):
            self._block(talk, spoken, facts(item))

    def _spoken(self, talk: Talk, name: str) -> Spoken:
        """The message of this id: its blocks stand in several rows."""
        known = self._messages.setdefault(name, {}) if name else {}
        if talk.key in known:
            return known[talk.key]
        if known:
            self._tally.skip("message whose usage another conversation has counted")
        new = known[talk.key] = Spoken(name)
        talk.told.append(new)
        return new

    def _block(self, talk: Talk, spoken: Spoken, block: Facts) -> None:
        kind = word(block.get("type"))
        if kind == "text" and isinstance(block.get("text"), str):
            spoken.texts.append(word(block["text"]))
        elif kind == "tool_use" and word(block.get("name")):
            self._call(talk, spoken, block)
        elif kind in _THOUGHTS:
            self._tally.skip("thoughts")
        else:
            self._tally.skip(f"block of the type {kind!r}" if kind else "block without a type")

    def _call(self, talk: Talk, spoken: Spoken, block: Facts) -> None:
        name = word(block.get("id"))
        if name and name in self.calls:
            self._tally.skip("call that was there before")
            return
        used = Used(name, word(block["name"]), block.get("input"))
        spoken.calls.append(used)
        if name:
            self.calls[name] = talk, used

    def _user(self, talk: Talk, said: Said) -> None:
        content = said.message.get("content")
        if isinstance(content, str):
            talk.told.append(content)
        for item in items(content):
            block = facts(item)
            kind = word(block.get("type"))
            if kind == "text" and isinstance(block.get("text"), str):
                talk.told.append(word(block["text"]))
            elif kind == "tool_result":
                self._result(block, said)
            else:
                self._tally.skip(f"block of the type {kind!r}" if kind else "block without a type")

    def _result(self, block: Facts, said: Said) -> None:
        _, used = self.calls.get(word(block.get("tool_use_id")), (None, None))
        if used is None or used.ok is not None:
            self._tally.skip("result without a call" if used is None else "result that was there before")
            return
        used.ok = block.get("is_error") is not True
        used.text = _words(block.get("content"))
        used.told = said.result

    def _counted(self) -> None:
        """What a stream said of a message's usage in its pieces counts, too; of others that repeat it, nothing does."""
        for name, known in self._messages.items():
            first, *others = known.values()
            counts = self._heard.counts.get(name, {})
            first.count(counts)
            for other in others:
                first.count(other.usage)
                other.usage = {"input_tokens": 0, "output_tokens": 0}

    def _unanswered(self) -> None:
        for talk in self.talks.values():
            for spoken in talk.spoken:
                for used in spoken.calls:
                    if used.ok is None:
                        self._tally.skip("call without a result")

    def kind_of(self, talk: Talk) -> str:
        """What sort of agent a conversation is of; empty if nobody said."""
        _, call = self.calls.get(talk.call, (None, None))
        asked = word(facts(call.args).get("subagent_type")) if call else ""
        return asked or self._heard.kinds.get(talk.key, "")

    def link(self) -> None:
        """Find the calls that began conversations which only a chain of parents holds together: by their prompt."""
        free = {
            word(facts(used.args).get("prompt")).strip(): name
            for name, (_, used) in self.calls.items()
            if used.name in AGENTS and ("tool", name) not in self.talks
        }
        for talk in self.talks.values():
            first = talk.told[0] if talk.told else ""
            if talk.key[0] in ("chain", "agent") and isinstance(first, str) and first.strip() in free and first.strip():
                talk.call = free.pop(first.strip())


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**15 else None


def _words(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = [facts(item) for item in items(content)]
    return "\n".join(word(p.get("text")) or f"[{word(p.get('type')) or 'block'}]" for p in parts)
