"""Which workflows decide when all are done: the longest chain of those that wait for each other, by what is left."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from stretto.graph.coordination import RUNNER, coordinated
from stretto.graph.dependencies import CriticalPath, Edge, Graph, Node, critical_path
from stretto.graph.progress import Progress
from stretto.state.machine import ACTIVE
from stretto.state.rows import WorkflowRow


class Chain(NamedTuple):
    """The workflows of the chain, first to last; its seconds are None if nobody knows how long one of all takes."""

    workflows: tuple[str, ...]
    seconds: float | None


def chain_of(found: Iterable[Progress], rows: Iterable[WorkflowRow]) -> Chain:
    """The longest chain among the workflows that have not ended."""
    left = {one.workflow_id: one.left.likely for one in found if one.status in ACTIVE}
    waits = {row.id: _waits(row, left) for row in rows if row.id in left}
    path = longest(left, waits)
    known = all(seconds is not None for seconds in left.values())
    return Chain(path.nodes, path.length if known and left else None)


def _waits(row: WorkflowRow, known: Mapping[str, object]) -> tuple[str, ...]:
    if row.runner != RUNNER:
        return ()
    return tuple(one.name for one in coordinated(row).dependencies if one.name in known)


def longest(seconds: Mapping[str, float | None], waits: Mapping[str, Iterable[str]]) -> CriticalPath:
    """The longest chain of what waits for each other; what has no seconds counts as the median of the others."""
    nodes = tuple(Node(name, seconds=value) for name, value in seconds.items())
    edges = tuple(Edge(before, name) for name, those in waits.items() for before in those if before in seconds)
    return critical_path(Graph(nodes, edges))
