"""The script of a scenario: what the lines of a document say of each other, read before the first of them is run.

A line is told what those below it take for granted: the name of its workflow, the phases that they do themselves, how
its plan is called and which tracks it has. All of it comes from names that the document uses; what happens, when, and
with what figures does not.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from stretto.commands.invocation import Invocation
from stretto.commands.scenario_document import Example
from stretto.commands.scenario_lines import (
    Said,
    allocated,
    context,
    description,
    made,
    read,
    spoken_of,
    starts,
    taken_for_granted,
    tasks,
)
from stretto.graph.analyze import analyze
from stretto.graph.template import load_template
from stretto.graph.template_model import Template
from stretto.state.errors import BadInput

_WORD = re.compile(r"[a-z0-9]+")
MOST_TRACKS: Final = 20
"""Parts of a scripted plan, at most."""
_SHORTEST: Final = 3
"""Letters that two words have in common, at least, if one is the beginning of the other."""


class Script:
    """The lines of one example. A search in a line is made in `folder`, the example's project."""

    def __init__(self, example: Example, folder: Path) -> None:
        self.lines = tuple(read(step, folder) for step in example.steps)
        self.expected = tuple(one.event for one in example.expected if one.event)
        self.now = 0
        """The line of the document that is being run."""

    def below(self, line: int) -> tuple[Said, ...]:
        """What stands below a line of the document."""
        return tuple(one for one in self.lines if one.step.line > line)

    def command(self) -> str:
        """The command of the line that is being run; empty if it has none."""
        return next((i.command for one in self.lines if one.step.line == self.now and (i := one.invocation)), "")

    # ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def meant(self, line: int) -> str:
        """The id by which the document speaks of the workflow that `/orchestrate` starts in a line, or nothing.

        Of the ids that stand behind the line and nowhere before it, the first whose words begin words of the
        description: `research_auth_001` for `Research authentication best practices`. Else the first that a line takes
        for granted and none makes.
        """
        said = next(one for one in self.lines if one.step.line == line)
        flags = said.invocation.flags.keys() if said.invocation else set[str]()
        if not starts(said.invocation) or {"workflow-id", "test-mode", "dry-run"} & flags:
            return ""
        before = {name for one in self.lines if one.step.line < line for name in spoken_of(one)}
        below = self.below(line)
        known = before | {name for one in below for name in made(one)}
        later = [name for one in below for name in spoken_of(one)] + [event.workflow_id for event in self.expected]
        new = [name for name in dict.fromkeys(later) if name not in known]
        if fitting := next((name for name in new if _fits(name, description(said))), ""):
            return fitting
        others = [description(one) for one in below if starts(one.invocation)]
        found = [name for one in below for name in taken_for_granted(one) if name in new]
        return next((name for name in found if not any(_fits(name, other) for other in others)), "")

    def workflow(self, line: int) -> str:
        """The id of the workflow that `/orchestrate` starts in a line: the one it says, or the one that is meant."""
        said = next(one.invocation for one in self.lines if one.step.line == line)
        return str(said.flags.get("workflow-id", "") if said else "") or self.meant(line)

    def taken_up(self, line: int, workflow: str) -> dict[str, int]:
        """The phases of a workflow to which `/subagents` lines below bring tasks, each with a number of agents.

        As many as were allocated to the workflow in between, else one for each task.
        """
        found: dict[str, int] = {}
        agents = 0
        for one in self.below(line) if workflow else ():
            agents = allocated(one, workflow) or agents
            about = context(one)
            if about.get("workflow_id") == workflow and (phase := about.get("phase")):
                found.setdefault(str(phase), agents or len(tasks(one)))
        return found

    # ── parts of a plan ──────────────────────────────────────────────────────────────────────────────────────────────

    def tracks(self, line: int) -> tuple[str, ...]:
        """The tracks that `/subagents` joins below a line at which their plan is made, or named for the first time.

        A track is called as the expected events call it, else by the first word of its scope. Empty if no line names
        some before another plan is made.
        """
        for one in self.below(line):
            if one.invocation and one.invocation.command == "plan":
                break
            if found := self._tracks_of(one):
                return found
        return ()

    def _tracks_of(self, said: Said) -> tuple[str, ...]:
        workflow = str(context(said).get("workflow_id", ""))
        if workflow not in self._orchestrated():
            return ()
        names = [e.phase for e in self.expected if e.workflow_id == workflow and e.type.startswith("PHASE_")]
        found: dict[int, str] = {}
        for index, task in enumerate(tasks(said), 1):
            number, name = _track(task, index, names)
            found[number] = name
        most = max(found, default=0)
        return tuple(found.get(n, f"part_{n}") for n in range(1, most + 1)) if most <= MOST_TRACKS else ()

    def _orchestrated(self) -> set[str]:
        """The workflows whose tracks others may join."""
        lines = [one.invocation for one in self.lines if one.invocation and one.invocation.command == "implement"]
        return {str(i.flags["workflow-id"]) for i in lines if {"workflow-id", "orchestrated"} <= i.flags.keys()}


def template_of(invocation: Invocation, project: Path | None) -> Template | None:
    """The template that an `/orchestrate` line starts from; None if there is none such."""
    try:
        name = invocation.flags.get("template") or analyze(invocation.words[0].text).template
        return load_template(str(name), project)
    except BadInput:
        return None


def _fits(name: str, description: str) -> bool:
    """Whether each word of an id, but its number, is one of a description, shortened or bent."""
    words = _WORD.findall(description.lower())
    parts = [part for part in _WORD.findall(name.lower()) if not part.isdecimal()]
    return bool(parts) and all(any(_alike(part, word) for word in words) for part in parts)


def _alike(part: str, word: str) -> bool:
    return word.startswith(part) or (len(word) >= _SHORTEST and part.startswith(word))


def _track(task: Mapping[str, Any], index: int, names: Sequence[str]) -> tuple[int, str]:
    """The number of a task's track, and its name."""
    phase = task.get("phase", index)
    scope = _WORD.findall(str(task.get("scope") or task.get("description") or "").lower())
    if isinstance(phase, str) and not phase.isdecimal():
        return index, phase
    called = [name for name in names if set(_WORD.findall(name.lower())) <= set(scope)]
    name = max(called, key=len) if called else scope[0] if scope else f"part_{index}"
    return (int(phase) if isinstance(phase, int | str) else index), name
