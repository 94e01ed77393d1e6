"""Who does the work: roles, tasks, runners, tools, workspaces.

What stands in `__all__` is for programs: to choose a runner, or to write one. Each name is imported when it is first
asked for.
"""

TYPE_CHECKING = False

if TYPE_CHECKING:
    from stretto.agents.choose import parse_runner
    from stretto.agents.runner import Runner, Surroundings
    from stretto.agents.task import Artifact, Brief, Budget, Outcome, Task, Usage, failed
else:
    _HOMES = {
        "parse_runner": "choose",
        **dict.fromkeys(("Runner", "Surroundings"), "runner"),
        **dict.fromkeys(("Artifact", "Brief", "Budget", "Outcome", "Task", "Usage", "failed"), "task"),
    }

    def __getattr__(name):
        from stretto.state.lazy import load

        return load(__name__, name, _HOMES)


__all__ = [
    "Artifact",
    "Brief",
    "Budget",
    "Outcome",
    "Runner",
    "Surroundings",
    "Task",
    "Usage",
    "failed",
    "parse_runner",
]
