from datetime import timedelta

import pytest

MILK = {"title": "Milk", "text": "Two bottles"}


def test_health(client):
    assert client.send("GET", "/health").data == {"status": "ok"}


def test_a_note_can_be_added_read_and_listed(client):
    added = client.send("POST", "/notes", MILK)

    assert added.status == 201
    assert added.data == {"id": 1, **MILK, "created": "2025-03-01T09:00:00Z", "updated": "2025-03-01T09:00:00Z"}
    assert client.send("GET", "/notes/1").data == added.data
    assert client.send("GET", "/notes").data == {"notes": [added.data]}


def test_a_note_can_be_changed(client):
    client.send("POST", "/notes", MILK)
    client.now += timedelta(minutes=1)

    changed = client.send("PUT", "/notes/1", {**MILK, "text": "Three"})

    assert (changed.status, changed.data["text"], changed.data["updated"]) == (200, "Three", "2025-03-01T09:01:00Z")


def test_a_note_can_be_removed(client):
    client.send("POST", "/notes", MILK)

    assert client.send("DELETE", "/notes/1").status == 204
    assert client.send("GET", "/notes/1").status == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_note_that_is_not_there_is_404(client, method):
    answer = client.send(method, "/notes/7", MILK)

    assert (answer.status, answer.data) == (404, {"error": "There is no note 7."})


def test_a_path_that_is_not_there_is_404(client):
    assert client.send("GET", "/nothing").status == 404


def test_a_method_that_a_path_does_not_know_is_405_with_those_it_knows(client):
    answer = client.send("PATCH", "/notes")

    assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    "data", [{}, {"title": "Milk"}, {"title": "", "text": "x"}, {"title": 1, "text": "x"}, [], b"{"]
)
def test_a_note_that_is_none_is_400(client, data):
    assert client.send("POST", "/notes", data).status == 400


def test_a_body_that_is_declared_as_something_else_is_415(client):
    assert client.send("POST", "/notes", MILK, {"Content-Type": "text/plain"}).status == 415


def test_a_body_beyond_the_limit_is_413(client):
    assert client.send("POST", "/notes", {**MILK, "text": "x" * 1000}).status == 413
