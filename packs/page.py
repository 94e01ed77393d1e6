"""A command of a pack: `commands/NAME.md`, which starts a template of the pack, or has a handler beside it.

---
name: NAME
description: one line
argument-hint: "DESCRIPTION"     (may be left out)
template: TEMPLATE               (unless there is a handler, commands/NAME.py)
---
What it does, in markdown.
"""

from pydantic import Field, ValidationError

from stretto.agents.task import Frozen
from stretto.graph.strict_yaml import read_yaml
from stretto.packs.manifest import Name, Sentence, refused
from stretto.state.errors import BadInput

_KEYS = ("name", "description", "argument-hint", "template")


class Page(Frozen):
    """A command of a pack. `template` is empty if a handler runs it; `body` says what it does."""

    name: Name
    description: Sentence
    argument_hint: str = Field(default='"DESCRIPTION"', alias="argument-hint", max_length=100, pattern=r"^[^\n]*$")
    template: str = Field(default="", max_length=64)
    body: str


def parse_page(text: str, *, name: str, where: str) -> Page:
    """The page in `text`, which stands in the file `where` and must be called `name`.

    Raises:
        BadInput: It is no such page; the message names the file and the key.
    """
    parts = text.split("---\n", 2)
    if len(parts) != 3 or parts[0] or not parts[2].strip():
        raise BadInput(f"{where} must hold keys between two lines '---', and a text below that.", field=where)
    data = read_yaml(parts[1], where)
    if not isinstance(data, dict) or "body" in data:
        raise BadInput(f"{where}: between the lines '---' there must be keys, and none of them `body`.", field=where)
    try:
        page = Page.model_validate({**data, "body": parts[2].strip()})
    except ValidationError as error:
        raise refused(where, error, _KEYS) from error
    if page.name != name:
        raise BadInput(f"{where}, name: is {page.name!r}; a command is called as its file is: {name!r}.", field="name")
    return page
