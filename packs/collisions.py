"""Names: a pack's things are called PACK:NAME, and by their bare names where that is clear to everybody."""

from collections.abc import Collection, Iterator, Mapping

from stretto.state.pack_lock import Locked


def notes(pack: Locked, others: Mapping[str, Locked], built_in: Collection[str]) -> Iterator[str]:
    """Which bare names will not reach this pack's commands, and why."""
    for name in pack.commands:
        if name in built_in:
            yield f"/{name} stays Stretto's own: type /{pack.name}:{name}"
        elif rivals := [other.name for other in others.values() if other.name != pack.name and name in other.commands]:
            yield f"/{name} is also in {', '.join(rivals)}: type /{pack.name}:{name}, or choose one under [aliases]"
