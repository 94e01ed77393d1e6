"""/resource-manager configure: how much there is, and how requests are predicted, ordered and kept apart."""

from typing import Any

from stretto.commands.app import App
from stretto.commands.coordinating import Desk, reading, writing
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.resource_words import body, read_amounts, reply, said
from stretto.graph import admission
from stretto.graph.learning import told_learning
from stretto.graph.resource_settings import LEARNING, MODES, NAME, PREVENTIONS, STRATEGIES
from stretto.state.allocation import in_use, live_allocations
from stretto.state.chosen import choose, chosen
from stretto.state.errors import BadInput
from stretto.state.pool import agents

CHOICES = {
    "prediction_mode": MODES,
    "learning_data": LEARNING,
    "optimization_strategy": STRATEGIES,
    "conflict_prevention": PREVENTIONS,
}


def configure(invocation: Invocation, app: App) -> Reply:
    """Choose some of it; what is not named stays as it is."""
    fields = body(invocation)
    wanted = {name: word for name, words in CHOICES.items() if (word := fields.choice(name, words))}
    limits = _limits(fields.inner("capacity")) if "capacity" in fields else {}
    fields.raw("capacity")
    fields.close()
    if not wanted and not limits:
        raise BadInput("What shall be chosen?", field="json", allowed=(*CHOICES, "capacity"))
    with writing(app) as desk:
        result = _choose(desk, wanted, limits)
        desk.admit()
    return _answer(invocation, app, desk.tx.ids, result)


def _limits(fields: Fields) -> dict[str, float]:
    found = read_amounts(fields)
    slots = fields.whole("workflows", least=1, most=10_000)
    fields.close()
    return found if slots is None else {**found, "workflows": slots}


def _choose(desk: Desk, wanted: dict[str, Any], limits: dict[str, float]) -> dict[str, Any]:
    database = desk.tx.database
    held = in_use([one for one in live_allocations(database) if one.state == "active"])
    out = {"agents": sum(one.state == "failed" for one in agents(database))}
    for name, chosen_most in limits.items():
        most = chosen_most - out.get(name, 0)
        if most < held.get(name, 0):
            raise BadInput(
                f"{said(name, held[name])} of {name} are allocated, so the capacity cannot be"
                f" {said(name, chosen_most)} now. Nothing was written.",
                field=f"capacity.{name}",
                allowed=(f"at least {said(name, held[name] + out.get(name, 0))}",),
                next_steps=("stretto resource-manager status", "stretto resource-manager release ID"),
            )
    result: dict[str, Any] = {}
    if limits:
        found = choose(desk.tx, admission.CAPACITY, {**chosen(database, admission.CAPACITY).value, **limits})
        result["capacity"] = {"version": found.version, **found.value}
    if wanted:
        found = choose(desk.tx, NAME, {**chosen(database, NAME).value, **wanted})
        result["settings"] = {"version": found.version, **found.value}
    return result


def _answer(invocation: Invocation, app: App, events: list[str], result: dict[str, Any]) -> Reply:
    settings: dict[str, Any] = result.get("settings", {})
    lines = [f"{name}: {value}" for name, value in settings.items() if name in CHOICES]
    lines += [
        f"capacity of {name}: {said(name, most)}"
        for name, most in result.get("capacity", {}).items()
        if name != "version"
    ]
    if "learning_data" in settings:
        with reading(app) as log:
            learning = told_learning(log, settings["learning_data"], app.clock())
        result = {**result, "learning": learning}
        lines.append(
            f"{learning['set']} are {learning['n']} finished workflows"
            if learning["n"]
            else f"{learning['set']} is empty: no finished workflow of that age is in this store"
        )
    steps = ("stretto resource-manager status",)
    return reply(invocation, "\n".join(lines), result, events, steps)
