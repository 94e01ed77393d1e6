"""Stretto from Python: compile, look at the graph, start, watch, answer a gate, resume.

    python examples/python_api.py [DIRECTORY]

Works on a scratch copy of `cli-todo` with the agent of `agent.py`, offline; no model is called.
"""

import asyncio
import shlex
import sys
import tempfile
from pathlib import Path

from scratch import make_project

from stretto.agents import Runner, parse_runner
from stretto.graph import Answer, Result, Spec, compile, instantiate, load_template, resume, stream  # noqa: A004
from stretto.graph.analyze import analyze
from stretto.state import Log

AGENT = Path(__file__).with_name("agent.py")


def spec_for(description: str, project: Path) -> Spec:
    """What `stretto orchestrate DESCRIPTION --gate=plan` would run."""
    analysis = analyze(description)
    template = load_template(analysis.template, project)
    return instantiate(template, description, analysis=analysis, workflow_id="open_count_001", gates=("plan",))


def runner_for(project: Path) -> Runner:
    """A runner serves one drive and is closed at its end, so a resume takes a new one (or none: the stored one)."""
    return parse_runner(f"command:{shlex.join([sys.executable, str(AGENT)])}", project=project)


async def watch(spec: Spec, project: Path) -> Result:
    """Start the workflow and print each event as it is written; the result comes last."""
    async for item in stream(spec, project=project, runner=runner_for(project)):
        if isinstance(item, Result):
            return item
        print(f"{item.timestamp[11:19]} {item.type:<22} {item.data.get('task_id') or item.phase}")
    raise AssertionError("a stream ends with its result")


async def run(project: Path) -> Result:
    """From a sentence to committed work, with a person's yes in between."""
    spec = spec_for("Add a count of the open items", project)
    graph = compile(spec)  # a plain LangGraph graph
    print(graph.get_graph().draw_mermaid())

    stopped = await watch(spec, project)
    print(f"{stopped.status} at the gate {stopped.gate!r}")

    result = await resume(spec.workflow_id, project=project, answer=Answer(approve=True, why="a sound plan"))
    with Log.open(project / ".stretto" / "state") as log:
        print(f"{result.status}, merged: {result.facts['merged']}, {log.last_seq()} events")
    return result


def main(argv: list[str]) -> int:
    """Run in the given directory, or in a temporary one. Returns the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        project = make_project("cli-todo", Path(argv[0] if argv else folder) / "todo")
        result = asyncio.run(run(project))
    return 0 if result.status == "completed" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
