"""From rows to what was said in which conversation: the main one, or that of a subagent.

A subagent's rows stand in a file of their own, between those of the main conversation, or inside of `progress` rows,
and name their conversation by the call that began it, by an agent's id, or by nothing but a chain of parents.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from stretto.agents.session_rows import Facts, Tally, facts, items, rows, word

AGENTS = frozenset({"Task", "Agent"})
"""The tools that begin a subagent."""
_KNOWN = frozenset({"user", "assistant"})
_SILENT = frozenset(
    {
        *("queue-operation", "last-prompt", "tools-used", "cost-state", "api-request", "api-request-shape"),
        *("api-request-blob", "atis-latch", "summary", "file-history-snapshot", "permission-mode", "tag", "attachment"),
        *("result", "rate_limit_event", "progress", "system", "stream_event", "custom-title", "ai-title", "agent-name"),
    }
)
"""Types of rows that hold no turn."""
Key = tuple[str, str]
"""Of a conversation: `main`, `tool`, `agent` or `chain`, and an id."""


class Said(NamedTuple):
    """One row of a conversation. `result` is what the client told of a tool's result beside the model's words."""

    kind: str
    key: Key
    message: Facts
    result: Facts
    row: Facts


class Heard:
    """What was said, in the order of the files, and what is known of the agents that said it."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.rows = 0
        self.said: list[Said] = []
        self.versions: set[str] = set()
        self.folders: dict[str, None] = {}
        self.began = ""
        self.calls_of_agents: dict[str, str] = {}
        self.kinds: dict[Key, str] = {}
        self.counts: dict[str, Facts] = {}
        self._uuids: set[str] = set()
        self._roots: dict[str, str] = {}
        self._messages: dict[str, str] = {}
        self._message = ""

    def read(self, path: Path) -> None:
        """Take a file."""
        agent = path.stem.removeprefix("agent-") if path.stem.startswith("agent-") else ""
        if agent:
            self._meta(agent, path.with_name(f"{path.stem}.meta.json"))
        self.take(rows(path, self.tally), agent)

    def _meta(self, agent: str, path: Path) -> None:
        if not path.is_file():
            return
        for row in rows(path, Tally()):
            if call := word(row.get("toolUseId")):
                self.calls_of_agents[agent] = call
            self.kinds["agent", agent] = word(row.get("agentType"))

    def take(self, found: Iterable[Facts], agent: str = "") -> None:
        """Take rows; `agent` is whose they are where they do not say."""
        for row in found:
            self.rows += 1
            self._general(row)
            self._chained(row)
            for said in self._said(row, agent):
                self.said.append(said)

    def _general(self, row: Facts) -> None:
        for name in ("version", "claude_code_version"):
            if version := word(row.get(name)):
                self.versions.add(version[:40])
        if (folder := word(row.get("cwd"))) and "\0" not in folder:  # else it is the name of no folder
            self.folders.setdefault(folder[:1000])
        self.began = self.began or word(row.get("timestamp"))[:40]

    def _said(self, row: Facts, agent: str) -> Iterator[Said]:
        kind = word(row.get("type"))
        if kind == "progress" and facts(row.get("data")).get("type") == "agent_progress":
            yield from self._inner(row)
        elif kind == "stream_event":
            self._streamed(facts(row.get("event")))
        elif kind == "system":
            self._system(row)
        elif kind in _KNOWN:
            yield from self._message_of(kind, row, self._key(row, agent))
        elif kind not in _SILENT:
            self.tally.skip(f"row of the type {kind!r}" if kind else "row without a type")

    def _inner(self, row: Facts) -> Iterator[Said]:
        """An agent's row that an older client wrote inside of a progress row."""
        data = facts(row.get("data"))
        inner = facts(data.get("message"))
        call, agent = word(row.get("parentToolUseID")), word(data.get("agentId"))
        kind = word(inner.get("type"))
        if kind in _KNOWN and (call or agent):
            yield from self._message_of(kind, inner, ("tool", call) if call else ("agent", agent))
        else:
            self.tally.skip("progress of an agent, of another shape")

    def _system(self, row: Facts) -> None:
        agent, call = word(row.get("task_id")), word(row.get("tool_use_id"))
        if agent and call:
            self.calls_of_agents.setdefault(agent, call)

    def _streamed(self, event: Facts) -> None:
        """A message begins, and gets its last count when it is complete."""
        if event.get("type") == "message_start":
            self._message = word(facts(event.get("message")).get("id"))
        if event.get("type") == "message_delta" and self._message:
            self.counts.setdefault(self._message, {}).update(facts(event.get("usage")))

    def _message_of(self, kind: str, row: Facts, key: Key) -> Iterator[Said]:
        uuid = word(row.get("uuid"))
        if uuid and uuid in self._uuids:
            self.tally.skip("row that was there before")
            return
        message = facts(row.get("message"))
        if not isinstance(message.get("content"), str | list):
            self.tally.skip(f"{kind} row without content")
            return
        self._uuids.add(uuid)
        if row.get("isMeta") is True or row.get("isCompactSummary") is True or row.get("isApiErrorMessage") is True:
            self.tally.skip("row of the client's own words")
            return
        result = facts(row.get("toolUseResult")) or facts(row.get("tool_use_result"))
        if agent := word(result.get("agentId")):
            for block in items(message.get("content")):
                if call := word(facts(block).get("tool_use_id")):
                    self.calls_of_agents.setdefault(agent, call)
        if named := word(row.get("subagent_type")):
            self.kinds.setdefault(key, named)
        yield Said(kind, key, message, result, row)

    def _key(self, row: Facts, agent: str) -> Key:
        if call := word(row.get("parent_tool_use_id")):
            return "tool", call
        if row.get("isSidechain") is True or agent:
            if name := word(row.get("agentId")) or agent:
                return "agent", name
            return "chain", self._chain(row)
        return "main", word(row.get("sessionId")) or word(row.get("session_id"))

    def _chained(self, row: Facts) -> None:
        """A row of any type may stand between the rows of a chain, and be the parent of one."""
        uuid, root = word(row.get("uuid")), self._roots.get(word(row.get("parentUuid")))
        if uuid and root and word(row.get("type")) not in _KNOWN:
            self._roots.setdefault(uuid, root)

    def _chain(self, row: Facts) -> str:
        """The chain of a row: its parent's, else that of its message, whose rows are of one conversation."""
        uuid, message = word(row.get("uuid")), word(facts(row.get("message")).get("id"))
        root = self._roots.get(word(row.get("parentUuid"))) or self._messages.get(message) or uuid
        if message:
            self._messages.setdefault(message, root)
        return self._roots.setdefault(uuid, root)
