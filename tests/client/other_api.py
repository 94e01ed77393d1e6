"""A model for clients that speak OpenAI's or Gemini's API, on the loopback: it does what a page asks, once."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, cast

_LINE = re.compile(r"<stretto-line>\n(.*?)\n</stretto-line>", re.DOTALL)


class OtherApi:
    """The server. `lines` are those that it handed to Stretto's tool. A context manager."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.searched = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def call(self, tools: list[str], text: str) -> tuple[str, dict[str, str]] | None:
        """The tool that the model uses now, and its arguments; none when it is done."""
        found = _LINE.search(text)
        if found is None or self.lines:
            return None
        tool = next((name for name in tools if "stretto" in name and name.endswith("_run")), "")
        if tool:
            self.lines.append(found[1])
            return tool, {"line": found[1]}
        if "tool_search" in tools and not self.searched:
            self.searched = True
            return "tool_search", {"query": "select:mcp__stretto__run"}
        return None


def _handler(api: OtherApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing."""

        def do_GET(self) -> None:
            self._send("application/json", '{"data": []}')

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
            if "/models/" not in self.path:
                self._send("text/event-stream", _openai(api, body))
            elif "stream" in self.path:
                self._send("text/event-stream", f"data: {_gemini(api, body)}\r\n\r\n")
            else:
                self._send("application/json", _gemini(api, body))

        def _send(self, kind: str, text: str) -> None:
            content = text.encode()
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


def _openai(api: OtherApi, body: dict[str, Any]) -> str:
    tools = [tool["function"]["name"] for tool in body.get("tools", [])]
    users = [_flat(message["content"]) for message in body["messages"] if message["role"] == "user"]
    call = api.call(tools, "\n".join(users))
    delta: dict[str, Any] = {"role": "assistant", "content": "Done."}
    if call:
        function = {"name": call[0], "arguments": json.dumps(call[1])}
        one = {"index": 0, "id": f"call_{call[0]}", "type": "function", "function": function}
        delta = {"role": "assistant", "tool_calls": [one]}
    ends = "tool_calls" if call else "stop"
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    choices: list[dict[str, Any]] = [
        {"delta": delta, "finish_reason": None, "index": 0},
        {"delta": {}, "finish_reason": ends, "index": 0},
    ]
    chunks = [json.dumps({**head, "choices": [choice], "usage": usage}) for choice in choices]
    return "".join(f"data: {chunk}\n\n" for chunk in [*chunks, "[DONE]"])


def _gemini(api: OtherApi, body: dict[str, Any]) -> str:
    tools = [one["name"] for tool in body.get("tools", []) for one in tool.get("functionDeclarations", [])]
    parts = [part for content in body.get("contents", []) for part in content["parts"]]
    call = api.call(tools, "".join(part.get("text", "") for part in parts))
    part = {"functionCall": {"name": call[0], "args": call[1]}} if call else {"text": "Done."}
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    content = {"role": "model", "parts": [part]}
    answer = {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}], "usageMetadata": usage}
    return json.dumps(answer)


def _flat(content: object) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "")) for part in cast("list[dict[str, Any]]", content or []))
