"""What an agent did during an attempt, for `stretto logs`: one JSON object a line, best effort, never state."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping

from stretto.state.ids import file_name
from stretto.state.quick_json import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from stretto.agents.runner import Progress

LONGEST_LINE = 20_000
_TAIL_BYTES = 32_000


def path_of(logs: Path | str, workflow_id: str, task_id: str, attempt: int) -> str:
    """The file of one attempt."""
    return os.path.join(logs, workflow_id, f"{file_name(task_id)}.{attempt}.jsonl")


def writer(logs: Path | str, workflow_id: str, task_id: str, attempt: int) -> Progress:
    """A progress sink that appends to the attempt's file."""
    path = path_of(logs, workflow_id, task_id, attempt)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)

    def write(kind: str, facts: Mapping[str, Any]) -> None:
        line = dumps({"at": round(time.time(), 3), "kind": kind, **facts}, ensure_ascii=False, default=str)
        with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:  # as JSON writes half a pair
            file.write(line[:LONGEST_LINE] + "\n")

    return write


def tail(logs: Path | str, workflow_id: str, task_id: str, attempt: int) -> list[dict[str, Any]]:
    """The last lines of one attempt, as far as a small part of its file holds them whole.

    Raises:
        OSError: There is no log, or it cannot be read.
    """
    with open(path_of(logs, workflow_id, task_id, attempt), "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _TAIL_BYTES, 0))
        rows = file.read(_TAIL_BYTES).decode("utf-8", "replace").split("\n")
    found: list[Any] = []
    for row in rows:
        try:
            found.append(loads(row))  # a line that begins before the part, or was cut short, is no object
        except ValueError:
            continue
    return [line for line in found if isinstance(line, dict)]


def read(logs: Path | str, workflow_id: str, task_id: str, attempt: int) -> Iterator[dict[str, Any]]:
    """The lines of one attempt, oldest first; a line cut short by a crash is passed over."""
    path = path_of(logs, workflow_id, task_id, attempt)
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                yield loads(line)
            except ValueError:
                continue
