"""Recordings of Claude Code's in every shape that is known, from a seed, and what an import of them must find.

Versions from 1.0 to 2.1.330, session files and stream-json: parallel calls, results of every sort, usage that grows
from row to row of a message, thoughts, server tools, meta rows, compaction, subagents in four forms between the rows of
the main one, sessions that go on under another id, types that nobody knows, lines that are torn, binary or long.
"""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

from tests.agents.sessions import CWD, Row, text

VERSIONS = ("1.0.0", "1.0.24", "1.0.60", "2.0.14", "2.1.4", "2.1.38", "2.1.197", "2.1.224", "2.1.330")
SILENT: tuple[Row, ...] = (
    {"type": "summary", "summary": "a title", "leafUuid": "x"},
    {"type": "file-history-snapshot", "messageId": "m", "snapshot": {"trackedFileBackups": {}}},
    {"type": "queue-operation", "operation": "enqueue", "content": "later"},
    {"type": "attachment", "attachment": {"type": "environment", "content": "/home/ada/secret"}},
    {"type": "system", "subtype": "compact_boundary", "compactMetadata": {"trigger": "auto", "preTokens": 9}},
    {"type": "system", "subtype": "stop_hook_summary", "hookCount": 1},
    {"type": "cost-state", "totalCostUSD": 0.1, "modelUsage": {"claude-x": {"outputTokens": 99}}},
    {"type": "api-request-blob", "body": {"messages": [{"role": "user", "content": "all of it"}]}},
    {"type": "rate_limit_event", "rate_limit_info": {"status": "allowed"}},
    {"type": "progress", "data": {"type": "hook_progress", "hookEvent": "PreToolUse"}, "parentToolUseID": "x"},
    {"type": "result", "subtype": "success", "usage": {"input_tokens": 5000, "output_tokens": 5000}, "result": "said"},
)
UNKNOWN_ROWS = ("telepathy", "mood", "quantum-state", "user ")
UNKNOWN_BLOCKS = ("hologram", "server_tool_use", "web_search_tool_result", "mcp_tool_use", "container_upload")
TORN = (b"{torn", b'{"type": "user", "message": {"content": "cut of', b"\x00\x00\x00", b"\xff\xfe\x80", b"<<<<<<< HEAD")
NO_OBJECTS = (b"null", b"42", b'"words"', b"[1, 2]")
USAGE = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class Wild:
    """A recording in the making. `tokens` is what each message used, by its id; `odd` how often what stood in it."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.version = self.draw.choice(VERSIONS)
        self.stream = self.draw.random() < 0.3
        self.tokens: dict[str, tuple[int, int]] = {}
        self.odd: Counter[str] = Counter()
        self.ids = 0
        self.files: dict[str, list[Row | bytes]] = {}
        self.metas: dict[str, Row] = {}
        rows = self.conversation(f"s{seed % 7}", depth=0)
        if not self.stream and self.draw.random() < 0.2:
            rows = self.resumed(rows)
            # What a copied row holds is counted twice, or not, as its uuid is: no longer to be foretold.
            self.odd = Counter(
                {what: n for what, n in self.odd.items() if not what.startswith(("block", "row of the c"))}
            )
        self.files["s.jsonl"] = self.noisy(rows)

    def id(self, kind: str) -> str:
        self.ids += 1
        return f"{kind}{self.ids:05}"

    def row(self, kind: str, session: str, message: Row, **more: Any) -> Row:
        if self.stream:
            said = {"type": kind, "message": message, "session_id": session, "parent_tool_use_id": None, **more}
            return said if self.draw.random() < 0.5 else {**said, "uuid": self.id("u")}
        facts = {"uuid": self.id("u"), "parentUuid": None, "isSidechain": False, "sessionId": session, "cwd": CWD}
        return {"type": kind, "message": message, **facts, "version": self.version, "userType": "external", **more}

    def conversation(self, session: str, depth: int, **whose: Any) -> list[Row]:
        """What people and the model said, the rows of subagents between them where they stand there."""
        first = self.human()
        rows = [self.row("user", session, {"role": "user", "content": first}, **whose)]
        for _ in range(self.draw.randint(1, 5)):
            found, calls = self.message(session, depth, **whose)
            rows += found
            for name in self.draw.sample(calls, len(calls)):
                if self.draw.random() < 0.9:
                    rows.append(self.result(session, name, **whose))
            if self.draw.random() < 0.3:
                rows.append(self.row("user", session, {"role": "user", "content": self.human()}, **whose))
            if self.draw.random() < 0.15 and not self.stream:
                own = {"isMeta": True} if self.draw.random() < 0.5 else {"isCompactSummary": True}
                rows.append(self.row("user", session, {"role": "user", "content": "the client's"}, **whose, **own))
                self.odd["row of the client's own words"] += 1
        return rows

    def human(self) -> Any:
        if self.draw.random() < 0.6:
            return self.draw.choice(("Do it", "<command-name>/x</command-name>", "ü\u2028\u0000 ", "a" * 30_000))
        blocks: list[Row] = [text("Look")]
        if self.draw.random() < 0.4:
            blocks.append({"type": "image", "source": {"type": "base64", "data": "AAAA"}})
            self.odd["block of the type 'image'"] += 1
        return blocks

    def message(self, session: str, depth: int, **whose: Any) -> tuple[list[Row], list[str]]:
        """A message in one row or several, each with its usage as it was known then."""
        name, calls, side = self.id("msg"), list[str](), list[Row]()
        blocks = [self.block(calls, depth, side, session) for _ in range(self.draw.randint(1, 5))]
        cuts = [blocks] if self.draw.random() < 0.4 else [[block] for block in blocks]
        whole = {key: self.draw.randint(0, 500) for key in USAGE}
        wrote, rows = self.draw.randint(len(cuts), 900), list[Row]()
        for n, part in enumerate(cuts, 1):
            grown = wrote if n == len(cuts) or self.draw.random() < 0.5 else n
            usage = {**whole, "output_tokens": grown, "service_tier": "standard", "server_tool_use": {"x": 0}}
            body = {"id": name, "type": "message", "role": "assistant", "model": "claude-x", "content": part}
            rows.append(self.row("assistant", session, {**body, "stop_reason": None, "usage": usage}, **whose))
        if self.draw.random() < 0.1:
            rows.insert(self.draw.randint(0, len(rows)), rows[-1] | self.again())
        self.tokens[name] = sum(whole.values()), wrote
        return self.between(rows, side), calls

    def again(self) -> Row:
        """The same row once more: with its uuid it was there before, with another its calls and usage were."""
        return {"uuid": self.id("u")} if self.draw.random() < 0.5 else {}

    def block(self, calls: list[str], depth: int, side: list[Row], session: str) -> Row:
        kind = self.draw.choice(("text", "text", "thinking", "tool", "tool", "tool", "agent", "unknown"))
        if kind == "text":
            return text(self.draw.choice(("I see.", "", "\U0001f600 <cwd> é", "```\n" * 50)))
        if kind == "thinking":
            return self.draw.choice(
                ({"type": "thinking", "thinking": "hm", "signature": "x"}, {"type": "redacted_thinking", "data": "x"})
            )
        if kind == "unknown":
            return {"type": self.draw.choice(UNKNOWN_BLOCKS), "id": self.id("srv"), "name": "web_search", "input": {}}
        name = self.id("call")
        calls.append(name)
        if kind == "agent" and depth < 2:
            return self.agent(name, depth, side, session)
        tool, given = self.draw.choice(TOOLS)
        return {"type": "tool_use", "id": name, "name": tool, "input": given}

    def agent(self, call: str, depth: int, side: list[Row], session: str) -> Row:
        """A call that begins a subagent, whose rows stand in one of the places in which versions put them."""
        tool = self.draw.choice(("Task", "Agent"))
        form = "stream" if self.stream else self.draw.choice(("inline", "progress", "file", "named", "none"))
        args = {"subagent_type": "Explore", "prompt": f"Count {call}", "description": "Count"}
        agent = self.id("agent")
        if form == "stream":
            side += self.conversation(session, depth + 1, parent_tool_use_id=call)
        if form in ("inline", "named"):
            known = {"agentId": agent} if form == "named" else {}
            rows = self.conversation(session, depth + 1, isSidechain=True, **known)
            for one, before in zip(rows[1:], rows, strict=False):
                if one["type"] != "progress":
                    one["parentUuid"] = one["parentUuid"] or before["uuid"]
            side += rows
        if form == "progress":
            for one in self.conversation(session, 2):
                inner = {key: one[key] for key in ("type", "message", "uuid")} | self.own(one)
                more = {"data": {"type": "agent_progress", "message": inner, "agentId": agent}}
                side.append({"type": "progress", "parentToolUseID": call, "uuid": self.id("u"), **more})
        if form == "file":
            rows = self.conversation(session, 2, isSidechain=True, agentId=agent)
            self.files[f"s/subagents/agent-{agent}.jsonl"] = self.noisy(rows)
            self.metas[f"s/subagents/agent-{agent}.meta.json"] = {"agentType": "Explore", "toolUseId": call}
        return {"type": "tool_use", "id": call, "name": tool, "input": args}

    def own(self, row: Row) -> Row:
        return {key: row[key] for key in ("isMeta", "isCompactSummary") if key in row}

    def between(self, rows: list[Row], side: list[Row]) -> list[Row]:
        """Rows of a subagent among those of the message that began it and what follows, its own order kept."""
        merged = list(rows)
        at = len(rows)
        for one in reversed(side):
            at = self.draw.randint(1, at)
            merged.insert(at, one)
        return merged

    def result(self, session: str, call: str, **whose: Any) -> Row:
        content = self.draw.choice(
            (
                "ok",
                "",
                None,
                [text("a"), text("b")],
                [{"type": "image", "source": {"data": "AAAA"}}, 7, None],
                [{"type": "tool_reference", "tool_name": "x"}],
                "x" * 40_000,
                {"odd": True},
            )
        )
        block: Row = {"type": "tool_result", "tool_use_id": call}
        block |= {} if content is None else {"content": content}
        block |= self.draw.choice(({}, {"is_error": True}, {"is_error": False}, {"is_error": None}))
        told = self.draw.choice(
            (None, "Error: no", {"stdout": "x"}, [text("a")], {"type": "text", "file": {"filePath": 3}}, {"agentId": 5})
        )
        name = "tool_use_result" if self.stream else "toolUseResult"
        more = {} if told is None else {name: told}
        return self.row("user", session, {"role": "user", "content": [block]}, **whose, **more)

    def resumed(self, rows: list[Row]) -> list[Row]:
        """The session goes on under another id, all that was said copied; older clients gave rows new uuids, too."""
        fresh = self.draw.random() < 0.5
        copies: list[Row] = []
        for row in rows:
            copy = {**row, "sessionId": "resumed"}
            if fresh and "uuid" in copy and row["type"] != "progress" and not row.get("isSidechain"):
                copy["uuid"] = self.id("u")
            copies.append(copy)
        return [*rows, *copies, *self.conversation("resumed", 2)]

    def noisy(self, rows: list[Row]) -> "list[Row | bytes]":
        """With what stands between the rows of real files."""
        found: list[Row | bytes] = [*rows]
        for _ in range(self.draw.randint(0, 8)):
            at = self.draw.randint(0, len(found))
            match self.draw.randint(0, 4):
                case 0:
                    kind = self.draw.choice(UNKNOWN_ROWS)
                    found.insert(at, {"type": kind, "message": {"content": "?"}, "uuid": self.id("u")})
                    self.odd[f"row of the type {kind!r}"] += 1
                case 1:
                    found.insert(at, self.draw.choice(TORN))
                    self.odd["line that is not JSON"] += 1
                case 2:
                    found.insert(at, self.draw.choice(NO_OBJECTS))
                    self.odd["row that is no object"] += 1
                case 3:
                    found.insert(at, {"type": "attachment", "attachment": {"content": "y" * 300_000}})
                case _:
                    found.insert(at, {**self.draw.choice(SILENT), "version": self.version})
        return found

    def write(self, folder: Path) -> Path:
        """The files, in one of the ways in which programs end lines; the session's own is returned."""
        for name, meta in self.metas.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(json.dumps(meta), "utf-8")
        for name, rows in self.files.items():
            end = self.draw.choice((b"\n", b"\n", b"\r\n", b"\n\n"))
            escaped = self.draw.random() < 0.5
            lines = [r if isinstance(r, bytes) else json.dumps(r, ensure_ascii=escaped).encode() for r in rows]
            data = self.draw.choice((b"", b"", b"\xef\xbb\xbf")) + end.join(lines) + self.draw.choice((b"", end))
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return folder / "s.jsonl"


TOOLS: tuple[tuple[str, Any], ...] = (
    ("Read", {"file_path": f"{CWD}/a.py"}),
    ("Write", {"file_path": f"{CWD}/new.py", "content": "x = 1\n"}),
    ("Write", {"file_path": f"{CWD}/deep/new.py", "content": "é\r\n"}),
    ("Write", {"file_path": "/etc/passwd", "content": "x"}),
    ("Edit", {"file_path": f"{CWD}/new.py", "old_string": "x", "new_string": "y"}),
    ("MultiEdit", {"file_path": f"{CWD}/new.py", "edits": [{"old_string": "", "new_string": "z"}, None]}),
    ("NotebookEdit", {"notebook_path": f"{CWD}/n.ipynb", "new_source": "1"}),
    ("Bash", {"command": "rm -rf /", "run_in_background": True}),
    ("WebFetch", {"url": "https://example.org"}),
    ("mcp__plugin_x__y", {"a": {"b": [1, None, "c"]}}),
    ("TodoWrite", {"todos": []}),
    ("Skill", "not an object"),
    ("KillShell", None),
    ("ExitPlanMode", []),
)
