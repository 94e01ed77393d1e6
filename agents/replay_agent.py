"""The replay of an agent whose tools ran outside of our desk: its turns are told, its files put back, its end returned.

None of its tools runs again. What it left in its workspace is made again file by file, and only where there is what
there was before.
"""

from pathlib import Path

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from stretto.agents.cassette import End, Turn
from stretto.agents.kept import Misplaced, differs, put
from stretto.agents.loop import instructions
from stretto.agents.meter import UNKNOWN
from stretto.agents.prints import CWD, Printer
from stretto.agents.recording import Recording
from stretto.agents.redact import mapped
from stretto.agents.roles import load_role
from stretto.agents.runner import Progress, Surroundings
from stretto.agents.task import Brief, Outcome


def opening(brief: Brief) -> list[BaseMessage]:
    """What every agent is told first, whichever runner it has."""
    return [SystemMessage(load_role(brief.role).prompt), HumanMessage(instructions(brief))]


async def replay_agent(recording: Recording, brief: Brief, surroundings: Surroundings) -> Outcome:
    """The recorded end of an attempt, its files in place.

    Raises:
        PermanentError: The brief is another one, or the files cannot be made again.
        Capped: A cap of the workflow was reached.
    """
    turns, lane = recording.lane(brief.lane), brief.lane
    first, last = turns[0], turns[-1]
    changed = recording.compare(first, opening(brief), Printer(recording.normal(brief.cwd)))
    if changed:
        surroundings.progress("drift", {"lane": lane, "turn": first.turn, "changed": changed})
    if last.end is None:
        raise recording.stopped(lane, last.turn, "the recording of this agent has no end")
    await surroundings.account.reserve(UNKNOWN)
    surroundings.account.settle(last.end.outcome.usage, sum(len(turn.reply.tool_calls) for turn in turns))
    for turn in turns:
        _tell(turn, surroundings.progress)
    _restore(recording, last, last.end, brief, surroundings.progress)
    said = mapped(last.end.outcome.model_dump(mode="json"), lambda text: text.replace(CWD, brief.cwd))
    return Outcome.model_validate(said)


def _tell(turn: Turn, progress: Progress) -> None:
    """The progress that the agent made, as the live runner told it."""
    if turn.reply.text:
        progress("text", {"turn": turn.turn, "text": turn.reply.text[:2000]})
    progress("turn", {"turn": turn.turn, "tools": [call.name for call in turn.reply.tool_calls]})
    if used := turn.reply.usage:
        facts = {"input_tokens": used.input_tokens, "output_tokens": used.output_tokens}
        progress("usage", {"turn": turn.turn, **facts})
    for note in turn.tools:
        progress("tool", {"turn": turn.turn, "name": note.name, "ok": note.status == "success", "replayed": True})


def _restore(recording: Recording, turn: Turn, end: End, brief: Brief, progress: Progress) -> None:
    """Make the files again: all are looked at before the first is written."""
    root, normal = Path(brief.cwd), recording.normal(brief.cwd)
    lost = list(end.lost)
    if end.files is None:
        lost.append("what it wrote: nobody could look into its workspace when it was recorded")
    try:
        others = [one.path for one in end.files or () if differs(one, root, normal)]
    except Misplaced as error:
        raise recording.stopped(turn.lane, turn.turn, error.message) from error
    redacted = [one.path for one in end.files or () if one.redacted]
    wrong = [
        *(f"{path} is not what it was before the agent wrote it" for path in others),
        *(f"not kept: {what}" for what in lost),
        *(f"{path} was kept without a secret that it held" for path in redacted if recording.mode == "strict"),
    ]
    if wrong and recording.mode != "lenient":
        raise recording.stopped(turn.lane, turn.turn, "; ".join(wrong))
    if wrong or redacted:
        facts = {"changed": ["files"], "files": [*others, *redacted], "lost": lost}
        progress("drift", {"lane": turn.lane, "turn": turn.turn, **facts})
    for one in end.files or ():
        try:
            put(one, root, brief.cwd)
        except Misplaced as error:
            raise recording.stopped(turn.lane, turn.turn, error.message) from error
