"""How /progress-aggregator tells its figures: lines, a dashboard of text, markdown; the numbers of `--json`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stretto.commands.safe import one_line
from stretto.graph.progress import Progress
from stretto.state.units import said_seconds

_BAR = 20


def percent(share: float | None) -> str:
    """`62 %`, or `unknown`."""
    return "unknown" if share is None else f"{share * 100:.0f} %"


def bar(share: float | None) -> str:
    """`█████░░░░░`; dots where nobody knows."""
    if share is None:
        return "·" * _BAR
    full = min(max(round(share * _BAR), 0), _BAR)
    return "█" * full + "░" * (_BAR - full)


def told(one: Progress, *, explain: bool = False) -> dict[str, Any]:
    """A workflow as data."""
    found = {**one._asdict(), "left": one.left._asdict(), "progress": one.share}
    return {k: v for k, v in found.items() if k != "share" and (explain or k != "events")}


def lines_of(found: Sequence[Progress], whole: Mapping[str, Any] | None) -> list[str]:
    """A line for each workflow, and one for all."""
    lines = [_line(one) for one in found] or ["no workflow"]
    if whole is not None:
        lines.append(f"all: {percent(whole['overall_progress'])}, weighted by {whole['weighted_by']}")
    return lines


def _line(one: Progress) -> str:
    left = f"left {said_seconds(one.left.likely)}"
    phase = f"phase {one.done}/{one.phases}"
    return f"{one.workflow_id:<28} {one.status:<10} {bar(one.share)} {percent(one.share):>5}  {phase}  {left}"


def dashboard(result: Mapping[str, Any]) -> str:
    """The parts of a report as text for a terminal."""
    return "\n\n".join("\n".join([title, *(f"  {line}" for line in lines)]) for title, lines in _parts(result))


def markdown(result: Mapping[str, Any]) -> str:
    """The parts of a report as markdown."""
    return "\n\n".join(
        "\n".join([f"## {title}", "", *(f"- {line}" for line in lines)]) for title, lines in _parts(result)
    )


def _parts(result: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    makers: dict[str, Callable[[Any], list[str]]] = {
        "progress": _progress,
        "resources": _resources,
        "predictions": _predictions,
        "bottlenecks": _bottlenecks,
    }
    return [(name.capitalize(), make(result[name])) for name, make in makers.items() if name in result]


def _progress(found: Mapping[str, Any]) -> list[str]:
    lines = [
        f"{w['workflow_id']:<28} {w['status']:<10} {bar(w['progress'])} {percent(w['progress'])}"
        for w in found["workflows"]
    ]
    lines += [f"{t['workflow_id']:<28} unknown" for t in found["tracked"] if t["progress"] is None]
    if len(chain := found["critical_path"]["workflows"]) > 1:
        lines.append(f"critical path: {' → '.join(chain)}, {said_seconds(found['critical_path']['seconds'])} left")
    return [*lines, f"all: {percent(found['overall_progress'])}, weighted by {found['weighted_by']}"]


def _resources(found: Mapping[str, Any]) -> list[str]:
    agents = found["allocated"].get("agents", 0)
    share = agents / found["capacity"]["agents"] if found["capacity"]["agents"] else None
    return [
        f"agents {bar(share)} {agents:g} of {found['capacity']['agents']:g}",
        f"allocated {percent(found['utilisation'])} of {said_seconds(found['window_seconds'])}, busy"
        f" {percent(found['efficiency'])} of that",
    ]


def _predictions(found: object) -> list[str]:
    if isinstance(found, str):
        return [found]
    lines = [f"{p['workflow_id']}: {said_seconds(p['likely'])} left ({p['basis']})" for p in found or ()]  # type: ignore[attr-defined]
    return lines or ["nothing is under way"]


def _bottlenecks(found: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        f"{b['what']}: {said_seconds(b['seconds'])} of waiting by {one_line(', '.join(b['waiting']), 80)}"
        for b in found
    ]
    return lines or ["none: nobody waits for long"]
