"""The ground of a scenario: a scratch project with its history, a store of its own, a pool, and a simulated clock."""

import asyncio
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from stretto.agents.git import Git
from stretto.commands.app import App
from stretto.commands.coordinating import open_log
from stretto.commands.scenario_agents import ScriptedRunner
from stretto.commands.scenario_document import Example
from stretto.commands.scenario_plans import planned, prepared_plans
from stretto.commands.scenario_script import Script
from stretto.commands.scenario_templates import own_templates
from stretto.commands.scenario_time import BEGIN, Clock
from stretto.commands.scenario_trouble import Trouble
from stretto.commands.test import WHOLE
from stretto.graph.admission import CAPACITY
from stretto.state.chosen import choose
from stretto.state.errors import StrettoError

POOL: Mapping[str, float] = {"agents": 4, "cpu": 4, "memory": 8 * 1024**3, "workflows": 5}
"""What there is of everything in a scenario."""
_MODULE = re.compile(r"[a-z][a-z0-9_]{0,40}")
_TEST = """\
import unittest

from shop import {name}


class {case}(unittest.TestCase):
    def test_{name}_is_ready(self):
        self.assertTrue({name}.ready())
"""
_PROJECT = {
    "pyproject.toml": '[project]\nname = "shop"\nversion = "0.1"\n',
    "README.md": "# shop\n\nKnows its users: `shop.authentication`.\n",
    ".stretto/config.toml": 'durability = "process"\n',
    ".gitignore": ".venv/\n__pycache__/\n.pytest_cache/\n",
    "src/shop/__init__.py": '"""A small shop."""\n',
    "src/shop/authentication.py": (
        '"""Who may come in."""\n\nUSERS = {"ada": "lovelace"}\n\n\n'
        "def knows(name, password):\n    return USERS.get(name) == password\n"
    ),
    "tests/test_authentication.py": (
        "import unittest\n\nfrom shop.authentication import knows\n\n\n"
        "class Authentication(unittest.TestCase):\n"
        '    def test_a_user_comes_in(self):\n        self.assertTrue(knows("ada", "lovelace"))\n\n'
        '    def test_a_stranger_does_not(self):\n        self.assertFalse(knows("eve", "lovelace"))\n'
    ),
}


class Ground(NamedTuple):
    """Where a scenario happens. `prepared` names the files that the document takes for granted.

    `templates` are those that lines start from, by their numbers, where the document speaks of a phase of its own.
    """

    app: App
    clock: Clock
    trouble: Trouble
    script: Script
    prepared: tuple[str, ...]
    templates: Mapping[int, str]


def bare(root: Path) -> None:
    """Leave nothing there."""
    del root


def make_shop(root: Path) -> None:
    """Make the project alone: one commit, and our own Python for its tests.

    Raises:
        StrettoError: git refused.
    """
    asyncio.run(commit(root, _PROJECT))
    give_python(root)


def make(root: Path, example: Example, furnish: Callable[[Path], None] = bare) -> Ground:
    """Make the project of an example in an empty folder, with the plans it takes for granted, its store and its pool.

    `furnish` is given the folder first, before a line is read: what it leaves there may give the lines their meaning.

    Raises:
        StrettoError: git refused.
    """
    root.mkdir(parents=True, exist_ok=True)
    furnish(root)
    script, trouble = Script(example, root), Trouble(example)
    templates = own_templates(script, trouble)
    granted = {**dict(prepared_plans(script)), **{t.path: t.text for t in templates.values()}, **dict(_targets(script))}
    asyncio.run(commit(root, {**_PROJECT, **granted}))
    give_python(root)
    clock = Clock()
    store = str(root / ".stretto" / "state")
    plan = partial(planned, script=script)
    agents = partial(ScriptedRunner, clock, store, trouble, plan)
    app = App(str(root), store, clock=clock.now, window=None, agents=agents)
    with open_log(app) as log, log.write() as tx:
        choose(tx, CAPACITY, POOL)
    names = {line: template.name for line, template in templates.items()}
    return Ground(app, clock, trouble, script, tuple(granted), names)


def _targets(script: Script) -> Iterator[tuple[str, str]]:
    """A module and its test for each name that a `/test` line tests, if there is none of it."""
    for one in script.lines:
        if one.invocation is None or one.invocation.command != "test" or not one.invocation.words:
            continue
        name = one.invocation.words[0].text
        if _MODULE.fullmatch(name) and name not in (*WHOLE, "authentication"):
            yield f"src/shop/{name}.py", f'"""The {name} of the shop."""\n\n\ndef ready():\n    return True\n'
            yield f"tests/test_{name}.py", _TEST.format(name=name, case=name.title().replace("_", ""))


def give_python(root: Path) -> None:
    """Give the project our own Python: its tests run on every machine alike, by pytest if that is installed here."""
    python = root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', "utf-8")
    python.chmod(0o755)


async def commit(root: Path, files: Mapping[str, str]) -> None:
    """Make a git project of one commit, on a day that is always the same.

    Raises:
        StrettoError: git refused.
    """
    for path, text in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")
    git = Git(root)
    date = datetime.fromtimestamp(BEGIN, UTC).isoformat()
    for words in (
        ("init", "-q", "-b", "main", "--template="),
        ("config", "user.name", "Stretto"),
        ("config", "user.email", "scenario@example.org"),
        ("add", "-A"),
        ("commit", "-q", "-m", "Begin"),
    ):
        ran = await git.call(*words, env={"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date})
        if ran.code:
            raise StrettoError(f"git {words[0]} failed: {ran.stderr.decode(errors='replace').strip()}")
