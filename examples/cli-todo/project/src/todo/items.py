"""The things to do, and what can happen to them. Nothing here touches a file or a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass, replace


class UnknownItem(Exception):
    """There is no item with this number."""


@dataclass(frozen=True)
class Item:
    """One thing to do."""

    id: int
    text: str
    done: bool = False

    def __str__(self) -> str:
        return f"{self.id} {self.text}{' (done)' if self.done else ''}"


def added(items: Sequence[Item], text: str) -> list[Item]:
    """The list with one more item, whose number is one above the highest."""
    number = max((item.id for item in items), default=0) + 1
    return [*items, Item(number, text)]


def finished(items: Sequence[Item], number: int) -> list[Item]:
    """The list with one item done.

    Raises:
        UnknownItem: There is no such item.
    """
    _known(items, number)
    return [replace(item, done=True) if item.id == number else item for item in items]


def removed(items: Sequence[Item], number: int) -> list[Item]:
    """The list without one item.

    Raises:
        UnknownItem: There is no such item.
    """
    _known(items, number)
    return [item for item in items if item.id != number]


def _known(items: Sequence[Item], number: int) -> None:
    if all(item.id != number for item in items):
        raise UnknownItem(f"There is no item {number}.")
