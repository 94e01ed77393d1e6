"""A cancelled attempt lets go of its provider at once: the other end sees the connection close."""

import asyncio
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stretto.agents.choose import parse_runner
from stretto.agents.runner import Surroundings
from tests.agents.test_providers import ADDRESS, PATHS, brief_in, execute, provider

__all__ = ["provider"]  # a fixture
PATIENCE_SECONDS = 30.0


class Silent:
    """A provider that takes one request and never answers; it notices when the caller hangs up."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.left = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(PATIENCE_SECONDS)
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def serve(self) -> None:
        with self._listening, self._listening.accept()[0] as caller:
            caller.settimeout(PATIENCE_SECONDS)
            caller.recv(65536)
            self.asked.set()
            while caller.recv(65536):
                pass
            self.left.set()


@contextmanager
def silent() -> Generator[Silent]:
    server = Silent()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        thread.join()


def test_a_cancelled_attempt_closes_its_connection(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(server: Silent) -> None:
        runner = parse_runner(f"model:{provider}/m", project=tmp_path, execute=execute)
        attempt = asyncio.ensure_future(runner.run(brief_in(tmp_path), Surroundings()))
        assert await asyncio.to_thread(server.asked.wait, PATIENCE_SECONDS)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        assert await asyncio.to_thread(server.left.wait, PATIENCE_SECONDS / 2)

    with silent() as server:
        monkeypatch.setenv(ADDRESS[provider], server.address + PATHS[provider])
        asyncio.run(main(server))
