"""Commands of packs: `/team:release` by its full name, `/release` where that can mean nothing else.

A command with a template is `/orchestrate … --template=team:release`; one with a handler is run by `pack_run`.
Standard library only, for the quick doors.
"""

from __future__ import annotations

import os

from stretto.state import places
from stretto.state.errors import BadInput
from stretto.state.light import NamedTuple
from stretto.state.pack_lock import Locked, pack_text, read_lock

_TEMPLATE = "template:"


class Named(NamedTuple):
    """A command of a pack. `template` is the full name of what it starts, or empty if a handler runs it."""

    pack: Locked
    command: str
    template: str

    @property
    def name(self) -> str:
        """Its full name."""
        return f"{self.pack.name}:{self.command}"


def find(name: str, project: str) -> Named | None:
    """The command of a pack that is called so; None if there is none, and the name does not say that there is.

    Raises:
        BadInput: The pack has no such command, there is no such pack, a bare name has several meanings, or the pack is
            not as it was installed.
    """
    project = places.project_around(project)
    packs = read_lock(project)
    full = name if ":" in name else _chosen(name, project) or _only(name, packs)
    if not full:
        return None
    pack_name, _, command = full.partition(":")
    pack = packs.get(pack_name)
    if pack is None or command not in pack.commands:
        raise _unknown(full, packs)
    return Named(pack, command, _template(project, pack, command))


def every(project: str) -> dict[str, str]:
    """The full name of every command of the project's packs, and what it does in a line."""
    project = places.project_around(project)
    return {
        f"{pack.name}:{command}": _front(pack_text(project, pack, f"commands/{command}.md"), "description:")
        for pack in read_lock(project).values()
        for command in pack.commands
    }


def help_of(named: Named, project: str) -> str:
    """What `--help` prints of a command: its page, with the pack that it is of."""
    page = pack_text(places.project_around(project), named.pack, f"commands/{named.command}.md")
    _, _, body = page.split("---\n", 2)
    runs = f"/orchestrate --template={named.template}, and takes its flags" if named.template else "a program of it"
    usage = f"Usage: stretto {named.name} {_front(page, 'argument-hint:')}"
    return (
        f"{_front(page, 'description:')}\n\n{usage}\n\n{body.strip()}"
        f"\n\nOf the pack {named.pack.name} {named.pack.version} ({named.pack.source}). It is {runs}."
    )


def overview(project: str) -> str:
    """What `stretto --help` says of packs; empty if there are none."""
    lines = [f"  {name:<25} {told}" for name, told in every(project).items()]
    return "\n".join(["", "Of packs:", *lines]) if lines else ""


def _only(name: str, packs: dict[str, Locked]) -> str:
    """The full name behind a bare one; empty if no pack has it."""
    having = [pack for pack in packs.values() if name in pack.commands]
    if len(having) > 1:
        origins = " and ".join(f"{pack.name} ({pack.source})" for pack in having)
        raise BadInput(
            f"/{name} is a command of {origins}.",
            field="command",
            allowed=[f"{pack.name}:{name}" for pack in having],
            next_steps=(f'Choose one, under [aliases] in .stretto/config.toml: {name} = "{having[0].name}:{name}"',),
        )
    return f"{having[0].name}:{name}" if having else ""


def _chosen(name: str, project: str) -> str:
    """What the project's settings say that a bare name stands for; empty if nothing."""
    path = os.path.join(project, places.HOME, places.SETTINGS)
    if not os.path.exists(path):
        return ""
    import tomllib

    try:
        with open(path, "rb") as file:
            chosen = tomllib.load(file)["aliases"][name]
    except (OSError, ValueError, KeyError, TypeError):  # whoever needs the settings says what is wrong with them
        return ""
    return chosen if isinstance(chosen, str) and ":" in chosen else ""


def _unknown(full: str, packs: dict[str, Locked]) -> BadInput:
    known = [f"{pack.name}:{command}" for pack in packs.values() for command in pack.commands]
    return BadInput(
        f"There is no command {full!r} in the packs of this project. Known: {', '.join(known) or 'none'}.",
        field="command",
        allowed=known,
        next_steps=("stretto pack list",),
    )


def _template(project: str, pack: Locked, command: str) -> str:
    if f"commands/{command}.py" in pack.files:
        return ""
    return f"{pack.name}:{_front(pack_text(project, pack, f'commands/{command}.md'), _TEMPLATE)}"


def _front(page: str, key: str) -> str:
    """A value in the front matter of a page that was found sound when it was installed."""
    front = page.split("---\n", 2)[1]
    line = next((line for line in front.splitlines() if line.startswith(key)), key)
    value = line.removeprefix(key).strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
