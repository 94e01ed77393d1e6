"""What an agent did during an attempt, for `stretto logs`: one JSON object a line, best effort, never state."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stretto.state.ids import file_name

if TYPE_CHECKING:
    from stretto.agents.runner import Progress

LONGEST_LINE = 20_000


def path_of(logs: Path, workflow_id: str, task_id: str, attempt: int) -> Path:
    """The file of one attempt."""
    return logs / workflow_id / f"{file_name(task_id)}.{attempt}.jsonl"


def writer(logs: Path, workflow_id: str, task_id: str, attempt: int) -> "Progress":
    """A progress sink that appends to the attempt's file."""
    path = path_of(logs, workflow_id, task_id, attempt)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(kind: str, facts: Mapping[str, Any]) -> None:
        line = json.dumps({"at": round(time.time(), 3), "kind": kind, **facts}, ensure_ascii=False, default=str)
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:  # as JSON writes half a pair
            file.write(line[:LONGEST_LINE] + "\n")

    return write


def read(logs: Path, workflow_id: str, task_id: str, attempt: int) -> Iterator[dict[str, Any]]:
    """The lines of one attempt, oldest first; a line cut short by a crash is passed over."""
    path = path_of(logs, workflow_id, task_id, attempt)
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:
                continue
