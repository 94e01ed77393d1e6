"""Installing: the folders of packs come first, and the lock that names them last, so that a crash changes nothing.

A folder's name holds the digest of what is in it, so an installed pack is never written to: another version is another
folder, and what no lock names is removed by whoever installs next.
"""

import os
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from stretto.packs.files import Files
from stretto.packs.lock import write_lock
from stretto.state.errors import BadInput
from stretto.state.gate import held, open_gate
from stretto.state.pack_lock import FOLDER, Locked, read_lock

_OURS = (".gate", ".gitignore")


@contextmanager
def changing(project: Path) -> Generator[dict[str, Locked]]:
    """The packs of a project, for one that changes them; others wait.

    Raises:
        BadInput: The folder for packs cannot be written to.
        StrettoError: Somebody else was at it for 30 s.
    """
    folder = project / FOLDER
    if folder.is_symlink() or folder.parent.is_symlink():
        raise BadInput(f"{str(folder)!r} is a link; nothing was changed.", field="--project")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        gate = open_gate(str(folder / ".gate"))
    except OSError as error:
        raise BadInput(f"{str(folder)!r} cannot hold packs: {error.strerror}.", field="--project") from error
    try:
        with held(gate, str(folder)):
            yield read_lock(str(project))
    finally:
        os.close(gate)


def install(project: Path, packs: Mapping[str, Locked], contents: Mapping[str, Files]) -> None:
    """Make these the packs of a project. `contents` has the files of those that may not be there; call in `changing`.

    Raises:
        BadInput: The disk refused; the packs are those that they were.
    """
    try:
        (project / FOLDER / ".gitignore").write_text("*\n", "utf-8")  # the lock says all; git keeps that
        for name, files in contents.items():
            _lay(project / FOLDER, packs[name], files)
        write_lock(project, packs)
    except OSError as error:
        raise BadInput(f"The packs were left as they were: {error}.", field="--project") from error
    sweep(project, packs)


def is_laid(project: Path, pack: Locked) -> bool:
    """Whether the folder of a pack holds its files and nothing else."""
    folder = project / FOLDER / pack.folder
    try:
        there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not path.is_dir()}
        return (
            set(there) == set(pack.files)
            and not folder.is_symlink()
            and not any(path.is_symlink() for path in folder.rglob("*"))
            and all(sha256(path.read_bytes()).hexdigest() == pack.files[name] for name, path in there.items())
        )
    except OSError:
        return False


def sweep(project: Path, packs: Mapping[str, Locked]) -> None:
    """Remove what no lock names: earlier versions, and what a crash left."""
    named = {pack.folder for pack in packs.values()}
    for path in (project / FOLDER).iterdir():
        if path.name not in named and path.name not in _OURS:
            shutil.rmtree(path, ignore_errors=True)


def _lay(folder: Path, pack: Locked, files: Files) -> None:
    place = folder / pack.folder
    new = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        for path, content in files.items():
            (new / path).parent.mkdir(exist_ok=True, mode=0o755)
            with (new / path).open("xb") as file:
                file.write(content)
                os.fsync(file.fileno())
            (new / path).chmod(0o644)
        new.chmod(0o755)
        if place.is_symlink() or place.exists():  # not as the lock has it, or just the same
            place.replace(new.with_name(f"{new.name}.old"))
        new.replace(place)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
