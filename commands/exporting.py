"""`stretto pack export` and `stretto setup --client`: commands in the form that an assistant reads."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

from stretto.commands.amounts import some
from stretto.commands.app import App
from stretto.commands.handlers import HANDLERS
from stretto.commands.help import definition
from stretto.commands.reply import Reply
from stretto.commands.version import version
from stretto.packs.export import Command, Source, source_of
from stretto.packs.export_table import exported
from stretto.packs.export_writing import remove_export, write_export
from stretto.packs.pack import sound
from stretto.state.errors import BadInput
from stretto.state.store import find_project


def export_pack(app: App, files: Mapping[str, bytes], args: SimpleNamespace) -> Reply:
    """Write a pack for a client, or take away what was written.

    Raises:
        BadInput: There is no such client or folder, the pack is not sound, or a file there is not ours.
    """
    if not args.output:
        raise BadInput("To which folder? Name it: -o FOLDER; for a project's own, -o .", field="-o")
    source = source_of(sound(files, version()))
    return _done(app.project / Path(args.output).expanduser(), args.client or "", source, remove=args.remove)._replace(
        command="pack", operation="export"
    )


def set_up(app: App, client: str, *, remove: bool) -> Reply:
    """The same for Stretto's own commands, in the project.

    Raises:
        BadInput: As of `export_pack`.
    """
    heads = {name: definition(name)[0] for name in HANDLERS}
    commands = [Command(name, f"/{name}", head["description"], head["argument-hint"]) for name, head in heads.items()]
    about = "Orchestration of coding agents: commands that hand work to Stretto"
    source = Source("stretto", version(), about, "Apache-2.0", tuple(commands), {})
    return _done(find_project(app.project), client, source, remove=remove)


def _done(root: Path, client: str, source: Source, *, remove: bool) -> Reply:
    export = exported(source, client)
    if root.exists() and not root.is_dir():
        raise BadInput(f"{str(root)!r} is no folder; nothing was written.", field="-o")
    change = remove_export if remove else write_export
    paths = change(root, client, source.name, export)
    facts = {"client": client, "folder": str(root), "name": source.name}
    if remove:
        said = f"{some(len(paths), 'file')} of {source.name} for {client} taken away from {root}"
        return Reply("setup", said, {**facts, "removed": paths})
    said = f"{source.name} for {client}, {some(len(paths), 'file')} in {root}: {some(len(source.commands), 'command')}"
    return Reply("setup", said, {**facts, "files": paths}, next_steps=("Start the client anew in that folder.",))
