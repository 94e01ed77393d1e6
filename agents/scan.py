"""A security scan of the project's Python files: by bandit, else by ruff's S rules; a scanner's word, or none."""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stretto.agents.environment import ProjectEnvironment
from stretto.agents.execute import Execute
from stretto.agents.git import environment as for_git

_SECONDS = 600.0
_SHOWN = 50
_NONE = "neither bandit nor ruff is in the project's environment, on PATH or beside Stretto"
_BANDIT = ("-q", "-f", "json", "-s", "B101", "--")
_RUFF = (
    "check",
    "--isolated",
    "--no-cache",
    "--exit-zero",
    "--select=S",
    "--ignore=S101",
    "--output-format=json",
    "--",
)
"""An `assert` is no finding to either: in tests it is the point of them."""


class Finding(NamedTuple):
    """One finding; `severity` is `unrated` where the scanner gives none."""

    path: str
    line: int
    rule: str
    severity: str
    message: str

    @property
    def text(self) -> str:
        """In one line."""
        return f"{self.path}:{self.line} {self.rule} ({self.severity}): {self.message}"


class Scan(NamedTuple):
    """What a scanner found in how many files; `why` says why nothing was scanned."""

    scanner: str = ""
    files: int = 0
    findings: tuple[Finding, ...] = ()
    why: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether nothing above low severity was found; None where nothing was scanned."""
        return None if self.why else all(f.severity == "low" for f in self.findings)

    def lines(self) -> list[str]:
        """For people: the sum first, then the findings, as many as anybody reads."""
        if self.why:
            return [f"Security scan: not available: {self.why}"]
        more = len(self.findings) - _SHOWN
        return [
            f"Security scan by {self.scanner}: {len(self.findings)} findings in {self.files} Python files",
            *(f.text for f in self.findings[:_SHOWN]),
            *([f"… and {more} more"] if more > 0 else []),
        ]


async def scan(root: Path, cwd: Path, environment: ProjectEnvironment, execute: Execute) -> Scan:
    """Scan the Python files below `cwd` that git has or would take."""
    listed = await execute(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=cwd,
        env=for_git(os.environ),
        timeout=_SECONDS,
    )
    names = listed.stdout.decode(errors="replace").split("\0") if listed.exit_code == 0 else []
    files = sorted(name for name in names if name.endswith(".py") and (cwd / name).is_file())
    if not files:
        return Scan(why="there is no Python file that git knows")
    variables = environment.variables(root, cwd)
    for scanner, arguments in (("bandit", _BANDIT), ("ruff", _RUFF)):
        if program := _program(scanner, variables["PATH"]):
            said = await execute([program, *arguments, *files], cwd=cwd, env=variables, timeout=_SECONDS)
            try:
                found = _read(scanner, json.loads(said.stdout), cwd)
            except (ValueError, KeyError, TypeError):
                why = (said.stderr or said.stdout).decode(errors="replace").strip().partition("\n")[0]
                return Scan(why=f"{scanner} left no result{f' ({why})' if why else ''}")
            return Scan(scanner, len(files), tuple(found))
    return Scan(why=_NONE)


def _program(name: str, path: str) -> str | None:
    return shutil.which(name, path=path) or shutil.which(name, path=str(Path(sys.executable).parent))


def _read(scanner: str, said: Any, cwd: Path) -> Sequence[Finding]:
    if scanner == "bandit":
        return [
            Finding(
                _within(str(one["filename"]), cwd),
                int(one["line_number"]),
                str(one["test_id"]),
                str(one["issue_severity"]).lower(),
                str(one["issue_text"]),
            )
            for one in said["results"]
        ]
    return [
        Finding(
            _within(str(one["filename"]), cwd),
            int(one["location"]["row"]),
            str(one["code"]),
            "unrated",
            str(one["message"]),
        )
        for one in said
    ]


def _within(name: str, cwd: Path) -> str:
    full = (cwd / name).resolve()
    return full.relative_to(cwd.resolve()).as_posix() if full.is_relative_to(cwd.resolve()) else name
