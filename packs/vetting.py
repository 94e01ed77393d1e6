"""All that can be told of a pack without running it: whether it is sound, honest, and declares what it does."""

from stretto.packs.files import Files
from stretto.packs.pack import Pack, Problem, checked, refuse
from stretto.packs.scanning import scan
from stretto.packs.undeclared import undeclared


def looked_at(files: Files, version: str) -> tuple[Pack | None, list[Problem]]:
    """The pack that these files are, or None, and all that it would be refused for by Stretto of this `version`."""
    pack, problems = checked(files, version)
    return pack, [*problems, *(undeclared(pack) if pack else ()), *scan(files)]


def vetted(files: Files, version: str) -> Pack:
    """The pack that these files are.

    Raises:
        BadInput: There is something to refuse it for; the message lists it, `details` all of it.
    """
    pack, problems = looked_at(files, version)
    if pack is None or problems:
        raise refuse(problems)
    return pack
