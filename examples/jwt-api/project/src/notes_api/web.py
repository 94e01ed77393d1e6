"""HTTP as the application sees it: requests, responses and errors, translated from and to WSGI."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

Environ = Mapping[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


class HttpError(Exception):
    """The request is answered with an error."""

    def __init__(self, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


@dataclass(frozen=True)
class Request:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str, default: str = "") -> str:
        """The value of a header. HTTP does not distinguish upper and lower case in names, and neither does this."""
        return self.headers.get(name, default)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            HttpError: It is declared as something else, or is something else.
        """
        if self.header("Content-Type").partition(";")[0].strip().lower() != "application/json":
            raise HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json.")
        try:
            data = json.loads(self.body)
        except (ValueError, RecursionError):
            raise HttpError(HTTPStatus.BAD_REQUEST, "The body is not JSON.") from None
        if not isinstance(data, dict):
            raise HttpError(HTTPStatus.BAD_REQUEST, "The body is not a JSON object.")
        return data


@dataclass(frozen=True)
class Response:
    """One response; without data it has no body."""

    status: HTTPStatus
    data: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def read_request(environ: Environ, max_body: int) -> Request:
    """The request that a WSGI server hands over.

    Raises:
        HttpError: Its body is larger than `max_body` bytes.
    """
    length = str(environ.get("CONTENT_LENGTH") or "0")
    size = int(length) if length.isdecimal() else 0
    if size > max_body:
        raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {max_body} bytes.")
    prefix = "HTTP_"
    headers = {k.removeprefix(prefix).replace("_", "-"): v for k, v in environ.items() if k.startswith(prefix)}
    headers["Content-Type"] = environ.get("CONTENT_TYPE", "")
    body = environ["wsgi.input"].read(size) if size else b""
    return Request(environ["REQUEST_METHOD"], environ.get("PATH_INFO") or "/", headers, body)


def error_response(error: HttpError) -> Response:
    """How an error is told to the client."""
    return Response(error.status, {"error": error.message}, error.headers)


def write_response(response: Response, start_response: StartResponse) -> Iterable[bytes]:
    """Hand a response to the WSGI server."""
    body = b"" if response.data is None else json.dumps(response.data).encode()
    headers = {"Content-Length": str(len(body)), **response.headers}
    if body:
        headers["Content-Type"] = "application/json; charset=utf-8"
    start_response(f"{response.status.value} {response.status.phrase}", list(headers.items()))
    return [body]
