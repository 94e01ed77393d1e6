"""What the operations of /performance-monitor share: the metrics, periods and workflows that a line asks for."""

from collections.abc import Mapping, Sequence

from stretto.commands.app import App
from stretto.commands.coordinating import default_capacity
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.graph import metrics
from stretto.graph.metrics import Metrics
from stretto.graph.periods import LABELS, period
from stretto.state.errors import BadInput
from stretto.state.log import Log


def body(invocation: Invocation) -> Fields:
    """The JSON of the line, to be read field by field."""
    return Fields(invocation.json[0] if invocation.json else {})


def asked_metrics(fields: Fields) -> tuple[str, ...]:
    """The metrics that are asked for, by any of their names; all of them where none is."""
    asked = fields.texts("metrics", tuple(metrics.ALIASES)) or metrics.NAMES
    return tuple(dict.fromkeys(name for word in asked for name in metrics.ALIASES[word]))


def explaining(invocation: Invocation) -> str | None:
    """The metric of `--explain=METRIC`; empty for `--explain` alone, None without it."""
    asked = invocation.flags.get("explain")
    return None if asked is None else "" if asked is True else str(asked)


def explained(found: Sequence[Metrics], metric: str = "") -> dict[str, list[str]]:
    """The ids of the events behind one metric of each workflow, or behind all of them."""
    return {m.workflow_id: m.behind(metric) for m in found}


def explaining_lines(sides: Mapping[str, Sequence[Metrics]], metric: str | None) -> list[str]:
    """The events behind a metric, listed; without one, how many there are."""
    if metric is None:
        return []
    found = [(name, ids) for side in sides.values() for name, ids in explained(side, metric).items()]
    if not metric:
        count = sum(len(ids) for _, ids in found)
        return [f"  counted from {count} events; --explain=METRIC lists those behind one figure, --json has all"]
    return [f"  {metric} of {name} is counted from {', '.join(ids) or 'no event'}" for name, ids in found]


def finished(app: App, kind: str, complexity: str) -> tuple[Log | None, list[Metrics]]:
    """The log, if there is one, for the caller to close; and the finished workflows of a kind and a complexity."""
    log = Log.find(app.state)
    if log is None:
        return None, []
    agents = default_capacity(app)["agents"]
    found = metrics.finished(log, agents, lambda row: not kind or row.kind == kind)
    return log, [m for m in found if not complexity or m.complexity == complexity]


def sides_of(app: App, labels: Mapping[str, str], kind: str) -> dict[str, list[Metrics]]:
    """The finished workflows of each period; `labels` maps a field of the line to the period that it names.

    Raises:
        BadInput: A period is missing or unknown, or nothing was finished in it.
    """
    for name, label in labels.items():
        if not label:
            raise BadInput(f"Which period is the {name}?", field=name, allowed=LABELS)
    log, found = finished(app, kind, "")
    sides: dict[str, list[Metrics]] = {}
    for name, label in labels.items():
        when = period(label, log.events() if log else (), app.clock(), name)
        sides[name] = [m for m in found if when.holds(m.finished)]
    if log:
        log.close()
    for name, side in sides.items():
        if not side:
            raise BadInput(
                f"No workflow was finished in {labels[name]!r}: there is nothing to compare.",
                field=name,
                allowed=LABELS,
            )
    return sides
