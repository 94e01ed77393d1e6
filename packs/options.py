"""Which versions of a pack there are: the one that was named, the one that is installed, and a repository's tags."""

import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from stretto.packs import tags
from stretto.packs.manifest import fits
from stretto.packs.pack import Pack
from stretto.packs.sources import Fetched, fetch, git_parts
from stretto.packs.vetting import vetted
from stretto.state.errors import BadInput
from stretto.state.pack_lock import Locked

_SHOWN = 8


class Wanted(NamedTuple):
    """That a pack is needed: by whom, in which versions, and from where; empty for any."""

    name: str
    by: str = ""
    range: str = ""
    source: str = ""


class Brought(NamedTuple):
    """A pack as it was fetched."""

    fetched: Fetched
    pack: Pack


class Option:
    """One version of a pack. What is fetched is fetched once, when it is asked for first."""

    def __init__(self, name: str, version: str, source: str, load: Callable[[], Brought] | None) -> None:
        self.name, self.version, self.source = name, version, source
        self._load = load
        self._brought: Brought | None = None

    @property
    def is_installed(self) -> bool:
        """Whether it is what the project has."""
        return self._load is None

    def brought(self) -> Brought:
        """Its files.

        Raises:
            BadInput: They are no sound pack of that name and version.
        """
        if self._brought is None:
            if self._load is None:
                raise LookupError("what is installed is not fetched")
            self._brought = self._right(self._load())
        return self._brought

    def _right(self, brought: Brought) -> Brought:
        manifest = brought.pack.manifest
        if (manifest.name, manifest.version) != (self.name, self.version):
            told = f"{manifest.name} {manifest.version}"
            raise BadInput(f"{self.source!r} holds {told}, not {self.name} {self.version}.", field="SOURCE")
        return brought

    def needs(self) -> Iterator[Wanted]:
        """The packs that it needs. Those of what is installed were seen to."""
        by = f"{self.name} {self.version}"
        for name, needed in ({} if self.is_installed else self.brought().pack.manifest.dependencies).items():
            yield Wanted(name, by, needed.version, beside(self.source, needed.source) if needed.source else "")


class Options:
    """The versions of every pack.

    Args:
        project: From where places are seen.
        version: Stretto's own.
        before: What is installed.
        newest: The names of those installed that are to be brought to the newest of their tags.
    """

    def __init__(self, project: Path, version: str, before: Mapping[str, Locked], newest: Collection[str] = ()) -> None:
        self._project = project
        self._version = version
        self._before = before
        self._newest = newest
        self._tagged: dict[str, list[tags.Tagged]] = {}
        self._known: dict[tuple[str, str], Option] = {}
        self._unfit: dict[str, list[str]] = {}
        self.given: dict[str, Option] = {}
        """Those that were named, which nothing else takes the place of."""

    def give(self, source: str) -> Option:
        """Take the pack of a source that was named.

        Raises:
            BadInput: It is no sound pack, or another one was named that is called so.
        """
        brought = self._fetched(source)
        manifest = brought.pack.manifest
        if other := self.given.get(manifest.name):
            origins = f"{other.source!r} and {brought.fetched.source!r}"
            raise BadInput(f"Two of the packs are called {manifest.name!r}: {origins}.", field="SOURCE")
        option = Option(manifest.name, manifest.version, brought.fetched.source, lambda: brought)
        self.given[option.name] = option
        return option

    def of(self, name: str, sources: Iterable[str], keep: Callable[[Option], bool]) -> Iterator[Option]:
        """The versions of a pack to `keep`, the preferred first; each is fetched as it comes, and left out if unfit."""
        for option in filter(keep, self._all(name, sources)):
            try:
                if not option.is_installed:
                    option.brought()
            except BadInput as error:
                self._unfit.setdefault(name, []).append(f"{option.version} ({error.message.splitlines()[-1].strip()})")
            else:
                yield option

    def told(self, name: str, sources: Iterable[str] = ()) -> str:
        """The versions that there are, for people."""
        said = [f"{one.version}{' (installed)' if one.is_installed else ''}" for one in self._all(name, sources)]
        said = [one for one in said if one not in {unfit.partition(" (")[0] for unfit in self._unfit.get(name, ())}]
        said += dict.fromkeys(self._unfit.get(name, ()))
        more = f" and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
        return f"{', '.join(said[:_SHOWN])}{more}" if said else "none"

    def _all(self, name: str, sources: Iterable[str]) -> list[Option]:
        if name in self.given:
            return [self.given[name]]
        there = self._before.get(name)
        own = [self._option(name, there.version, there.source, None)] if there else []
        asked = [there.source] if there and name in self._newest else []
        found = [option for source in dict.fromkeys([*asked, *sources]) for option in self._from(name, source)]
        if there and name in self._newest:
            own_first = [*own, *(one for one in found if one.version != there.version)]
            return sorted(own_first, key=lambda one: Version(one.version), reverse=True)
        return [*own, *(one for one in found if not there or one.version != there.version)]

    def _from(self, name: str, source: str) -> Iterator[Option]:
        if not (tags.is_open(source) or (name in self._newest and tags.is_tagged(source))):
            yield self._named(name, source)
            return
        if source not in self._tagged:
            self._tagged[source] = tags.versions(self._project, source)
        if not self._tagged[source]:  # a repository without versions has the one that its branch has
            yield self._named(name, source)
        for tagged in self._tagged[source]:
            yield self._option(name, tagged.version, tagged.source, partial(self._fetched, tagged.source))

    def _named(self, name: str, source: str) -> Option:
        known = self._known.get((name, source))
        if known is None:
            brought = self._fetched(source)
            known = Option(name, brought.pack.manifest.version, brought.fetched.source, lambda: brought)
            self._known[name, source] = known
        return known

    def _option(self, name: str, version: str, source: str, load: Callable[[], Brought] | None) -> Option:
        return self._known.setdefault((name, f"{source} {load is None}"), Option(name, version, source, load))

    def _fetched(self, source: str) -> Brought:
        fetched = fetch(self._project, source)
        return Brought(fetched, vetted(fetched.files, self._version))


def suits(option: Option, wanted: Wanted) -> bool:
    """Whether a version is one of those that are wanted."""
    return not wanted.range or fits(option.version, wanted.range)


def is_early(option: Option, wanted: Iterable[Wanted]) -> bool:
    """Whether a version comes before its release, and nobody asks for such a one."""
    return Version(option.version).is_prerelease and not any(SpecifierSet(each.range).prereleases for each in wanted)


def beside(parent: str, source: str) -> str:
    """A source that a pack names, as the project sees it: a folder is seen from the pack's own.

    Raises:
        BadInput: The pack came as an archive or a distribution, beside which there is nothing.
    """
    if source.startswith(("git+", "python:")) or posixpath.isabs(source):
        return source
    if parent.startswith("git+"):
        parts = git_parts(parent)
        path = posixpath.normpath(posixpath.join(parts.path, source))
        at = f"@{parts.ref}" if parts.ref else ""
        if not path.startswith(".."):
            return f"git+{parts.url}{at}#{'' if path == '.' else path}"
    elif not parent.startswith("python:") and not parent.endswith(".gz"):
        return posixpath.normpath(posixpath.join(parent, source))
    raise BadInput(
        f"The pack of {parent!r} needs one of {source!r}, and nothing lies beside it. Nothing was changed.",
        field="SOURCE",
        next_steps=("Name both: stretto pack add SOURCE SOURCE",),
    )
