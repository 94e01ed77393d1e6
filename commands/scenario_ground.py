"""The ground of a scenario: a scratch project with its history, a store of its own, a pool, and a simulated clock."""

import asyncio
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from stretto.agents.git import Git
from stretto.commands.app import App
from stretto.commands.coordinating import open_log
from stretto.commands.scenario_agents import ScriptedRunner
from stretto.commands.scenario_document import Example
from stretto.commands.scenario_time import BEGIN, Clock
from stretto.commands.scenario_trouble import Trouble
from stretto.graph.admission import CAPACITY
from stretto.graph.numbering import number_of
from stretto.graph.plan import Plan, PlanPhase, PlanTask
from stretto.graph.plan_file import render
from stretto.state.chosen import choose
from stretto.state.errors import StrettoError

POOL: Mapping[str, float] = {"agents": 4, "cpu": 4, "memory": 8 * 1024**3, "workflows": 5}
"""What there is of everything in a scenario."""
_PLAN = re.compile(r"specs/plans/(?P<name>[0-9]{1,5}_[a-z0-9_]+\.md)")
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
    """Where a scenario happens. `prepared` names the files that the document takes for granted."""

    app: App
    clock: Clock
    trouble: Trouble
    prepared: tuple[str, ...]


def make(root: Path, example: Example) -> Ground:
    """Make the project of an example in an empty folder, with the plans it takes for granted, its store and its pool.

    Raises:
        StrettoError: git refused.
    """
    plans = dict(_plans(example))
    asyncio.run(commit(root, {**_PROJECT, **plans}))
    _environment(root)
    clock, trouble = Clock(), Trouble(example)
    store = str(root / ".stretto" / "state")
    app = App(str(root), store, clock=clock.now, window=None, agents=lambda: ScriptedRunner(clock, store, trouble))
    with open_log(app) as log, log.write() as tx:
        choose(tx, CAPACITY, POOL)
    return Ground(app, clock, trouble, tuple(plans))


def _environment(root: Path) -> None:
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


def _plans(example: Example) -> Iterable[tuple[str, str]]:
    """The plans up to the highest number that the lines name, but that one itself if a line before makes it."""
    planned = False
    named: dict[int, str] = {}
    highest = 0
    for step in example.steps:
        for name in _PLAN.findall(step.text):
            number = number_of(name) or 0
            highest = max(highest, number - 1 if planned else number)
            named.setdefault(number, name)
        planned = planned or step.text.startswith(("/plan ", "/stretto:plan "))
    for number in range(1, highest + 1):
        name = named.get(number, f"{number:03d}_earlier_work.md")
        yield f"specs/plans/{name}", render(_plan(name, finished=number not in named))


def _plan(name: str, *, finished: bool) -> Plan:
    """A plan of one phase; only one that a line names has something left to do."""
    title = name.removesuffix(".md").partition("_")[2].replace("_", " ").capitalize()
    note = f"notes/{name}"
    task = PlanTask(id="T1", title=f"Note {title!r}", writes=(note,), done=finished)
    return Plan(title=title, phases=(PlanPhase(number=1, name="Notes", tasks=(task,), completed=finished),))
