"""What was written against what was declared."""

from collections.abc import Sequence

from stretto.agents.paths import covers


def undeclared(writes: Sequence[str], changed: Sequence[str]) -> list[str]:
    """The paths of `changed` that no entry of `writes` allows, in their order.

    An entry is a path, a glob (`*` stays in one folder, `**` spans any) or a folder, which covers all below it. Nothing
    declared allows everything. A path outside the project (`../x`) is allowed only by an entry that begins with
    `..` itself.
    """
    if not writes:
        return []
    return [path for path in changed if not any(_allows(entry, path) for entry in writes)]


def _allows(entry: str, path: str) -> bool:
    return bool(entry) and entry.startswith("..") == path.startswith("..") and covers(entry, path)
