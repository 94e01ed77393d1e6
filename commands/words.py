"""A reply or an error as one text, for those who see no exit code: an assistant, and the person in front of it."""

from collections.abc import Collection

from stretto.commands.reply import Reply
from stretto.commands.safe import safe
from stretto.state.errors import StrettoError

_ENDED = {1: "This failed.", 3: "This has stopped and can be resumed.", 4: "The store is damaged."}


def of_reply(reply: Reply, commands: Collection[str]) -> str:
    """What a reply says, how the command ended unless all is done, and what can be done next.

    A reply that hands out work orders says itself what is to be done with them.
    """
    if reply.result.get("orders"):
        return safe(reply.text)
    ended = [_ENDED[reply.exit_code]] if reply.exit_code in _ENDED else []
    return "\n".join([safe(reply.text), *ended, *_next(reply.next_steps, commands)])


def of_error(error: StrettoError, commands: Collection[str]) -> str:
    """What is wrong, what is allowed instead, and what can be done next."""
    said = "Refused; nothing was done." if error.exit_code == 2 else _ENDED.get(error.exit_code, _ENDED[1])
    allowed: list[str] = error.details.get("allowed") or []
    named = all(word.partition(":")[0] in error.message for word in allowed)
    more = [] if named else [f"allowed: {safe(', '.join(allowed))}"]
    return "\n".join([f"{said} {safe(error.message)}", *more, *_next(error.next_steps, commands)])


def _next(steps: tuple[str, ...], commands: Collection[str]) -> list[str]:
    return ["", "next:", *(f"  {safe(slashed(step, commands))}" for step in steps)] if steps else []


def slashed(step: str, commands: Collection[str]) -> str:
    """A step as it is typed in an assistant: `stretto plan …` is `/stretto:plan …` there; other verbs stay."""
    program, _, rest = step.partition(" ")
    name = rest.partition(" ")[0]
    return f"/stretto:{rest}" if program == "stretto" and name in commands else step


def shortened(text: str, most: int, rest: str) -> str:
    """At most about `most` bytes of a text, and then `rest`, which says how to see what is missing."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= most:
        return text
    kept = data[:most].decode("utf-8", "ignore")
    return f"{kept[: kept.rfind(chr(10)) + 1] or kept}\n… {rest}"
