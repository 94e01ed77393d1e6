"""The agent of a fault trial, as a program: it works for a while, then writes the files that its task declares.

    python -I -S fault_agent.py FOLDER SECONDS

When it begins it leaves a file in FOLDER, named after its attempt, with its process id. As long as FOLDER holds
`TASK.ATTEMPT.hold`, its work goes no further.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

_LOOK_SECONDS = 0.005


def main(folder: Path, seconds: float) -> None:
    """Read the brief from stdin, work, print the outcome."""
    brief: dict[str, Any] = json.load(sys.stdin)
    task = brief["task_id"].rpartition("/")[2]
    name = f"{task}.{brief['attempt']}"
    begun = folder / f"{name}.new"
    begun.write_text(str(os.getpid()), "ascii")
    begun.rename(folder / f"{name}.pid")
    while (folder / f"{name}.hold").exists():
        time.sleep(_LOOK_SECONDS)
    time.sleep(seconds)
    for path in brief["writes"]:
        place = Path(brief["cwd"], path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{task}\n", "utf-8")
    sys.stdout.write(json.dumps({"status": "completed", "summary": f"{task} is written"}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
