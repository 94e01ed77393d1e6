"""Who takes a work order, and what they are told. For the verbs and for the hooks: standard library only."""

import os

from stretto.state.process import boot_id, started
from stretto.state.rows import Order, Taker


def taker(session: str, agent: str) -> Taker:
    """Who asks: an agent of this session of the assistant, leased to the assistant's process where it names one."""
    text = os.environ.get("CLAUDE_PID", "")
    pid = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    since = started(pid) if pid else None
    return Taker(session, agent, pid if since else 0, boot_id(), since or "", os.uname().nodename)


def with_notes(order: Order, notes: list[str]) -> str:
    """The text of a brief, and what a person has said since it was written."""
    return "\n".join([str(order.work["text"]), *(steering(note) for note in notes)])


def steering(note: str) -> str:
    """A person's word to an agent at work."""
    return f"The person who began this workflow says of your order: {note}"
