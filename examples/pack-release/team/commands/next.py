"""Says which version comes next: one JSON object comes in on stdin, one goes out on stdout."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

PARTS = ("major", "minor", "patch")


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """The reply to a command."""
    words = asked["words"] or ["patch"]
    if len(words) != 1 or words[0] not in PARTS:
        return {"status": "error", "message": f"Which part of the version counts up? One of: {', '.join(PARTS)}."}
    project = Path(asked["project"])
    try:
        version = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]["version"]
        numbers = [int(number) for number in version.split(".")]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return {"status": "error", "message": f"There is no version X.Y.Z in pyproject.toml: {error}."}
    at = PARTS.index(words[0])
    numbers = [*numbers, 0, 0, 0][:3]
    following = ".".join(map(str, [*numbers[:at], numbers[at] + 1, *[0] * (2 - at)]))
    return {
        "status": "ok",
        "message": f"After {version} comes {following}.",
        "result": {"version": version, "next": following},
        "next_steps": [f'stretto team:release "{following}"'],
    }


print(json.dumps(answer(json.load(sys.stdin))))
