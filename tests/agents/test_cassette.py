"""The cassette file: read strictly, written whole, linted."""

from pathlib import Path

import pytest

from stretto.agents.cassette import Call, Cassette, Header, Prints, Reply, Tokens, Turn, lint, load, save
from stretto.state.errors import BadInput

PRINTS = Prints(system="a" * 12, shape="b" * 12, tail="c" * 12, full="d" * 12)


def turn(lane: str, number: int, text: str = "") -> Turn:
    reply = Reply(text=text, tool_calls=(Call(n=0, name="run", args={"argv": ["é"]}),), usage=None)
    return Turn(lane=lane, turn=number, fp=PRINTS, reply=reply)


def cassette(*turns: Turn) -> Cassette:
    return Cassette(Header(task="Add JWT authentication", aliases=("JWT please",)), turns)


def test_what_is_saved_is_loaded_sorted(tmp_path: Path) -> None:
    path = tmp_path / "new" / "c.jsonl"
    save(path, cassette(turn("b", 1), turn("a", 2), turn("a", 1), turn("a", 10)))
    loaded = load(path)
    assert [t.address for t in loaded.turns] == [("a", 1), ("a", 2), ("a", 10), ("b", 1)]
    assert loaded.header.task == "Add JWT authentication"
    assert "é" in path.read_text(encoding="utf-8")
    assert [entry.name for entry in path.parent.iterdir()] == ["c.jsonl"]


def test_odd_line_separators_in_a_text_do_not_break_lines(tmp_path: Path) -> None:
    save(tmp_path / "c.jsonl", cassette(turn("a", 1, text="one\u2028two\x85three")))
    assert load(tmp_path / "c.jsonl").turns[0].reply.text == "one\u2028two\x85three"


def test_a_cassette_knows_its_task_in_other_letters() -> None:
    known = cassette()
    assert known.knows("  add jwt\n authentication. ")
    assert known.knows("JWT please")
    assert not known.knows("Add JWT")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("", "line 1"),
        ("{}\n", "line 1"),
        ('{"cassette": 2, "task": "t"}\n', "line 1"),
        ('{"cassette": 1, "task": "t"}\n{"lane": "a"}\n', "line 2"),
        ('{"cassette": 1, "task": "t"}\n\n', "line 2"),
        ('{"cassette": 1, "task": "t", "pickle": "x"}\n', "pickle"),
    ],
)
def test_a_damaged_cassette_is_refused_with_the_line(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "c.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadInput, match=words):
        load(path)


def test_a_turn_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "c.jsonl", cassette(turn("a", 1), turn("a", 1)))
    with pytest.raises(BadInput, match="turn 1 of lane 'a' is there 2 times"):
        load(tmp_path / "c.jsonl")


def test_lint_finds_secrets_doubles_and_turns_that_are_never_reached() -> None:
    problems = lint(cassette(turn("a", 1), turn("a", 1), turn("a", 3), turn("b", 1, text="sk-ant-" + "x" * 30)))
    assert problems == [
        "turn 1 of lane 'a' is there 2 times",
        "turn 1 of lane 'b' seems to hold a secret (anthropic-key)",
        "turn 1 of lane 'b' seems to hold a secret (openai-key)",
        "turn 3 of lane 'a' is never reached: turn 2 is missing",
    ]


@pytest.mark.parametrize("path", ["/home/ada/notes/app.py", "/Users/ada/x", "/root/.pyenv", "/var/folders/ab/T/x"])
def test_lint_finds_the_paths_of_one_machine(path: str) -> None:
    assert lint(cassette(turn("a", 1, text=f"It stands in {path} now"))) == [
        f"turn 1 of lane 'a' holds a path of one machine ({path})"
    ]


def test_lint_lets_paths_pass_that_are_the_same_everywhere() -> None:
    text = "<cwd>/home/x, ~/x, src/home/page.py, /usr/bin/env, https://example.com/home/page, /notes"
    assert lint(cassette(turn("a", 1, text=text))) == []


def test_a_clean_cassette_has_no_problems() -> None:
    known = turn("a", 1).model_copy(update={"reply": Reply(text="x", usage=Tokens(input_tokens=1, output_tokens=2))})
    assert lint(cassette(known)) == []
