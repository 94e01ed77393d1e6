"""Where a graph of dependencies comes from: a plan, a workflow, or a list of tasks."""

from collections.abc import Iterator

from stretto.agents import paths
from stretto.graph.coordinated import Coordinated
from stretto.graph.dependencies import Edge, Graph, Node
from stretto.graph.plan import Plan
from stretto.graph.spec import PhaseSpec, Spec, waits


def of_plan(plan: Plan) -> Graph:
    """The tasks of a plan that are not ticked. Across phases, a reader or writer waits for the writer of its path."""
    phases = [(phase, task) for phase in plan.phases for task in phase.tasks]
    nodes = tuple(
        Node(task.id, task.title, f"{phase.number}", None, task.reads, task.writes)
        for phase, task in phases
        if not task.done
    )
    done = {task.id for _, task in phases if task.done}
    declared = [
        Edge(need, task.id) for _, task in phases if not task.done for need in task.depends_on if need not in done
    ]
    return Graph(nodes, (*declared, *_by_phase(nodes)))


def _by_phase(nodes: tuple[Node, ...]) -> Iterator[Edge]:
    for i, later in enumerate(nodes):
        for earlier in nodes[:i]:
            if earlier.phase != later.phase and (path := _shared(earlier, later)):
                yield Edge(earlier.id, later.id, f"writes {path}")


def _shared(earlier: Node, later: Node) -> str:
    wanted = (*later.writes, *later.reads)
    return next((path for path in earlier.writes if any(paths.overlap(path, other) for other in wanted)), "")


def of_spec(spec: Spec) -> Graph:
    """The tasks of a workflow's phases; a phase whose tasks a plan decides is one node."""
    nodes = tuple(node for phase in spec.phases for node in _nodes(phase))
    inside = [
        Edge(f"{phase.name}/{need}", f"{phase.name}/{task.id}")
        for phase in spec.phases
        for task in phase.tasks
        for need in task.depends_on
    ]
    return Graph(nodes, (*inside, *_between(spec)))


def _nodes(phase: PhaseSpec) -> Iterator[Node]:
    for task in phase.tasks:
        yield Node(f"{phase.name}/{task.id}", task.title, phase.name, None, task.reads, task.writes)
    if not phase.tasks:
        yield Node(phase.name, phase.kind, phase.name)


def _between(spec: Spec) -> Iterator[Edge]:
    """The first tasks of a phase wait for the last ones of the phases before it."""
    for name, needs in waits(spec).items():
        for need in needs:
            for last in _ends(spec.phase(need)):
                for first in _begins(spec.phase(name)):
                    yield Edge(last, first, "phase order")


def _begins(phase: PhaseSpec) -> list[str]:
    return [f"{phase.name}/{t.id}" for t in phase.tasks if not t.depends_on] or [phase.name]


def _ends(phase: PhaseSpec) -> list[str]:
    awaited = {need for task in phase.tasks for need in task.depends_on}
    return [f"{phase.name}/{t.id}" for t in phase.tasks if t.id not in awaited] or [phase.name]


def of_coordinated(asked: Coordinated) -> Graph:
    """The phases of a coordinated workflow, and what it waits for as a whole."""
    order = asked.order()
    nodes = tuple(Node(p.name, p.name, p.name, asked.seconds_of(p.name)) for p in asked.phases)
    edges = tuple(Edge(need, name, "phase order") for name, needs in order.items() for need in needs)
    outside = tuple(d.name for d in asked.dependencies)
    first = [name for name, needs in order.items() if not needs]
    return Graph(nodes, (*edges, *(Edge(name, node) for name in outside for node in first)), outside)
