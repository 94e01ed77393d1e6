"""The unit of work and what comes back: Task, Brief, Outcome.

A task is pure data, equal on every resume; a brief is a task plus what one attempt needs to know; an outcome is
what an agent returned. All three cross process boundaries as JSON.
"""

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

N = TypeVar("N", int, float)

RoleName = Literal["researcher", "planner", "implementer", "tester", "debugger", "documenter", "reviewer"]
Status = Literal["completed", "partial", "failed"]


class Frozen(BaseModel):
    """Immutable data; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Budget(Frozen):
    """Limits of one attempt. None is no limit. `usd` is refused by a runner that cannot tell what its calls cost.

    An attempt may be made of several `tasks`: what a runner grants by itself, it grants for each.
    """

    seconds: float | None = Field(default=None, gt=0)
    turns: int | None = Field(default=None, gt=0)
    output_tokens: int | None = Field(default=None, gt=0)
    usd: float | None = Field(default=None, gt=0)
    tasks: int = Field(default=1, ge=1)


class Usage(Frozen):
    """What an attempt used. None means that nobody counted it: shown as `unknown`, never as 0."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None

    def __add__(self, other: "Usage") -> "Usage":
        """Sum of both; a part nobody counted makes the sum unknown."""
        return Usage(
            input_tokens=_sum(self.input_tokens, other.input_tokens),
            output_tokens=_sum(self.output_tokens, other.output_tokens),
            cost_usd=_sum(self.cost_usd, other.cost_usd),
        )


def _sum(a: N | None, b: N | None) -> N | None:
    return None if a is None or b is None else a + b


class Artifact(Frozen):
    """A file that a task left: path relative to the project, sha256 of its bytes."""

    path: str
    digest: str = ""


class Task(Frozen):
    """The unit given to one agent. Deterministic: the same spec and plan give the same tasks.

    `after` names the tasks whose outcomes it needs; `writes` the paths or globs it may change (empty: anywhere,
    recorded); `checks` the commands, split as POSIX words and run without a shell, that must pass before it is done.
    `known` is what a program found out beforehand, for its report.
    """

    workflow_id: str
    phase: str
    task_id: str
    role: RoleName
    title: str
    prompt: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    inputs: tuple[Artifact, ...] = ()
    known: tuple[str, ...] = ()
    budget: Budget = Budget()

    @property
    def agent(self) -> str:
        """Who works on it: an agent of its role; nobody where there is nothing to say, only checks to run."""
        return self.role if self.prompt else "checks"

    @property
    def generation(self) -> int:
        """1 the first time that its phase runs, 2 after the first debug round, and so on."""
        _, _, number = self.task_id.partition("~")
        return int(number or 1)


class Brief(Frozen):
    """What one attempt is told. A command runner's program reads it as one JSON object on stdin.

    `feedback` says why the attempt before this one failed; `schema` is the JSON Schema of the
    outcome's `data` for this role.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    workflow_id: str
    phase: str
    task_id: str
    attempt: int
    idempotency_key: str
    role: RoleName
    title: str
    prompt: str
    cwd: str
    inputs: tuple[Artifact, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    budget: Budget = Budget()
    feedback: str = ""
    data_schema: dict[str, Any] = Field(default_factory=dict, alias="schema")

    @property
    def lane(self) -> str:
        """The stable address of this attempt's conversation in a cassette: `implementation/T2#1`."""
        return f"{self.task_id}#{self.attempt}"


class Outcome(Frozen):
    """What an agent returned, each part optional but `status`. `error` is ours: why an attempt was not accepted."""

    status: Status
    summary: str = ""
    data: dict[str, Any] = Field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    writes: tuple[str, ...] = ()
    usage: Usage = Usage()
    error: str = ""


def failed(error: str, usage: Usage | None = None) -> Outcome:
    """An attempt that did not count, and why."""
    return Outcome(status="failed", error=error, usage=usage or Usage())
