"""A server on this machine that speaks as three providers do: whole or streamed, slowly, or not to the end."""

import json
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from tests.agents.wire import FORMS, KINDS, Answer, Slow, parts, trouble

JSON = "application/json"


class Server(ThreadingHTTPServer):
    """Gives its answers one after the other, and keeps what it was asked."""

    daemon_threads = False

    def __init__(self, answers: Sequence[Answer | Slow], asked: list[dict[str, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.asked = asked
        self.closing = threading.Event()
        self.hung_up = threading.Event()
        """Set when a caller left in the middle of an answer."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle is nothing to report."""
        self.hung_up.set()


@contextmanager
def answering(answers: Sequence[Answer | Slow], asked: list[dict[str, Any]]) -> Generator[Server]:
    server = Server(answers, asked)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def _server(self) -> Server:
        return cast("Server", self.server)

    def do_POST(self) -> None:
        self.close_connection = True
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._server.asked.append(request)
        given = self._server.answers[len(self._server.asked) - 1]
        slow = given if isinstance(given, Slow) else Slow(given)
        status, headers, body = slow.answer
        if status == 200 and request.get("stream"):
            self._stream(slow, body, request)
            return
        content = json.dumps(body).encode()
        self._begin(status, {**headers, "Content-Type": JSON, "Content-Length": str(len(content))})
        self.wfile.write(content)

    def _stream(self, slow: Slow, body: Mapping[str, Any], request: Mapping[str, Any]) -> None:
        kind = KINDS[self.path]
        self._begin(200, {"Content-Type": FORMS[kind], "Transfer-Encoding": "chunked"})
        for number, part in enumerate(parts(kind, body, request)):
            self._server.closing.wait(slow.pause)
            if number == slow.stall:
                self._server.closing.wait(600)
            if number in (slow.stall, slow.cut):
                return  # in the middle of the body: the connection breaks
            if number == slow.short:
                break
            self._piece(trouble(kind) if number == slow.breaks else part)
            if number == slow.breaks:
                break
        self.wfile.write(b"0\r\n\r\n")

    def _piece(self, part: bytes) -> None:
        self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Say nothing."""
