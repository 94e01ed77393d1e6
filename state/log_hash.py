"""One hash of what a workflow's log tells, equal for two runs in which the same things happened.

The canonical form: of the workflow's events those that tell of the workflow, its phases, stages and tasks; each as its
type, phase and data; without when, by which machine and in which order lanes took turns. What is left out of the data
are moments, durations, forecasts, ids of commits, how many agents may run at once, and what the runner was called. In
texts the workflow's id and what changes from run to run (times, durations, commit ids) have names. The events are
sorted by lane, and within a lane stand in the order of the log; a lane is a task, and what is of no task is one more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, cast

from stretto.state.digest import sha256
from stretto.state.registry import STAGES
from stretto.state.wire import Event

KINDS = ("WORKFLOW_", "PHASE_", "TASK_", *(f"{stage}_" for stage in STAGES))
"""The beginnings of the types that count: what tells of the machine or of a measurement does not."""
LEFT_OUT = frozenset(
    {
        *(
            "start_time",
            "end_time",
            "started_at",
            "completed_at",
            "timestamp",
            "duration",
            "duration_seconds",
            "seconds",
        ),
        *(
            "resources",
            "agents",
            "parallel_tracks",
            "estimated_duration",
            "estimated_completion",
            "basis",
            "runner",
            "base",
            "branch",
            "sha",
            "commit",
            "warnings",
        ),
    }
)
"""Keys whose values are the machine's or the moment's."""
_VOLATILE = (
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d+(?:\.\d+)? ?(?:ms|s|sec|secs|seconds)\b"), "<seconds>"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "<sha>"),
)


def canonical(events: Iterable[Event]) -> list[str]:
    """The canonical form, a line of JSON for each event that counts."""
    counted = [event for event in events if event.type.startswith(KINDS)]
    lanes: dict[str, list[str]] = {}
    for event in counted:
        told = [event.type, event.phase, _plain(event.data, event.workflow_id)]
        line = json.dumps(told, sort_keys=True, ensure_ascii=True)
        lanes.setdefault(str(event.data.get("task_id", "")), []).append(line)
    return [f"{lane}\t{line}" for lane in sorted(lanes) for line in lanes[lane]]


def log_hash(events: Iterable[Event]) -> str:
    """SHA-256 of the canonical form, in hexadecimal digits."""
    return sha256("\n".join(canonical(events)).encode()).hexdigest()


def _plain(value: Any, workflow: str) -> Any:
    if isinstance(value, str):
        text = value.replace(workflow, "<workflow>") if workflow else value
        for pattern, name in _VOLATILE:
            text = pattern.sub(name, text)
        return text
    if isinstance(value, list):
        return [_plain(item, workflow) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return {key: _plain(item, workflow) for key, item in items if key not in LEFT_OUT}
    return value
