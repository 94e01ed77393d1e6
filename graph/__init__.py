"""In which order: specs, templates, analysis, compilation to LangGraph, runs.

What stands in `__all__` is for programs; each name is imported when it is first asked for, so importing the package
costs nothing.
"""

TYPE_CHECKING = False  # typing's own costs more than the rest of this file; checkers know the name

if TYPE_CHECKING:
    from stretto.graph.compiler import compile  # noqa: A004 - the field's word
    from stretto.graph.control import Control
    from stretto.graph.entry import Answer
    from stretto.graph.result import Result
    from stretto.graph.run import resume, start, stream
    from stretto.graph.spec import Caps, Limits, PhaseSpec, Spec, TaskSpec, validate
    from stretto.graph.template import instantiate, load_template
else:
    _HOMES = {
        "compile": "compiler",
        "Control": "control",
        "Answer": "entry",
        "Result": "result",
        **dict.fromkeys(("resume", "start", "stream"), "run"),
        **dict.fromkeys(("Caps", "Limits", "PhaseSpec", "Spec", "TaskSpec", "validate"), "spec"),
        **dict.fromkeys(("instantiate", "load_template"), "template"),
    }

    def __getattr__(name):
        from stretto.state.lazy import load

        return load(__name__, name, _HOMES)


__all__ = [
    "Answer",
    "Caps",
    "Control",
    "Limits",
    "PhaseSpec",
    "Result",
    "Spec",
    "TaskSpec",
    "compile",
    "instantiate",
    "load_template",
    "resume",
    "start",
    "stream",
    "validate",
]
