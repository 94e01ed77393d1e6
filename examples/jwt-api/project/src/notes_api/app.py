"""The application: which path leads where, and what each one does."""

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict
from http import HTTPStatus
from typing import NamedTuple

from notes_api.clock import Clock, stamp, utc_now
from notes_api.config import Config
from notes_api.store import NoteNotFound, NoteStore
from notes_api.web import (
    Environ,
    HttpError,
    Request,
    Response,
    StartResponse,
    error_response,
    read_request,
    write_response,
)

Handler = Callable[..., Response]


class Route(NamedTuple):
    """A method and a path; the path's groups are handed to the handler as numbers."""

    method: str
    path: re.Pattern[str]
    handler: Handler


class App:
    """A WSGI application that serves the notes of one store."""

    def __init__(self, store: NoteStore, config: Config, clock: Clock = utc_now) -> None:
        self._store = store
        self._config = config
        self._clock = clock
        self._routes = [
            Route("GET", re.compile("/health"), self._health),
            Route("GET", re.compile("/notes"), self._list),
            Route("POST", re.compile("/notes"), self._add),
            Route("GET", re.compile("/notes/([0-9]{1,12})"), self._get),
            Route("PUT", re.compile("/notes/([0-9]{1,12})"), self._change),
            Route("DELETE", re.compile("/notes/([0-9]{1,12})"), self._remove),
        ]

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, as WSGI wants it."""
        try:
            response = self.handle(read_request(environ, self._config.max_body))
        except HttpError as error:
            response = error_response(error)
        return write_response(response, start_response)

    def handle(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            HttpError: The request is refused.
        """
        found = [(route, match) for route in self._routes if (match := route.path.fullmatch(request.path))]
        if not found:
            raise HttpError(HTTPStatus.NOT_FOUND, f"There is no path {request.path}.")
        for route, match in found:
            if route.method == request.method:
                return route.handler(request, *map(int, match.groups()))
        allowed = ", ".join(route.method for route, _ in found)
        raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, f"Use one of: {allowed}.", {"Allow": allowed})

    def _health(self, _: Request) -> Response:
        return Response(HTTPStatus.OK, {"status": "ok"})

    def _list(self, _: Request) -> Response:
        return Response(HTTPStatus.OK, {"notes": [asdict(note) for note in self._store.all()]})

    def _add(self, request: Request) -> Response:
        title, text = _note_fields(request)
        return Response(HTTPStatus.CREATED, asdict(self._store.add(title, text, self._now())))

    def _get(self, _: Request, note_id: int) -> Response:
        try:
            return Response(HTTPStatus.OK, asdict(self._store.get(note_id)))
        except NoteNotFound:
            raise _no_note(note_id) from None

    def _change(self, request: Request, note_id: int) -> Response:
        title, text = _note_fields(request)
        try:
            return Response(HTTPStatus.OK, asdict(self._store.change(note_id, title, text, self._now())))
        except NoteNotFound:
            raise _no_note(note_id) from None

    def _remove(self, _: Request, note_id: int) -> Response:
        try:
            self._store.remove(note_id)
        except NoteNotFound:
            raise _no_note(note_id) from None
        return Response(HTTPStatus.NO_CONTENT)

    def _now(self) -> str:
        return stamp(self._clock())


def _no_note(note_id: int) -> HttpError:
    return HttpError(HTTPStatus.NOT_FOUND, f"There is no note {note_id}.")


def _note_fields(request: Request) -> tuple[str, str]:
    data = request.json()
    for name in ("title", "text"):
        if not isinstance(data.get(name), str) or not data[name].strip():
            raise HttpError(HTTPStatus.BAD_REQUEST, f"{name!r} must be a text that is not empty.")
    return data["title"], data["text"]
