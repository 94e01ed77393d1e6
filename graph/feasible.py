"""Whether a schedule can be carried out, found without any of the code that makes schedules."""

from collections.abc import Iterator, Mapping, Sequence

from stretto.graph.project import Activity
from stretto.graph.schedule import Schedule


def violations(activities: Sequence[Activity], capacity: Mapping[str, int], schedule: Schedule) -> list[str]:
    """What is wrong with it, a sentence each: nothing, when every activity runs once, in order, on what there is."""
    names = [one.name for one in activities]
    if sorted(schedule.start) != sorted(names) or sorted(schedule.finish) != sorted(names):
        return ["The schedule has other activities than the project."]
    return [
        *(f"{one.name!r} {fault}." for one in activities for fault in _times(one, schedule)),
        *(fault for name in _resources(activities) for fault in _loads(name, activities, capacity, schedule)),
        *_length(schedule),
    ]


def _times(one: Activity, schedule: Schedule) -> Iterator[str]:
    start = schedule.start[one.name]
    if schedule.finish[one.name] != start + one.duration:
        yield "does not take its duration"
    if start < one.release:
        yield "starts before its release"
    for need in one.needs:
        if start < schedule.finish[need]:
            yield f"starts before {need!r} has ended"


def _resources(activities: Sequence[Activity]) -> list[str]:
    return sorted({name for one in activities for name in one.demand})


def _loads(name: str, activities: Sequence[Activity], capacity: Mapping[str, int], schedule: Schedule) -> Iterator[str]:
    changes = [
        (at, amount)
        for one in activities
        if schedule.finish[one.name] > schedule.start[one.name]
        for at, amount in (
            (schedule.start[one.name], one.demand.get(name, 0)),
            (schedule.finish[one.name], -one.demand.get(name, 0)),
        )
    ]
    used = 0
    for at, amount in sorted(changes):  # at one moment what ends comes before what starts
        used += amount
        if amount > 0 and used > capacity.get(name, 0):
            yield f"At {at:g}, {used} of {name!r} are in use; there are {capacity.get(name, 0)}."


def _length(schedule: Schedule) -> Iterator[str]:
    if schedule.makespan != max(schedule.finish.values(), default=0):
        yield "The makespan is not the last finish."
