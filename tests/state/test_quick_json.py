"""The quick JSON says and understands what `json` does, and refuses what it refuses."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stretto.state.quick_json import dumps, loads

HERE = f"""if True:
    import sys
    sys.modules["stretto"] = package = type(sys)("stretto")
    package.__path__ = [{str(Path(__file__).parents[2])!r}]
"""
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(VALUES)
def test_what_is_written_is_what_json_writes_and_is_read_as_json_reads_it(value: Any) -> None:
    text = dumps(value)

    assert text == json.dumps(value)
    assert repr(loads(text)) == repr(json.loads(text))  # as texts: NaN is not itself
    assert dumps(value, ensure_ascii=False, separators=(",", ":")) == json.dumps(
        value, ensure_ascii=False, separators=(",", ":")
    )


@given(st.text(st.sampled_from('{}[]",:.-+ \n\t\r0123456789eEtrufalsn\\/NIityx\ufeff\u00a0\x0b')) | st.text())
@example("")
@example(" \n1 ")
@example("1 2")
@example("\ufeff{}")
@example('{"a": 1, "a": 2}')
@example("[1,]")
@example("NaN")
@example("-Infinity")
@example('"\n"')
@example('"\\ud800"')
@example("9" * 5000)
@example("[" * 100_000)
def test_any_text_is_taken_or_refused_as_json_does(text: str) -> None:
    assert outcome(loads, text) == outcome(json.loads, text)


def outcome(read: Any, text: str) -> str:
    try:
        return repr(read(text))
    except (ValueError, RecursionError) as error:
        return f"{type(error).__name__}: {error}"


BAD = [
    "",
    " ",
    "{",
    '{"a"',
    '{"a": ',
    '{"a": 1',
    "[1",
    "[1,]",
    "1 2",
    '"',
    '"\\',
    '"\\u00',
    '"\n"',
    "nul",
    "-",
    '{"a":{"b":[{1}]}}',
    "x",
]
ALONE = """if True:
    import sys
    from stretto.state.quick_json import loads

    texts, found = %r, []
    for text in texts:
        for name in ("json", "json.decoder", "json.scanner", "json.encoder"):
            sys.modules.pop(name, None)
        try:
            loads(text)
        except ValueError as error:
            found.append(f"{type(error).__name__}: {error}")
    print(ascii(found))
"""


def test_a_wrong_text_is_refused_as_by_json_where_json_was_not_imported_before() -> None:
    """As in a hook: the C below looks for the error that it raises in `json`, which must not be taken for granted."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", HERE + ALONE % BAD], check=False, capture_output=True, text=True
    )

    assert done.stderr == ""
    assert done.stdout.strip() == ascii([outcome(json.loads, text) for text in BAD])


@pytest.mark.parametrize("value", [{1, 2}, object, [b"x"], {(1, 2): 3}])
def test_what_json_cannot_say_is_refused_in_its_words(value: Any) -> None:
    with pytest.raises(TypeError) as theirs:
        json.dumps(value)

    with pytest.raises(TypeError) as ours:
        dumps(value)

    assert str(ours.value) == str(theirs.value)


def test_a_circle_and_a_number_that_json_has_not_are_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)

    with pytest.raises(ValueError, match="Circular"):
        dumps(circle)
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps([float("nan")], allow_nan=False)


def test_what_is_unknown_goes_through_the_default() -> None:
    assert dumps({"a": {1}}, default=repr) == json.dumps({"a": {1}}, default=repr)
