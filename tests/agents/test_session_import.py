"""Import of Claude Code's recordings: whatever state they are in, a clean cassette that can be held, and a report."""

import copy
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.agents.cassette import Tokens, Turn, lint, load, save
from stretto.agents.cassette_lint import lint_file
from stretto.agents.hold import hold
from stretto.agents.session_import import Imported, import_files, import_lines
from stretto.agents.session_rows import MOST_BYTES, Tally, rows
from stretto.state.errors import BadInput
from tests.agents.sessions import CWD, KEY, Session, call, rows_with_agent, stream, text, work
from tests.agents.wild_sessions import Wild


def brought(found: Sequence[Any]) -> Imported:
    return import_lines([json.dumps(row) for row in found])


def turns(made: Imported, lane: str = "main") -> list[Turn]:
    return [turn for turn in made.cassette.turns if turn.lane == lane]


def test_a_session_becomes_turns_with_calls_answers_and_files(tmp_path: Path) -> None:
    made = brought(work().rows)

    assert [(t.turn, [c.name for c in t.reply.tool_calls]) for t in turns(made)] == [
        (1, ["Read"]),
        (2, ["Edit", "Write", "Bash", "WebFetch"]),
        (3, ["MultiEdit"]),
        (4, []),
    ]
    answers = {n.name: n.text for t in turns(made) for n in t.tools}
    silent = dict.fromkeys(("Read", "Edit", "Write", "MultiEdit"))
    assert answers == {**silent, "Bash": "Authorization: <anthropic-key>", "WebFetch": "a page"}
    assert made.cassette.header.task == "Add a greeting"
    assert made.skipped == {
        "block of the type 'hologram'": 1,
        "row of the client's own words": 1,
        "row of the type 'telepathy'": 1,
        "thoughts": 1,
    }
    assert made.versions == ("2.1.330",)
    assert turns(made)[1].reply.tool_calls[2].args == {"command": "cat <cwd>/a.py <home>/.netrc"}


def test_usage_is_counted_once_for_each_message() -> None:
    made = brought(work().rows)
    assert [t.reply.usage for t in turns(made)] == [Tokens(input_tokens=20, output_tokens=5)] * 4
    assert (made.input_tokens, made.output_tokens, made.uncounted) == (80, 20, 0)


def test_what_another_session_repeats_is_counted_once() -> None:
    first, again = work(), work()
    for row in again.rows:
        row["sessionId"] = "s2"
        row["uuid"] += "-again"
    made = brought([*first.rows, *again.rows])
    assert (made.input_tokens, made.output_tokens) == (80, 20)
    assert made.skipped["message whose usage another conversation has counted"] == 4
    assert brought([*first.rows, *first.rows]).cassette.turns == brought(first.rows).cassette.turns


def test_what_was_imported_lints_clean_and_makes_its_files_again(tmp_path: Path) -> None:
    made = brought(work().rows)
    save(tmp_path / "c.jsonl", made.cassette)
    assert lint_file(tmp_path / "c.jsonl") == []
    assert load(tmp_path / "c.jsonl") == made.cassette
    (tmp_path / "there").mkdir()

    done = hold(made.cassette, tmp_path / "there")

    assert (done.misses, done.lanes, done.turns, done.calls, done.answered) == ([], 1, 4, 6, 2)
    assert (tmp_path / "there" / "a.py").read_text() == f"1\nROOT = '{tmp_path}/there'\n"
    assert (tmp_path / "there" / "new" / "b.py").read_text() == "KEY = '<anthropic-key>'\n"
    assert [(d["files"], d["why"]) for d in done.drift] == [(["new/b.py"], "is made without a secret that it held")]
    assert KEY not in (tmp_path / "c.jsonl").read_text()


def test_a_file_that_is_not_what_it_was_is_drift_and_a_miss_where_it_is_strict(tmp_path: Path) -> None:
    made = brought(work().rows)
    for name in ("default", "strict"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text("something else\n")
    done = hold(made.cassette, tmp_path / "default")
    assert [d["files"] for d in done.drift] == [["a.py"], ["new/b.py"]]
    assert done.misses == []
    assert "a.py is not what it was before the call" in hold(made.cassette, tmp_path / "strict", "strict").misses[0]


def test_an_answer_that_is_not_recorded_is_a_miss(tmp_path: Path) -> None:
    made = brought(work().rows).cassette
    broken = [
        t.model_copy(update={"tools": tuple(n.model_copy(update={"text": None}) for n in t.tools)}) for t in made.turns
    ]
    done = hold(made._replace(turns=tuple(t for t in broken if t.turn != 3)), tmp_path)
    assert done.misses == [
        "lane 'main', turn 2: the answer of the tool 'Bash' is not recorded",
        "lane 'main', turn 2: the answer of the tool 'WebFetch' is not recorded",
        "lane 'main': turn 3 is missing",
    ]


def test_lanes_that_begin_each_other_without_end_are_held_once(tmp_path: Path) -> None:
    made = brought(work().rows).cassette
    first = made.turns[0]
    lanes = [f"l{n:04}" for n in range(2000)]
    notes = [(first.tools[0].model_copy(update={"lane": later}),) for later in [*lanes[1:], lanes[0]]]
    turns = [first.model_copy(update={"lane": n, "tools": t}) for n, t in zip(lanes, notes, strict=True)]
    done = hold(made._replace(turns=tuple(turns)), tmp_path)
    assert (done.lanes, done.turns, done.misses) == (2000, 2000, [])


@pytest.mark.parametrize("form", ["inline", "progress", "file"])
def test_a_subagent_has_its_lane_in_every_form(form: str, tmp_path: Path) -> None:
    main, own = rows_with_agent(form)
    write(tmp_path / "s1.jsonl", main)
    if own:
        write(tmp_path / "s1" / "subagents" / "agent-abc.jsonl", own)

    made = import_files([tmp_path / "s1.jsonl"])

    assert [(t.lane, t.turn) for t in made.cassette.turns] == [
        ("agent/Explore-1", 1),
        ("agent/Explore-1", 2),
        ("main", 1),
        ("main", 2),
    ]
    assert turns(made)[0].tools[0].lane == "agent/Explore-1"
    assert turns(made, "agent/Explore-1")[1].reply.text == "Three."
    assert hold(made.cassette, tmp_path).lanes == 2


def write(path: Path, found: Sequence[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in found), "utf-8")


def test_a_stream_counts_what_it_said_last() -> None:
    made = brought(stream())
    assert [(t.lane, t.turn) for t in made.cassette.turns] == [("agent/Explore-1", 1), ("main", 1), ("main", 2)]
    assert [t.reply.usage and t.reply.usage.output_tokens for t in turns(made)] == [40, 1]
    assert made.skipped == {}
    assert made.versions == ("2.1.224",)


def test_a_folder_stands_for_its_files(tmp_path: Path) -> None:
    write(tmp_path / "p" / "one.jsonl", work().rows)
    other = Session(session="s9")
    other.human("Another")
    other.model("m9", text("Yes."))
    write(tmp_path / "p" / "two.jsonl", other.rows)
    assert {t.lane for t in import_files([tmp_path / "p"]).cassette.turns} == {"main", "main-2"}


def test_broken_lines_are_counted_and_passed_over(tmp_path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    nested: Any = "x"
    for _ in range(200):
        nested = {"a": nested}
    good = [json.dumps(row).encode() for row in work().rows]
    lines = [
        *(b"{torn", b"\x00\xff\xfe\x80", b"42", b"null", b'"words"', deep.encode(), b'{"type": NaN}', b"", b"  "),
        *(json.dumps({"type": "user", "message": nested}).encode(), b'{"a": 1e999}', b'{"a": ' + b"9" * 6000 + b"}"),
        *(b'{"type": "user", "message": {"content": [1, null, {"type": 3}, {"type": "text", "text": 5}]}}',),
        *(b'{"type": ["user"], "message": 7}', b'{"type": "assistant", "message": {"content": "\\ud800", "id": {}}}'),
    ]
    (tmp_path / "s.jsonl").write_bytes(b"\n".join([*lines, *good, good[3][:50]]))

    made = import_files([tmp_path / "s.jsonl"])

    assert len(made.cassette.turns) == 5
    assert made.skipped["line that is not JSON"] == 7
    assert made.skipped["row that is no object"] == 3
    assert made.skipped["row nested deeper than 48"] == 1
    save(tmp_path / "c.jsonl", made.cassette)
    assert load(tmp_path / "c.jsonl") == made.cassette


def test_a_line_of_any_length_is_passed_over_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    with path.open("wb") as file:
        file.write(b'{"a": "' + b"x" * (3 * MOST_BYTES + 5) + b'"}\n{"b": 1}\n')
    tally = Tally()
    assert list(rows(path, tally)) == [{"b": 1}]
    assert tally == {"line of more than 16 MB": 1}


def test_files_outside_of_the_session_are_not_made(tmp_path: Path) -> None:
    s = Session()
    for n, path in enumerate(
        ["/etc/passwd", f"{CWD}/../x", "../y", f"{CWD}", f"{CWD}/.git/config", "a\0b", f"{CWD}x/y"]
    ):
        s.model(f"m{n}", call(f"c{n}", "Write", file_path=path, content="x"))
        s.result(f"c{n}", "ok")
    made = brought(s.rows)
    (tmp_path / "there").mkdir()
    done = hold(made.cassette, tmp_path / "there")
    assert made.skipped == {"file outside of the session's folder": 6}
    assert [m.split(":")[0] for m in done.misses] == ["lane 'main', turn 5"]
    assert list((tmp_path / "there").iterdir()) == []


def test_nothing_to_import_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no turn of a model"):
        import_lines(['{"type": "user", "message": {"content": "hello"}}', "}"])
    with pytest.raises(BadInput, match="cannot be read"):
        import_files([tmp_path / "missing.jsonl"])


SEEDS = [work().rows, rows_with_agent("inline")[0], rows_with_agent("progress")[0], stream()]
ODD_VALUES: list[Any] = [
    None,
    0,
    -1,
    2**70,
    True,
    "",
    "x",
    KEY,
    f"/home/bob/{KEY}",
    "\ud800",
    "\0",
    [],
    {},
    [[]],
    {"type": {}},
    [None],
    0.5,
]
ODD: st.SearchStrategy[Any] = st.sampled_from(ODD_VALUES)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inside = list(cast("dict[str, Any]", value).items())
    elif isinstance(value, list):
        listed: list[Any] = value  # pyright: ignore[reportUnknownVariableType] - of anything
        inside = list(enumerate(listed))
    return [at, *(place for key, item in inside for place in places(item, (*at, key)))]


@st.composite
def mutated(draw: st.DrawFn) -> list[Any]:
    found: list[Any] = copy.deepcopy(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 8))):
        n = draw(st.integers(0, len(found) - 1))
        match draw(st.sampled_from(["drop", "twice", "move", "change", "change", "change", "key"])):
            case "drop" if len(found) > 1:
                del found[n]
            case "twice":
                found.insert(draw(st.integers(0, len(found))), copy.deepcopy(found[n]))
            case "move":
                found.insert(draw(st.integers(0, len(found) - 1)), found.pop(n))
            case kind:
                change(draw, found, n, kind)
    return found


def change(draw: st.DrawFn, found: list[Any], n: int, kind: str) -> None:
    at = draw(st.sampled_from(places(found[n])))
    if not at:
        found[n] = draw(ODD)
        return
    holder = found[n]
    for key in at[:-1]:
        holder = holder[key]
    if kind == "key" and isinstance(holder, dict):
        named = cast("dict[str, Any]", holder)
        named[draw(st.sampled_from([KEY, "/home/bob/x", "type", "id", "\ud800"]))] = named.pop(at[-1])
    else:
        holder[at[-1]] = draw(ODD)


@settings(max_examples=150)
@given(mutated())
def test_no_mutation_of_a_recording_breaks_its_import(
    tmp_path_factory: pytest.TempPathFactory, found: list[Any]
) -> None:
    try:
        made = import_lines([json.dumps(row) for row in found])
    except BadInput as error:
        assert "no turn of a model" in error.message  # noqa: PT017 - the only way in which an import may refuse
        return
    folder = tmp_path_factory.mktemp("held")
    assert lint(made.cassette) == []
    save(folder / "c.jsonl", made.cassette)
    assert lint_file(folder / "c.jsonl") == []
    assert load(folder / "c.jsonl") == made.cassette
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    one, two = hold(made.cassette, folder / "a"), hold(made.cassette, folder / "b")
    assert one.turns == len(made.cassette.turns)
    assert one.hash == two.hash
    assert made.rows + sum(made.skipped.values()) >= 1


@pytest.mark.slow
@pytest.mark.skipif("STRETTO_TRANSCRIPTS" not in os.environ, reason="STRETTO_TRANSCRIPTS names no folder of recordings")
def test_every_recording_of_a_folder_imports_lints_clean_and_is_held(tmp_path: Path) -> None:
    found = sorted(Path(os.environ["STRETTO_TRANSCRIPTS"]).rglob("*.jsonl"))
    assert found
    for n, path in enumerate(found):
        made = import_files([path])
        save(tmp_path / f"{n}.jsonl", made.cassette)
        assert lint_file(tmp_path / f"{n}.jsonl") == [], path
        (tmp_path / str(n)).mkdir()
        done = hold(made.cassette, tmp_path / str(n), "strict")
        assert (done.misses, done.turns) == ([], len(made.cassette.turns)), path


def test_usage_is_the_highest_count_of_a_message_in_whatever_order_its_rows_stand() -> None:
    s = Session()
    s.human("Do it")
    s.model("m1", text("a"), wrote=40)
    s.model("m1", text("b"), wrote=3)
    assert brought(s.rows).output_tokens == 40


def test_a_chain_of_parents_goes_through_rows_that_say_nothing() -> None:
    main, _ = rows_with_agent("inline")
    at = next(n for n, row in enumerate(main) if row["isSidechain"])
    between = {"type": "system", "subtype": "x", "uuid": "between", "parentUuid": main[at]["uuid"], "isSidechain": True}
    main.insert(at + 1, between)
    main[at + 2]["parentUuid"] = "between"
    assert [t.lane for t in brought(main).cassette.turns] == ["agent/Explore-1"] * 2 + ["main"] * 2


def test_a_file_is_made_again_after_an_edit_that_the_recording_does_not_show_as_a_whole(tmp_path: Path) -> None:
    s = Session()
    s.model("m1", call("c1", "Write", file_path="a.py", content="one\n"))
    s.result("c1", "ok")
    s.model("m2", call("c2", "Edit", file_path="a.py", old_string="what a shell wrote", new_string="x"))
    s.result("c2", "ok")
    s.model("m3", call("c3", "Write", file_path="a.py", content="two\n"))
    s.result("c3", "ok")
    made = brought(s.rows)
    assert made.skipped == {"edit whose file is not in the recording": 1}
    assert hold(made.cassette, tmp_path, "strict").misses == []
    assert (tmp_path / "a.py").read_text() == "two\n"


@pytest.mark.parametrize("cwd", ["\0", "/home/ada\0/notes", "/" + "x" * 5000, "..", "\ud800"])
def test_a_folder_that_can_be_none_is_passed_over(cwd: str, tmp_path: Path) -> None:
    s = Session()
    s.model("m1", call("c1", "Write", file_path="a.py", content="one\n"))
    s.result("c1", "ok")
    for row in s.rows:
        row["cwd"] = cwd
    made = import_lines([json.dumps(row) for row in s.rows])
    assert hold(made.cassette, tmp_path).turns == len(made.cassette.turns) == 1


def imports(seed: int, folder: Path) -> None:
    """A recording of every sort: imported, nothing counted twice or lost, clean, and held."""
    wild = Wild(seed)
    made = import_files([wild.write(folder)])

    assert (made.input_tokens, made.output_tokens) == tuple(map(sum, zip(*wild.tokens.values(), strict=True))), seed
    assert made.uncounted == 0
    assert {what: made.skipped.get(what, 0) for what in wild.odd} == dict(wild.odd), seed
    save(folder / "c.jsonl", made.cassette)
    assert lint_file(folder / "c.jsonl") == [], seed
    assert load(folder / "c.jsonl") == made.cassette
    (folder / "there").mkdir()
    done = hold(made.cassette, folder / "there", "strict")
    assert (done.misses, done.turns) == ([], len(made.cassette.turns)), seed


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_a_recording_of_every_shape_that_is_known_imports_and_is_held(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    imports(seed, tmp_path_factory.mktemp("wild"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_thousand_recordings_of_every_shape_do(tmp_path: Path) -> None:
    for seed in range(1000):
        (tmp_path / str(seed)).mkdir()
        imports(seed, tmp_path / str(seed))
        shutil.rmtree(tmp_path / str(seed))
