"""YAML as plain data: no aliases, no tags, no duplicate keys, no depth or size to drown in."""

from typing import Any

import yaml

from stretto.state.errors import BadInput

LARGEST = 65_536
"""Characters of a file, at most."""
DEEPEST = 16


def read_yaml(text: str, where: str) -> Any:
    """The data in `text`; `where` names the file in errors.

    Raises:
        BadInput: It is no YAML, or uses what data does not need: an anchor, an alias, a tag, a second document, a key
            twice, more than `LARGEST` characters or `DEEPEST` levels.
    """
    if len(text) > LARGEST:
        raise _bad(where, f"has {len(text)} characters; at most {LARGEST} are read")
    try:
        _refuse_tricks(text, where)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_twins(node, where)
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise _bad(where, f"is not YAML: {at}{error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: 2024-99-99 looks like a date
        raise _bad(where, f"is not YAML: {error}") from error


def _bad(where: str, what: str) -> BadInput:
    return BadInput(f"Template file {where} {what}.", field="template")


def _refuse_tricks(text: str, where: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if getattr(event, "anchor", None):
            raise _bad(where, f"line {line}: uses an anchor or an alias; write the text out")
        if tag := getattr(event, "tag", None):
            raise _bad(where, f"line {line}: uses the tag {tag!r}; templates are plain data")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise _bad(where, f"line {line}: is nested deeper than {DEEPEST} levels")


def _refuse_twins(node: yaml.Node | None, where: str) -> None:
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _refuse_twins(child, where)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in seen:
                raise _bad(where, f"line {key.start_mark.line + 1}: key {key.value!r} is there twice, or is no text")
            seen.add(key.value)
            _refuse_twins(value, where)
