"""What the tests with the real client rely on: that the script is kept to, and that nothing is left running."""

import http.client
import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.client.api import UNEXPECTED, Api
from tests.client.claude import MARK, Claude
from tests.client.reply import OVERLOADED, Reply, say, text, use


def ask(api: Api, *messages: Any, stream: bool = False) -> tuple[int, bytes]:
    """One request, as a client would send it."""
    connection = http.client.HTTPConnection(api.url.removeprefix("http://"), timeout=10)
    body = {"model": "m", "messages": [{"role": "user", "content": m} for m in messages], "stream": stream}
    try:
        connection.request("POST", "/v1/messages?beta=true", json.dumps(body))
        response = connection.getresponse()
        try:
            return response.status, response.read()
        except http.client.IncompleteRead as error:
            return response.status, error.partial
    finally:
        connection.close()


def test_a_request_that_the_script_does_not_know_fails_the_test() -> None:
    with Api() as api:
        api.on(lambda r: "Hello" in r.first, say("Hello."), times=1)
        assert b"Hello." in ask(api, "Hello")[1]
        api.check()
        assert UNEXPECTED.encode() in ask(api, "Hello")[1]

    with pytest.raises(AssertionError, match="no rule fits"):
        api.check()


def test_a_rule_that_breaks_fails_the_test_and_not_the_server() -> None:
    with Api() as api:
        api.on(lambda r: bool(r.messages[7]), say("never"))
        assert ask(api, "Hello")[0] == 400

    with pytest.raises(AssertionError, match="IndexError"):
        api.check()


def test_an_answer_is_made_from_the_request_and_streams_may_be_cut() -> None:
    with Api() as api:
        api.on(lambda r: "order" in r.first, lambda r: use("Bash", command=f"brief {r.first.split()[-1]}"))
        api.on(lambda r: "cut" in r.first, Reply([text("half of it")], cut=3))
        api.on(lambda r: "busy" in r.first, OVERLOADED)
        whole, half = ask(api, "order w/T1#1", stream=True)[1], ask(api, "cut", stream=True)[1]
        assert ask(api, "busy")[0] == 529
        api.check()

    assert b"brief w/T1#1" in whole
    assert b"message_stop" in whole
    assert b"half of it" in half
    assert b"message_stop" not in half


def test_a_stalled_stream_does_not_hold_up_the_end() -> None:
    began = time.monotonic()
    with Api() as api:
        api.on(lambda r: True, Reply([text("…")], stall=1))
        connection = http.client.HTTPConnection(api.url.removeprefix("http://"), timeout=10)
        connection.request("POST", "/v1/messages", json.dumps({"messages": [], "stream": True}))
        api.until(lambda r: r.turn == 0)
    connection.close()
    assert time.monotonic() - began < 5


def test_a_process_that_is_left_behind_fails_the_test_and_is_killed(tmp_path: Path) -> None:
    with Api() as api:
        claude = Claude(tmp_path / "user", api, client=Path("/bin/true"))
        with subprocess.Popen(["/bin/sleep", "60"], env={MARK: claude.mark}) as process:
            while not claude.processes():
                time.sleep(0.01)
            assert claude.end(0.1) == {process.pid: "/bin/sleep 60 "}
            assert process.wait() == -signal.SIGKILL


@pytest.mark.client
@pytest.mark.slow
def test_a_client_killed_in_the_middle_of_an_answer_leaves_nothing(claude: Claude, api: Api) -> None:
    api.on(lambda r: r.turn == 0, use("Bash", command="sleep 45"))
    running = claude.start("Wait a little", "--allowedTools", "Bash")
    running.until(lambda e: e["type"] == "assistant")

    session = running.kill()

    assert session.code == -signal.SIGKILL
    assert not session.results
    # Its Bash tool runs in a session of its own, which no signal to the group reaches.
    assert all("sleep 45" in line for line in claude.end(0.5).values())
