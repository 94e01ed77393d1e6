"""Adding packs: fetched, looked at, agreed to, and only then installed, all of them or none.

Whoever adds is asked once for all that would change. Nothing of a pack runs before, or meanwhile.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from stretto.packs.cache import Cache
from stretto.packs.consent import told
from stretto.packs.files import Files, digests
from stretto.packs.install import changing, install, is_laid
from stretto.packs.lock import locked
from stretto.packs.manifest import fits
from stretto.packs.options import Brought, Options
from stretto.packs.origins import origin
from stretto.packs.pack import Problem
from stretto.packs.resolution import resolved
from stretto.packs.sources import fetch
from stretto.packs.vetting import vetted
from stretto.state.errors import BadInput, StateConflict
from stretto.state.pack_lock import LOCK, Locked

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

    def offers(self, sources: Sequence[str], before: Mapping[str, Locked], newest: Collection[str] = ()) -> list[Offer]:
        """What these sources would bring with all that it needs, in place of what is there `before`.

        `newest` are the names of packs that are to be brought to the newest version that their repository has.

        Raises:
            BadInput: One of them is no sound pack, needs another Stretto or other packs, or its signer changed.
        """
        options = Options(self._project, self._version, before, newest)
        for source in sources:
            options.give(source)
        found = [self._offer(option.brought(), before) for option in resolved(options, before, newest)]
        agree({**before, **{offer.pack.name: offer.pack for offer in found}})
        return found

    def _offer(self, brought: Brought, before: Mapping[str, Locked]) -> Offer:
        fetched, pack = brought
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

        The lock may have come with a clone: what it names is looked at as what is added.

        Raises:
            BadInput: A source has other files by now than were locked, or there is none; or a pack is not sound, needs
                another Stretto, or is signed by another than this user knows. Nothing was changed.
        """
        with changing(self._project) as packs:
            missing = {name: pack for name, pack in packs.items() if not is_laid(self._project, pack)}
            contents = {name: self._cache.find(pack) or self._again(pack) for name, pack in missing.items()}
            for name, files in contents.items():
                self._held(packs[name], files)
                self._cache.keep(files)
            install(self._project, packs, contents)
        return sorted(missing)

    def _held(self, pack: Locked, files: Files) -> None:
        """Hold the files of a pack to what the lock says of them beside their hashes, and to what any pack must be."""
        manifest = vetted(files, self._version).manifest
        signer, _ = self._signer(pack.name, files, pack)
        if (manifest.name, manifest.version, signer) != (pack.name, pack.version, pack.signer):
            raise BadInput(
                f"{LOCK} says {pack.name} {pack.version}, signed by {pack.signer or 'nobody'}; its files are"
                f" {manifest.name} {manifest.version}, signed by {signer or 'nobody'}. Nothing was changed.",
                field=LOCK,
                next_steps=("Take the version that git has: git checkout -- .stretto/packs.lock",),
            )

    def _again(self, pack: Locked) -> Files:
        found = fetch(self._project, pack.source, pack.commit)
        new = digests(found.files)
        for path in sorted({*new, *pack.files}):
            if new.get(path) != pack.files.get(path):
                raise BadInput(
                    f"{pack.source!r} is no longer what {LOCK} says of {pack.name!r}: {path!r} differs. Nothing was"
                    " changed.",
                    field="SOURCE",
                    next_steps=(f"stretto pack update {pack.name}   (shows what changed, and asks)",),
                )
        return found.files


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
