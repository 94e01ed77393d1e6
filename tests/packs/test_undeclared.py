"""What a pack does beyond what it declares is told, with the file and the line."""

from pathlib import Path

import pytest

from stretto.packs.pack import checked
from stretto.packs.undeclared import undeclared

HEAD = 'name = "team"\nversion = "1.0.0"\ndescription = "d"\nlicense = "MIT"\nrequires = ">=0.1"\n[capabilities]\n'
TEMPLATE = """\
name: go
description: A release
phases:
  - name: work
    kind: KIND
    tasks:
      - {id: one, title: One, role: ROLE, prompt: "Do it"EXTRA}
"""


def told(may: str, files: dict[str, str]) -> list[str]:
    pack, problems = checked({"pack.toml": (HEAD + may).encode(), **{k: v.encode() for k, v in files.items()}}, "0.1.0")
    assert pack is not None, problems
    return [str(one) for one in undeclared(pack)]


def handler(source: str, may: str = "") -> list[str]:
    return [one.removeprefix("commands/go.py:") for one in told(may, {"commands/go.py": source})]


def template(kind: str, role: str, extra: str = "", may: str = "") -> list[str]:
    text = TEMPLATE.replace("KIND", kind).replace("ROLE", role).replace("EXTRA", extra)
    return [one.removeprefix("templates/go.yaml: phase 'work' ") for one in told(may, {"templates/go.yaml": text})]


def test_an_agents_tools_must_be_declared() -> None:
    agent = "---\nname: notes\ndescription: Writes\ntools: Read, Write\n---\nWrite.\n"
    assert told('tools = ["Read"]', {"agents/notes.md": agent}) == [
        "agents/notes.md: its tool Write is not in capabilities.tools"
    ]
    assert told('tools = ["Read", "Write"]', {"agents/notes.md": agent}) == []


def test_a_templates_roles_checks_and_paths_must_be_declared() -> None:
    tools = 'tools = ["Read", "Write", "Edit", "Grep", "Glob", "Bash"]\n'
    assert "has a researcher, whose tool Read is not in capabilities.tools" in template("research", "researcher")
    assert template("research", "researcher", may=tools) == []
    extra = ', writes: ["src/**"], checks: ["make test"]'
    assert template("document", "documenter", extra, tools) == [
        "has a documenter that may write 'src/**', which is not in capabilities.paths",
        "has a check that runs 'make', which is not in capabilities.commands",
    ]
    assert template("document", "documenter", extra, tools + 'paths = ["src/"]\ncommands = ["make"]') == []
    assert template("document", "documenter", may=tools) == [
        "has a documenter that may write '**', which is not in capabilities.paths"
    ]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("import socket", "1: imports socket, and capabilities.hosts names no host"),
        ("\nfrom urllib import request", "2: imports urllib.request, and capabilities.hosts names no host"),
        ("import http.client as h", "1: imports http.client, and capabilities.hosts names no host"),
        ("x = 'https://example.com/a'", "1: names the host 'example.com', which is not in capabilities.hosts"),
        ("import subprocess\nsubprocess.run(['git', 'log'])", "2: runs 'git', which is not in capabilities.commands"),
        ("from subprocess import run as go\ngo('make all')", "2: runs 'make', which is not in capabilities.commands"),
        ("import os\nos.system(x)", "2: runs a program, and capabilities.commands names none"),
        ("import ctypes", "1: imports ctypes, by which it can do what nobody reads in it"),
        ("eval(x)", "1: calls eval, by which it can do what nobody reads in it"),
        ("import builtins as b\nb.exec(x)", "2: calls exec, by which it can do what nobody reads in it"),
        ("open('a.txt', 'w')", "1: writes 'a.txt', which is not in capabilities.paths"),
        ("open(x, mode=y)", "1: writes files, and capabilities.paths names none"),
        ("from pathlib import Path\nPath('a').write_text('')", "2: writes 'a', which is not in capabilities.paths"),
        ("import shutil\nshutil.rmtree('/')", "2: writes '/', which is not in capabilities.paths"),
        ("def (", "1: is no Python: invalid syntax (<unknown>, line 1)"),
        ("x = " + "(" * 5000, "is no Python"),
    ],
)
def test_what_a_handler_does_is_read_from_its_source(source: str, line: str) -> None:
    assert any(line in one for one in handler(source))


@pytest.mark.parametrize(
    ("source", "may"),
    [
        ("import json, sys\njson.dump({'status': 'ok'}, sys.stdout)", ""),
        ("'a'.replace('a', 'b')", ""),
        ("open('a')", ""),
        ("import socket\nx = 'https://example.com'", 'hosts = ["example.com"]'),
        ("import subprocess\nsubprocess.run(['git', 'log'])", 'commands = ["git"]'),
        ("from pathlib import Path\nPath('docs/a.md').write_text('')", 'paths = ["docs/**"]'),
        ("x = '\\d'", ""),
    ],
)
def test_what_is_declared_or_harmless_is_not_told(source: str, may: str) -> None:
    assert handler(source, may) == []


def test_a_handler_is_read_and_not_run(tmp_path: Path) -> None:
    mark = str(tmp_path / "ran")
    assert handler(f"open({mark!r}, 'w').close()\nraise SystemExit(3)") != []
    assert not Path(mark).exists()
