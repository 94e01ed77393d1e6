"""A security scanner on the project, for the commands that look for causes."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any

from stretto.agents.environment import find_environment
from stretto.agents.process import run as execute
from stretto.agents.scan import Scan, scan
from stretto.commands.app import App
from stretto.graph.spec import PhaseSpec
from stretto.state.store import find_project

AUDIT = "security_audit"
"""What a /debug task of /subagents asks for when the scanner's findings belong into its report."""


def scan_project(app: App) -> Scan:
    """What the scanner that is there finds, or why there is none."""
    return asyncio.run(_scan(app))


async def _scan(app: App) -> Scan:
    root = find_project(app.project)
    environment = await find_environment(root, app.project, os.environ, execute)
    return await scan(root, app.project, environment, execute)


def scanned(
    app: App, phases: Sequence[PhaseSpec], tasks: Sequence[Mapping[str, Any]], *, dry: bool
) -> tuple[PhaseSpec, ...]:
    """The phases of /subagents, with what the scanner found in each task that is a security audit."""
    audits = {i for i, t in enumerate(tasks) if t.get("command") == "/debug" and t.get("analysis") == AUDIT}
    if dry or not audits:
        return tuple(phases)
    known = tuple(scan_project(app).lines())
    first = phases[0]
    given = tuple(t.model_copy(update={"known": known}) if i in audits else t for i, t in enumerate(first.tasks))
    return (first.model_copy(update={"tasks": given}), *phases[1:])
