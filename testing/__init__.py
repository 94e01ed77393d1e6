"""Tests of workflows: the pytest plugin, and what its fixtures hand to a test.

What stands in `__all__` is for annotations; each name is imported when it is first asked for. The plugin itself is
`stretto.testing.plugin`.
"""

TYPE_CHECKING = False

if TYPE_CHECKING:
    from stretto.testing.project import MakeProject, ScratchProject
    from stretto.testing.running import Ran, RunWorkflow
    from stretto.testing.tape import Tape
else:
    _HOMES = {
        **dict.fromkeys(("MakeProject", "ScratchProject"), "project"),
        **dict.fromkeys(("Ran", "RunWorkflow"), "running"),
        "Tape": "tape",
    }

    def __getattr__(name):
        from stretto.state.lazy import load

        return load(__name__, name, _HOMES)


__all__ = [
    "MakeProject",
    "Ran",
    "RunWorkflow",
    "ScratchProject",
    "Tape",
]
