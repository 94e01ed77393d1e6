"""Lint by lines, comparison and redaction of cassettes."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.agents.cassette import Call, Cassette, Header, Kept, Prints, Reply, ToolNote, Turn, lint, load, save
from stretto.agents.cassette_diff import compare
from stretto.agents.cassette_lint import Problem, lint_file
from stretto.agents.cassette_redact import redacted
from stretto.agents.redact import Redactor
from stretto.state.errors import BadInput

PRINTS = Prints(system="a" * 12, shape="b" * 12, tail="c" * 12, full="d" * 12)
KEY = "sk-ant-" + "x" * 30


def turn(lane: str, number: int, text: str = "", tail: str = "", fp: Prints = PRINTS) -> Turn:
    reply = Reply(text=text, tool_calls=(Call(n=0, name="run", args={"argv": ["é"]}),))
    return Turn(lane=lane, turn=number, fp=fp, reply=reply, request_tail=tail)


def cassette(*turns: Turn, task: str = "Add JWT") -> Cassette:
    return Cassette(Header(task=task), turns)


def write(path: Path, *parts: Header | Turn) -> Path:
    path.write_text("".join(json.dumps(p.model_dump(mode="json"), sort_keys=True) + "\n" for p in parts), "utf-8")
    return path


def test_what_was_saved_lints_clean(tmp_path: Path) -> None:
    save(tmp_path / "c.jsonl", cassette(turn("a", 1), turn("b", 1), turn("a", 2)))
    assert lint_file(tmp_path / "c.jsonl") == []


def test_every_problem_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    save(path, cassette(turn("a", 1, KEY), turn("b", 2), turn("c", 1, tail="at 2026-01-02T03:04:05Z")))
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([*lines[:3], '{"lane": "a"}', *lines[3:], lines[1], "{"]) + "\n", "utf-8")

    assert [(p.line, p.text.split(":")[0]) for p in lint_file(path)] == [
        (2, "turn 1 of lane 'a' is there 2 times"),
        (2, "turn 1 of lane 'a' seems to hold a secret (anthropic-key)"),
        (2, "turn 1 of lane 'a' seems to hold a secret (openai-key)"),
        (3, "not sorted by lane and turn from here on"),
        (3, "turn 2 of lane 'b' is never reached"),
        (4, "not a line of a cassette"),
        (5, "request_tail is not normalised"),
        (6, "turn 1 of lane 'a' is there 2 times"),
        (6, "turn 1 of lane 'a' seems to hold a secret (anthropic-key)"),
        (6, "turn 1 of lane 'a' seems to hold a secret (openai-key)"),
        (7, "not a line of a cassette"),
    ]


def test_lines_in_another_form_are_found(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    save(path, cassette(turn("a", 1)))
    path.write_text(path.read_text("utf-8").replace(": ", ":"), "utf-8")
    assert lint_file(path) == [Problem(n, "not in the form in which cassettes are written") for n in (1, 2)]


def test_a_secret_behind_a_line_break_is_found() -> None:
    assert len(lint(cassette(turn("a", 1, f"first\n{KEY}")))) == 2


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        lint_file(tmp_path / "c.jsonl")


def test_what_an_older_version_wrote_is_written_the_same(tmp_path: Path) -> None:
    save(tmp_path / "c.jsonl", cassette(turn("a", 1)))
    header, line = map(json.loads, (tmp_path / "c.jsonl").read_text("utf-8").splitlines())
    assert sorted(header) == sorted(
        ["aliases", "cassette", "model", "origin", "recorded_at", "redactions", "task", "template", "workflow"]
    )
    assert sorted(line) == ["fp", "lane", "reply", "request_tail", "tools", "turn"]


def test_a_comparison_tells_lanes_turns_prints_and_words() -> None:
    old = cassette(turn("a", 1), turn("a", 2), turn("b", 1, "one\ntwo"), turn("gone", 1))
    other = PRINTS.model_copy(update={"tail": "e" * 12, "full": "f" * 12})
    new = cassette(turn("a", 1), turn("b", 1, "one\nthree", fp=other), turn("b", 2), turn("new", 1), task="Add JWTs")

    found = compare(old, new)

    assert (found.lanes_removed, found.lanes_added) == (("gone",), ("new",))
    assert (found.turns_removed, found.turns_added) == ((("a", 2),), (("b", 2),))
    assert [(c.lane, c.turn, c.prints) for c in found.changed] == [("b", 1, ("tail", "full"))]
    lines = list(found.lines())
    assert "~ b turn 1   prints: tail, full" in lines
    assert {"    -text: two", "    +text: three"} <= set(lines)
    assert lines[0] == "header: task 'Add JWT' -> 'Add JWTs'"
    assert found.facts()["same"] is False
    assert compare(old, old).same
    assert list(compare(old, old).lines()) == []


def test_redaction_takes_values_and_keeps_keys_and_places(tmp_path: Path) -> None:
    note = ToolNote(
        name="Write",
        status="success",
        hash="0" * 12,
        text=f"wrote /home/ada/notes/x with {KEY}",
        files=(Kept(path="x", text=KEY), Kept(path="y", text="fine")),
    )
    dirty = cassette(turn("a", 1, "see /Users/ada/x and -home-ada-notes").model_copy(update={"tools": (note,)}))

    clean = redacted(dirty, Redactor({}, everybody=True))

    assert lint(clean) == []
    assert clean.turns[0].reply.text == "see <home>/x and <home>-notes"
    kept = clean.turns[0].tools[0]
    assert kept.text == "wrote <home>/notes/x with <anthropic-key>"
    assert [(f.text, f.redacted) for f in kept.files] == [("<anthropic-key>", True), ("fine", False)]
    assert (clean.turns[0].fp, clean.turns[0].address) == (PRINTS, ("a", 1))
    assert clean.header.redactions == 5
    save(tmp_path / "c.jsonl", clean)
    assert load(tmp_path / "c.jsonl") == clean


PIECES = st.sampled_from(
    [
        "sk-ant-",
        "x" * 24,
        "Bearer ",
        "://",
        "u:pass",
        "@",
        "/home/",
        "/Users/",
        "ada",
        "/",
        "-home-",
        "<home>",
        "\n",
        " ",
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_redaction_is_idempotent_and_leaves_nothing_for_lint(text: str) -> None:
    redactor = Redactor({"HOME": "/home/ada", "A_TOKEN": "ada-secret-value"}, everybody=True)
    once = redacted(cassette(turn("a", 1, text)), redactor)
    assert redacted(once, redactor) == once
    assert lint(once) == []


def test_two_keys_that_are_secrets_stay_two() -> None:
    assert Redactor({}).json({KEY: 1, KEY + "y": [KEY], "plain": None}) == {
        "<anthropic-key>": 1,
        "<anthropic-key>'": ["<anthropic-key>"],
        "plain": None,
    }
