"""The list as a JSON file. What was saved is what is loaded."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from todo.items import Item


class BadFile(Exception):
    """The file is there and holds no list of items."""


def load(path: Path) -> list[Item]:
    """The items of a file; none if there is no file.

    Raises:
        BadFile: It cannot be read as a list of items.
    """
    if not path.exists():
        return []
    try:
        return [Item(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        raise BadFile(f"{path} holds no list of items: {error}") from error


def save(path: Path, items: Sequence[Item]) -> None:
    """Replace the file as a whole, so that a crash leaves the old list or the new one."""
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(json.dumps([asdict(item) for item in items], default=str, indent=1), encoding="utf-8")
    os.replace(draft, path)
