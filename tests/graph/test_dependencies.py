"""What waits for what: held against slow and simple ways of finding the same."""

from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.graph.dependencies import (
    Edge,
    Graph,
    Node,
    agents_needed,
    chains,
    circles,
    critical_path,
    makespan,
    problems,
    redundant,
)
from stretto.graph.dependency_pictures import FORMATS, draw

NAMES = "abcdefg"


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Up to seven nodes; an edge always leads from an earlier to a later name."""
    names = NAMES[: draw(st.integers(1, 7))]
    nodes = tuple(Node(n, seconds=draw(st.integers(1, 9))) for n in names)
    pairs = [(a, b) for i, b in enumerate(names) for a in names[:i]]
    chosen = [pair for pair in pairs if draw(st.booleans())]
    return Graph(nodes, tuple(Edge(a, b) for a, b in chosen))


@given(graphs())
def test_the_critical_path_is_the_longest_of_all_chains(graph: Graph) -> None:
    durations, waits = graph.durations(), graph.waits()
    orders = [order for size in range(1, len(waits) + 1) for order in _chains_of(waits, size)]
    longest = max(sum(durations[n] for n in order) for order in orders)

    found = critical_path(graph)

    assert found.length == longest
    assert sum(durations[n] for n in found.nodes) == longest
    assert found.nodes in orders
    assert all(found.slack[n] == 0 for n in found.nodes)


def _chains_of(waits: dict[str, tuple[str, ...]], size: int) -> list[tuple[str, ...]]:
    return [c for c in combinations(waits, size) if all(c[i] in waits[c[i + 1]] for i in range(size - 1))]


@given(graphs())
def test_slack_is_how_much_longer_a_node_may_take(graph: Graph) -> None:
    found = critical_path(graph)
    for node in graph.nodes:
        for extra, later in ((found.slack[node.id], 0.0), (found.slack[node.id] + 1, 1.0)):
            slower = graph._replace(
                nodes=tuple(n._replace(seconds=(n.seconds or 0) + extra) if n == node else n for n in graph.nodes)
            )
            assert critical_path(slower).length == pytest.approx(found.length + later)


@given(graphs())
def test_more_agents_than_needed_do_not_help_and_fewer_take_longer(graph: Graph) -> None:
    needed, length = agents_needed(graph), critical_path(graph).length

    assert makespan(graph, needed).makespan == length
    assert needed == 1 or makespan(graph, needed - 1).makespan > length


@given(graphs())
def test_without_its_redundant_edges_everything_comes_in_the_same_order(graph: Graph) -> None:
    spare = redundant(graph)
    less = graph._replace(edges=tuple(e for e in graph.edges if e not in spare))

    assert _orders(graph) == _orders(less)
    for edge in less.edges:
        assert _orders(less._replace(edges=tuple(e for e in less.edges if e != edge))) != _orders(less)


def _orders(graph: Graph) -> set[tuple[str, str]]:
    """Which node must come before which, by walking."""
    waits = graph.waits()
    found: set[tuple[str, str]] = set()
    for name in waits:
        todo = [*waits[name]]
        while todo:
            need = todo.pop()
            found.add((need, name))
            todo += waits[need]
    return found


@given(st.lists(st.tuples(st.sampled_from(NAMES[:5]), st.sampled_from(NAMES[:5])), max_size=12))
def test_circles_are_found_where_there_are_any_and_named_as_they_run(pairs: list[tuple[str, str]]) -> None:
    waits = {n: tuple(dict.fromkeys(b for a, b in pairs if a == n)) for n in NAMES[:5]}

    found = circles(waits)

    for circle in found:
        assert all(circle[(i + 1) % len(circle)] in waits[name] for i, name in enumerate(circle))
    can_be_ordered = any(
        all(order.index(need) < order.index(name) for name in waits for need in waits[name])
        for order in permutations(waits)
    )
    assert bool(found) != can_be_ordered


def test_a_long_chain_is_no_problem_for_depth() -> None:
    nodes = tuple(Node(str(i)) for i in range(3000))
    edges = tuple(Edge(str(i), str(i + 1)) for i in range(2999))

    assert problems(Graph(nodes, edges)) == ()
    assert len(circles(Graph(nodes, (*edges, Edge("2999", "0"))).waits())[0]) == 3000


def test_two_writers_without_an_order_are_named_and_with_one_they_are_not() -> None:
    nodes = (Node("a", writes=("src/x.py",)), Node("b", writes=("src",)), Node("c", reads=("src/x.py",)))

    kinds = [(p.kind, p.nodes) for p in problems(Graph(nodes, ()))]

    assert kinds == [
        ("two writers", ("a", "b")),
        ("read while written", ("a", "c")),
        ("read while written", ("b", "c")),
    ]
    assert problems(Graph(nodes, (Edge("a", "b"), Edge("b", "c")))) == ()


@given(graphs())
def test_every_chain_is_there_once_the_longest_first(graph: Graph) -> None:
    found, durations = chains(graph), graph.durations()
    lengths = [sum(durations[n] for n in way) for way in found]

    assert len(set(found)) == len(found)
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] == critical_path(graph).length


@pytest.mark.parametrize("form", FORMATS)
def test_labels_are_data_in_every_picture(form: str) -> None:
    hostile = 'x"] --> y\n%%{init}%% ; click'
    drawn = draw(Graph((Node("a", hostile, phase=hostile),), ()), form, 1)

    assert hostile not in drawn
    assert form == "dot" or "%%{" not in drawn
    assert len(drawn.splitlines()) <= 6
