"""A spec as a mermaid flowchart: phases, tasks, gates, the debug loop."""

from collections.abc import Iterator, Mapping

from stretto.graph import dag
from stretto.graph.spec import PhaseSpec, Spec, TaskSpec, waits

_LONGEST = 72
_ESCAPES = str.maketrans({c: f"#{ord(c)};" for c in '"#&<>`%\\{}[]|'})


def mermaid(spec: Spec) -> str:
    """The flowchart of a valid spec, as mermaid text. Labels are data: nothing in them is read as mermaid."""
    nodes = {phase.name: f"p{i}" for i, phase in enumerate(spec.phases)}
    lines = ["flowchart TD"]
    for phase in spec.phases:
        lines += _phase(phase, nodes[phase.name])
    lines += _edges(spec, nodes)
    lines += _debug(spec, nodes)
    return "\n".join(lines) + "\n"


def label(text: str) -> str:
    """A text as a quoted label: on one line, cut, with what mermaid would read written as entities."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    short = line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
    return f'"{short.translate(_ESCAPES)}"'


def _phase(phase: PhaseSpec, node: str) -> Iterator[str]:
    yield f"  subgraph {node}[{label(f'{phase.name}: {phase.kind}')}]"
    ids = {task.id: f"{node}t{i}" for i, task in enumerate(phase.tasks)}
    for task in phase.tasks:
        yield f"    {ids[task.id]}[{label(f'{task.role}: {task.title}')}]"
    if not phase.tasks:
        yield f"    {node}t[{label(_unknown(phase))}]"
    yield from _inside(phase.tasks, ids)
    yield "  end"


def _unknown(phase: PhaseSpec) -> str:
    return "tasks of the plan, known after planning" if phase.kind == "implement" else phase.kind


def _inside(tasks: tuple[TaskSpec, ...], ids: Mapping[str, str]) -> Iterator[str]:
    for task in tasks:
        for need in task.depends_on:
            yield f"    {ids[need]} --> {ids[task.id]}"


def _edges(spec: Spec, nodes: Mapping[str, str]) -> Iterator[str]:
    leads = waits(spec)
    gated = {p.name for p in spec.phases if p.kind == "plan" and "plan" in spec.gates}
    for name in (p.name for p in spec.phases if p.name in gated):
        yield f"  {nodes[name]} --> {nodes[name]}g{{{label('gate: plan')}}}"
    for name, needs in leads.items():
        for need in needs:
            yield f"  {nodes[need]}{'g' if need in gated else ''} --> {nodes[name]}"
    last = next(p.name for p in spec.phases if not any(p.name in needs for needs in leads.values()))
    end = f"done([{label(f'summary, merge: {spec.merge}')}])"
    source = f"{nodes[last]}{'g' if last in gated else ''}"
    if "merge" in spec.gates:
        yield f"  {source} --> gm{{{label('gate: merge')}}}"
        source = "gm"
    yield f"  {source} --> {end}"


def _debug(spec: Spec, nodes: Mapping[str, str]) -> Iterator[str]:
    """From each phase of tests back to what it tests, through the debugger."""
    rounds = spec.limits.debug_rounds
    before = dag.ancestors(list(nodes), waits(spec), "phases")
    for phase in spec.phases:
        builds = [p.name for p in spec.phases if p.kind == "implement" and p.name in before[phase.name]]
        if phase.kind == "test" and builds and rounds:
            node = nodes[phase.name]
            yield f"  {node}d[{label('debugger')}]"
            yield f"  {node} -. {label(f'tests fail, at most {rounds} rounds')} .-> {node}d"
            yield f"  {node}d -. {label('tasks that cure it')} .-> {nodes[builds[-1]]}"
