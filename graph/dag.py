"""Order among named things that wait for each other."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from stretto.state.errors import BadInput


def ordered(names: Sequence[str], waits: Mapping[str, Collection[str]], field: str) -> list[str]:
    """`names` so that each comes after what it waits for; of those free to come next, the one listed first.

    Every name waited for must be one of `names`.

    Raises:
        BadInput: They wait for each other in a circle, which the message names; `field` is the field at fault.
    """
    done: dict[str, None] = {}
    left = list(names)
    while left:
        ready = next((n for n in left if all(w in done for w in waits[n])), None)
        if ready is None:
            circle = _circle(waits, left[0], done)
            raise BadInput(f"{field} wait for each other in a circle: {' → '.join(circle)}.", field=field)
        done[ready] = None
        left.remove(ready)
    return list(done)


def _circle(waits: Mapping[str, Collection[str]], start: str, done: Collection[str]) -> list[str]:
    path = [start]
    while True:
        following = min(w for w in waits[path[-1]] if w not in done)
        if following in path:
            return [*path[path.index(following) :], following]
        path.append(following)


def ancestors(names: Sequence[str], waits: Mapping[str, Collection[str]], field: str) -> dict[str, set[str]]:
    """For each name, everything that must come before it.

    Raises:
        BadInput: As `ordered`.
    """
    found: dict[str, set[str]] = {}
    for name in ordered(names, waits, field):
        found[name] = set(waits[name]).union(*(found[w] for w in waits[name]))
    return found


def unique(names: Iterable[str], field: str) -> None:
    """Check that no name is there twice.

    Raises:
        BadInput: One is.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise BadInput(f"{field}: {name!r} is there twice.", field=field)
        seen.add(name)
