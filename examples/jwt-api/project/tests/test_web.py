import io
import json
from http import HTTPStatus

import pytest

from notes_api.web import HttpError, Request, Response, read_request, write_response


def environ(body=b"", **more):
    return {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), **more}


def test_a_request_is_read_from_what_the_server_hands_over():
    request = read_request(environ(b"{}", PATH_INFO="/notes", CONTENT_TYPE="application/json"), 10)

    assert (request.method, request.path, request.body) == ("POST", "/notes", b"{}")
    assert request.header("Content-Type") == "application/json"


def test_a_header_that_is_missing_has_the_default():
    assert Request("GET", "/").header("Accept", "*/*") == "*/*"


def test_a_body_beyond_the_limit_is_refused_before_it_is_read():
    with pytest.raises(HttpError) as error:
        read_request(environ(b"12345678901"), 10)

    assert error.value.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"{}", HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        ("application/json", b"{", HTTPStatus.BAD_REQUEST),
        ("application/json", b"\xff", HTTPStatus.BAD_REQUEST),
        ("application/json", b"[" * 100_000, HTTPStatus.BAD_REQUEST),
        ("application/json; charset=utf-8", b"[]", HTTPStatus.BAD_REQUEST),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(kind, body, status):
    with pytest.raises(HttpError) as error:
        Request("POST", "/notes", {"Content-Type": kind}, body).json()

    assert error.value.status == status


def test_a_response_is_written_as_json_with_its_length():
    started = []

    body = b"".join(write_response(Response(HTTPStatus.OK, {"a": "é"}), lambda *parts: started.extend(parts)))

    assert json.loads(body) == {"a": "é"}
    assert started[0] == "200 OK"
    assert dict(started[1]) == {"Content-Length": str(len(body)), "Content-Type": "application/json; charset=utf-8"}
