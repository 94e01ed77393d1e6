"""Pictures of dependencies: DOT for Graphviz, a flowchart and a Gantt chart for mermaid. Labels are data in all."""

from collections.abc import Collection, Iterator

from stretto.graph.dependencies import Graph, critical_path, makespan
from stretto.graph.mermaid import label

FORMATS = ("mermaid", "dot", "gantt")


def draw(graph: Graph, form: str, agents: int) -> str:
    """The graph in one of `FORMATS`. The Gantt chart is of the schedule on so many agents.

    Raises:
        BadInput: A Gantt chart of a graph with a circle.
    """
    if form == "gantt":
        return "\n".join(_gantt(graph, agents)) + "\n"
    return "\n".join(_dot(graph) if form == "dot" else _mermaid(graph)) + "\n"


def _mermaid(graph: Graph) -> Iterator[str]:
    names = {name: f"n{i}" for i, name in enumerate((*(n.id for n in graph.nodes), *graph.external))}
    yield "flowchart LR"
    for node in graph.nodes:
        told = node.id if node.label in ("", node.id) else f"{node.id}: {node.label}"
        yield f"  {names[node.id]}[{label(told)}]"
    for name in graph.external:
        yield f"  {names[name]}([{label(name)}])"
    for edge in graph.edges:
        if edge.before in names:
            arrow = "-->" if edge.reason in ("declared", "phase order") else f"-. {label(edge.reason)} .->"
            yield f"  {names[edge.before]} {arrow} {names[edge.after]}"


def _dot(graph: Graph) -> Iterator[str]:
    yield "digraph dependencies {"
    yield "  rankdir=LR; node [shape=box];"
    for node in graph.nodes:
        told = node.id if node.label in ("", node.id) else f"{node.id}: {node.label}"
        yield f"  {_quoted(node.id)} [label={_quoted(told)}];"
    for name in graph.external:
        yield f"  {_quoted(name)} [shape=oval];"
    for edge in graph.edges:
        style = "" if edge.reason in ("declared", "phase order") else f" [style=dashed, label={_quoted(edge.reason)}]"
        yield f"  {_quoted(edge.before)} -> {_quoted(edge.after)}{style};"
    yield "}"


def _quoted(text: str) -> str:
    plain = "".join(c if c.isprintable() else " " for c in text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _gantt(graph: Graph, agents: int) -> Iterator[str]:
    schedule, critical = makespan(graph, agents), set(critical_path(graph).nodes)
    scale = 1 if graph.unit == "seconds" else 60
    yield "gantt"
    yield "  dateFormat X"
    yield "  axisFormat %H:%M"
    yield f"  title on {agents} agents"
    for phase in dict.fromkeys(n.phase for n in graph.nodes):
        yield f"  section {_word(phase) or 'tasks'}"
        for node in (n for n in graph.nodes if n.phase == phase):
            span = _span(schedule.start[node.id] * scale, schedule.finish[node.id] * scale)
            yield f"  {_word(node.id)} :{_mark(node.id, critical)}{span}"


def _span(start: float, finish: float) -> str:
    return f"{round(start)}, {max(round(finish), round(start) + 1)}"


def _mark(name: str, critical: Collection[str]) -> str:
    return "crit, " if name in critical else ""


def _word(text: str) -> str:
    """Mermaid's Gantt chart knows no quotes: what it would read is left out."""
    return "".join(c if c.isalnum() or c in "_-./ " else " " for c in text)[:60].strip()
