"""Recovery from injected faults judged by number: in time, consistent, and not much slower; or not measured."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from stretto.commands.fault_figures import BUSY


class Limits(NamedTuple):
    """What is asked for: seconds, how much longer as a share, and whether state must equal a replay."""

    seconds: float
    longer: float
    strict: bool


def judged(metrics: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """One fault. `passed` is None where all else is well and how much longer it took says nothing of the recovery.

    That is so where it took too long on a machine that had too much to do: the same delay would be there without us.
    """
    consistent = bool(metrics["consistent"] if limits.strict else metrics["chain_sound"])
    sound = metrics["recovered"] and consistent and metrics["recovery_seconds"] <= limits.seconds
    passed: bool | None = bool(sound and metrics["degradation"] <= limits.longer)
    busy = metrics.get("machine_load")
    if sound and not passed and busy is not None and busy > BUSY:
        passed = None
    names = ("error_type", "recovered", "recovery_seconds", "load", "degradation", "higher")
    more = {name: metrics.get(name) for name in ("interval", "pairs", "machine_load", "late")}
    told = {**{name: metrics[name] for name in names}, **more, "consistent": consistent, "passed": passed}
    return {**told, "verdict": _verdict(told, limits)}


def whole(told: Sequence[Mapping[str, Any]]) -> bool | None:
    """Of all faults: False if one failed, None if none did and one was not measured."""
    marks = {one["passed"] for one in told}
    return False if False in marks else None if None in marks else True


def headline(told: Sequence[Mapping[str, Any]]) -> str:
    """The same in words."""
    marks = [one["passed"] for one in told]
    word = {True: "passed", False: "FAILED", None: "not all of it could be measured"}[whole(told)]
    return f"{word}: {marks.count(True)} of {len(marks)}{_open(marks.count(None))}"


def _open(count: int) -> str:
    return f", {count} not measured" if count else ""


def how_sure(told: Mapping[str, Any]) -> str:
    """The interval of how much longer it took, and over what that is counted; of runs of before there was one, none."""
    if told.get("interval") is None:
        return ""
    low, high = told["interval"]
    return f" ({low:.1%} to {high:.1%}, {told['pairs']} pairs of tasks)"


def _verdict(told: Mapping[str, Any], limits: Limits) -> str:
    state = "consistent" if told["consistent"] else "NOT consistent"
    if not told["recovered"]:
        return f"NOT recovered, {state}: FAIL"
    slower = f"{told['degradation']:.1%} longer of {limits.longer:.0%} at load {told['load']:.2f}{how_sure(told)}"
    word = {True: "pass", False: "FAIL", None: f"not measured: the machine's load is {told['machine_load'] or 0:.2f}"}
    return f"{told['recovery_seconds']:.2f} s of {limits.seconds:g} s, {state}, {slower}: {word[told['passed']]}"
