"""Recording agents whose tools run outside of our desk: what was heard of them, what they left, how they ended.

What a runner hears (a client's stream, an agent's transcript, a program's output) becomes turns as far as it holds
some, else one turn. The last one keeps the outcome and the files of the workspace, for a replay to return and make.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from stretto.agents.cassette import End, Reply, Turn
from stretto.agents.prints import Normal, Printer, tail_of
from stretto.agents.record import Recorder
from stretto.agents.replay_agent import opening
from stretto.agents.runner import Surroundings
from stretto.agents.session_import import turns_of
from stretto.agents.task import Brief, Outcome, failed
from stretto.agents.tools import shortened

_LONGEST = 16_000
_PARTIAL = '{"type":"stream_event"'
_COUNTS = ('"message_start"', '"message_delta"')
Run = Callable[[Brief, Surroundings], Awaitable[Outcome]]


async def recorded(record: Recorder | None, brief: Brief, surroundings: Surroundings, run: Run) -> Outcome:
    """Run an attempt and keep it, if there is a recorder. What raises is not kept, but for an end from outside."""
    if record is None:
        return await run(brief, surroundings)
    lines: list[str] = []

    def hear(line: str) -> None:
        # Of a message's pieces only those count that say what it used.
        if not line.startswith(_PARTIAL) or any(name in line for name in _COUNTS):
            lines.append(line)

    try:
        outcome = await run(brief, replace(surroundings, hear=hear))
    except asyncio.CancelledError:
        ended = failed("The attempt was ended before it had an outcome.")
        _keep(record, brief, lines, End(outcome=ended, files=()))
        raise
    normal = record.normal(brief.cwd)
    wrote = await surroundings.wrote(normal) if surroundings.wrote else None
    said = Outcome.model_validate(normal.portable_json(outcome.model_dump(mode="json")))
    end = End(outcome=said, files=wrote.files if wrote else None, lost=wrote.lost if wrote else ())
    _keep(record, brief, lines, end)
    return outcome


def _keep(record: Recorder, brief: Brief, lines: list[str], end: End) -> None:
    normal = record.normal(brief.cwd)
    turns = turns_of(lines, brief.lane, opening(brief), normal) or [_whole(brief, lines, normal)]
    for turn in (*turns[:-1], turns[-1].model_copy(update={"end": end})):
        record.put(turn)


def _whole(brief: Brief, lines: list[str], normal: Normal) -> Turn:
    """An attempt of which nobody heard single turns."""
    told = opening(brief)
    text = normal.portable(shortened("\n".join(lines), _LONGEST))
    return Turn(
        lane=brief.lane,
        turn=1,
        fp=Printer(normal).prints(told),
        request_tail=tail_of(told, normal),
        reply=Reply(text=text),
    )
