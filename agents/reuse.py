"""Reuse: an attempt that was made before with the same inputs is not made again; its outcome is taken from a folder.

The key is a digest of all that the outcome hangs on: the role and its prompt, what the task is told, its runner, and
the files that it may read and write as they are where it begins. Ids, attempts and places are no part of it.
"""

import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from stretto.agents.git import split
from stretto.agents.outcome_cache import MOST_BYTES, MOST_FILES, Entry, OutcomeCache, Unusable, content_of, left_at
from stretto.agents.paths import covers
from stretto.agents.roles import Role, load_role
from stretto.agents.task import Brief, Outcome, Usage
from stretto.agents.workspace import Workspace
from stretto.state.digest import sha256

Invalidation = Literal["smart", "strict", "time_based"]
_TOLD = ("role", "title", "prompt", "inputs", "reads", "writes", "checks", "budget", "feedback", "data_schema")
_LONGEST_PROGRAM = 1_000_000


class Found(NamedTuple):
    """What was kept under `key`."""

    key: str
    entry: Entry

    @property
    def outcome(self) -> Outcome:
        """As if an agent had said it, who used nothing."""
        said = {name: getattr(self.entry, name) for name in ("summary", "data", "artifacts")}
        return Outcome(status="completed", usage=Usage(input_tokens=0, output_tokens=0, cost_usd=0.0), **said)


class Rules(NamedTuple):
    """What is kept, and when it does not hold any more.

    `smart`: when a file has changed that the task says it reads or writes; any file, where it does not say. `strict`:
    when any file has. `time_based`: as `smart`, or `max_age` seconds later. `writing` is whether the outcomes of roles
    that change files are kept, too. `own` is where the folder lies in the repository, if it does: it is no input.
    """

    invalidation: Invalidation = "smart"
    max_age: float = 0.0
    writing: bool = True
    own: str = ""


class Reuse:
    """The outcomes that one driver may use again, and keeps."""

    def __init__(self, cache: OutcomeCache, runner: str, rules: Rules) -> None:
        self._cache = cache
        self._runner = runner
        self._rules = rules

    def concerns(self, role: str) -> bool:
        """Whether outcomes of this role are kept."""
        return self._rules.writing or not load_role(role).writes

    async def key(self, workspace: Workspace, brief: Brief) -> str:
        """The digest of everything that an attempt hangs on."""
        role = load_role(brief.role)
        told = brief.model_dump(mode="json", by_alias=False, include=set(_TOLD))
        whole = [self._runner, role._asdict(), told, await self._files(workspace, brief, role)]
        return sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()

    def find(self, key: str, now: float) -> Found | None:
        """What was kept under a key and still holds.

        Raises:
            Unusable: Something is there that cannot be used.
        """
        entry = self._cache.find(key)
        if entry is None or (self._rules.invalidation == "time_based" and not self._fresh(entry, now)):
            return None
        return Found(key, entry)

    def bring(self, found: Found, workspace: Workspace) -> None:
        """Put the files of an outcome in a fresh workspace: all of them, or none.

        Raises:
            Unusable: One of them may not lie where it says.
        """
        for left, content in [(left, content_of(left, workspace.cwd)) for left in found.entry.files]:
            place = workspace.cwd / left.path
            if content is None:
                place.unlink(missing_ok=True)
                continue
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
            except OSError as error:
                raise Unusable(f"{left.path!r} cannot be written: {error.strerror}") from error
            place.chmod(0o755 if left.mode == "100755" else 0o644)

    def keep(self, key: str, workspace: Workspace, outcome: Outcome, paths: Sequence[str], now: float) -> bool:
        """Keep a proven outcome with the files at `paths`; False if it is none that can be kept."""
        if len(paths) > MOST_FILES:
            return False
        files = [left_at(path, workspace.cwd) for path in paths]
        kept = tuple(left for left in files if left is not None)
        if len(kept) < len(files) or sum(len(left.content or "") for left in kept) > MOST_BYTES:
            return False
        entry = Entry(
            made=now,
            summary=outcome.summary,
            data=outcome.data,
            artifacts=outcome.artifacts,
            usage=outcome.usage,
            files=kept,
        )
        return self._cache.keep(key, entry)

    def _fresh(self, entry: Entry, now: float) -> bool:
        return 0 <= now - entry.made <= self._rules.max_age

    async def _files(self, workspace: Workspace, brief: Brief, role: Role) -> str:
        """A digest of the files that an agent of this task may see, by git's ids."""
        listed = split(await workspace.git.run("ls-tree", "-r", "-z", "--full-tree", workspace.base))
        own = f"{self._rules.own}/"
        lines = [line for line in listed if own == "/" or not line.partition("\t")[2].startswith(own)]
        said = brief.reads and (brief.writes or not role.writes)
        if said and self._rules.invalidation != "strict":
            entries = (*brief.reads, *brief.writes)
            prefix = workspace.repository.prefix
            lines = [line for line in lines if _seen(line.partition("\t")[2], prefix, entries)]
        return sha256("\0".join(lines).encode(errors="surrogateescape")).hexdigest()


def _seen(path: str, prefix: str, entries: Sequence[str]) -> bool:
    """Whether the path, from the top of the repository, is one of those that a task of the project declares."""
    relative = os.path.relpath(path, prefix) if prefix else path
    return any(entry.startswith("..") == relative.startswith("..") and covers(entry, relative) for entry in entries)


def identity(runner: str, project: Path) -> str:
    """Who does the work: the runner's name; of a program also what the files hold that its line names."""
    kind, _, argument = runner.partition(":")
    if kind != "command":
        return runner
    files = [project / word for word in shlex.split(argument)]
    known = [f for f in files if f.is_file() and f.stat().st_size <= _LONGEST_PROGRAM]
    return "\0".join([runner, *(sha256(file.read_bytes()).hexdigest() for file in known)])
