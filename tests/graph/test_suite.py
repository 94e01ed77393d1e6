"""Suites are read strictly: what is wrong is named with its file and field."""

from pathlib import Path

import pytest

from stretto.graph.suite import load_suite
from stretto.state.errors import BadInput

TASK = """description = "Do it"
kind = "{kind}"
{more}
[project]
"{path}" = "x = 1\\n"
[hidden]
"tests/test_hidden.py" = "{test}"
[solution]
"a.py" = "x = 2\\n"
"""


def write(folder: Path, **changes: str) -> Path:
    facts = {"kind": "feature", "more": "", "path": "a.py", "test": "pass\\n", **changes}
    (folder / "suite.toml").write_text('name = "tiny"\n')
    (folder / "one.toml").write_text(TASK.format(**facts))
    return folder


def test_a_suite_has_its_tasks_and_a_digest_of_them(tmp_path: Path) -> None:
    suite = load_suite(write(tmp_path))

    assert (suite.name, [*suite.tasks]) == ("tiny", ["one"])
    assert suite.tasks["one"].project == {"a.py": "x = 1\n"}
    assert load_suite(write(tmp_path)).digest == suite.digest
    assert load_suite(write(tmp_path, test="x\\n")).digest != suite.digest


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "miracle"}, "'one.toml': kind: "),
        ({"more": "minutes = 3"}, "'one.toml': minutes: "),
        ({"more": "seconds = -1"}, "'one.toml': seconds: "),
        ({"more": "tokens = 0"}, "'one.toml': tokens: "),
        ({"path": "../a.py"}, "'one.toml': project: "),
        ({"path": "/a.py"}, "'one.toml': project: "),
        ({"path": ".git/config"}, "'one.toml': project: "),
        ({"more": "= ="}, "'one.toml' cannot be read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    with pytest.raises(BadInput) as raised:
        load_suite(write(tmp_path, **changes))

    assert raised.value.message.startswith(words)


def test_a_folder_without_tasks_is_no_suite(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"has no suite\.toml"):
        load_suite(tmp_path)
    (tmp_path / "suite.toml").write_text('name = "tiny"\n')
    with pytest.raises(BadInput, match="has no task"):
        load_suite(tmp_path)
    write(tmp_path)
    (tmp_path / "Bad-Name.toml").write_text("")
    with pytest.raises(BadInput, match="is no name of a task"):
        load_suite(tmp_path)
