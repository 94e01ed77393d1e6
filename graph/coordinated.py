"""What a coordinated workflow is made of: phases, what it needs, what it waits for. Pure data."""

from typing import Any, Literal, NamedTuple

from pydantic import Field

from stretto.agents.task import Frozen
from stretto.graph.spec import Priority

DependencyKind = Literal["workflow", "gate", "external"]
"""A workflow is waited for until it is completed, a gate until somebody opens it; external names are recorded only."""


class Dependency(Frozen):
    """Something that must be there before a workflow starts."""

    name: str
    kind: DependencyKind = "external"


class Wait(NamedTuple):
    """How a dependency stands."""

    name: str
    kind: DependencyKind
    state: str
    satisfied: bool


class Stage(Frozen):
    """A phase of a coordinated workflow. `after` is empty for the one before it; None is what nobody said."""

    name: str
    after: tuple[str, ...] = ()
    seconds: float | None = Field(default=None, gt=0)
    agents: int | None = Field(default=None, ge=1)


class Needs(Frozen):
    """What a workflow holds while it runs: amounts, exclusive files, and for how long (None: nobody said)."""

    agents: int = Field(default=1, ge=0)
    memory: int = Field(default=0, ge=0)
    cpu: float = Field(default=0, ge=0)
    seconds: float | None = Field(default=None, gt=0)
    files: tuple[str, ...] = ()

    def wanted(self) -> dict[str, Any]:
        """As the ledger keeps it: amounts above none, one slot, files, seconds."""
        sizes = {"agents": self.agents, "memory": self.memory, "cpu": self.cpu}
        found: dict[str, Any] = {name: size for name, size in sizes.items() if size}
        return {**found, "workflows": 1, "files": list(self.files), "seconds": self.seconds}

    def told(self) -> dict[str, Any]:
        """As an event tells it."""
        return {k: v for k, v in self.model_dump(mode="json").items() if v}


class Coordinated(Frozen):
    """What was asked for when the workflow was made."""

    name: str
    kind: str = "general_development"
    priority: Priority = "medium"
    phases: tuple[Stage, ...] = Field(default=(Stage(name="main"),), min_length=1)
    resources: Needs = Needs()
    dependencies: tuple[Dependency, ...] = ()
    state_sync: dict[str, Any] = Field(default_factory=dict)
    monitoring: dict[str, Any] = Field(default_factory=dict)
    specialization: str = ""
    complexity: str = ""
    parent: str = ""
    test: bool = False

    def order(self) -> dict[str, tuple[str, ...]]:
        """For each phase, in the order given, those that must be done before it."""
        names = [phase.name for phase in self.phases]
        return {p.name: p.after or tuple(names[max(0, i - 1) : i]) for i, p in enumerate(self.phases)}

    def seconds_of(self, phase: str) -> float | None:
        """How long a phase should take: what was said, or an equal part of what was said of the whole."""
        said = {p.name: p.seconds for p in self.phases}
        if said[phase] is not None or self.resources.seconds is None:
            return said[phase]
        known = [s for s in said.values() if s is not None]
        return max(self.resources.seconds - sum(known), 1.0) / (len(said) - len(known))
