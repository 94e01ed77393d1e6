"""The plans of a scenario: those that its planner makes, and those that the document takes for granted.

A planner of flesh would be told what the plan is about and would find parts and a name for it. This one finds those by
which the document speaks of it.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from stretto.agents.task import Brief
from stretto.commands.scenario_script import Script
from stretto.graph.numbering import file_name, next_number, number_of
from stretto.graph.plan import Plan, PlanPhase, PlanTask
from stretto.graph.plan_data import from_data
from stretto.graph.plan_file import render
from stretto.state.ids import slug

TRACKS: Final = ("backend", "frontend", "database")
"""The phases of a plan of which nobody says more; they need nothing of each other. Testing and documentation follow."""
_PLANS: Final = "specs/plans"
_PLAN = re.compile(r"(?<![\w./-])specs/plans/(?P<name>[0-9]{1,5}[_-][A-Za-z0-9_-]{1,80}\.md)(?![\w.-])")
_GENERIC = re.compile(r"[-\s](?:based|driven)\b|\b(?:system|service|feature|module)s?\b", re.IGNORECASE)
_SPLIT = re.compile(r"[^A-Za-z0-9]+")


def plain_plan(brief: Brief, subject: str) -> dict[str, Any]:
    """The `data` of a planner of whose plan nobody speaks."""
    return plan_data(_title(subject), subject, TRACKS, shop=is_shop(brief))


def planned(brief: Brief, subject: str, script: Script) -> dict[str, Any]:
    """The `data` of a planner who works for the line that is being run."""
    if script.command() != "plan":
        return plain_plan(brief, subject)
    number = next_number(path.name for path in Path(brief.cwd, _PLANS).glob("*"))
    wanted = next((name for name in _named_below(script) if number_of(name) == number), "")
    title = _called(_title(subject), number, wanted)
    return plan_data(title, subject, script.tracks(script.now) or TRACKS, shop=is_shop(brief))


def _called(title: str, number: int, wanted: str) -> str:
    """A title whose file has the wanted name: as it is, by the words of the name, or the name itself."""
    words = Path(wanted).stem.partition("_")[2]
    if not words or file_name(number, title) == wanted:
        return title
    plain = words.replace("_", " ").capitalize()
    return plain if file_name(number, plain) == wanted else words


def is_shop(brief: Brief) -> bool:
    """Whether an agent works in a scenario's project, and not in a copy of somebody's own."""
    return Path(brief.cwd, "src/shop").is_dir()


def place(stem: str, *, shop: bool) -> str:
    """A module of the scenario's project; in any other a text, which breaks nothing there."""
    return f"src/shop/{stem}.py" if shop else f"rehearsal/{stem}.md"


def plan_data(title: str, subject: str, tracks: Sequence[str], *, shop: bool) -> dict[str, Any]:
    """Tracks that need nothing of each other, then tests of them all, then a document."""
    name = slug(title, words=3)
    made = {track: place(f"{name}_{slug(track, words=6)}", shop=shop) for track in tracks}
    parts = [_phase(track, [_module(f"T{i}", track, path)]) for i, (track, path) in enumerate(made.items(), 1)]
    last = len(parts)
    tests = {
        "id": f"T{last + 1}",
        "title": f"Test {title}",
        "writes": [f"tests/test_{name}.py" if shop else place(f"test_{name}", shop=False)],
        "reads": [*made.values()],
        "depends_on": [f"T{i}" for i in range(1, last + 1)],
    }
    text = {
        "id": f"T{last + 2}",
        "title": f"Describe {title}",
        "writes": [f"docs/{name}.md"],
        "depends_on": [f"T{last + 1}"],
    }
    phases = [*parts, _phase("testing", [tests]), _phase("documentation", [text])]
    return {"title": title, "overview": f"What was asked for: {subject}", "phases": phases}


def _title(subject: str) -> str:
    """The words that name what is asked for: `Implement JWT-based authentication system` → `JWT authentication`."""
    plain = _GENERIC.sub(" ", subject)
    wanted = slug(plain, words=6).split("_")
    words = {word.lower(): word for word in _SPLIT.split(plain) if word}
    title = " ".join(words.get(word, word) for word in wanted)
    return title[:1].upper() + title[1:]


def _phase(name: str, tasks: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "objective": f"the {name} part", "complexity": "Medium", "tasks": tasks}


def _module(task: str, track: str, path: str) -> dict[str, Any]:
    return {"id": task, "title": f"The {track} of it", "writes": [path]}


# ── taken for granted ────────────────────────────────────────────────────────────────────────────────────────────────


def prepared_plans(script: Script) -> Iterator[tuple[str, str]]:
    """The files of the plans that there must be before the first line, by their paths.

    There are as many that each plan which a `/plan` line makes gets the number that the lines below it name.
    """
    before: dict[str, int] = {}
    lines: dict[str, int] = {}
    made = 0
    for one in script.lines:
        for name in _PLAN.findall(one.step.text):
            before.setdefault(name, made)
            lines.setdefault(name, one.step.line)
        made += one.invocation is not None and one.invocation.command == "plan"
    highest = max(((number_of(name) or 0) - count for name, count in before.items()), default=0)
    named = {number_of(name): name for name in reversed(before)}
    for number in range(1, min(highest, MOST_PLANS) + 1):
        name = named.get(number, f"{number:03d}_earlier_work.md")
        tracks = script.tracks(lines[name] - 1) if name in lines else ()
        yield f"{_PLANS}/{name}", render(_plan(name, tracks, finished=name not in lines))


MOST_PLANS: Final = 200
"""Plans that are prepared, at most."""


def _named_below(script: Script) -> list[str]:
    """The plans that lines below the one that is being run name, and none above it."""
    above = {name for one in script.lines if one.step.line <= script.now for name in _PLAN.findall(one.step.text)}
    found = [name for one in script.below(script.now) for name in _PLAN.findall(one.step.text)]
    return [name for name in dict.fromkeys(found) if name not in above]


def _plan(name: str, tracks: Sequence[str], *, finished: bool) -> Plan:
    """A plan with the tracks that the document speaks of, or of one phase; only one that a line names is open."""
    title = re.split("[_-]", name.removesuffix(".md"), maxsplit=1)[1].replace("_", " ").capitalize()
    if tracks:
        return from_data(plan_data(title, title, tracks, shop=True), feature=title)
    note = f"notes/{name}"
    task = PlanTask(id="T1", title=f"Note {title!r}", writes=(note,), done=finished)
    return Plan(title=title, phases=(PlanPhase(number=1, name="Notes", tasks=(task,), completed=finished),))
