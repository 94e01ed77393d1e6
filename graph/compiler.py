"""compile(spec): from pure data to a LangGraph StateGraph.

Each phase is `phase` → `phase.task` (one for each task, all in one superstep) → `phase.close`. A failed one leads to
its debug phase and back to the implementation before it, or to `phase.halt`, where the workflow waits for a resume. The
loops are edges; nothing here runs an agent or knows where one runs.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from stretto.graph.channels import State, generation, step_key
from stretto.graph.context import Run
from stretto.graph.finishing import finish
from stretto.graph.kinds import stage_for
from stretto.graph.nodes import closing, fan_out, gate, halt, opening, task
from stretto.graph.spec import PhaseSpec, Spec, debug_phase, order, validate

Graph = CompiledStateGraph[State, Run, State, State]
FINISH = "finish"
MERGE_GATE = "merge.gate"


def compile(spec: Spec, *, checkpointer: "BaseCheckpointSaver[Any] | None" = None) -> Graph:  # noqa: A001 - the field's word
    """Compile a spec to a graph. Run it with `context=Run(…)`, `durability="sync"`, and never with `max_concurrency`.

    Args:
        spec: What to run; it is validated first.
        checkpointer: Any LangGraph saver; None for a graph to look at.

    Raises:
        BadInput: The spec cannot run; the message names the phase or the task.
    """
    phases = order(validate(spec))
    graph: StateGraph[State, Run, State, State] = StateGraph(State, context_schema=Run)
    for phase in phases:
        _add_phase(graph, phase)
    debugs = {p.name: debug_phase(spec, p.name) for p in phases if p.kind == "implement"}
    for debug in debugs.values():
        _add_phase(graph, debug)
    _add(graph, FINISH, finish)
    last = _add_merge_gate(graph, spec)
    graph.add_edge(START, phases[0].name)
    for here, following in zip(phases, (*(p.name for p in phases[1:]), last), strict=True):
        _link(graph, spec, phases, debugs, here, following)
    for name, debug in debugs.items():
        _leave(graph, debug, on=name, debug=None)
    graph.add_edge(FINISH, END)
    return cast("Graph", cast("Any", graph).compile(checkpointer=checkpointer, name="stretto"))


def _add(graph: "StateGraph[State, Run, State, State]", name: str, action: Any) -> None:
    """Add a node. LangGraph's types know only protocols with its own parameter names, so they end here."""
    cast("Any", graph).add_node(name, action)


def _add_phase(graph: "StateGraph[State, Run, State, State]", phase: PhaseSpec) -> None:
    stage = stage_for(phase.kind)
    _add(graph, phase.name, opening(phase, stage))
    _add(graph, f"{phase.name}.task", task)
    _add(graph, f"{phase.name}.close", closing(phase, stage))
    _add(graph, f"{phase.name}.halt", halt(phase))
    graph.add_conditional_edges(phase.name, fan_out(phase), [f"{phase.name}.task", f"{phase.name}.close"])
    graph.add_edge(f"{phase.name}.task", f"{phase.name}.close")
    graph.add_edge(f"{phase.name}.halt", phase.name)


def _add_merge_gate(graph: "StateGraph[State, Run, State, State]", spec: Spec) -> str:
    """Return the node that comes after the last phase."""
    if "merge" not in spec.gates and spec.merge != "ask":
        return FINISH
    _add(graph, MERGE_GATE, gate("merge", FINISH))
    graph.add_edge(MERGE_GATE, FINISH)
    return MERGE_GATE


def _link(
    graph: "StateGraph[State, Run, State, State]",
    spec: Spec,
    phases: tuple[PhaseSpec, ...],
    debugs: Mapping[str, PhaseSpec],
    here: PhaseSpec,
    following: str,
) -> None:
    """Lead from a closed phase on, through its gate if it has one; or to the debug phase of the code before it."""
    if here.kind == "plan" and "plan" in spec.gates:
        name = f"{here.name}.gate"
        _add(graph, name, gate("plan", here.name))
        graph.add_conditional_edges(name, _answer(here.name, following), [here.name, following])
        following = name
    before = phases[: phases.index(here) + 1]
    implement = next((p.name for p in reversed(before) if p.kind == "implement"), None)
    debug = debugs[implement].name if implement and here.kind in {"implement", "test"} else None
    _leave(graph, here, on=following, debug=debug)


def _leave(graph: "StateGraph[State, Run, State, State]", here: PhaseSpec, *, on: str, debug: str | None) -> None:
    ways = {"on": on, "halt": f"{here.name}.halt", "debug": debug or f"{here.name}.halt"}

    def way(state: State) -> str:
        numbers = range(generation(here.kind, state), 0, -1)  # closing a debug round has begun the next generation
        keys = (step_key(here, n) for n in numbers)
        verdict: Mapping[str, Any] = next(state["verdicts"][k] for k in keys if k in state["verdicts"])
        return ways[str(verdict["next"])]

    graph.add_conditional_edges(f"{here.name}.close", way, sorted(set(ways.values())))


def _answer(back: str, on: str) -> Callable[[State], str]:
    def answered(state: State) -> str:
        approved = state["verdicts"].get(f"gate:plan~{1 + state['replans']}")
        return on if approved else back

    return answered
