"""`stretto pack`: what a team shares. New, lint, test, build, add, remove, update, list, show, export, and more."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from stretto.commands.amounts import some
from stretto.commands.app import App
from stretto.commands.reply import Reply
from stretto.commands.safe import safe
from stretto.commands.tables import COMMANDS
from stretto.commands.verb_operations import Operation, perform
from stretto.commands.version import version
from stretto.state.errors import BadInput
from stretto.state.pack_lock import read_lock
from stretto.state.store import find_project

if TYPE_CHECKING:
    from stretto.packs.adding import Adder
    from stretto.packs.files import Files
    from stretto.packs.pack import Problem
    from stretto.state.pack_lock import Locked


def pack(app: App, args: SimpleNamespace) -> Reply:
    """Do one of the operations.

    Raises:
        BadInput: The words or flags are not those of the operation, or a pack is not sound; nothing was changed.
    """
    return perform(app, "pack", args, "packs", _OPERATIONS)


def read_pack(app: App, word: str) -> tuple[dict[str, bytes], str]:
    """The files of a pack that is named: an installed one, a folder or an archive; and where they are.

    Raises:
        BadInput: There is none, or it holds what no pack may.
    """
    from stretto.packs.archive import read_archive
    from stretto.packs.files import read_folder
    from stretto.state.pack_lock import folder_of, pack_file

    project = find_project(app.project)
    place = app.project / Path(word).expanduser()
    found = read_lock(str(project)).get(word)
    if found is not None and not place.exists():
        files = {path: pack_file(str(project), found, path) for path in found.files}
        return files, folder_of(str(project), found)
    if place.is_dir():
        return read_folder(place), str(place)
    if place.is_file():
        return dict(read_archive(place)), str(place)
    raise BadInput(
        f"There is no pack {word!r}: no installed one, no folder and no archive.",
        field="pack",
        next_steps=("stretto pack list",),
    )


def _new(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    del args
    from stretto.packs.new import write_new

    folder = write_new(app.project, words[0], version())
    name = Path(folder).name
    return Reply(
        "pack",
        f"The pack {name!r} is in {folder}: one command, its template and a scenario.",
        {"folder": folder, "name": name},
        operation="new",
        next_steps=(f"stretto pack lint {name}", f"stretto pack add ./{name}", f'stretto {name}:hello "the tests"'),
    )


def _lint(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    del args
    from stretto.packs.vetting import looked_at

    files, _ = read_pack(app, words[0])
    _, problems = looked_at(files, version())
    facts = {"pack": words[0], "problems": [problem._asdict() for problem in problems]}
    if problems:
        lines = [f"{some(len(problems), 'problem')} in {words[0]}:", *(f"  {problem}" for problem in problems)]
        return Reply("pack", "\n".join(lines), facts, operation="lint", exit_code=1)
    return Reply("pack", f"{words[0]}: {some(len(files), 'file')}, nothing wrong.", facts, operation="lint")


def _test(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    from stretto.commands.pack_testing import tested

    files, _ = read_pack(app, words[0])
    return tested(app, files, project=find_project(app.project), version=version(), keep=args.keep)


def _build(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    from stretto.packs.archive import archived
    from stretto.packs.pack import sound

    files, _ = read_pack(app, words[0])
    manifest = sound(files, version()).manifest
    name = str(args.output or f"{manifest.name}-{manifest.version}.tar.gz")
    place = app.project / Path(name).expanduser()
    if place.exists() and not args.force:
        raise BadInput(f"{name!r} is there already, and was left as it is.", field="-o", next_steps=("Give --force.",))
    if not place.parent.is_dir():
        raise BadInput(f"{name!r} lies in no folder that there is.", field="-o")
    place.write_bytes(archived(files))
    said = f"{name}: {manifest.name} {manifest.version}, {some(len(files), 'file')}, {place.stat().st_size} bytes."
    facts = {"file": str(place), "name": manifest.name, "version": manifest.version}
    return Reply("pack", said, facts, operation="build", next_steps=(f"stretto pack add {name}",))


def _sign(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    from stretto.commands.pack_trust import sign

    return sign(app, words, args)


def _verify(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    from stretto.commands.pack_trust import verify

    return verify(app, words, args)


def _add(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    if args.frozen:
        return _frozen(app, words)
    if not words:
        raise BadInput(
            "Which pack? Name its source, or give --frozen for what the lock says.",
            field="SOURCE",
            allowed=("FOLDER", "FILE.tar.gz", "git+URL@TAG", "python:DISTRIBUTION"),
        )
    return _brought(app, words, yes=args.yes, operation="add")


def _frozen(app: App, words: list[str]) -> Reply:
    if words:
        raise BadInput("--frozen takes no source: the lock names them.", field="--frozen")
    from stretto.packs.signers import remember

    project, adder = _adder(app)
    packs = read_lock(str(project))
    laid = adder.frozen()
    for name in laid:
        remember(name, packs[name].signer or None)
    lines = [f"{pack.name} {pack.version}{' (anew)' if pack.name in laid else ''}" for pack in packs.values()]
    said = f"{some(len(packs), 'pack')}, as the lock says: {', '.join(lines)}" if packs else "The lock names no pack."
    return Reply("pack", said, {"packs": sorted(packs), "laid": laid}, operation="add")


def _update(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    from stretto.packs.tags import is_tagged
    from stretto.state.pack_lock import installed

    project = find_project(app.project)
    packs = read_lock(str(project))
    named = [installed(str(project), word) for word in words] if words else list(packs.values())
    if not named:
        return Reply("pack", "There are no packs in this project.", {"packs": []}, operation="update")
    newest = [pack.name for pack in named if is_tagged(pack.source)]
    sources = [pack.source for pack in named if pack.name not in newest]
    return _brought(app, sources, newest, yes=args.yes, operation="update")


def _brought(app: App, sources: Sequence[str], newest: Sequence[str] = (), *, yes: bool, operation: str) -> Reply:
    """Offer, ask, install."""
    from stretto.commands.cli import VERBS
    from stretto.packs.collisions import notes
    from stretto.packs.signers import remember

    project, adder = _adder(app)
    before = read_lock(str(project))
    offers = adder.offers(sources, before, newest)
    new = [offer for offer in offers if before.get(offer.pack.name) != offer.pack]
    if not new:
        named = [*(offer.pack for offer in offers), *(before[name] for name in newest)]
        same = ", ".join(dict.fromkeys(f"{pack.name} {pack.version}" for pack in named))
        return Reply("pack", f"Nothing new: {same}.", {"packs": [], "changed": False}, operation=operation)
    text = "\n\n".join(offer.text for offer in new)
    if not yes:
        _ask(text)
    adder.install(new, before)
    for offer in new:
        remember(offer.pack.name, offer.pack.signer or None)
    after = {**before, **{offer.pack.name: offer.pack for offer in new}}
    ours = {*COMMANDS, *VERBS}
    told = [note for offer in new for note in notes(offer.pack, after, ours)]
    names = [f"{offer.pack.name} {offer.pack.version}" for offer in new]
    said = [text, ""] if yes else []
    lines = [*said, f"Installed: {', '.join(names)}. Commit .stretto/packs.lock.", *(f"  {note}" for note in told)]
    first = next((f"stretto {one.pack.name}:{name}" for one in new for name in one.pack.commands), "stretto pack list")
    facts = {"packs": [{"name": one.pack.name, "version": one.pack.version} for one in new], "changed": True}
    return Reply("pack", "\n".join(lines), {**facts, "notes": told}, operation=operation, next_steps=(first,))


def _ask(text: str) -> None:
    """Show what would be installed, and go on only if somebody at a terminal agrees.

    Raises:
        BadInput: Nobody does.
    """
    sys.stderr.write(f"{safe(text)}\n\n")
    if not sys.stdin.isatty():
        raise BadInput(
            "Nobody is here to be asked whether this may be installed; nothing was changed.",
            field="--yes",
            next_steps=("Read the above, and give --yes if it may.",),
        )
    sys.stderr.write("Install this? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise BadInput("Not installed; nothing was changed.", field="--yes")


def _remove(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    del args
    from stretto.packs.adding import agree
    from stretto.packs.install import changing, install
    from stretto.state.pack_lock import installed

    project = find_project(app.project)
    installed(str(project), words[0])
    with changing(project) as packs:
        left = {name: pack for name, pack in packs.items() if name != words[0]}
        agree(left)
        install(project, left, {})
    said = f"{words[0]} is removed. Commit .stretto/packs.lock."
    return Reply("pack", said, {"removed": words[0], "packs": sorted(left)}, operation="remove")


def _list(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    del words, args
    from stretto.packs.install import is_laid

    project = find_project(app.project)
    packs = read_lock(str(project))
    whole = {name: is_laid(project, pack) for name, pack in packs.items()}
    lines = [
        f"{pack.name} {pack.version}  {pack.description}"
        + ("" if whole[name] else "\n  not as the lock says: stretto pack add --frozen")
        + "".join(f"\n  /{pack.name}:{command}" for command in pack.commands)
        for name, pack in packs.items()
    ]
    facts = [{**pack._asdict(), "whole": whole[name]} for name, pack in packs.items()]
    text = "\n".join(lines) or "There are no packs in this project."
    next_steps = () if packs else ("stretto pack new NAME", "stretto pack add SOURCE")
    return Reply("pack", text, {"packs": facts}, operation="list", next_steps=next_steps)


def _show(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    del args
    from stretto.packs.consent import told
    from stretto.packs.lock import locked
    from stretto.packs.pack import sound

    files, where = read_pack(app, words[0])
    found = read_lock(str(find_project(app.project))).get(words[0])
    pack = sound(files, version())
    signer, _ = _signer(pack.manifest.name, files, found)
    entry = found or locked(pack, source=words[0], commit="", signer=signer)
    text = told(pack, source=entry.source, signer=signer, shown=(), before=None)
    pages = "".join(
        f"\n\n/{entry.name}:{name} {page.argument_hint}\n  {page.description}" for name, page in pack.commands.items()
    )
    return Reply("pack", text + pages, {**entry._asdict(), "where": where}, operation="show")


def _export(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    from stretto.commands.exporting import export_pack

    files, _ = read_pack(app, words[0])
    return export_pack(app, files, args)


def _adder(app: App) -> "tuple[Path, Adder]":
    from stretto.packs.adding import Adder
    from stretto.packs.cache import Cache
    from stretto.packs.home import cache_folder

    project = find_project(app.project)
    return project, Adder(project, version(), Cache(cache_folder(os.environ)), _look, _signer)


def _look(files: "Files") -> "Sequence[Problem]":
    """What is to be shown of a pack before it is agreed to."""
    from stretto.packs.scanning import shown

    return shown(files)


def _signer(name: str, files: "Files", before: "Locked | None") -> tuple[str, str]:
    """Who signed a pack, and what to say of it.

    Raises:
        BadInput: The signature is not of these files, or of another signer than before.
    """
    from stretto.packs.signers import check_signer
    from stretto.packs.signing import signer

    found = signer(files)
    return found or "", check_signer(name, found, before.signer if before else None)


_OPERATIONS = {
    "new": Operation("new NAME", (1, 1), (), _new),
    "lint": Operation("lint FOLDER|FILE", (1, 1), (), _lint),
    "test": Operation("test FOLDER|FILE|NAME [--keep]", (1, 1), ("keep",), _test),
    "build": Operation("build FOLDER [-o FILE]", (1, 1), ("output", "force"), _build),
    "sign": Operation("sign FOLDER", (1, 1), (), _sign),
    "verify": Operation("verify FOLDER|FILE|NAME [--unsandboxed]", (1, 1), ("unsandboxed",), _verify),
    "add": Operation("add SOURCE… [--yes] | add --frozen", (0, 20), ("yes", "frozen"), _add),
    "remove": Operation("remove NAME", (1, 1), (), _remove),
    "update": Operation("update [NAME…] [--yes]", (0, 20), ("yes",), _update),
    "list": Operation("list", (0, 0), (), _list),
    "show": Operation("show NAME|FOLDER|FILE", (1, 1), (), _show),
    "export": Operation(
        "export NAME|FOLDER|FILE --client CLIENT -o FOLDER [--remove]",
        (1, 1),
        ("client", "output", "remove"),
        _export,
    ),
}
