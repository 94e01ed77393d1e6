"""`stretto doctor`: what this machine has, what is missing, and what to do about it. Changes nothing."""

import asyncio
from textwrap import wrap

from stretto.commands.app import App
from stretto.commands.doctor_tools import look as look_at_tools
from stretto.commands.reply import Reply
from stretto.commands.safe import one_line
from stretto.state.care_machine import Seen
from stretto.state.care_machine import look as look_at_machine

_MARKS = {"ok": "ok", "note": "note", "warning": "WARNING", "problem": "PROBLEM"}
_WIDTH = 118


def doctor(app: App) -> Reply:
    """Look at everything, and say of each what was found. Exit 1 if something cannot work."""
    seen = [*look_at_machine(app.directory), *asyncio.run(look_at_tools(app))]
    problems = [one for one in seen if one.level == "problem"]
    warnings = [one for one in seen if one.level == "warning"]
    facts = {
        "checks": [one._asdict() for one in seen],
        "problems": len(problems),
        "warnings": len(warnings),
    }
    text = "\n".join([line for one in seen for line in _lines(one)] + ["", _verdict(problems, warnings)])
    cures = [one.cure for one in [*problems, *warnings] if one.cure] or ["stretto store check"]
    return Reply("doctor", text, facts, next_steps=tuple(dict.fromkeys(cures)), exit_code=1 if problems else 0)


def _lines(one: Seen) -> list[str]:
    head = f"{_MARKS[one.level]:<8} {one.name:<14} "
    told = wrap(one_line(one.what, 400), _WIDTH, initial_indent=head, subsequent_indent=" " * len(head))
    cure = wrap(f"→ {one_line(one.cure, 300)}", _WIDTH, initial_indent=" " * len(head), subsequent_indent=" " * 26)
    return [*(told or [head.rstrip()]), *(cure if one.cure else [])]


def _verdict(problems: list[Seen], warnings: list[Seen]) -> str:
    if problems:
        return f"Something cannot work: {', '.join(dict.fromkeys(one.name for one in problems))}."
    if warnings:
        return f"Everything can work; look at {', '.join(dict.fromkeys(one.name for one in warnings))}."
    return "No problem found."
