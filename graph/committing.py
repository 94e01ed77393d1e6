"""What stages share with the repository: reading at the start of a step, one commit at its end."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from stretto.agents import reading
from stretto.agents.squash import Group
from stretto.agents.task import Artifact
from stretto.graph.context import Step

LONGEST_SUBJECT = 72


def base(step: Step) -> str:
    """The commit at which the step was opened: what it reads does not depend on when it is closed."""
    return str(step.run.log.fact(step.run.workflow_id, f"base:{step.key}"))


async def listing(step: Step, folder: str) -> list[str]:
    """The names in a folder of the project when the step was opened."""
    return await reading.names(step.run.repository, base(step), folder)


async def text(step: Step, path: str, *, at_head: bool = False) -> str | None:
    """A file of the workflow's branch, when the step was opened or now; None if there is none."""
    sha = await step.run.repository.tip(step.run.workflow_id) if at_head else base(step)
    found = await reading.read(step.run.repository, sha, path)
    return None if found is None else found.decode("utf-8", errors="replace")


async def commit(
    step: Step, files: Mapping[str, str], subject: str, *, without: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Commit files to the workflow's branch, and remove those `without`, once for a step; return them as artifacts."""
    if files:
        gone: dict[str, bytes | None] = dict.fromkeys(without)
        body = {**gone, **{path: content.encode() for path, content in files.items()}}
        key = f"{step.run.workflow_id}/{step.key}"
        await step.run.repository.commit_files(step.run.workflow_id, body, shorten(subject), key=key)
    return [artifact(path, content).model_dump() for path, content in files.items()]


async def gather(step: Step, subject: str) -> list[str]:
    """One commit of what the step's tasks landed, once; safe to repeat."""
    group = Group(
        message=shorten(subject),
        key=f"{step.run.workflow_id}/{step.key}",
        tasks=frozenset(step.finished),
    )
    made = await step.run.repository.squash(step.run.workflow_id, [group], since=base(step))
    return list(made.values())


def artifact(path: str, content: str) -> Artifact:
    """A file with the digest of its text."""
    return Artifact(path=path, digest=hashlib.sha256(content.encode()).hexdigest())


def about(verb: str, text: str) -> str:
    """A commit subject such as `docs: research "Add JWT authentication"`, the quotation cut so that it is closed."""
    line = " ".join(text.split()).rstrip(".")
    room = LONGEST_SUBJECT - len(f'{verb} ""')
    return f'{verb} "{line if len(line) <= room else line[: room - 1].rstrip() + "…"}"'


def shorten(subject: str) -> str:
    """A commit subject of one line and at most 72 characters."""
    line = " ".join(subject.split())
    return line if len(line) <= LONGEST_SUBJECT else line[: LONGEST_SUBJECT - 1].rstrip() + "…"
