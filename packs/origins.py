"""Origins: where a pack comes from, whichever version of it."""

from pathlib import Path


def origin(source: str) -> str:
    """A source without the version in it: an archive's number, a tag."""
    if source.startswith("git+"):
        head, _, path = source.partition("#")
        base, at, ref = head.rpartition("@")
        return f"{base if at and '/' not in ref and ':' not in ref else head}#{path}"
    return str(Path(source).parent) if source.endswith((".tar.gz", ".tgz", ".zip")) else source
