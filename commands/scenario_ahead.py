"""What a line is told of those below it: the name of its workflow, and which of its phases they do themselves."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from stretto.commands.parse import parse_line
from stretto.commands.scenario_document import Example, Step
from stretto.state.errors import StrettoError

_NAME = re.compile(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)*_[0-9]{3}\b")
_WORD = re.compile(r"[a-z0-9]+")


def taken_up(example: Example, step: Step, workflow: str) -> tuple[str, ...]:
    """The phases of a workflow that `/subagents` lines below this one bring tasks to, in their order."""
    if not workflow:
        return ()
    contexts = [c for one in example.steps if one.line > step.line for c in _contexts(one)]
    found = [str(c["phase"]) for c in contexts if c.get("workflow_id") == workflow and c.get("phase")]
    return tuple(dict.fromkeys(found))


def _contexts(step: Step) -> Iterator[Mapping[str, Any]]:
    """The context of a `/subagents` line; of any other, and of one that cannot be read, none."""
    if step.kind != "command" or "subagents" not in step.text.split(maxsplit=1)[0]:
        return
    try:
        given = parse_line(step.text, project=".").json
    except StrettoError:
        return
    if given and isinstance(given[0], dict):
        yield cast("Mapping[str, Any]", given[0])


def meant(example: Example, step: Step, description: str) -> str:
    """The id by which a document speaks of the workflow that a line starts; empty if it does not.

    It is the first id that stands behind the line and nowhere before it, if each word of it begins a word of the
    description: `research_auth_001` for `Research authentication best practices`.
    """
    steps = [one for one in example.steps if one is not step]
    before = _names([one.text for one in steps if one.line < step.line])
    after = _names([one.text for one in steps if one.line > step.line])
    after += _names([one.text for one in example.expected])
    words = _WORD.findall(description.lower())
    return next((name for name in after if name not in before and _fits(name, words)), "")


def _names(texts: Sequence[str]) -> list[str]:
    return [name for text in texts for name in _NAME.findall(text)]


def _fits(name: str, words: Sequence[str]) -> bool:
    parts = name.split("_")[:-1]
    return all(any(word.startswith(part) for word in words) for part in parts)
