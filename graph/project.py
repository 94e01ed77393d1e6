"""A project: activities that wait for each other and share what there is, checked and laid out for scheduling.

Durations, demands and capacities are whole numbers, in any units. All resources of one activity are packed in one
integer, a field for each with a bit to spare, so that one subtraction tells whether everything fits: the spare bits are
set in what is free, and a field that runs out borrows its own.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from stretto.state.errors import BadInput


class Activity(NamedTuple):
    """It holds `demand` (by resource) while it lasts; it starts after `needs` have ended, not before `release`."""

    name: str
    duration: int
    demand: Mapping[str, int]
    needs: Sequence[str] = ()
    release: int = 0


class Project:
    """Activities by their index, with what the schemes and the rules ask for again and again.

    Attributes:
        activities: As they were given.
        durations: Of each.
        demands: Of each, packed.
        before: Indices of those that must end before each starts.
        after: Indices of those that wait for each.
        order: All indices, each after those before it.
        full: Everything free, with the spare bits set.
        spare: The spare bits alone.

    Raises:
        BadInput: A name twice or unknown, a circle, a number that is not whole or negative, or a demand above the
            capacity.
    """

    def __init__(self, activities: Sequence[Activity], capacity: Mapping[str, int]) -> None:
        _check(activities, capacity)
        self.activities = tuple(activities)
        self.capacity = dict(capacity)
        index = {one.name: i for i, one in enumerate(activities)}
        self.durations = [one.duration for one in activities]
        self.release = [one.release for one in activities]
        self.before = [[index[name] for name in one.needs] for one in activities]
        self.after: list[list[int]] = [[] for _ in activities]
        for i, needs in enumerate(self.before):
            for need in needs:
                self.after[need].append(i)
        self.order = _ordered(self.activities, self.before)
        width = max((amount.bit_length() for amount in capacity.values()), default=0) + 1
        shift = {name: width * k for k, name in enumerate(capacity)}
        self.demands = [sum(amount << shift[name] for name, amount in one.demand.items()) for one in activities]
        self.spare = sum(1 << (at + width - 1) for at in shift.values())
        self.full = self.spare + sum(capacity[name] << at for name, at in shift.items())

    def __len__(self) -> int:
        """How many activities there are."""
        return len(self.activities)

    @cached_property
    def heads(self) -> list[int]:
        """For each, the earliest start, were there enough of everything."""
        found = list(self.release)
        for i in self.order:
            for follower in self.after[i]:
                found[follower] = max(found[follower], found[i] + self.durations[i])
        return found

    @cached_property
    def tails(self) -> list[int]:
        """For each, the longest chain that begins with it, its own time included."""
        found = [0] * len(self)
        for i in reversed(self.order):
            found[i] = self.durations[i] + max((found[f] for f in self.after[i]), default=0)
        return found

    @cached_property
    def followers(self) -> list[int]:
        """For each, how many wait for it, directly or not."""
        reached = [0] * len(self)
        for i in reversed(self.order):
            for follower in self.after[i]:
                reached[i] |= reached[follower] | 1 << follower
        return [bits.bit_count() for bits in reached]

    @cached_property
    def critical(self) -> int:
        """The length of the longest chain, releases included."""
        return max((h + t for h, t in zip(self.heads, self.tails, strict=True)), default=0)

    @cached_property
    def bound(self) -> int:
        """No schedule is shorter: the longest chain, or all the work of a resource spread evenly over its capacity."""
        loads = (
            math.ceil(sum(one.duration * one.demand.get(name, 0) for one in self.activities) / amount)
            for name, amount in self.capacity.items()
            if amount
        )
        return max(self.critical, *loads, 0)


def _check(activities: Sequence[Activity], capacity: Mapping[str, int]) -> None:
    names = {one.name for one in activities}
    if len(names) < len(activities):
        raise BadInput("Two activities have the same name.", field="activities")
    for name, amount in capacity.items():
        _whole(amount, f"capacity.{name}")
    for one in activities:
        _whole(one.duration, f"{one.name}.duration")
        _whole(one.release, f"{one.name}.release")
        if unknown := set(one.needs) - names:
            raise BadInput(f"{one.name!r} needs {min(unknown)!r}, which is not there.", field=f"{one.name}.needs")
        for name, amount in one.demand.items():
            _whole(amount, f"{one.name}.demand.{name}")
            if amount > capacity.get(name, 0):
                raise BadInput(
                    f"{one.name!r} asks for {amount} of {name!r}; there are {capacity.get(name, 0)}.",
                    field=f"{one.name}.demand.{name}",
                )


def _whole(value: int, field: str) -> None:
    if type(value) is not int or value < 0:
        raise BadInput(f"{value!r} is not a whole number from 0.", field=field)


def _ordered(activities: Sequence[Activity], before: Sequence[Sequence[int]]) -> list[int]:
    try:
        return list(TopologicalSorter(dict(enumerate(before))).static_order())
    except CycleError as error:
        found: list[int] = error.args[1]
        circle = " → ".join(activities[i].name for i in reversed(found))
        raise BadInput(f"Activities wait for each other in a circle: {circle}.", field="needs") from None
