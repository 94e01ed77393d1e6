"""What the model does in tests of the host runner: it follows the reply of the command, and its agents their briefs.

Nothing is decided here that the texts do not say: the main conversation launches the agents that a reply names, and
runs the command that it names; an agent works in the folder that its brief names.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.client.api import Api
from tests.client.reply import Answer, Block, Reply, call, reply, say, text, use
from tests.client.request import Request
from tests.scripted_agent import DATA, FILES

_OPEN = re.compile(r"^ +open +(stretto:\w+) +(\S+#\d+)$", re.MULTILINE)
_GO_ON = re.compile(r"run:  (stretto orchestrate --resume \S+)")
_ORDER = re.compile(r"^Work order (\S+)$", re.MULTILINE)
_WORKSPACE = re.compile(r"^Your workspace is (\S+)$", re.MULTILINE)
WAITING = "The agents are at work."
ENDED = "That is all."


@dataclass
class Assistant:
    """A model that obeys. `files` says what an implementer writes, by the name of its task."""

    api: Api
    files: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: FILES)
    stalls: set[str] = field(default_factory=set[str])
    """Names of tasks whose agents get no answer, for ever."""
    launched: list[str] = field(default_factory=list[str])
    """The orders for which an agent was asked for, in order."""
    worked: list[str] = field(default_factory=list[str])
    """The orders whose agents began, in order."""

    def __post_init__(self) -> None:
        self.api.on(lambda r: bool(r.agent), self._agent)
        self.api.on(lambda r: not r.agent, self._main)

    def _main(self, request: Request) -> Answer:
        if found := _OPEN.findall(_plain(request.last)):
            self.launched += [order for _, order in found]
            return reply(*(_launch(kind, order) for kind, order in found))
        if "task-notification" in request.last or "Stop hook feedback" in request.last:
            return use("Bash", command=_GO_ON.findall(_plain(request.text))[-1], description="Go on", timeout=600000)
        return say(WAITING if "waits for" in request.last or "Async agent" in request.last else ENDED)

    def _agent(self, request: Request) -> Answer:
        (order,) = _ORDER.findall(request.first)[:1] or ("",)
        name = order.partition("#")[0].rpartition("/")[2]
        if request.turn == 0:
            self.worked.append(order)
            if name in self.stalls:
                return Reply([text("…")], stall=1)
            if files := self.files.get(name):
                return reply(*_writing(_WORKSPACE.findall(request.first)[0], files))
        return say(json.dumps(report(order)))


def _plain(text: str) -> str:
    """The answers of the MCP server are JSON."""
    return text.replace("\\n", "\n")


def _launch(kind: str, order: str) -> Block:
    return call("Agent", description="Carry out an order", prompt=order, subagent_type=kind)


def _writing(workspace: str, files: Mapping[str, str]) -> list[Block]:
    return [call("Write", file_path=f"{workspace}/{path}", content=body) for path, body in files.items()]


def report(order: str) -> dict[str, Any]:
    """The report of an agent whose work went well."""
    phase = order.split("/")[1] if "/" in order else ""
    role = {"research": "researcher", "planning": "planner", "documentation": "documenter"}.get(phase, "implementer")
    return {"status": "completed", "summary": f"Did {order}.", "data": DATA.get(role, {})}
