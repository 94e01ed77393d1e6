"""When a workflow will be done: possible futures of its phases, each carried out on the slots that there are."""

import random
from collections.abc import Sequence
from statistics import median, quantiles
from typing import Final, NamedTuple

from stretto.graph.forecast import ENOUGH, LEVEL, Forecast, Forecaster, Phase
from stretto.graph.schedule import simulate, tails

DRAWS: Final = 200


class Step(NamedTuple):
    """A phase that has not finished, and the names of those that it waits for; one that runs has an `elapsed` time."""

    name: str
    phase: Phase
    needs: tuple[str, ...] = ()


def outlook(forecaster: Forecaster, steps: Sequence[Step], slots: int, seed: int = 0, draws: int = DRAWS) -> Forecast:
    """Seconds until the last of `steps` has finished; finished phases are not among them, nor need they be.

    In every future the phases start as a driver starts them, longest expected chain first. Equal arguments and equal
    observations give equal answers.

    Raises:
        BadInput: A circle, a size that is not positive, or no slot.
    """
    if forecaster.n < ENOUGH:
        return Forecast(None, None, None, LEVEL, forecaster.n, forecaster.too_few())
    names = [step.name for step in steps]
    needs = {step.name: [need for need in step.needs if need in names] for step in steps}
    running = {step.name for step in steps if step.phase.elapsed > 0}
    chance = random.Random(seed)  # noqa: S311  - no secret hangs on it
    futures = [
        {step.name: max(0.0, time - step.phase.elapsed) for step, time in zip(steps, drawn, strict=True)}
        for drawn in forecaster.draws([step.phase for step in steps], draws, chance)
    ]
    typical = {name: median(future[name] for future in futures) for name in names}
    order = tails(typical, needs) | dict.fromkeys(running, float("inf"))
    places = max(slots, len(running)) if slots > 0 else slots
    ends = [simulate(future, needs, places, order).makespan for future in futures]
    tenths = quantiles(ends, n=10, method="inclusive")
    basis = f"{forecaster.n} past phases, {draws} possible futures on {slots} slots"
    return Forecast(tenths[0], median(ends), tenths[-1], LEVEL, forecaster.n, basis)
