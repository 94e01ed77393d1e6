"""A dry run on behalf of a hook: in the installed environment, in a process of its own, for a bounded time."""

import os
import subprocess
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "bin" / "stretto"
SECONDS = 40.0


def dry_run(line: str, folder: str) -> str | None:
    """What `stretto line` says to a line, or None if the environment is not built yet or it takes too long."""
    try:
        done = subprocess.run(
            ["/bin/sh", str(PROGRAM), "line", "-"],
            input=line.encode("utf-8", "surrogatepass"),
            capture_output=True,
            check=False,
            cwd=folder,
            env={**os.environ, "STRETTO_BUILD": "never"},
            timeout=SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode == NOT_BUILT:
        return None
    said = done.stdout if done.returncode == 0 else done.stdout + done.stderr
    return said.decode("utf-8", "replace").rstrip("\n")


NOT_BUILT = 75
"""What bin/stretto says when it may not build its environment, and there is none."""
