"""What agents at work are at: the last word of their logs, which no event tells. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from stretto.agents import attempt_log
from stretto.commands.safe import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stretto.state.figures import TaskView
    from stretto.state.purse import Purse

_LONGEST = 60


def doing(logs: str, workflow_id: str, task_id: str, attempt: int) -> dict[str, Any] | None:
    """What an attempt noted last of what it does: `what`, in words, `turn` if it has any, and `at`, seconds since 1970.

    None where it has noted nothing yet, or its log cannot be read.
    """
    try:
        lines = attempt_log.tail(logs, workflow_id, task_id, attempt)
    except OSError:
        return None
    for line in reversed(lines):
        if what := _what(line):
            return {"what": one_line(what), "turn": line.get("turn"), "at": line.get("at")}
    return None


def _what(line: Mapping[str, Any]) -> str:
    match line.get("kind"):
        case "speaking":
            tool = f" {line['tool']}" if line.get("tool") else ""
            return f"{line.get('doing')}{tool}, {line.get('characters'):,} characters so far"
        case "turn" if line.get("tools"):
            return f"uses {', '.join(map(str, line['tools']))}"
        case "tool":
            failed = "" if line.get("ok") else ", which failed"
            return f"used {line.get('name')} {line.get('about') or ''}".rstrip()[:_LONGEST] + failed
        case "wait":
            return f"waits {line.get('seconds'):.0f} s: {str(line.get('error'))[:_LONGEST]}"
        case "broken_off":
            return f"was cut off: {str(line.get('error'))[:_LONGEST]}"
        case "text":
            return f"said: {str(line.get('text'))[:_LONGEST]}"
        case _:
            return ""


def all_doing(tasks: Iterable[TaskView], purse: Purse, logs: str, workflow_id: str, now: float) -> dict[str, Any]:
    """By task, what its agent does, how long ago that was noted, and what it has used so far."""
    found: dict[str, Any] = {}
    for task in tasks:
        if task.state != "running":
            continue
        seen = doing(logs, workflow_id, task.task_id, task.attempts) or {"what": None, "turn": None, "at": None}
        at = seen.pop("at")
        account = purse.accounts.get(f"{workflow_id}/{task.task_id}#{task.attempts}")
        used = account.spent.usage() if account and account.spent.input_tokens else None
        ago = round(max(now - at, 0.0), 3) if isinstance(at, int | float) else None
        found[task.task_id] = {"attempt": task.attempts, **seen, "seconds_ago": ago, "usage": used}
    return found


def lines(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The same as lines for people."""
    if found:
        yield "  at work"
    for task, one in found.items():
        turn = f"turn {one['turn']}" if one["turn"] else ""
        parts = [turn, one["what"] or "nothing noted yet", *_used(one["usage"])]
        yield f"    {one_line(task):<24} {one_line(' · '.join(filter(None, parts)))}"


def _used(usage: Mapping[str, Any] | None) -> Iterator[str]:
    if usage:
        read, wrote = ("unknown" if n is None else f"{n:,}" for n in (usage["input_tokens"], usage["output_tokens"]))
        yield f"{read} tokens in, {wrote} out so far"
