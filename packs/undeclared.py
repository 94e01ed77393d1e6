"""What a pack's templates, agents and handlers do beyond the capabilities that it declares, as far as reading tells.

Templates and agents can be told in full: their tools, their checks and their paths are data. A handler is a program;
what its source does not say in plain words, the sandbox holds (`sandbox.py`).
"""

import shlex
from collections.abc import Iterator

from stretto.agents.paths import covers
from stretto.agents.roles import TOOLS, Role, load_role
from stretto.graph.holes import PLACEHOLDER
from stretto.graph.template_model import TemplatePhase, TemplateTask
from stretto.packs.handler_source import beyond
from stretto.packs.manifest import Capabilities
from stretto.packs.pack import Pack, Problem

_ANYWHERE = "**"


def undeclared(pack: Pack) -> list[Problem]:
    """What it does and does not declare, file by file."""
    return [*_agents(pack), *_templates(pack), *_handlers(pack)]


def _agents(pack: Pack) -> Iterator[Problem]:
    for name, role in pack.agents.items():
        for word in _missing(role, pack.manifest.capabilities):
            yield Problem(f"agents/{name}.md", 0, f"its tool {word} is not in capabilities.tools")


def _templates(pack: Pack) -> Iterator[Problem]:
    for name, template in pack.templates.items():
        for phase in template.phases:
            for what in dict.fromkeys(_beyond(phase, pack)):
                yield Problem(f"templates/{name}.yaml", 0, f"phase {phase.name!r} {what}")


def _handlers(pack: Pack) -> Iterator[Problem]:
    for name, source in pack.handlers.items():
        for line, what in beyond(source, pack.manifest.capabilities):
            yield Problem(f"commands/{name}.py", line, what)


def _missing(role: Role, may: Capabilities) -> Iterator[str]:
    return (word for word, tool in TOOLS.items() if tool in role.tools and word not in may.tools)


def _beyond(phase: TemplatePhase, pack: Pack) -> Iterator[str]:
    may = pack.manifest.capabilities
    for name, writes in _at_work(phase):
        role = load_role(name)
        yield from (f"has a {name}, whose tool {word} is not in capabilities.tools" for word in _missing(role, may))
        for path in (path for path in writes if not _inside(path, may.paths)):
            yield f"has a {name} that may write {path!r}, which is not in capabilities.paths"
    for program in (program for task in phase.tasks for program in _programs(task)):
        if program not in may.commands:
            yield f"has a check that runs {program!r}, which is not in capabilities.commands"


def _at_work(phase: TemplatePhase) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each role of a phase with what it may write; also those that come when a plan is made, or tests fail."""
    for task in phase.tasks:
        yield task.role, (task.writes or (_ANYWHERE,)) if load_role(task.role).writes else ()
    if phase.kind == "test" or (phase.kind == "implement" and not phase.tasks):
        yield "implementer", (_ANYWHERE,)
    if phase.kind in ("test", "implement"):
        yield "debugger", ()


def _inside(path: str, allowed: tuple[str, ...]) -> bool:
    if PLACEHOLDER.search(path):  # nobody knows yet what will stand there
        return _ANYWHERE in allowed
    return any(path == entry or covers(entry, path.replace("**", "*/*")) for entry in allowed)


def _programs(task: TemplateTask) -> Iterator[str]:
    return (words[0] for check in task.checks if (words := shlex.split(check)))
