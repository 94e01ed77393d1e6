"""A scripted Messages API on the loopback: the model of the tests that run the real client.

    with Api() as api:
        api.on(lambda r: "T1" in r.first, use("Bash", command="make"), times=1)
        api.on(lambda r: "make" in r.last, lambda r: say(re.findall(r"ORDER (\\S+)", r.text)[0]))
        api.talk(lambda r: "T2" in r.first, use("Read", file_path="/a"), say("read"))
        ...  # the client, with ANTHROPIC_BASE_URL=api.url
        api.check()

The first rule that fits a request, and is not used up, answers it. Every request is kept. One that no rule fits gets a
text, and `check` fails.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, cast

from tests.client.reply import Answer, Failure, Reply, events, message, say
from tests.client.request import Request

Predicate = Callable[[Request], bool]
Answering = Answer | Callable[[Request], Answer]
UNEXPECTED = "No rule of the script fits this request."


@dataclass
class _Rule:
    when: Predicate
    answer: Answering
    times: int | None
    used: int = 0


class Api:
    """The server and its script. A context manager; requests are answered at once, each on a thread of its own."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.unexpected: list[Request] = []
        self.others: list[str] = []
        """Whatever else was asked for: method and path."""
        self.closing = threading.Event()
        self._rules: list[_Rule] = []
        self._problems: list[str] = []
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def on(self, when: Predicate, answer: Answering, *, times: int | None = None) -> None:
        """Answer so when `when` holds, `times` times at most.

        An answer may be made from the request; making it may wait for other requests, which are answered meanwhile.
        """
        self._rules.append(_Rule(when, answer, times))

    def talk(self, when: Predicate, *answers: Answering) -> None:
        """Answer the first request of each conversation for which `when` holds with the first, and so on.

        Conversations may run side by side, and one that is asked again after an error gets the same answer.
        """

        def nth(turn: int) -> Predicate:
            return lambda r: r.turn == turn and when(r)

        for turn, answer in enumerate(answers):
            self.on(nth(turn), answer)

    def until(self, when: Predicate, seconds: float = 30) -> Request:
        """Wait for a request; the first for which `when` holds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := next((r for r in list(self.requests) if when(r)), None):
                return found
            time.sleep(0.01)
        raise AssertionError(f"no such request within {seconds:g} s; {len(self.requests)} others came")

    def check(self) -> None:
        """Fail if a request came that no rule fits, or a rule broke."""
        assert not self._problems, "\n".join(self._problems)
        asked = [f"turn {r.turn} of {r.first[:300]!r}; last {r.last[-1500:]!r}" for r in self.unexpected]
        assert not asked, "no rule fits:\n" + "\n".join(asked)

    def answer(self, request: Request) -> Answer:
        """Keep the request, and find its answer."""
        try:
            answer = self._choose(request)
            return answer(request) if callable(answer) else answer
        except Exception as error:  # noqa: BLE001 - a script that breaks must not look like a server that does
            self._problems.append(f"a rule broke: {type(error).__name__}: {error}")
            return Failure(400, "invalid_request_error", "the script broke")

    def _choose(self, request: Request) -> Answering:
        with self._lock:
            self.requests.append(request)
            rule = next((r for r in self._rules if r.used != r.times and r.when(request)), None)
            if rule is None:
                self.unexpected.append(request)
                return say(UNEXPECTED)
            rule.used += 1
            return rule.answer


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close waits for them

    def __init__(self, api: Api) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.api = api

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed in the middle is nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    @property
    def _api(self) -> Api:
        return cast("_Server", self.server).api

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._other()

    def do_GET(self) -> None:
        self._other()

    def do_POST(self) -> None:
        path = self.path.partition("?")[0]
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        if path != "/v1/messages":
            self._other(input_tokens=len(json.dumps(body)) // 4)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(body, headers, time.monotonic())
        answer = self._api.answer(request)
        self._api.closing.wait(answer.delay)
        if isinstance(answer, Failure):
            error = {"type": "error", "error": {"type": answer.kind, "message": answer.message}}
            self._send(answer.status, error, answer.headers)
        elif body.get("stream"):
            self._stream(answer, request)
        else:
            self._whole(answer, request)

    def _whole(self, answer: Reply, request: Request) -> None:
        """All at once; one that stalls or is cut stops in the middle of its body."""
        content = json.dumps(message(answer, request)).encode()
        broken = answer.stall is not None or answer.cut is not None
        self._begin(200, {"content-type": "application/json", "content-length": str(len(content))})
        self.wfile.write(content[: len(content) // 2] if broken else content)
        if answer.stall is not None:
            self.wfile.flush()
            self._api.closing.wait(600)

    def _other(self, **more: Any) -> None:
        self._api.others.append(f"{self.command} {self.path}")
        self._send(200, {"data": [], "has_more": False, **more})

    def _send(self, status: int, data: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        content = json.dumps(data).encode()
        self._begin(
            status, {"content-type": "application/json", "content-length": str(len(content)), **(headers or {})}
        )
        if self.command != "HEAD":
            self.wfile.write(content)

    def _stream(self, answer: Reply, request: Request) -> None:
        self._begin(200, {"content-type": "text/event-stream", "cache-control": "no-cache"})
        for number, event in enumerate(events(message(answer, request))):
            if number == answer.stall:
                self._api.closing.wait(600)
            if number in (answer.stall, answer.cut):
                return
            self.wfile.write(event)

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        """One request, one connection: nothing is kept open that a test would have to wait for."""
        self.close_connection = True
        self.send_response(status)
        for name, value in {"connection": "close", "request-id": "req_scripted", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
