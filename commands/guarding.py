"""Who may change which file while work orders stand. Standard library only: a hook asks before every change."""

import os

from stretto.agents.declared import undeclared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from stretto.state.standing import Standing


class Verdict:
    """About a change that concerns an order, if one is named. `denied` says why it may not be made; empty, it may."""

    def __init__(self, order: "Standing | None", denied: str = "") -> None:
        self.order = order
        self.denied = denied


def judge(path: str, standing: "Sequence[Standing]", *, by_agent: bool, launch: str = "") -> Verdict | None:
    """Whether the file may be changed; None where no order has a say.

    Args:
        path: The file, absolute.
        standing: The orders that are open or taken.
        by_agent: Whether one of our agents asks, and not the person's own session.
        launch: The tool call that launched the agent, where that is known.
    """
    real = os.path.realpath(path)
    for order in standing:
        place = order.work["workspace"]
        if _within(real, os.path.realpath(place["path"])):
            return _inside(real, order, launch)
    if not standing:
        return None
    if by_agent:
        return Verdict(
            None,
            f"{path!r} lies outside of your workspace. Work in the folder that your brief names; its changes are"
            " brought over when they are proven.",
        )
    return _locked(real, standing)


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))


def _inside(real: str, order: "Standing", launch: str) -> Verdict:
    declared = order.work["brief"]["writes"]
    name = os.path.relpath(real, os.path.realpath(order.work["workspace"]["cwd"]))
    if order.state != "taken":
        return Verdict(order, f"Nobody has taken the order {order.id!r}, whose workspace this is.")
    if launch and order.taken_by and launch != order.taken_by:
        return Verdict(
            order, f"{name!r} lies in the workspace of another agent. Work in the one that your brief names."
        )
    if ".git" in real.split(os.sep):
        return Verdict(order, f"{name!r} is git's own. Do not commit; that is done for you.")
    if undeclared(declared, [name]):
        return Verdict(
            order,
            f"{name!r} is not declared by this order, which may write: {', '.join(declared)}. If the task cannot be"
            " done within that, do what can be done and report `partial` with the reason.",
        )
    return Verdict(order)


def _locked(real: str, standing: "Sequence[Standing]") -> Verdict | None:
    """The person's session wants to change a file of the checkout that an agent is changing in its own copy."""
    for order in standing:
        place, declared = order.work["workspace"], order.work["brief"]["writes"]
        project = os.path.realpath(place["project"])
        if order.state != "taken" or order.gone or not declared or not _within(real, project):
            continue
        name = os.path.relpath(real, project)
        if not undeclared(declared, [name]):
            return Verdict(
                order,
                f"{name!r} is locked: an agent is changing it for the order {order.id!r}, and the two changes would"
                f" meet in a merge. Wait for it, or end the workflow: stretto cancel {order.workflow_id}",
            )
    return None
