"""A plan as a markdown file: writing it, reading it back, and ticking it.

A file that `render` wrote is read back without loss, whatever its texts hold. A file that a person wrote after the
same template is read too: its tasks may be bare `- [ ] do this` lines. Ticking changes the boxes and headings it is
asked to and leaves every other byte alone. Only a ticked box and a heading that ends in `[COMPLETED]` mean done.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from pydantic import ValidationError

from stretto.graph.markdown import code, code_spans, guard, link, longest_run, one_line, unguard
from stretto.graph.plan import Complexity, Criterion, Plan, PlanPhase, PlanTask
from stretto.graph.plan_lines import Item, Outline, PhaseLines, commands
from stretto.graph.plan_reading import PLAIN_ID, below, identified, linked, listed, read_metadata, words
from stretto.state.errors import BadInput

SUFFIX = " Implementation Plan"
_MARKER = re.compile(r"\\*\[completed(?:[ :-][^\[\]]*)?\]", re.IGNORECASE)
_SECTIONS = (
    ("Testing Strategy", "testing_strategy"),
    ("Documentation Requirements", "documentation"),
    ("Dependencies", "dependencies"),
    ("Notes", "notes"),
    ("Revision History", "history"),
)


def render(plan: Plan) -> str:
    """The plan as the text of its file. Sections without content are left out."""
    parts = [
        f"# {plan.title}{SUFFIX}",
        "## Metadata\n" + "\n".join(_metadata(plan)),
        _section("Overview", plan.overview),
        _criteria(plan.success_criteria),
        _section("Technical Design", plan.technical_design),
        "## Implementation Phases",
        *(part for phase in plan.phases for part in _phase(phase)),
        *(_section(title, getattr(plan, name)) for title, name in _SECTIONS),
    ]
    return "\n\n".join(p for p in parts if p) + "\n"


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{guard(text)}" if text else ""


def _metadata(plan: Plan) -> Iterator[str]:
    facts = {"Date": plan.date, "Feature": plan.feature, "Scope": plan.scope}
    yield from (f"- **{name}**: {value}" for name, value in facts.items() if value)
    yield f"- **Estimated Phases**: {len(plan.phases)}"
    if plan.standards_file:
        yield f"- **Standards File**: {plan.standards_file}"
    if plan.research_reports:
        yield "- **Research Reports**:"
        yield from (f"  - {link(report)}" for report in plan.research_reports)
    if plan.summary:
        yield f"- **Summary**: {link(plan.summary)}"


def _criteria(criteria: Sequence[Criterion]) -> str:
    boxes = "\n".join(f"- [{'x' if c.done else ' '}] {c.text}" for c in criteria)
    return f"## Success Criteria\n\n{boxes}" if boxes else ""


def _phase(phase: PlanPhase) -> Iterator[str]:
    name = _MARKER.sub(r"\\\g<0>", phase.name)
    yield f"### Phase {phase.number}: {name}{' [COMPLETED]' if phase.completed else ''}"
    facts = {"Objective": phase.objective, "Complexity": phase.complexity}
    yield "\n".join(f"**{key}**: {value}" for key, value in facts.items() if value)
    if phase.tasks:
        yield "Tasks:\n" + "\n".join(_task(t) for t in phase.tasks)
    if phase.testing:
        fence = "`" * max(3, longest_run("\n".join(phase.testing), "`") + 1)
        yield "\n".join(("Testing:", f"{fence}bash", *phase.testing, fence))


def _task(task: PlanTask) -> str:
    return "\n".join((f"- [{'x' if task.done else ' '}] **{shown_id(task.id)}** {task.title}", *details(task)))


def shown_id(task_id: str) -> str:
    """An id as the file shows it: `T1` as it is, a word such as `setup` as code, so that bold prose is never an id."""
    return task_id if re.fullmatch(PLAIN_ID, task_id) else code(task_id)


def details(task: PlanTask) -> Iterator[str]:
    """The lines below a task's own: what it reads, writes, depends on and is checked by, then its description."""
    facts = {"Reads": task.reads, "Writes": task.writes, "Depends on": task.depends_on, "Checks": task.checks}
    for key, values in facts.items():
        if values:
            yield f"  - {key}: {', '.join(map(shown_id if key == 'Depends on' else code, values))}"
    if task.description:
        yield ""
        yield from (f"  {line}" if line else "" for line in task.description.split("\n"))
        yield ""


def parse(text: str, *, source: str = "the plan") -> Plan:
    """Read a plan. `source` is its name in messages.

    A task without an id gets `T<phase>.<n>`. Metadata that is not there stays empty; sections that the template does
    not know are skipped, and so are boxes that do not stand in a phase's task list.

    Raises:
        BadInput: It is no plan, or not a sound one: the message names the line and what is missing there.
    """
    outline = Outline(text, source)
    title, phases = outline.title(), outline.phases()
    meta = read_metadata(outline.body("metadata"))
    return Plan(
        title=title.removesuffix(SUFFIX) or title,
        date=meta.get("date", [""])[0],
        feature=meta.get("feature", [""])[0],
        scope=meta.get("scope", [""])[0],
        standards_file=meta.get("standards file", [""])[0],
        research_reports=tuple(linked(meta.get("research reports", []))),
        summary=next(iter(linked(meta.get("summary", []))), ""),
        overview=unguard(outline.body("overview")),
        success_criteria=tuple(Criterion(text=_whole(i), done=i.done) for i in outline.criteria()),
        technical_design=unguard(outline.body("technical design")),
        phases=tuple(_read_phase(outline, phase) for phase in phases),
        testing_strategy=unguard(outline.body("testing strategy")),
        documentation=unguard(outline.body("documentation requirements", "documentation")),
        dependencies=unguard(outline.body("dependencies")),
        notes=unguard(outline.body("notes")),
        history=unguard(outline.body("revision history", "update history")),
    )


def _whole(item: Item) -> str:
    return one_line(" ".join((item.text, *item.below)))


def _read_phase(outline: Outline, phase: PhaseLines) -> PlanPhase:
    words = _stated(phase.intro, "complexity").replace("(", " ").split()
    complexity: dict[str, Complexity] = {"low": "Low", "medium": "Medium", "high": "High"}
    name = _MARKER.sub(lambda m: m[0].removeprefix("\\"), phase.name)
    return PlanPhase(
        number=phase.number,
        name=name,
        objective=_stated(phase.intro, "objective"),
        complexity=complexity.get(words[0].lower() if words else "", ""),
        tasks=tuple(_read_task(outline, item, name, title) for item, name, title in identified(phase)),
        testing=tuple(commands(phase.testing)),
        completed=phase.completed,
    )


def _stated(lines: Sequence[str], name: str) -> str:
    """The value behind `**Name**:`, up to a blank line or the next bold word."""
    pattern = re.compile(rf"\**{name}\**:\**\s*(.*)", re.IGNORECASE)
    for i, line in enumerate(lines):
        if match := pattern.fullmatch(line):
            rest = list(lines[i + 1 :])
            end = next(
                (k for k, more in enumerate(rest) if not more.strip() or re.match(r"[*#+-]|\d+[.)]", more)), len(rest)
            )
            return one_line(" ".join((match[1], *rest[:end])))
    return ""


def _read_task(outline: Outline, item: Item, task_id: str, title: str) -> PlanTask:
    fields, description = below(item.below)
    checks = fields.get("checks", "")
    try:
        return PlanTask(
            id=task_id,
            title=title,
            description=description,
            reads=listed(fields.get("reads", "")),
            writes=listed(fields.get("writes", "")),
            depends_on=tuple(w.strip("`*") for w in words(fields.get("depends on", ""))),
            checks=tuple(code_spans(checks)) or (checks,),
            done=item.done,
        )
    except ValidationError as error:
        raise outline.error(item.line, f"task {task_id!r}: {problem(error)}.") from None


def problem(error: ValidationError) -> str:
    """The first thing that pydantic found, as words: where and what."""
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))} {first['msg'].removeprefix('Value error, ')}".strip()


def tick(text: str, task_ids: Iterable[str], *, source: str = "the plan") -> str:
    """The file with the boxes of these tasks ticked. Boxes already ticked stay so.

    Raises:
        BadInput: It is no plan, or has no such task.
    """
    places = {name: item.line for phase in Outline(text, source).phases() for item, name, _ in identified(phase)}
    return _edited(text, (_known(places, task_id, "task") for task_id in task_ids), _ticked)


def tick_criteria(text: str, indexes: Iterable[int], *, source: str = "the plan") -> str:
    """The file with these success criteria ticked, counted from 0.

    Raises:
        BadInput: There is no such criterion.
    """
    places = {i: item.line for i, item in enumerate(Outline(text, source).criteria())}
    return _edited(text, (_known(places, i, "success criterion") for i in indexes), _ticked)


def complete_phase(text: str, number: int, *, source: str = "the plan") -> str:
    """The file with `[COMPLETED]` at the end of a phase's heading, once.

    Raises:
        BadInput: It is no plan, or has no such phase.
    """
    phases = Outline(text, source).phases()
    line = _known({p.number: p.line for p in phases}, number, "phase")
    marked = any(p.completed for p in phases if p.number == number)
    return text if marked else _edited(text, [line], lambda heading: f"{heading} [COMPLETED]")


_Key = TypeVar("_Key", int, str)


def _known(places: Mapping[_Key, int], key: _Key, noun: str) -> int:
    if key not in places:
        raise BadInput(f"The plan has no {noun} {key!r}.", field=noun, allowed=[str(k) for k in places])
    return places[key]


def _ticked(line: str) -> str:
    start = line.index("[") + 1
    return line if line[start] != " " else f"{line[:start]}x{line[start + 1 :]}"


def _edited(text: str, places: Iterable[int], change: Callable[[str], str]) -> str:
    lines = text.split("\n")
    for i in places:
        bare = lines[i].rstrip()
        lines[i] = change(bare) + lines[i][len(bare) :]
    return "\n".join(lines)
