"""`stretto pack test`: a pack's scenarios are verified and its cassettes replayed, with the pack installed there.

Nothing of the project is touched: a scenario has the ground of `stretto verify`, and cassettes are replayed in a
copy of that same project, so that a pack is tested alike on every machine.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from stretto.commands.amounts import some
from stretto.commands.app import App
from stretto.commands.cassette_runs import replay
from stretto.commands.reply import Reply
from stretto.commands.safe import safe
from stretto.commands.scenario import Rules
from stretto.commands.scenario_ground import make_shop
from stretto.commands.verify import verify
from stretto.packs.adding import agree
from stretto.packs.files import Files
from stretto.packs.install import changing, install
from stretto.packs.lock import locked
from stretto.packs.pack import sound
from stretto.state.errors import StrettoError
from stretto.state.pack_lock import Locked, pack_file, read_lock

_AS_RECORDED = SimpleNamespace(strict=False, lenient=False, hash=False, keep=False)


class _Installed(NamedTuple):
    """Packs, and the files of each."""

    packs: Mapping[str, Locked]
    files: Mapping[str, Files]


class _Tested(NamedTuple):
    """What came of one file: whether it holds, and what there is to say."""

    path: str
    holds: bool
    told: str
    text: str
    result: Mapping[str, Any]


def tested(app: App, files: Files, *, project: Path, version: str, keep: bool) -> Reply:
    """Test a pack. Exit code 0 if every scenario and every cassette holds, and there is one; else 1.

    Args:
        app: Where it was asked for.
        files: The pack's.
        project: Its packs are installed beside, as far as this one needs them.
        version: Stretto's own.
        keep: Whether the folder of the cassettes' project stays.

    Raises:
        BadInput: The pack is not sound, or a pack that it needs is not there.
    """
    pack = sound(files, version)
    packs = _beside(locked(pack, source="pack-test", commit="", signer=""), files, project)
    folder = Path(tempfile.mkdtemp(prefix="stretto-pack-test-"))
    try:
        found = list(_each(app, files, packs, folder))
        if keep:
            _ground(packs, folder)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    return _reply(pack.manifest.name, found, folder / "ground" if keep else None)


def _beside(entry: Locked, files: Files, project: Path) -> _Installed:
    """The pack with those of the project that it needs, and that these need."""
    there = read_lock(str(project))
    packs, wanted = {entry.name: entry}, [*entry.dependencies]
    while wanted:
        name = wanted.pop()
        if name in there and name not in packs:
            packs[name] = there[name]
            wanted += there[name].dependencies
    agree(packs)
    contents = {
        name: files if name == entry.name else {path: pack_file(str(project), pack, path) for path in pack.files}
        for name, pack in packs.items()
    }
    return _Installed(packs, contents)


def _furnish(packs: _Installed, root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / ".git").mkdir()  # the project begins here, wherever temporary folders lie
    with changing(root):
        install(root, packs.packs, packs.files)


def _ground(packs: _Installed, folder: Path) -> App:
    """The project that cassettes are replayed in a copy of."""
    root = folder / "ground"
    if not root.exists():
        _furnish(packs, root)
        make_shop(root)
    return App(str(root), str(folder / "store"))


def _each(app: App, files: Files, packs: _Installed, folder: Path) -> Iterator[_Tested]:
    for path, content in files.items():
        kind, _, name = path.partition("/")
        if kind not in ("scenarios", "cassettes"):
            continue
        place = folder / kind / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(content)
        try:
            yield _scenario(app, path, place, packs) if kind == "scenarios" else _cassette(path, place, packs, folder)
        except StrettoError as error:
            yield _Tested(path, holds=False, told=error.message, text="", result={"error": error.message})


def _scenario(app: App, path: str, place: Path, packs: _Installed) -> _Tested:
    done = verify(app, str(place), rules=Rules(), furnish=partial(_furnish, packs))
    commands, events = done.result["counts"]["commands"], done.result["counts"]["events"]
    told = ", ".join(
        f"{each['held']} of {some(each['total'], thing)}" for each, thing in ((commands, "command"), (events, "event"))
    )
    return _Tested(path, not done.exit_code, told, done.text, {**done.result, "file": path})


def _cassette(path: str, place: Path, packs: _Installed, folder: Path) -> _Tested:
    from stretto.agents.cassette_lint import lint_file

    if problems := lint_file(place):
        text = "\n".join(f"{path}:{problem.line}: {problem.text}" for problem in problems)
        facts = {"problems": [problem._asdict() for problem in problems]}
        return _Tested(path, holds=False, told=some(len(problems), "problem"), text=text, result=facts)
    done = replay(_ground(packs, folder), place, "", _AS_RECORDED)
    told = done.text.partition("\n")[0]
    return _Tested(path, not done.exit_code, told, done.text, done.result)


def _reply(name: str, found: list[_Tested], kept: Path | None) -> Reply:
    failed = sum(not one.holds for one in found)
    lines = [f"{'holds' if one.holds else 'FAILS'}  {one.path}  {safe(one.told)}" for one in found]
    for one in found:
        if not one.holds and one.text:
            lines += ["", f"{one.path}:", *(f"  {safe(line)}" for line in one.text.splitlines())]
    if not found:
        lines = [f"{name} has no scenario and no cassette, so nothing was tested."]
    else:
        lines += [
            "",
            f"{name}: {len(found) - failed} of {some(len(found), 'file')} {'holds' if len(found) == 1 else 'hold'}.",
        ]
    if kept:
        lines.append(f"The project of the cassettes is kept in {kept}.")
    facts = {
        "name": name,
        "holds": bool(found) and not failed,
        "files": {one.path: {"holds": one.holds, **one.result} for one in found},
        "kept": str(kept) if kept else None,
    }
    return Reply("pack", "\n".join(lines), facts, "test", exit_code=0 if facts["holds"] else 1)
