"""What the coordination commands share: the log, the capacity, and how a request for a workflow is read."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

from stretto.commands.app import App
from stretto.commands.fields import Fields, text
from stretto.commands.invocation import Invocation
from stretto.commands.tables import OPERATION_WORDS, PRIORITIES
from stretto.graph import admission
from stretto.graph.coordinated import Coordinated, Dependency, Needs, Stage
from stretto.graph.demand import COMPLEXITIES
from stretto.graph.spec import Priority
from stretto.state.errors import BadInput, NotFound
from stretto.state.ids import workflow_id as checked_id
from stretto.state.log import Log
from stretto.state.settings import load
from stretto.state.store import find_project
from stretto.state.transaction import Transaction
from stretto.state.units import amount_of_bytes, seconds

MAIN: tuple[Stage, ...] = (Stage(name="main"),)
KINDS = ("workflow", "gate", "external")


class Desk(NamedTuple):
    """A transaction with what commands need beside it: the capacity, and the seconds since the epoch."""

    tx: Transaction
    defaults: dict[str, float]
    now: float
    log: Log

    @property
    def capacity(self) -> dict[str, float]:
        """How much there is of everything, as it stands in this transaction."""
        return admission.capacity(self.tx.database, self.defaults)

    def admit(self) -> tuple[admission.Decision, ...]:
        """One admission pass over all that waits."""
        return admission.admit(self.tx, self.capacity, self.now)


def open_log(app: App) -> Log:
    """The project's log, open for writing; it is made if there is none."""
    project = find_project(app.project)
    return Log.open(app.directory, durability=load(project).durability, clock=app.clock)


@contextmanager
def writing(app: App) -> Generator[Desk]:
    """One transaction of a coordination command."""
    defaults = default_capacity(app)
    with open_log(app) as log, log.write() as tx:
        yield Desk(tx, defaults, app.clock(), log)


@contextmanager
def looking(app: App) -> Generator[Desk]:
    """A desk at which nothing can be written, to find out beforehand whether something may be done.

    Raises:
        NotFound: There is no log yet.
    """
    with reading(app) as log:
        now = app.clock()
        yield Desk(log.glance(), {}, now, log)


@contextmanager
def reading(app: App) -> Generator[Log]:
    """The log, for a command that only looks.

    Raises:
        NotFound: There is none yet.
    """
    log = Log.find(app.state)
    if log is None:
        raise NotFound(
            "No workflow has run here yet.", field="store", next_steps=("stretto coordination-hub create ID",)
        )
    with log:
        yield log


def default_capacity(app: App) -> dict[str, float]:
    """What there is if nobody said otherwise: the agents of the project's settings, and this machine."""
    return admission.machine(load(find_project(app.project)).agents)


def settle(app: App, *, sleep: Callable[[float], None] = time.sleep) -> list[str]:
    """Let creations of the same moment come together, then admit: priority decides, and not who came first.

    Under a simulated clock the moment ends when that clock goes on, which is not ours to wait for. Returns the ids of
    the events that this wrote.
    """
    if app.window is None:
        return []
    sleep(app.window)
    with writing(app) as desk:
        desk.admit()
    return desk.tx.ids


def created(invocation: Invocation) -> tuple[str, Coordinated]:
    """The id and the request of a `create`: an id before the JSON wins over none in it; flags win over JSON.

    Raises:
        BadInput: A field is unknown or wrong, the id is missing, is an operation's name, or is there twice and differs.
    """
    fields = Fields(invocation.json[0] if invocation.json else {})
    inside = fields.text("workflow_id")
    given = invocation.ids[0] if invocation.ids else ""
    if given and inside and given != inside:
        raise BadInput(f"The id is {given!r} before the JSON and {inside!r} in it.", field="workflow_id")
    name = checked_id(given or inside) if given or inside else ""
    if not name or name in OPERATION_WORDS:
        why = f"{name!r} is the name of an operation." if name else "A workflow needs an id."
        raise BadInput(why, field="workflow_id", next_steps=("stretto coordination-hub create shop_001 '{…}'",))
    return name, _request(fields, name, invocation)


def _request(fields: Fields, name: str, invocation: Invocation) -> Coordinated:
    inside = fields.choice("priority", PRIORITIES, "medium")
    priority = cast("Priority", invocation.flags.get("priority") or inside)
    stages = fields.read("phases", _stages, MAIN)
    strict = bool(invocation.flags.get("strict"))
    said, described = fields.text("name"), fields.text("description")
    kinds = fields.text("type"), fields.text("workflow_type")
    found = Coordinated(
        name=said or described or name,
        kind=kinds[0] or kinds[1] or "general_development",
        priority=priority,
        phases=stages,
        resources=needs(fields.inner("resource_requirements")),
        dependencies=fields.read("dependencies", lambda v, f: _dependencies(v, f, strict=strict), ()),
        state_sync=_state_sync(fields.inner("state_sync")),
        monitoring=_monitoring(fields.inner("monitoring")),
        specialization=fields.text("specialization"),
        complexity=fields.choice("complexity", tuple(COMPLEXITIES)),
    )
    fields.close()
    return found


def needs(fields: Fields) -> Needs:
    """`{agents, memory, cpu, duration, files}` with human units."""
    found = Needs(
        agents=fields.whole("agents", 1, least=0, most=10_000) or 0,
        memory=fields.read("memory", amount_of_bytes, 0),
        cpu=fields.number("cpu", 0.0, most=10_000) or 0.0,
        seconds=fields.read("duration", _seconds, None),
        files=fields.texts("files"),
    )
    fields.close()
    return found


def _seconds(value: object, field: str) -> float | None:
    return seconds(value, field)


def _stages(value: object, field: str) -> tuple[Stage, ...]:
    """Names, or objects `{name, after, duration, agents}`."""
    if not isinstance(value, list) or not value:
        raise BadInput(f"{field} must be a list of at least one phase.", field=field, allowed=('["build", "test"]',))
    found = tuple(_stage(item, f"{field}[{i}]") for i, item in enumerate(cast("list[object]", value)))
    names = [stage.name for stage in found]
    for i, stage in enumerate(found):
        if stage.name in names[:i]:
            raise BadInput(f"{field}: the phase {stage.name!r} is there twice.", field=f"{field}[{i}]")
        if unknown := set(stage.after) - set(names[:i]):
            raise BadInput(
                f"{field}[{i}].after names {min(unknown)!r}, which is no phase before {stage.name!r}.",
                field=f"{field}[{i}].after",
                allowed=names[:i],
            )
    return found


def _stage(value: object, field: str) -> Stage:
    if isinstance(value, str):
        return Stage(name=_word(value, field))
    fields = Fields(value, field)
    found = Stage(
        name=fields.read("name", _word, ""),
        after=fields.texts("after"),
        seconds=fields.read("duration", _seconds, None),
        agents=fields.whole("agents", least=1, most=10_000),
    )
    fields.close()
    if not found.name:
        raise BadInput(f"{field} has no name.", field=f"{field}.name")
    return found


def _word(value: object, field: str) -> str:
    """A phase's name stands in event lines, so it may hold nothing that divides them."""
    word = text(value, field, longest=64)
    if not all(c.isalnum() or c in "_.-" for c in word) or not word.isascii():
        raise BadInput(f"{field} {word!r}: letters, digits, '_', '-' and '.' make a name.", field=field)
    return word


def _dependencies(value: object, field: str, *, strict: bool) -> tuple[Dependency, ...]:
    """Names, or objects `{name, kind}`. A bare name that is no workflow is external, or with `--strict` a gate."""
    if not isinstance(value, list):
        raise BadInput(f"{field} must be a list.", field=field, allowed=("[…]",))
    found: list[Dependency] = []
    for i, item in enumerate(cast("list[object]", value)):
        if isinstance(item, str):
            found.append(Dependency(name=_word(item, f"{field}[{i}]"), kind="gate" if strict else "external"))
            continue
        fields = Fields(item, f"{field}[{i}]")
        kind = fields.choice("kind", KINDS, "external")
        found.append(Dependency.model_validate({"name": fields.read("name", _word, ""), "kind": kind}))
        fields.close()
    return tuple(found)


def _state_sync(fields: Fields) -> dict[str, Any]:
    """Views are folded from the events, at once and one by one: that may be asked for, and is so anyway."""
    fields.always("enabled")
    fields.choice("frequency", ("realtime",))
    fields.choice("strategy", ("incremental",))
    kept = fields.choice("checkpoints", ("phase_boundary", "manual", "none"))
    fields.close()
    return {"checkpoints": kept} if kept else {}


def _monitoring(fields: Fields) -> dict[str, Any]:
    """Resources and dependencies are always shown; whether figures are written down at each phase can be chosen."""
    fields.always("resources", "dependencies")
    performance = fields.flag("performance")
    fields.close()
    return {"performance": True} if performance else {}


def workflow_named(invocation: Invocation) -> str:
    """The one id of a line.

    Raises:
        BadInput: There is none.
    """
    if not invocation.ids:
        raise BadInput(f"/{invocation.command} {invocation.operation} needs a workflow's id.", field="workflow_id")
    return invocation.ids[0]
