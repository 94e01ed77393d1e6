"""Dependencies as a graph: what waits for what and why, what is wrong with it, and which chain decides the end.

Pure data. A node without a duration counts as the median of the others; where no node has one, lengths are counted in
nodes (`unit`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Literal, NamedTuple

from stretto.agents import paths
from stretto.graph.schedule import Schedule, simulate, tails

ProblemKind = Literal["circle", "unknown", "two writers", "read while written", "twice"]
MOST_PATHS = 10_000
"""Chains that are looked at in a search for all of them."""
_NEAR = 1e-9


class Node(NamedTuple):
    """A task or a phase. `seconds` is None where nobody said how long it takes; paths are as declared."""

    id: str
    label: str = ""
    phase: str = ""
    seconds: float | None = None
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


class Edge(NamedTuple):
    """`after` waits for `before`, for a reason: `declared`, `phase order`, or `writes PATH`."""

    before: str
    after: str
    reason: str = "declared"


class Problem(NamedTuple):
    """Something wrong: the nodes it is about, one sentence, and what can be done."""

    kind: ProblemKind
    nodes: tuple[str, ...]
    text: str
    ways: tuple[str, ...]


class Graph(NamedTuple):
    """Nodes in the order given, edges, and names that are waited for and are not here."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    external: tuple[str, ...] = ()

    @property
    def unit(self) -> Literal["seconds", "nodes"]:
        """What lengths are in."""
        return "seconds" if any(n.seconds is not None for n in self.nodes) else "nodes"

    def durations(self) -> dict[str, float]:
        """How long each node takes, in `unit`."""
        known = [n.seconds for n in self.nodes if n.seconds is not None]
        middle = median(known) if known else 1.0
        return {n.id: middle if n.seconds is None else n.seconds for n in self.nodes}

    def waits(self) -> dict[str, tuple[str, ...]]:
        """For each node, those that it waits for and that are here."""
        found: dict[str, dict[str, None]] = {n.id: {} for n in self.nodes}
        for edge in self.edges:
            if edge.before in found and edge.after in found:
                found[edge.after][edge.before] = None
        return {name: tuple(needs) for name, needs in found.items()}


def problems(graph: Graph) -> tuple[Problem, ...]:
    """All that is wrong with it; circles first."""
    return (*_twice(graph), *_circles(graph), *_unknown(graph), *_clashes(graph))


def circles(waits: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """One circle for each set of nodes that wait for each other, each beginning with its first node.

    By Tarjan's strongly connected components (R. Tarjan, SIAM Journal on Computing 1(2), 1972), without recursion.
    """
    rank = {name: i for i, name in enumerate(waits)}
    found = [sorted(part, key=rank.__getitem__) for part in _components(waits)]
    loops = [part for part in found if len(part) > 1 or part[0] in waits[part[0]]]
    return [_around(part, waits) for part in sorted(loops, key=lambda part: rank[part[0]])]


def _components(waits: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    seen: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: dict[str, None] = {}
    for root in waits:
        work = [] if root in seen else [(root, iter(waits[root]))]
        if work:
            seen[root] = low[root] = len(seen)
            stack[root] = None
        while work:
            name, needs = work[-1]
            following = next((n for n in needs if n in waits and (n not in seen or n in stack)), None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == seen[name]:
                    yield _popped(stack, name)
            elif following in seen:
                low[name] = min(low[name], seen[following])
            else:
                seen[following] = low[following] = len(seen)
                stack[following] = None
                work.append((following, iter(waits[following])))


def _popped(stack: dict[str, None], last: str) -> list[str]:
    part: list[str] = []
    while not part or part[-1] != last:
        part.append(stack.popitem()[0])
    return part


def _around(part: Sequence[str], waits: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """A way from the first node of a component back to it, as short as there is."""
    inside = set(part)
    ways: list[tuple[str, ...]] = [(part[0],)]
    visited = {part[0]}
    for way in ways:
        for following in waits[way[-1]]:
            if following == part[0]:
                return way
            if following in inside and following not in visited:
                visited.add(following)
                ways.append((*way, following))
    return tuple(part)


def _twice(graph: Graph) -> Iterator[Problem]:
    names = [n.id for n in graph.nodes]
    for name in dict.fromkeys(n for n in names if names.count(n) > 1):
        yield Problem("twice", (name,), f"{name!r} is there more than once.", ("Give each its own id.",))


def _circles(graph: Graph) -> Iterator[Problem]:
    for circle in circles(graph.waits()):
        way = " → ".join((*circle, circle[0]))
        text = f"{way}: each waits for the next."
        yield Problem("circle", circle, text, tuple(f"Let {a} not wait for {b}." for a, b in _steps(circle)))


def _steps(circle: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip(circle, (*circle[1:], circle[0]), strict=True)


def _unknown(graph: Graph) -> Iterator[Problem]:
    here = {n.id for n in graph.nodes}
    for edge in graph.edges:
        if edge.before not in here and edge.before not in graph.external:
            text = f"{edge.after!r} waits for {edge.before!r}, which is not there."
            yield Problem("unknown", (edge.after, edge.before), text, (f"Add {edge.before!r}, or take it away.",))


def _clashes(graph: Graph) -> Iterator[Problem]:
    """Two that may run at once and write, or read and write, one path."""
    waits = graph.waits()
    if circles(waits):
        return
    before = ancestors(waits)
    for i, one in enumerate(graph.nodes):
        for two in graph.nodes[i + 1 :]:
            if one.id in before[two.id] or two.id in before[one.id]:
                continue
            if path := _shared(one.writes, two.writes):
                yield _clash("two writers", one.id, two.id, f"both write {path!r}", path)
            elif path := _shared(one.writes, two.reads) or _shared(two.writes, one.reads):
                yield _clash(
                    "read while written", one.id, two.id, f"one reads {path!r} while the other writes it", path
                )


def _clash(kind: ProblemKind, one: str, two: str, why: str, path: str) -> Problem:
    ways = (f"Let {two} wait for {one}.", f"Divide {path!r} between them.")
    return Problem(kind, (one, two), f"{one} and {two} have no order, and {why}.", ways)


def _shared(writes: Sequence[str], others: Sequence[str]) -> str:
    return next((path for path in writes if any(paths.overlap(path, other) for other in others)), "")


def ancestors(waits: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """For each node of a graph without circles, all that come before it."""
    found: dict[str, set[str]] = {}

    def of(name: str) -> set[str]:
        stack = [name]
        while stack:
            top = stack[-1]
            missing = [n for n in waits[top] if n not in found]
            if missing:
                stack += missing
                continue
            found[top] = set(waits[top]).union(*(found[n] for n in waits[top]))
            stack.pop()
        return found[name]

    return {name: of(name) for name in waits}


class CriticalPath(NamedTuple):
    """The longest chain, its length, and how much later each node may end without a later end of the whole."""

    nodes: tuple[str, ...]
    length: float
    slack: dict[str, float]


def critical_path(graph: Graph) -> CriticalPath:
    """The chain that decides how soon all can be done, whatever the number of agents.

    Raises:
        BadInput: There is a circle.
    """
    durations, waits = graph.durations(), graph.waits()
    behind = tails(durations, waits)
    early = _earliest(durations, waits)
    length = max(behind.values(), default=0.0)
    slack = {name: round(length - early[name] - behind[name], 9) for name in durations}
    return CriticalPath(_longest(durations, waits, behind), length, slack)


def _longest(
    durations: Mapping[str, float], waits: Mapping[str, Sequence[str]], behind: Mapping[str, float]
) -> tuple[str, ...]:
    """From the node with the longest tail, always on to the follower whose tail is what is left."""
    chain: list[str] = []
    ready = [name for name in durations if not waits[name]]
    while ready:
        chain.append(max(ready, key=behind.__getitem__))
        left = behind[chain[-1]] - durations[chain[-1]]
        ready = [name for name in durations if chain[-1] in waits[name] and behind[name] >= left - _NEAR]
    return tuple(chain)


def _earliest(durations: Mapping[str, float], waits: Mapping[str, Sequence[str]]) -> dict[str, float]:
    turned: dict[str, list[str]] = {name: [] for name in durations}
    for name, needs in waits.items():
        for need in needs:
            turned[need].append(name)
    ahead = tails(durations, turned)
    return {name: ahead[name] - durations[name] for name in durations}


def chains(graph: Graph, first: str = "", last: str = "") -> list[tuple[str, ...]]:
    """Every chain from a node to another (by default from those that wait for nothing to those nobody waits for).

    The longest first; no more than `MOST_PATHS` are looked at. Circles must have been ruled out.
    """
    waits = graph.waits()
    awaited = {need for needs in waits.values() for need in needs}
    ends = [last] if last else [name for name in waits if name not in awaited]
    found: list[tuple[str, ...]] = []
    work: list[tuple[str, ...]] = [(end,) for end in ends]
    while work and len(found) < MOST_PATHS:
        way = work.pop()
        if way[0] == first or (not first and not waits[way[0]]):
            found.append(way)
        else:
            work += [(need, *way) for need in waits[way[0]]]
    durations = graph.durations()
    return sorted(found, key=lambda way: (-sum(durations[name] for name in way), way))


def redundant(graph: Graph) -> tuple[Edge, ...]:
    """Declared edges that others imply already. Circles must have been ruled out."""
    waits = graph.waits()
    before = ancestors(waits)
    return tuple(
        edge
        for edge in graph.edges
        if edge.before in waits
        and edge.after in waits
        and any(edge.before in before[other] for other in waits[edge.after] if other != edge.before)
    )


def makespan(graph: Graph, agents: int) -> Schedule:
    """The schedule on so many agents, the longest tail first."""
    return simulate(graph.durations(), graph.waits(), agents)


def agents_needed(graph: Graph) -> int:
    """The least number of agents on which the schedule is as short as the critical path, or one for each node."""
    length = critical_path(graph).length
    for agents in range(1, len(graph.nodes) + 1):
        if makespan(graph, agents).makespan <= length + _NEAR:
            return agents
    return max(len(graph.nodes), 1)
