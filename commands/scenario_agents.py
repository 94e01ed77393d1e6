"""The agents of a scenario: scripted ones, who do what their role asks for without a model, in simulated time.

What they do depends on their brief alone. They leave real files, which the real graph proves, tests and lands.
"""

import asyncio
import heapq
import re
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final

from stretto.agents.executor import Pending
from stretto.agents.retry import OutOfPatience, Patience, patiently
from stretto.agents.runner import Surroundings
from stretto.agents.task import Brief, Outcome, RoleName, Usage
from stretto.commands.scenario_plans import is_shop, place, plain_plan
from stretto.commands.scenario_time import Clock
from stretto.commands.scenario_trouble import Trouble
from stretto.graph.numbering import file_name
from stretto.state.errors import PermanentError, TransientError
from stretto.state.ids import slug
from stretto.state.log import Log

SECONDS: Final[Mapping[RoleName, float]] = {
    "researcher": 1200.0,
    "planner": 1800.0,
    "implementer": 1800.0,
    "tester": 900.0,
    "debugger": 1200.0,
    "documenter": 900.0,
    "reviewer": 900.0,
}
"""How long an attempt of each role takes, in simulated time."""
Planner = Callable[[Brief, str], dict[str, Any]]
"""What comes of a brief and of what the workflow is about: the `data` of an outcome."""
_NO_TOKENS = Usage(input_tokens=0, output_tokens=0, cost_usd=0.0)
_QUIET_STEPS = 64
"""Steps of the event loop without anybody at work, before time goes on: a task that is done lets others begin."""
_QUIET_SECONDS = 0.005


class Sleepers:
    """Who sleeps in simulated time. The clock goes on when everybody who has begun does."""

    def __init__(self, clock: Clock, at_work: Callable[[], int]) -> None:
        self._clock = clock
        self._at_work = at_work
        self._asleep: list[tuple[float, str, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._turning: asyncio.Task[None] | None = None

    async def sleep(self, seconds: float, name: str) -> None:
        """Come back `seconds` of simulated time later; of those who wake at one moment the first `name` is first."""
        awake = asyncio.get_running_loop().create_future()
        heapq.heappush(self._asleep, (self._clock.now() + seconds, name, next(self._numbers), awake))
        if self._turning is None or self._turning.done():
            self._turning = asyncio.ensure_future(self._turn())
        await awake

    async def _turn(self) -> None:
        while self._asleep:
            await self._all_asleep()
            at, _, _, awake = heapq.heappop(self._asleep)
            self._clock.pass_to(at)
            if not awake.done():
                awake.set_result(None)

    async def _all_asleep(self) -> None:
        quiet = 0
        while quiet < _QUIET_STEPS:
            working = self._at_work() > sum(not awake.done() for *_, awake in self._asleep)
            quiet = 0 if working else quiet + 1
            await asyncio.sleep(_QUIET_SECONDS if working else 0)


class ScriptedRunner:
    """A runner whose agents work by rule. One serves one workflow."""

    name = "scripted"

    def __init__(self, clock: Clock, store: str, trouble: Trouble, plan: Planner = plain_plan) -> None:
        self._clock = clock
        self._store = store
        self._trouble = trouble
        self._roles: Mapping[RoleName, Planner] = {**_ROLES, "planner": plan}
        self._held = 0
        self._log: Log | None = None
        self._workflow = ""
        self._sleepers = Sleepers(clock, self._at_work)

    async def run(self, brief: Brief, surroundings: Surroundings) -> Outcome:
        """Let the time of the work pass, then do it.

        Raises:
            Pending: The phase is held.
            PermanentError: There is trouble in it, and it does not pass.
        """
        if self._log is None:
            self._log, self._workflow = Log.find(self._store), brief.workflow_id
        row = self._log.workflow(brief.workflow_id) if self._log else None
        subject = row.description if row else brief.title
        if self._trouble.holds(brief.workflow_id, brief.phase):
            self._held += 1
            raise Pending
        await self._suffered(brief)
        await self._sleepers.sleep(brief.budget.seconds or SECONDS[brief.role], brief.lane)
        surroundings.progress("text", {"text": f"{brief.role}: {brief.title}"})
        data = self._roles.get(brief.role, _nothing)(brief, subject)
        return Outcome(status="completed", summary=f"{brief.title}: done", data=data, usage=_NO_TOKENS)

    async def _suffered(self, brief: Brief) -> None:
        """Try until the trouble passes, or patience ends, in simulated time.

        What is in trouble is something that the task needs, and not the agents' provider: the task fails of it.
        """

        async def tried() -> None:
            if error := self._trouble.error(brief.workflow_id, brief.phase):
                raise TransientError(f"Trouble in {brief.phase}: {error}.")

        patience = Patience(
            clock=self._clock.now, sleep=lambda s: self._sleepers.sleep(s, brief.lane), jitter=lambda: 1.0
        )
        try:
            await patiently(tried, patience=patience)
        except OutOfPatience as error:
            raise PermanentError(error.message) from error

    async def close(self) -> None:
        """Let go of the log."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def _at_work(self) -> int:
        """How many attempts have begun and not ended."""
        rows = self._log.attempts(self._workflow) if self._log else []
        return sum(row.state in ("started", "proven") for row in rows) - self._held


# ── what each role does ──────────────────────────────────────────────────────────────────────────────────────────────


def _nothing(brief: Brief, subject: str) -> dict[str, Any]:
    del brief, subject
    return {}


def _research(brief: Brief, subject: str) -> dict[str, Any]:
    """A report that says what lies in the project, with recommendations."""
    found = sorted(p.relative_to(brief.cwd).as_posix() for p in Path(brief.cwd).glob("src/**/*.py"))
    advice = ("Keep it in a module of its own", "Test it where it can be broken", "Say in the README how it is used")
    lines = [
        f"# {brief.title}",
        "",
        "## Findings",
        "",
        f"About {subject!r}. The project has {len(found)} modules:",
        "",
        *(f"- `{path}`" for path in found),
        "",
        "## Recommendations",
        "",
        *(f"- {one}" for one in advice),
    ]
    return {"title": brief.title, "report": "\n".join(lines) + "\n"}


def _write(brief: Brief, subject: str) -> dict[str, Any]:
    """Every file that the task declares; a module of its own where it declares none."""
    wanted = [w for w in brief.writes if not any(c in w for c in "*?[") and not w.endswith("/")]
    for path in wanted or ([] if brief.writes else [place(slug(brief.title), shop=is_shop(brief))]):
        file = Path(brief.cwd, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.read_text("utf-8") if file.exists() else ""
        file.write_text(before + _content(path, brief, subject, first=not before), "utf-8")
    return {}


def _content(path: str, brief: Brief, subject: str, *, first: bool) -> str:
    name = slug(brief.title)
    if not path.endswith(".py"):
        return f"{'# ' if first else '## '}{brief.title}\n\n{subject}.\n"
    if Path(path).name.startswith("test_"):
        return _tests(brief, name) if first else ""
    told = f'"""{brief.title}."""\n' if first else ""
    return f'{told}\n\ndef {name}():\n    """{brief.title}."""\n    return "{name}"\n'


def _tests(brief: Brief, name: str) -> str:
    """A test for each module that the task reads: it can be imported, and what it defines answers."""
    modules = [Path(p).stem for p in brief.reads if p.startswith("src/shop/") and p.endswith(".py")] or [
        "authentication"
    ]
    cases = "\n".join(
        f'    def test_{module}(self):\n        self.assertTrue(vars(import_module("shop.{module}")))\n'
        for module in modules
    )
    head = "import unittest\nfrom importlib import import_module\n\n\n"
    return f"{head}class {name.title().replace('_', '')}(unittest.TestCase):\n{cases}"


def _debug(brief: Brief, subject: str) -> dict[str, Any]:
    return {"cause": f"{brief.title}: looked at, nothing was found that fails", "evidence": [subject], "tasks": []}


def _document(brief: Brief, subject: str) -> dict[str, Any]:
    """A page of its own, and a line in the README that leads to it."""
    path = f"docs/{file_name(1, subject).partition('_')[2]}"
    page = Path(brief.cwd, path)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(f"# {brief.title}\n\n{subject}.\n", "utf-8")
    readme = Path(brief.cwd, "README.md")
    before = readme.read_text("utf-8") if readme.exists() else "# shop\n"
    line = f"\n[{_one_title(subject)}]({path})\n"
    readme.write_text(before if line in before else before + line, "utf-8")
    return {"files": [path, "README.md"]}


def _one_title(text: str) -> str:
    """A text as the words of a link."""
    return re.sub(r"[\[\]()\s]+", " ", text).strip()[:80]


_ROLES: Mapping[RoleName, Planner] = {
    "researcher": _research,
    "implementer": _write,
    "tester": _nothing,
    "debugger": _debug,
    "documenter": _document,
    "reviewer": _nothing,
}
