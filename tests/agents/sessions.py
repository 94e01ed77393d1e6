"""Synthetic recordings of Claude Code's, in the shapes that its versions write."""

from typing import Any

Row = dict[str, Any]
CWD = "/home/ada/notes"
KEY = "sk-ant-" + "k" * 30


class Session:
    """Rows of one session, chained; `side` makes those of a subagent."""

    def __init__(self, version: str = "2.1.330", session: str = "s1") -> None:
        self.version, self.session = version, session
        self.rows: list[Row] = []

    def row(self, kind: str, **more: Any) -> Row:
        uuid = f"{self.session}-{len(self.rows)}"
        parent = self.rows[-1]["uuid"] if self.rows else None
        made = {"type": kind, "uuid": uuid, "parentUuid": parent, "isSidechain": False, "sessionId": self.session}
        made |= {"version": self.version, "cwd": CWD, "timestamp": "2026-01-02T03:04:05.678Z", **more}
        self.rows.append(made)
        return made

    def human(self, text: Any, **more: Any) -> Row:
        return self.row("user", message={"role": "user", "content": text}, **more)

    def model(self, message: str, *blocks: Row, wrote: int = 5, **more: Any) -> Row:
        """One block a row, as the client writes them, each with the usage of the whole message."""
        usage = {"input_tokens": 3, "cache_read_input_tokens": 10, "cache_creation_input_tokens": 7}
        for block in blocks:
            body = {"id": message, "role": "assistant", "model": "claude-x", "content": [block], "stop_reason": None}
            self.row("assistant", message={**body, "usage": {**usage, "output_tokens": wrote}}, **more)
        return self.rows[-1]

    def result(self, call: str, text: Any, told: Any = None, *, error: bool = False, **more: Any) -> Row:
        block = {"type": "tool_result", "tool_use_id": call, "content": text, "is_error": error}
        more |= {} if told is None else {"toolUseResult": told}
        return self.row("user", message={"role": "user", "content": [block]}, **more)


def text(words: str) -> Row:
    return {"type": "text", "text": words}


def call(name: str, tool: str, **args: Any) -> Row:
    return {"type": "tool_use", "id": name, "name": tool, "input": args}


def work() -> Session:
    """Reads, edits, writes, a shell and the web; a secret, and what nobody knows."""
    s = Session()
    s.row("queue-operation")
    s.human("Add a greeting")
    s.human("be careful", isMeta=True)
    s.model(
        "m1", {"type": "thinking", "thinking": "hm"}, text("I read it."), call("c1", "Read", file_path=f"{CWD}/a.py")
    )
    file = {"filePath": f"{CWD}/a.py", "content": "one\ntwo\n", "startLine": 1, "numLines": 3, "totalLines": 3}
    s.result("c1", "1\tone", {"type": "text", "file": file})
    s.model(
        "m2",
        call("c2", "Edit", file_path=f"{CWD}/a.py", old_string="two", new_string=f"root = '{CWD}'"),
        call("c3", "Write", file_path=f"{CWD}/new/b.py", content=f"KEY = '{KEY}'\n"),
        call("c4", "Bash", command=f"cat {CWD}/a.py /home/ada/.netrc"),
        call("c5", "WebFetch", url="https://example.org"),
    )
    s.result("c3", "File created", {"type": "create", "filePath": f"{CWD}/new/b.py"})
    s.result("c2", "updated", {"filePath": f"{CWD}/a.py", "originalFile": "one\ntwo\n"})
    s.result("c4", [{"type": "text", "text": f"Authorization: {KEY}"}])
    s.result("c5", "a page")
    edits = [
        {"old_string": "one", "new_string": "1"},
        {"old_string": "root", "new_string": "ROOT", "replace_all": True},
    ]
    s.model("m3", call("c6", "MultiEdit", file_path="a.py", edits=edits), {"type": "hologram"})
    s.result("c6", "ok")
    s.row("telepathy")
    s.model("m4", text("Done."))
    return s


def rows_with_agent(form: str) -> tuple[list[Row], list[Row]]:
    """A session that begins a subagent, and the rows of the subagent's own file, if that is the form."""
    s = Session("1.0.60" if form == "inline" else "2.1.38" if form == "progress" else "2.1.330")
    s.human("Look around")
    s.model("m1", call("t1", "Task", subagent_type="Explore", prompt="How many?", description="Count"))
    side = Session(s.version, "side")
    side.human("How many?")
    side.model("a1", call("c9", "Grep", pattern="x"))
    side.result("c9", "3 lines")
    side.model("a2", text("Three."))
    own: list[Row] = []
    if form == "inline":
        s.rows += [{**row, "isSidechain": True, "sessionId": "s1"} for row in side.rows]
    if form == "progress":
        for row in side.rows:
            inner = {k: row[k] for k in ("type", "message", "uuid", "timestamp")}
            s.row("progress", data={"type": "agent_progress", "message": inner}, parentToolUseID="t1")
    if form == "file":
        own = [{**row, "isSidechain": True, "agentId": "abc", "sessionId": "s1"} for row in side.rows]
    s.result("t1", [text("Three.")], {"status": "completed", "agentId": "abc"} if form == "file" else None)
    s.model("m2", text("There are three."))
    return s.rows, own


def stream() -> list[Row]:
    """stream-json, with partial messages and a subagent."""

    def said(kind: str, message: Row, parent: str | None = None) -> Row:
        return {"type": kind, "message": message, "parent_tool_use_id": parent, "session_id": "s1"}

    def asks(name: str, block: Row, parent: str | None = None) -> Row:
        usage = {"input_tokens": 2, "output_tokens": 1}
        return said("assistant", {"id": name, "model": "claude-x", "content": [block], "usage": usage}, parent)

    def answers(name: str, words: str, parent: str | None = None) -> Row:
        return said("user", {"content": [{"type": "tool_result", "tool_use_id": name, "content": words}]}, parent)

    return [
        {"type": "system", "subtype": "init", "cwd": CWD, "model": "claude-x", "claude_code_version": "2.1.224"},
        {"type": "stream_event", "event": {"type": "message_start", "message": {"id": "m1", "usage": {}}}},
        asks("m1", call("t1", "Agent", subagent_type="Explore", prompt="How many?")),
        {"type": "stream_event", "event": {"type": "message_delta", "usage": {"output_tokens": 40}}},
        {"type": "system", "subtype": "task_started", "task_id": "abc", "tool_use_id": "t1"},
        {"type": "rate_limit_event"},
        asks("a1", call("c1", "Bash", command="wc"), "t1"),
        answers("c1", "3", "t1"),
        answers("t1", "Three."),
        asks("m2", text("Three lines.")),
        {"type": "result", "subtype": "success", "result": "Three lines.", "usage": {"output_tokens": 41}},
    ]
