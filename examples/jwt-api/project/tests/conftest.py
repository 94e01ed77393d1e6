"""A client that speaks to the application through WSGI, as a server would."""

import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from wsgiref.util import setup_testing_defaults

import pytest

from notes_api.app import App
from notes_api.config import Config
from notes_api.store import NoteStore

NOW = datetime(2025, 3, 1, 9, 0, tzinfo=UTC)


class Answer(NamedTuple):
    status: int
    data: Any
    headers: dict[str, str]


class Client:
    """Sends requests to an application. `now` is what the application's clock shows."""

    def __init__(self, folder: Path) -> None:
        self.now = NOW
        config = Config(file=folder / "notes.json", max_body=1000)
        self.app = App(NoteStore(config.file), config, lambda: self.now)

    def send(self, method: str, path: str, data: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        raw = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
        environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "CONTENT_LENGTH": str(len(raw))}
        environ |= {"wsgi.input": io.BytesIO(raw), "CONTENT_TYPE": "application/json"}
        for name, value in (headers or {}).items():
            key = name.upper().replace("-", "_")
            environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        setup_testing_defaults(environ)
        started: list[Any] = []
        body = b"".join(self.app(environ, lambda *parts: started.extend(parts)))
        return Answer(int(started[0][:3]), json.loads(body) if body else None, dict(started[1]))


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path)
