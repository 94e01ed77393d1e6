"""A pack in memory: its manifest, commands, agents and templates, and everything that is wrong with them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from stretto.agents.roles import TOOLS, Role, load_role, parse_role
from stretto.graph.template_model import Template, parse_template
from stretto.packs.files import Files
from stretto.packs.manifest import MANIFEST, Manifest, fits, parse_manifest
from stretto.packs.page import Page, parse_page
from stretto.state.errors import BadInput

_T = TypeVar("_T")
_SHOWN = 5


class Problem(NamedTuple):
    """What is wrong, and with which file; `line` counts from 1, 0 for the whole file."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}" if self.line else f"{self.path}: {self.text}"


class Pack(NamedTuple):
    """What a pack holds, by the names that things have inside of it."""

    manifest: Manifest
    commands: Mapping[str, Page]
    handlers: Mapping[str, str]
    """The Python of the commands that have some."""
    agents: Mapping[str, Role]
    templates: Mapping[str, Template]
    files: Files


def checked(files: Files, version: str) -> tuple[Pack | None, list[Problem]]:
    """The pack that these files are, or None if its manifest cannot be read, and what is wrong with it.

    `version` is Stretto's own, without which nobody can say whether the pack can be used.
    """
    problems: list[Problem] = []
    texts = dict(_texts(files, problems))

    def each(folder: str, suffix: str, read: Callable[[str, str, str], _T]) -> dict[str, _T]:
        found: dict[str, _T] = {}
        for path, text in texts.items():
            name = path.removeprefix(f"{folder}/").removesuffix(suffix)
            if path == f"{folder}/{name}{suffix}":
                try:
                    found[name] = read(name, text, path)
                except BadInput as error:
                    problems.append(Problem(path, 0, error.message))
        return found

    commands = each("commands", ".md", lambda name, text, path: parse_page(text, name=name, where=path))
    handlers = each("commands", ".py", lambda _name, text, _path: text)
    agents = each("agents", ".md", lambda name, text, _path: parse_role(name, text))
    templates = each("templates", ".yaml", lambda name, text, path: parse_template(text, name=name, where=path))
    try:
        manifest = parse_manifest(texts.get(MANIFEST, ""))
    except BadInput as error:
        return None, [Problem(MANIFEST, 0, error.message), *problems]
    pack = Pack(manifest, commands, handlers, agents, templates, files)
    return pack, [*problems, *_fitting(pack, version), *_linked(pack)]


def sound(files: Files, version: str) -> Pack:
    """The pack that these files are.

    Raises:
        BadInput: Something is wrong with it; the message lists what, `details` all of it.
    """
    pack, problems = checked(files, version)
    if pack is None or problems:
        raise refuse(problems)
    return pack


def refuse(problems: Sequence[Problem]) -> BadInput:
    """The error for a pack with these problems: the first ones in words, all of them in `details`."""
    more = [f"… and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
    lines = "\n".join(f"  {line}" for line in [*map(str, problems[:_SHOWN]), *more])
    return BadInput(
        f"The pack is not sound, and nothing was changed:\n{lines}",
        field="pack",
        details={"problems": [one._asdict() for one in problems]},
        next_steps=("stretto pack lint FOLDER",),
    )


def _texts(files: Files, problems: list[Problem]) -> Iterator[tuple[str, str]]:
    for path, content in files.items():
        try:
            yield path, content.decode("utf-8")
        except UnicodeDecodeError as error:
            problems.append(Problem(path, 0, f"is not UTF-8: {error.reason} at byte {error.start}"))


def _fitting(pack: Pack, version: str) -> Iterator[Problem]:
    if not fits(version, pack.manifest.requires):
        yield Problem(MANIFEST, 0, f"requires Stretto {pack.manifest.requires}, and this is {version}")
    if not pack.commands and not pack.templates and not pack.agents:
        yield Problem(MANIFEST, 0, "the pack holds no command, no agent and no template")


def _linked(pack: Pack) -> Iterator[Problem]:
    """Commands that nothing runs, or two things do; handlers without a page."""
    for name, page in pack.commands.items():
        path, known = f"commands/{name}.md", ", ".join(pack.templates) or "none"
        if (name in pack.handlers) == bool(page.template):
            yield Problem(path, 0, f"a command has either a `template` or a handler commands/{name}.py")
        elif page.template and f"templates/{page.template}.yaml" not in pack.files:
            yield Problem(path, 0, f"template: there is no {page.template!r} in the pack; it has: {known}")
    yield from _led(pack)
    for name in pack.handlers:
        if name not in pack.commands:
            yield Problem(f"commands/{name}.py", 0, f"is a handler of no command: there is no commands/{name}.md")


def _led(pack: Pack) -> Iterator[Problem]:
    """Agents that a template names and that are not there, or have other tools than the role in which they work."""
    for name, template in pack.templates.items():
        for task in (task for phase in template.phases for task in phase.tasks if task.agent):
            path, agent = f"templates/{name}.yaml", pack.agents.get(task.agent)
            if agent is None:
                known = ", ".join(pack.agents) or "none"
                yield Problem(
                    path, 0, f"task {task.id!r}: there is no agent {task.agent!r} in the pack; it has: {known}"
                )
            elif set(agent.tools) != set(load_role(task.role).tools):
                tools = ", ".join(word for word, tool in TOOLS.items() if tool in load_role(task.role).tools)
                yield Problem(f"agents/{task.agent}.md", 0, f"tools: a {task.role} has {tools}, no more and no less")
    for name, agent in pack.agents.items():
        if "{{" in agent.prompt:
            yield Problem(f"agents/{name}.md", 0, "holds '{{', which a template would take for a place to fill in")
