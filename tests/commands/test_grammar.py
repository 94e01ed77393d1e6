"""Which word is what: operations, ids, flags, JSON, and what is refused."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stretto.commands.canonical import render
from stretto.commands.grammar import CommandGrammar, Flag, Shape, Slot
from stretto.commands.invocation import Invocation, Word
from stretto.commands.line import is_bare, looks_like_json
from stretto.commands.parse import parse_argv, parse_line
from stretto.commands.tables import COMMANDS, OPERATION_WORDS
from stretto.state.errors import BadInput

HERE = Path(__file__).parent


def parse(raw: str) -> Invocation:
    return parse_line(raw, project=HERE)


def refused(raw: str) -> BadInput:
    with pytest.raises(BadInput) as caught:
        parse(raw)
    return caught.value


# Every invocation that the tables allow.

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20) | st.text(
    "ab-[]{}\"'\\$()`\n ,#", max_size=12
)
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True).filter(
    lambda i: i not in OPERATION_WORDS | {"system", "global"}
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.lists(JSON, max_size=3) | st.dictionaries(TEXT, JSON, max_size=3)
PATHS = st.from_regex(r"[a-z][a-z0-9_ '\"\\$-]{0,10}(/[a-z]{1,5})?", fullmatch=True)


def flag_values(flag: Flag) -> st.SearchStrategy[Any]:
    listed = st.sampled_from(flag.allowed) if flag.allowed else TEXT.filter(bool)
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "switch": st.just(True),
        "text": TEXT,
        "optional": st.just(True) | (st.sampled_from(flag.allowed) if flag.allowed else TEXT),
        "int": st.integers(flag.least, 10**9 - 1),
        "choice": listed,
        "list": st.lists(listed, max_size=3),
        "paths": st.lists(PATHS, max_size=3),
        "path": PATHS,
        "id": IDS,
    }
    return kinds[flag.kind]


def texts(slot: Slot, json: bool) -> st.SearchStrategy[str]:
    if slot.allowed:
        return st.sampled_from(slot.allowed)
    free = PATHS if slot.kind == "path" else TEXT.filter(str.strip) if slot.required else TEXT
    return free.filter(lambda t: not (json and looks_like_json(t)))


@st.composite
def invocations(draw: st.DrawFn) -> Invocation:
    grammar = draw(st.sampled_from(list(COMMANDS.values())))
    operations: list[str] = [*grammar.operations, *([""] if grammar.plain is not None else [])]
    operation = draw(st.sampled_from(operations))
    shape = grammar.operations.get(operation) or grammar.plain or Shape()
    count = draw(st.integers(*shape.ids))
    words: list[Word] = []
    if count == shape.ids[1]:
        words = [draw(word(slot, shape)) for slot in shape.words[: draw(some_words(shape))]]
    names = draw(st.lists(st.sampled_from(list(grammar.flags)), unique=True, max_size=4))
    return Invocation(
        command=grammar.name,
        operation=operation,
        ids=tuple(draw(IDS) for _ in range(count)),
        words=tuple(words),
        flags={n: draw(flag_values(grammar.flags[n])) for n in names if n != "project"},
        json=tuple(draw(st.lists(DOCUMENTS, min_size=shape.json[0], max_size=shape.json[1]))),
    )


def some_words(shape: Shape) -> st.SearchStrategy[int]:
    required = sum(slot.required for slot in shape.words)
    return st.integers(required, len(shape.words))


@st.composite
def word(draw: st.DrawFn, slot: Slot, shape: Shape) -> Word:
    text = draw(texts(slot, shape.json[1] > 0))
    return Word(text=text, quoted=draw(st.booleans()) or not is_bare(text))


def operation_like(found: Invocation) -> bool:
    """A bare description that is an operation's name, or nearly, is no description."""
    return not found.operation and any(not w.quoted for w in found.words) and bool(COMMANDS[found.command].operations)


def plainly(found: Invocation) -> Invocation:
    return found._replace(line="", words=tuple(w._replace(column=0) for w in found.words))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(invocations())
def test_every_invocation_survives_being_written_and_read(invocation: Invocation) -> None:
    if operation_like(invocation):
        invocation = invocation._replace(words=tuple(w._replace(quoted=True) for w in invocation.words))
    assert plainly(parse(render(invocation))) == invocation


# Operations and ids.


def test_the_id_may_come_before_or_behind_the_operation() -> None:
    first, second = parse("/coordination-hub wf_1 pause"), parse("/coordination-hub pause wf_1")
    assert plainly(first) == plainly(second)
    assert (first.operation, first.ids) == ("pause", ("wf_1",))
    assert parse("/workflow-recovery wf_1 rollback pre_x").words[0].text == "pre_x"
    assert parse("/performance-monitor wf_1 trends").operation == "trends"


def test_elsewhere_the_id_comes_behind() -> None:
    assert refused("/resource-manager wf_1 allocate").field == "operation"


@pytest.mark.parametrize(
    ("raw", "named", "guess"),
    [
        ("/coordination-hub wf_1 strat-phase 1", "strat-phase", "start-phase"),
        ("/coordination-hub creat-workflow '{}'", "creat-workflow", "create-workflow"),
        ("/coordination-hub chekpoint wf_1", "chekpoint", "checkpoint"),
        ("/performance-monitor benchmrk", "benchmrk", "benchmark"),
        ("/progress-aggregator system-overveiw", "system-overveiw", "system-overview"),
        ("/subagents configur '{}'", "configur", "configure"),
        ("/orchestrate finalise-workflow wf_1", "finalise-workflow", "finalize-workflow"),
        ("/resource-manager nonsense", "nonsense", ""),
    ],
)
def test_an_unknown_operation_is_named_with_those_that_exist(raw: str, named: str, guess: str) -> None:
    wrong = refused(raw)
    grammar = COMMANDS[raw[1:].split(maxsplit=1)[0]]
    assert wrong.field == "operation"
    assert wrong.allowed == tuple(grammar.operations)
    assert wrong.details["column"] == raw.index(named) + 1
    assert f"Did you mean {guess!r}?" in wrong.message if guess else "Did you mean" not in wrong.message


def test_an_operation_is_needed_where_nothing_is_implied() -> None:
    assert refused("/coordination-hub").field == "operation"
    assert refused("/performance-monitor wf_1").field == "operation"
    assert parse("/progress-aggregator").operation == "system-overview"
    assert parse("/workflow-status").ids == ()


def test_only_an_unquoted_first_word_of_orchestrate_is_an_operation() -> None:
    assert parse("/orchestrate continue-workflow wf_1 '{\"a\": 1}'").operation == "continue-workflow"
    quoted = parse('/orchestrate "continue-workflow"')
    assert (quoted.operation, quoted.words[0].text) == ("", "continue-workflow")


def test_no_new_workflow_may_be_called_like_an_operation() -> None:
    assert "cannot be the id" in refused("/coordination-hub create-workflow pause").message
    assert parse("/coordination-hub create-workflow pause_1").ids == ("pause_1",)


@pytest.mark.parametrize("bad", ["../x", "a/b", "-x", "'a b'", "a..b", "x.lock", "system", '"a\tb"', "é", "x" * 101])
@pytest.mark.parametrize(
    "form",
    [
        "/workflow-status {}",
        "/coordination-hub {} pause",
        "/coordination-hub pause {}",
        "/resource-manager transition ok {}",
        "/orchestrate --resume={}",
        "/orchestrate 'x' --workflow-id {}",
        "/orchestrate 'x' --continue-from={}",
        "/progress-aggregator --workflow={}",
        "/plan 'x' --workflow-context={}",
    ],
)
def test_a_hostile_id_is_refused_wherever_an_id_stands(form: str, bad: str) -> None:
    wrong = refused(form.format(bad))
    assert "not a usable id" in wrong.message
    assert wrong.details["column"] == form.index("{}") + 1


@pytest.mark.parametrize("path", ["../plan.md", "/etc/passwd", "a/../../b.md", "''"])
@pytest.mark.parametrize(
    "form", ["/implement {}", "/plan 'x' {}", "/plan 'x' --reports={}", "/document 'x' --scope={}", "/test {}"]
)
def test_a_path_stays_inside_the_project(form: str, path: str) -> None:
    if (form, path) == ("/plan 'x' --reports={}", "''"):
        assert parse(form.format(path)).flags == {"reports": []}
    else:
        assert refused(form.format(path)).exit_code == 2


def test_a_link_that_leads_out_is_outside(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path)
    with pytest.raises(BadInput, match="outside the project"):
        parse_line("/implement link/plan.md", project=tmp_path / "in")


# Positionals.


@pytest.mark.parametrize(
    "raw",
    [
        "/workflow-status a b",
        "/coordination-hub pause a b",
        "/coordination-hub checkpoint a 'name' 'again'",
        "/coordination-hub create '{}' '{}'",
        '/orchestrate "x" y',
        "/orchestrate x --dry-run y",
        "/orchestrate 'x' '{}'",
        "/report 'a' 'b'",
        "/test-all coverage x",
        "/subagents '{}' '[]' '[]'",
        "/document 'a' b c",
    ],
)
def test_what_has_no_place_is_refused_with_the_usage(raw: str) -> None:
    wrong = refused(raw)
    assert "There is no place for" in wrong.message
    assert wrong.next_steps[0].startswith("Usage: /")


@pytest.mark.parametrize(
    ("raw", "field", "missing"),
    [
        ("/orchestrate", "description", "a description"),
        ("/orchestrate ''", "description", "empty"),
        ("/orchestrate --dry-run", "description", "a description"),
        ("/report", "topic", "a topic"),
        ("/plan", "feature", "a feature"),
        ("/debug --gate=plan", "issue", "an issue"),
        ("/coordination-hub pause", "workflow_id", "a workflow id"),
        ("/coordination-hub start-phase wf", "phase", "a phase"),
        ("/resource-manager transition a", "workflow_id", "2 workflow ids"),
        ("/subagents '{}'", "json", "2 JSON arguments"),
        ("/subagents", "json", "2 JSON arguments"),
    ],
)
def test_what_is_missing_is_named(raw: str, field: str, missing: str) -> None:
    wrong = refused(raw)
    assert wrong.field == field
    assert missing in wrong.message


def test_resume_needs_no_description() -> None:
    found = parse('/orchestrate --resume wf_1 --reject "too broad" --json')
    assert found.flags == {"resume": "wf_1", "reject": "too broad", "json": True}


def test_json_may_stand_for_the_id() -> None:
    assert parse('/coordination-hub start \'{"workflow_id": "x"}\'').ids == ()


@pytest.mark.parametrize("raw", ['{"a": [1, "b c"]}', '\'{"a": [1, "b c"]}\'', '"{\\"a\\": [1, \\"b c\\"]}"'])
def test_json_may_be_quoted_or_not(raw: str) -> None:
    assert parse(f"/coordination-hub create wf {raw} --priority=low").json == ({"a": [1, "b c"]},)
    argv = ["coordination-hub", "create", "wf", '{"a": [1, "b c"]}', "--priority=low"]
    assert parse_argv(argv, project=HERE).json == ({"a": [1, "b c"]},)


# Flags.


def test_a_value_stands_behind_an_equals_sign_or_a_blank() -> None:
    forms = ["--priority=high", "--priority high", '--priority="high"', "--priority 'high'"]
    assert [parse(f"/orchestrate {f} 'x'").flags for f in forms] == [{"priority": "high"}] * 4
    assert parse("/resource-manager allocate wf --agents 3").flags == {"agents": 3}
    assert parse("/orchestrate 'x' --gate plan,merge").flags == {"gate": ["plan", "merge"]}


def test_an_optional_value_may_be_left_out() -> None:
    assert parse("/workflow-status wf --live --refresh").flags == {"live": True, "refresh": True}
    assert parse("/workflow-status wf --checkpoint --name n").flags == {"checkpoint": True, "name": "n"}
    assert parse("/workflow-status wf --resume --checkpoint c1").flags == {"resume": True, "checkpoint": "c1"}


@pytest.mark.parametrize(
    ("flags", "field", "column"),
    [
        ("--dry-rnu", "--dry-rnu", 18),
        ("--dry-run=yes", "--dry-run", 28),
        ("--dry-run --dry-run", "--dry-run", 28),
        ("--priority", "--priority", 18),
        ("--priority=", "--priority", 29),
        ("--priority --complex", "--priority", 18),
        ("--priority=urgent", "--priority", 29),
        ("--priority=high --priority=low", "--priority", 34),
        ("--max-agents=0", "--max-agents", 31),
        ("--max-agents=-1", "--max-agents", 31),
        ("--max-agents=x", "--max-agents", 31),
        ("--max-agents=\uff19", "--max-agents", 31),
        ("--gate=plan,deploy", "--gate", 25),
        ("--gate=plan,", "--gate", 25),
        ("--merge always", "--merge", 26),
        ("--=x", "--", 18),
        ("--DRY-RUN", "--DRY-RUN", 18),
    ],
)
def test_a_wrong_flag_is_named_at_its_column(flags: str, field: str, column: int) -> None:
    wrong = refused(f'/orchestrate "x" {flags}')
    assert (wrong.field, wrong.details["column"]) == (field, column)


def test_an_unknown_flag_names_the_nearest_and_lists_the_known() -> None:
    wrong = refused("/orchestrate 'x' --dry-rnu")
    assert "Did you mean '--dry-run'?" in wrong.message
    assert "--max-agents" in wrong.allowed
    assert "--detailed" in refused("/workflow-status wf --zzzz").message


def test_zero_debug_rounds_are_a_choice() -> None:
    assert parse("/orchestrate 'x' --debug-rounds=0").flags == {"debug-rounds": 0}


@pytest.mark.parametrize(
    "bad", ["[", "[a", "[a,]", "[,]", "[a,,b]", "'[a] b'", "'[\"a]'", "'[{\"a\": 1}]'", "'[\"\\x\"]'"]
)
def test_a_broken_list_is_refused(bad: str) -> None:
    assert refused(f"/workflow-status wf --events={bad}").details["column"] >= 29


@pytest.mark.parametrize("grammar", COMMANDS.values(), ids=lambda g: g.name)
def test_every_command_takes_the_global_flags(grammar: CommandGrammar) -> None:
    assert {"json", "store", "project", "runner"} <= grammar.flags.keys()


def test_an_unknown_command_is_named_with_the_nearest() -> None:
    wrong = refused("/orchestrat 'x'")
    assert "Did you mean 'orchestrate'?" in wrong.message
    assert set(wrong.allowed) == set(COMMANDS)
    for argv in ([], ["--json"], ["--nope", "orchestrate"], ["--store"]):
        with pytest.raises(BadInput):
            parse_argv(argv, project=HERE)


def test_reading_a_line_needs_nothing_but_the_standard_library() -> None:
    code = "import sys; b = set(sys.modules); import stretto.commands.parse; print(*(set(sys.modules) - b))"
    argv = [sys.executable, "-I", "-c", code]
    loaded = set(subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split())
    ours = {m for m in loaded if m.startswith("stretto.")}
    assert ours <= {m for m in ours if m.startswith("stretto.commands")} | {
        "stretto.state",
        "stretto.state.errors",
        "stretto.state.ids",
        "stretto.state.quick_json",
        "stretto.state.light",
    }
    outside = {m for m in loaded - ours - {"stretto"} if m.partition(".")[0] not in sys.stdlib_module_names}
    assert not outside
    assert not loaded & {"difflib", "pathlib", "fnmatch", "unicodedata"}, "only ways to an error or a search need these"


def test_the_tables_hold_every_command_of_the_line() -> None:
    names = "orchestrate coordination-hub resource-manager workflow-status performance-monitor progress-aggregator"
    names += " workflow-recovery dependency-resolver subagents report plan implement debug test test-all document"
    names += " workflow-template list-plans list-reports list-summaries"
    assert set(COMMANDS) == set(names.split())
