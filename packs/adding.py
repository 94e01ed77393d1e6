"""Adding packs: fetched, looked at, agreed to, and only then installed, all of them or none.

Whoever adds is asked once for all that would change. Nothing of a pack runs before, or meanwhile.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from stretto.packs.cache import Cache
from stretto.packs.consent import told
from stretto.packs.files import Files
from stretto.packs.install import changing, install, is_laid
from stretto.packs.lock import locked
from stretto.packs.manifest import fits
from stretto.packs.pack import Pack, Problem, sound
from stretto.packs.sources import fetch
from stretto.packs.vetting import vetted
from stretto.state.errors import BadInput, StateConflict
from stretto.state.pack_lock import LOCK, Locked, read_lock

Look = Callable[[Files], Sequence[Problem]]
"""What is to be shown of a pack's files before it is agreed to."""
Signer = Callable[[str, Files, Locked | None], tuple[str, str]]
"""Who signed the files of the pack of that name, in place of the one before: a key, and what to say of it."""


class Offer(NamedTuple):
    """A pack that would be installed: as the lock would have it, its files, and what to show of it."""

    pack: Locked
    files: Files
    text: str


class Adder:
    """Adds packs to a project.

    Args:
        project: Its root.
        version: Stretto's own.
        cache: Where files are kept.
        look: Finds what is to be shown.
        signer: Finds who signed, and refuses another one than before.
    """

    def __init__(self, project: Path, version: str, cache: Cache, look: Look, signer: Signer) -> None:
        self._project = project
        self._version = version
        self._cache = cache
        self._look = look
        self._signer = signer

    def offers(self, sources: Sequence[str], before: Mapping[str, Locked]) -> list[Offer]:
        """What these sources would bring, in place of what is there `before`.

        Raises:
            BadInput: One of them is no sound pack, needs another Stretto or other packs, or its signer changed.
        """
        found = [self._offer(source, before) for source in sources]
        names = [offer.pack.name for offer in found]
        if twice := {name for name in names if names.count(name) > 1}:
            origins = " and ".join(offer.pack.source for offer in found if offer.pack.name in twice)
            raise BadInput(f"Two of the packs are called {min(twice)!r}: {origins}.", field="SOURCE")
        after = {**before, **{offer.pack.name: offer.pack for offer in found}}
        agree(after)
        return found

    def _offer(self, source: str, before: Mapping[str, Locked]) -> Offer:
        fetched = fetch(self._project, source)
        pack = vetted(fetched.files, self._version)
        name = pack.manifest.name
        old = before.get(name)
        if old and origin(old.source) != origin(fetched.source):
            raise BadInput(
                f"A pack {name!r} is there already, and comes from {old.source!r}; this one comes from"
                f" {fetched.source!r}. Nothing was changed.",
                field="SOURCE",
                next_steps=(f"stretto pack remove {name}   (then add the other one)",),
            )
        signer, said = self._signer(name, fetched.files, old)
        shown = self._look(fetched.files)
        text = told(pack, source=fetched.source, signer=said, shown=shown, before=old)
        entry = locked(pack, source=fetched.source, commit=fetched.commit, signer=signer)
        return Offer(entry, fetched.files, text)

    def install(self, offers: Sequence[Offer], before: Mapping[str, Locked]) -> None:
        """Install what was agreed to.

        Raises:
            StateConflict: Somebody else changed the packs since `before` was read; nothing was changed.
        """
        for offer in offers:
            self._cache.keep(offer.files)
        with changing(self._project) as now:
            if now != before:
                raise StateConflict(
                    f"{LOCK} was changed by somebody else meanwhile; nothing was changed.", next_steps=("Try again.",)
                )
            packs = {**now, **{offer.pack.name: offer.pack for offer in offers}}
            install(self._project, packs, {offer.pack.name: offer.files for offer in offers})

    def frozen(self) -> list[str]:
        """Make the packs what the lock says, from the cache, or from where they came; the names of those laid anew.

        Raises:
            BadInput: A source has other files by now than were locked, or there is none; nothing was changed.
        """
        with changing(self._project) as packs:
            missing = {name: pack for name, pack in packs.items() if not is_laid(self._project, pack)}
            contents = {name: self._cache.find(pack) or self._again(pack) for name, pack in missing.items()}
            for files in contents.values():
                self._cache.keep(files)
            install(self._project, packs, contents)
        return sorted(missing)

    def _again(self, pack: Locked) -> Files:
        found = fetch(self._project, pack.source, pack.commit)
        new = locked(_parsed(found.files, self._version), source="", commit="", signer="").files
        for path in sorted({*new, *pack.files}):
            if new.get(path) != pack.files.get(path):
                raise BadInput(
                    f"{pack.source!r} is no longer what {LOCK} says of {pack.name!r}: {path!r} differs. Nothing was"
                    " changed.",
                    field="SOURCE",
                    next_steps=(f"stretto pack update {pack.name}   (shows what changed, and asks)",),
                )
        return found.files


def _parsed(files: Files, version: str) -> Pack:
    return sound(files, version)


def origin(source: str) -> str:
    """A source without the version in it: an archive's number, a tag."""
    if source.startswith("git+"):
        head, _, path = source.partition("#")
        base, at, ref = head.rpartition("@")
        return f"{base if at and '/' not in ref and ':' not in ref else head}#{path}"
    return str(Path(source).parent) if source.endswith((".tar.gz", ".tgz", ".zip")) else source


def agree(packs: Mapping[str, Locked]) -> None:
    """See that every pack has the packs that it needs.

    Raises:
        BadInput: One does not; the message says who wants what, and what is there.
    """
    lines: list[str] = []
    for pack in packs.values():
        for name, wanted in pack.dependencies.items():
            there = packs.get(name)
            if there is None:
                lines.append(f"  {pack.name} {pack.version} needs {name} {wanted}, and there is none")
            elif not fits(there.version, wanted):
                lines.append(f"  {pack.name} {pack.version} needs {name} {wanted}, and there is {there.version}")
    if lines:
        said = "\n".join(lines)
        raise BadInput(
            f"The packs do not fit together, and nothing was changed:\n{said}",
            field="SOURCE",
            next_steps=("Add the packs that are needed together: stretto pack add SOURCE SOURCE …",),
        )


def current(project: Path) -> dict[str, Locked]:
    """The packs of a project."""
    return read_lock(str(project))
