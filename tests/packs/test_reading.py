"""A pack is read from its folder: what it holds, and everything that is wrong with it."""

from pathlib import Path

import pytest

from stretto.packs.files import read_folder
from stretto.packs.pack import checked, sound
from stretto.state.errors import BadInput

MANIFEST = """\
name = "team"
version = "1.2.0"
description = "How the team releases"
license = "MIT"
requires = ">=0.1"
"""
PAGE = """\
---
name: release
description: Release a version
template: release
---
Write the notes, and tag.
"""
TEMPLATE = """\
name: release
description: A release
phases:
  - name: research
    kind: research
    tasks:
      - {id: changes, title: Changes, role: researcher, prompt: "What changed since {{description}}?"}
      - {id: risks, title: Risks, role: researcher, prompt: "What may break?"}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small pack."""
    texts = {"pack.toml": MANIFEST, "commands/release.md": PAGE, "templates/release.yaml": TEMPLATE}
    for path, text in texts.items():
        place = tmp_path / "team" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")
    return tmp_path / "team"


def problems(folder: Path) -> list[str]:
    return [str(one) for one in checked(read_folder(folder), "0.1.0")[1]]


def test_a_pack_is_what_its_files_say(folder: Path) -> None:
    pack = sound(read_folder(folder), "0.1.0")
    assert (pack.manifest.name, pack.manifest.version) == ("team", "1.2.0")
    assert pack.commands["release"].template == "release"
    assert [phase.name for phase in pack.templates["release"].phases] == ["research"]


def test_a_command_must_say_what_runs_it(folder: Path) -> None:
    (folder / "commands" / "release.md").write_text(PAGE.replace("template: release\n", ""), "utf-8")
    (folder / "commands" / "lost.py").write_text("print()\n", "utf-8")
    assert problems(folder) == [
        "commands/release.md: a command has either a `template` or a handler commands/release.py",
        "commands/lost.py: is a handler of no command: there is no commands/lost.md",
    ]


def test_a_pack_that_needs_a_newer_stretto_says_so(folder: Path) -> None:
    (folder / "pack.toml").write_text(MANIFEST.replace(">=0.1", ">=7"), "utf-8")
    assert problems(folder) == ["pack.toml: requires Stretto >=7, and this is 0.1.0"]


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("name", '"Team"', "name"),
        ("name", '"stretto"', "Stretto's own"),
        ("version", '"1.2"', "version"),
        ("requires", '"newest"', "range of versions"),
        ("hosts", '["x"]', "no key that is known here"),
    ],
)
def test_a_wrong_key_is_named(folder: Path, key: str, value: str, told: str) -> None:
    lines = [line for line in MANIFEST.splitlines() if not line.startswith(f"{key} ")]
    (folder / "pack.toml").write_text("\n".join([*lines, f"{key} = {value}"]), "utf-8")
    assert told in problems(folder)[0]


def test_what_no_pack_may_hold_is_refused(folder: Path) -> None:
    (folder / "setup.sh").write_text("true\n", "utf-8")
    with pytest.raises(BadInput, match=r"'setup\.sh' is no file that a pack may hold"):
        read_folder(folder)
    (folder / "setup.sh").unlink()
    (folder / "LICENSE").symlink_to("/etc/passwd")
    with pytest.raises(BadInput, match="'LICENSE' is a link"):
        read_folder(folder)
