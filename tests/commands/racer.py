"""One of several who count in the same field of a workflow's shared state: `racer.py ROOT ATTEMPTS`."""

import json
import sys
from pathlib import Path

from tests.commands.clocked import Clocked


def count(root: Path, attempts: int) -> dict[str, int]:
    """Add one, from the version that was read, so many times; how often that was saved, and how often it clashed."""
    world, told = Clocked(root), {"saved": 0, "clashed": 0}
    for _ in range(attempts):
        read = world.run("coordination-hub", "load-state", "shop_001").result
        body = {"base_version": read["version"], "state": {"count": read["state"].get("count", 0) + 1}}
        done = world.run("coordination-hub", "save-state", "shop_001", **body)
        if done.exit_code:
            assert done.result["code"] == "STATE_CONFLICT"
        told["clashed" if done.exit_code else "saved"] += 1
    return told


if __name__ == "__main__":
    print(json.dumps(count(Path(sys.argv[1]), int(sys.argv[2]))))  # noqa: T201 - the test reads it
