"""/dependency-resolver: what waits for what, what is wrong with it, and what decides the end."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from stretto.commands.app import App, require_supported
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.graph import dependencies, dependency_sources, plan_file
from stretto.graph.coordinated import Coordinated
from stretto.graph.coordination import RUNNER
from stretto.graph.dependencies import Edge, Graph, Node, Problem
from stretto.graph.dependency_pictures import FORMATS, draw
from stretto.graph.spec import Spec
from stretto.state.errors import BadInput, NotFound
from stretto.state.log import Log
from stretto.state.settings import load
from stretto.state.store import find_project
from stretto.state.units import said_seconds, seconds

SUPPORTED: frozenset[str] = frozenset()
LONGEST_TEXT = 2_000_000
_TASKS = ("id", "title", "phase", "depends_on", "reads", "writes", "duration")


class Asked(NamedTuple):
    """What a line is about: its graph, what it is called, the other fields of the JSON, and how many agents there are.

    `usual` are the project's agents, `agents` those asked about.
    """

    name: str
    graph: Graph
    fields: Fields
    agents: int
    usual: int


def handle(invocation: Invocation, app: App) -> Reply:
    """Read the graph, then do what the operation asks for.

    Raises:
        BadInput: The subject is no plan, no workflow and no list of tasks, or a field is wrong.
    """
    require_supported(invocation, SUPPORTED)
    fields = Fields(invocation.json[0] if invocation.json else {})
    name, graph = _graph(invocation, app, fields)
    usual = load(find_project(app.project)).agents
    agents = fields.whole("agents", usual, least=1, most=1000) or usual
    asked = Asked(name, graph, fields, agents, usual)
    reply = OPERATIONS[invocation.operation](asked)
    return reply._replace(operation=invocation.operation)


def _graph(invocation: Invocation, app: App, fields: Fields) -> tuple[str, Graph]:
    tasks = fields.raw("tasks")
    if not invocation.words and tasks is None:
        raise BadInput(
            "Of what? A plan, the id of a workflow, or tasks as JSON.",
            field="subject",
            next_steps=("stretto dependency-resolver analyze specs/plans/001_shop.md",),
        )
    if tasks is not None:
        if invocation.words:
            raise BadInput("Give a subject or tasks, not both.", field="tasks")
        return "the given tasks", _given(tasks)
    subject = invocation.words[0].text
    path = app.project / subject
    return subject, _of_file(path, subject) if path.is_file() else _of_workflow(app, subject)


def _of_file(path: Path, subject: str) -> Graph:
    if path.stat().st_size > LONGEST_TEXT:
        raise BadInput(f"{subject!r} is too long to be a plan.", field="subject")
    try:
        return dependency_sources.of_plan(plan_file.parse(path.read_text("utf-8"), source=subject))
    except UnicodeDecodeError as error:
        raise BadInput(f"{subject!r} is not text.", field="subject") from error


def _of_workflow(app: App, subject: str) -> Graph:
    if log := Log.find(app.state):
        with log:
            if row := log.workflow(subject):
                if row.runner == RUNNER:
                    return dependency_sources.of_coordinated(Coordinated.model_validate(row.spec["coordination"]))
                return dependency_sources.of_spec(Spec.model_validate(row.spec))
            known = [w.id for w in log.newest_workflows(8)]
    else:
        known = []
    raise NotFound(f"{subject!r} is neither a file of the project nor a workflow.", field="subject", allowed=known)


def _given(tasks: object) -> Graph:
    """`[{"id": "a", "depends_on": ["b"], "writes": ["x.py"], "duration": "10m"}]`."""
    if not isinstance(tasks, list) or not tasks:
        raise BadInput("tasks must be a list of objects with an id.", field="tasks", allowed=_TASKS)
    nodes: list[Node] = []
    edges: list[Edge] = []
    for i, item in enumerate(cast("list[object]", tasks)):
        fields = Fields(item, f"tasks[{i}]")
        name = fields.text("id", longest=100)
        if not name:
            raise BadInput(f"tasks[{i}] has no id.", field=f"tasks[{i}].id")
        takes = fields.read("duration", _seconds, None)
        told, phase = fields.text("title"), fields.text("phase")
        nodes.append(Node(name, told, phase, takes, fields.texts("reads"), fields.texts("writes")))
        edges += [Edge(need, name) for need in fields.texts("depends_on")]
        fields.close()
    return Graph(tuple(nodes), tuple(edges))


def _seconds(value: object, field: str) -> float | None:
    return seconds(value, field)


# ── operations ───────────────────────────────────────────────────────────────────────────────────────────────────────


def analyze(asked: Asked) -> Reply:
    """The whole: nodes, edges, problems, critical path, agents."""
    asked.fields.close()
    found = dependencies.problems(asked.graph)
    result = {**_told(asked.graph), "problems": _problems(found)}
    lines = [f"{asked.name}: {len(asked.graph.nodes)} nodes, {len(asked.graph.edges)} dependencies"]
    lines += [f"  {e.after} waits for {e.before}  ({e.reason})" for e in asked.graph.edges]
    if asked.graph.external:
        lines.append(f"  from outside: {', '.join(asked.graph.external)}")
    if not _broken(found):
        more, measured = _measured(asked)
        lines, result = [*lines, *more], {**result, **measured}
    return _reply(asked, [*lines, *_problem_lines(found)], result)


def check(asked: Asked) -> Reply:
    """Circles, unknown names, two writers. Exit code 1 if there is any."""
    asked.fields.close()
    found = dependencies.problems(asked.graph)
    lines = _problem_lines(found) or [f"{asked.name}: nothing is wrong with its {len(asked.graph.nodes)} nodes."]
    reply = _reply(asked, lines, {"valid": not found, "problems": _problems(found)})
    return reply._replace(exit_code=1) if found else reply


def recommend(asked: Asked) -> Reply:
    """What would make it simpler or shorter, each with what it would bring."""
    asked.fields.close()
    _sound(asked)
    graph = asked.graph
    now = dependencies.makespan(graph, asked.agents).makespan
    needed = dependencies.agents_needed(graph)
    found: list[dict[str, Any]] = []
    for edge in dependencies.redundant(graph):
        told = f"{edge.after} need not name {edge.before}: others that it waits for wait for it."
        found.append({"text": told, "saves": 0.0})
    for edge in (e for e in graph.edges if e.reason.startswith("writes ")):
        without = graph._replace(edges=tuple(e for e in graph.edges if e != edge))
        saves = now - dependencies.makespan(without, asked.agents).makespan
        if saves > 0:
            told = f"Divide {edge.reason.removeprefix('writes ')!r}: {edge.after} would not wait for {edge.before}"
            found.append({"text": f"{told}, which saves {_long(graph, saves)}.", "saves": saves})
    if needed > asked.agents:
        saves = now - dependencies.makespan(graph, needed).makespan
        told = f"{needed} agents instead of {asked.agents} would save {_long(graph, saves)}."
        found.append({"text": told, "saves": saves})
    found.sort(key=lambda one: -one["saves"])
    lines = [one["text"] for one in found] or ["Nothing to recommend: no dependency is needless, no agent is missing."]
    return _reply(asked, lines, {"recommendations": found, "makespan": now, "unit": graph.unit})


def find_paths(asked: Asked) -> Reply:
    """The chains from one node to another, the longest first."""
    first, last = asked.fields.text("from"), asked.fields.text("to")
    most = asked.fields.whole("most", 10, least=1, most=1000) or 10
    asked.fields.close()
    _sound(asked)
    names = [n.id for n in asked.graph.nodes]
    for field, name in (("from", first), ("to", last)):
        if name and name not in names:
            raise NotFound(f"There is no node {name!r}.", field=field, allowed=names)
    ways = dependencies.chains(asked.graph, first, last)
    durations, slack = asked.graph.durations(), dependencies.critical_path(asked.graph).slack
    lengths = {way: sum(durations[n] for n in way) for way in ways[:most]}
    found = [{"path": way, "length": length, "slack": max(slack[n] for n in way)} for way, length in lengths.items()]
    lines = [f"{' → '.join(way)}  ({_long(asked.graph, length)})" for way, length in lengths.items()]
    if len(ways) > most:
        lines.append(f"and {len(ways) - most} more")
    result = {"paths": found, "total": len(ways), "complete": len(ways) < dependencies.MOST_PATHS}
    return _reply(asked, lines or ["There is no chain from one to the other."], result)


def scenario(asked: Asked) -> Reply:
    """What if: without some nodes, some slower, another number of agents."""
    without = asked.fields.texts("without")
    slower = asked.fields.inner("slower")
    graph = asked.graph
    names = [n.id for n in graph.nodes]
    for name in without:
        if name not in names:
            raise NotFound(f"There is no node {name!r}.", field="without", allowed=names)
    factors = {name: slower.number(name, 1.0, least=0.01, most=1000) or 1.0 for name in names if name in slower}
    slower.close()
    asked.fields.close()
    _sound(asked)
    kept = tuple(
        n._replace(seconds=graph.durations()[n.id] * factors[n.id]) if n.id in factors else n
        for n in graph.nodes
        if n.id not in without
    )
    before = dependencies.makespan(graph, asked.usual).makespan
    changed = Graph(kept, graph.edges, (*graph.external, *without))
    if graph.unit == "nodes" and factors:
        changed = changed._replace(nodes=tuple(n._replace(seconds=n.seconds or 1.0) for n in kept))
    after = dependencies.makespan(changed, asked.agents).makespan
    lines = [f"{_long(graph, before)} as it is on {asked.usual} agents, {_long(graph, after)} then on {asked.agents}"]
    result = {"before": before, "after": after, "change": after - before, "unit": graph.unit, "agents": asked.agents}
    return _reply(asked, lines, result)


def visualize(asked: Asked) -> Reply:
    """A picture as text: mermaid, dot or gantt."""
    form = asked.fields.choice("format", FORMATS, "mermaid")
    asked.fields.close()
    if form == "gantt":
        _sound(asked)
    drawn = draw(asked.graph, form, asked.agents)
    return Reply("dependency-resolver", drawn.rstrip("\n"), {"format": form, "text": drawn}, exact=True)


# ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _sound(asked: Asked) -> None:
    """Chains and schedules need an order."""
    if broken := _broken(dependencies.problems(asked.graph)):
        raise BadInput(
            f"{asked.name} has no order: {broken[0].text}",
            field="depends_on",
            next_steps=(f"stretto dependency-resolver validate {asked.name}",),
        )


def _broken(found: tuple[Problem, ...]) -> list[Problem]:
    return [p for p in found if p.kind in ("circle", "twice")]


def _measured(asked: Asked) -> tuple[list[str], dict[str, Any]]:
    graph = asked.graph
    critical = dependencies.critical_path(graph)
    span, needed = dependencies.makespan(graph, asked.agents).makespan, dependencies.agents_needed(graph)
    lines = [
        f"critical path: {' → '.join(critical.nodes)}  ({_long(graph, critical.length)})",
        f"on {asked.agents} agents {_long(graph, span)}; more than {needed} agents would not help",
    ]
    if graph.unit == "nodes":
        lines.append("No durations are known: lengths are counted in tasks.")
    result = {
        "critical_path": critical.nodes,
        "length": critical.length,
        "slack": critical.slack,
        "unit": graph.unit,
        "agents": asked.agents,
        "makespan": span,
        "agents_needed": needed,
    }
    return lines, result


def _long(graph: Graph, length: float) -> str:
    return said_seconds(length) if graph.unit == "seconds" else f"{length:g} tasks"


def _told(graph: Graph) -> dict[str, Any]:
    nodes = [n._asdict() for n in graph.nodes]
    return {"nodes": nodes, "edges": [e._asdict() for e in graph.edges], "external": list(graph.external)}


def _problems(found: tuple[Problem, ...]) -> list[dict[str, Any]]:
    return [p._asdict() for p in found]


def _problem_lines(found: tuple[Problem, ...]) -> list[str]:
    return [line for p in found for line in (f"{p.kind}: {p.text}", *(f"    {way}" for way in p.ways))]


def _reply(asked: Asked, lines: list[str], result: Mapping[str, Any]) -> Reply:
    steps: tuple[str, ...] = ()
    if not asked.name.startswith("the "):
        steps = (f"stretto dependency-resolver visualize {asked.name}",)
    return Reply("dependency-resolver", "\n".join(lines), result, next_steps=steps)


def _named(words: str, function: Callable[[Asked], Reply]) -> dict[str, Callable[[Asked], Reply]]:
    return dict.fromkeys(words.split(), function)


OPERATIONS: dict[str, Callable[[Asked], Reply]] = {
    **_named("analyze map trace discover report", analyze),
    **_named("check-conflicts validate verify detect-issues", check),
    **_named("optimize recommend improve enhance optimize-guide", recommend),
    **_named("find-paths alternative-routes", find_paths),
    "scenario-analysis": scenario,
    **_named("visualize graph diagram", visualize),
}
