"""The host runner: the assistant around us carries the attempts out, with its own agents and its own login."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stretto.agents import transcript
from stretto.agents.data import BadOutcome
from stretto.agents.runner import Progress, Surroundings, deaf
from stretto.agents.said import finished, from_text
from stretto.agents.task import Brief, Outcome, Usage, failed
from stretto.state.errors import PermanentError

if TYPE_CHECKING:
    from stretto.agents.record import Recorder

HOST = "host"
SETTLING_SECONDS = 2.0
"""How long the client may take to write an agent's last words to its transcript, after it has told of its end."""
_SHOWN = 300


class HostRunner:
    """Hands each attempt out as a work order. Nothing runs here, so there is nothing to end."""

    name = HOST
    counts = frozenset({"tokens"})
    """No transcript tells what anything cost."""

    def __init__(self, record: "Recorder | None" = None) -> None:
        self._record = record

    @property
    def recording(self) -> bool:
        """Whether every attempt is kept for a cassette."""
        return self._record is not None

    async def run(self, brief: Brief, surroundings: Surroundings) -> Outcome:
        """What was reported of the order.

        Raises:
            Pending: Nothing was, so far.
            PermanentError: There is nobody here to hand orders out.
        """
        if self._record is None:
            return await self._run(brief, surroundings)
        from stretto.agents.record_agent import recorded

        return await recorded(self._record, brief, surroundings, self._run)

    async def _run(self, brief: Brief, surroundings: Surroundings) -> Outcome:
        if surroundings.order is None:
            raise PermanentError("The host runner needs an executor that hands out work orders, and this one does not.")
        report = surroundings.order(brief)
        used = await _used(report, surroundings.progress)
        _hear(report, surroundings)
        return _outcome(report, brief).model_copy(update={"usage": used})

    async def close(self) -> None:
        """Write the cassette, if there is one to write; nothing runs any more."""
        if self._record:
            self._record.save()


def _hear(report: Mapping[str, Any], surroundings: Surroundings) -> None:
    """What an agent's transcript holds, for a recording."""
    place = str(report.get("transcript", ""))
    if place and surroundings.hear is not deaf:
        with suppress(OSError), Path(place).open(encoding="utf-8", errors="replace") as file:
            for line in file:
                surroundings.hear(line)


async def _used(report: Mapping[str, Any], progress: Progress) -> Usage:
    """What the agent used, counted from its transcript; unknown where that is not whole."""
    if not (place := str(report.get("transcript", ""))):
        return Usage()
    seen = transcript.read(Path(place))
    for _ in range(int(SETTLING_SECONDS * 10)):
        if seen.last.strip() == str(report.get("text", "")).strip():
            break
        await asyncio.sleep(0.1)
        seen = transcript.read(Path(place))
    else:
        return Usage()
    for kind, facts in seen.lines:
        progress(kind, facts)
    used = Usage(input_tokens=seen.input_tokens, output_tokens=seen.output_tokens)
    progress("usage", used.model_dump())
    return used


def _outcome(report: Mapping[str, Any], brief: Brief) -> Outcome:
    """A report as an outcome: arguments as of `finish`, or the text of an agent's last message."""
    text = str(report.get("text", ""))
    args = report.get("outcome") if report.get("outcome") is not None else from_text(text, brief.role)
    if args is None:
        came = f" It said: {text.strip()[:_SHOWN]!r}" if text.strip() else " It said nothing."
        return failed(f"The agent's last message is not an outcome (one JSON object with a status).{came}")
    try:
        return finished(args, brief.role)
    except BadOutcome as error:
        return failed(f"The agent's outcome does not fit: {error.message}")
