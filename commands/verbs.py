"""Verbs on a workflow: events, logs, diff, cancel, undo."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

from stretto.agents import attempt_log
from stretto.agents.repository import Repository, open_repository
from stretto.commands.app import App
from stretto.commands.reply import Reply
from stretto.state import lease
from stretto.state.errors import BadInput, InvalidTransition, NotFound, StateConflict, StrettoError
from stretto.state.ids import task_id, workflow_id
from stretto.state.log import Log
from stretto.state.rows import WorkflowRow
from stretto.state.store import LOGS

CANCEL_SECONDS = 15.0
POLL_SECONDS = 0.25
T = TypeVar("T")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(
            f"stretto {self.prog}: {message}.", field="arguments", next_steps=(f"stretto {self.prog} --help",)
        )


def run(verb: str, args: Sequence[str], as_json: bool) -> Reply:
    """Run one verb.

    Raises:
        BadInput: An argument is wrong, or there is no such workflow.
    """
    found = _parser(verb).parse_args(list(args))
    project = Path(found.project).expanduser().resolve()
    if not project.is_dir():
        raise BadInput(f"--project {found.project!r} is not a folder.", field="--project")
    app = App(project, found.store or "", as_json)
    reply: Reply = _VERBS[verb](app, found)
    return reply


def _parser(verb: str) -> _Parser:
    parser = _Parser(prog=verb, add_help=False)
    parser.add_argument("--project", default=".")
    parser.add_argument("--store")
    parser.add_argument("workflow", nargs="?" if verb == "events" else None)
    if verb == "events":
        parser.add_argument("--follow", action="store_true")
        parser.add_argument("--after", type=int, default=0)
    if verb == "logs":
        parser.add_argument("task")
        parser.add_argument("--attempt", type=int)
    return parser


def _find(app: App, name: str) -> tuple[Log, WorkflowRow]:
    checked = workflow_id(name, field="workflow")
    log = Log.find(app.directory)
    row = log.workflow(checked) if log else None
    if log is None or row is None:
        known = [w.id for w in log.workflows()][-8:] if log else []
        if log:
            log.close()
        raise NotFound(f"There is no workflow {name!r} in this store.", field="workflow", allowed=known)
    return log, row


def _events(app: App, args: argparse.Namespace) -> Reply:
    """Print the log as it is, and go on with `--follow` until Ctrl-C."""
    if args.workflow:
        log, _ = _find(app, args.workflow)
    elif (store := Log.find(app.directory)) is not None:
        log = store
    else:
        return Reply("events", "No workflow has run here yet.", {"events": []})
    seen: int = args.after
    count = 0
    with log:
        while True:
            for event in log.events(args.workflow, after=seen):
                seen, count = event.seq, count + 1
                line = json.dumps(event.envelope(), ensure_ascii=False) if app.json else event.line()
                sys.stdout.write(line + "\n")
            sys.stdout.flush()
            if not args.follow:
                return Reply("events", "", {"count": count, "last_seq": seen}, workflow_id=args.workflow or "")
            time.sleep(POLL_SECONDS)


def _logs(app: App, args: argparse.Namespace) -> Reply:
    log, row = _find(app, args.workflow)
    with log:
        tried = [a for a in log.attempts(row.id) if a.task_id == task_id(args.task, field="task")]
        known = sorted({a.task_id for a in log.attempts(row.id)})
    if not tried:
        raise NotFound(f"Workflow {row.id!r} has no attempt of a task {args.task!r}.", field="task", allowed=known)
    number = args.attempt or tried[-1].attempt
    attempt = next((a for a in tried if a.attempt == number), None)
    if attempt is None:
        allowed = [str(a.attempt) for a in tried]
        raise NotFound(f"Task {args.task!r} has no attempt {number}.", field="--attempt", allowed=allowed)
    lines = list(attempt_log.read(app.directory / LOGS, row.id, args.task, number))
    shown = [f"attempt {number} of {args.task}: {attempt.state}", *(_told(line) for line in lines)]
    if attempt.outcome:
        shown.append(f"outcome: {attempt.outcome.get('error') or attempt.outcome.get('summary') or attempt.state}")
    body = {"task_id": args.task, "attempt": number, "state": attempt.state, "lines": lines, "outcome": attempt.outcome}
    return Reply("logs", "\n".join(shown), body, workflow_id=row.id)


def _told(line: dict[str, object]) -> str:
    rest = {k: v for k, v in line.items() if k not in {"at", "kind"}}
    return f"  {line.get('kind', '')}: {json.dumps(rest, ensure_ascii=False)[:300]}"


def _diff(app: App, args: argparse.Namespace) -> Reply:
    log, row = _find(app, args.workflow)
    log.close()
    text = asyncio.run(_with_repository(app, lambda r: r.diff(row.id)))
    return Reply("diff", text.rstrip("\n") or "It changed nothing.", {"diff": text}, workflow_id=row.id)


def _cancel(app: App, args: argparse.Namespace) -> Reply:
    log, row = _find(app, args.workflow)
    log.close()
    if row.status in {"COMPLETED", "CANCELLED", "ARCHIVED"}:
        raise InvalidTransition(f"Workflow {row.id!r} is {row.status}; there is nothing to cancel.", field="workflow")
    before = 0
    with Log.open(app.directory) as written:
        before = written.last_seq()
        holder = lease.holder(written, row.id)
        if holder and holder.alive:
            with written.write() as tx:
                tx.request(row.id, "cancel")
            _wait_cancelled(written, row.id)
        else:
            with written.write() as tx:
                tx.set_status(
                    row.id, "CANCELLED", {"cancellation_reason": "asked for", "cleanup_status": "branch kept"}
                )
        events = tuple(e.event_id for e in written.events(row.id, after=before))
    steps = (f"stretto diff {row.id}", f"stretto undo {row.id}")
    return Reply("cancel", f"{row.id} is cancelled; its branch is kept.", {}, "", row.id, events, steps)


def _wait_cancelled(log: Log, name: str) -> None:
    deadline = time.monotonic() + CANCEL_SECONDS
    while time.monotonic() < deadline:
        row = log.workflow(name)
        if row and row.status != "RUNNING":
            return
        time.sleep(POLL_SECONDS)
    raise StrettoError(
        f"The driver of {name!r} was asked to cancel and has not done so within {CANCEL_SECONDS:g} s; it still may.",
        next_steps=(f"stretto workflow-status {name}",),
    )


def _undo(app: App, args: argparse.Namespace) -> Reply:
    log, row = _find(app, args.workflow)
    with log:
        holder = lease.holder(log, row.id)
        if holder and holder.alive:
            raise StateConflict(
                f"Workflow {row.id!r} is being driven; nothing was undone.", next_steps=(f"stretto cancel {row.id}",)
            )
    undone = asyncio.run(_with_repository(app, lambda r: r.undo(row.id)))
    with Log.open(app.directory) as written:
        with written.write() as tx:
            event = tx.event("WORKFLOW_UNDONE", row.id, "undo", {"commit": undone.sha, "base": undone.base})
        if row.status not in {"COMPLETED", "CANCELLED", "ARCHIVED"}:
            with written.write() as tx:
                tx.set_status(row.id, "CANCELLED", {"cancellation_reason": "undone", "cleanup_status": "undone"})
    where = "Your branch and files are as they were before it" if undone.restored else "It had not touched your branch"
    body = {"commit": undone.sha, "base": undone.base, "restored": undone.restored}
    return Reply(
        "undo",
        f"{row.id} is taken back. {where}; its work is kept in git.",
        body,
        "",
        row.id,
        (event,),
        (undone.get_back,),
    )


async def _with_repository(app: App, do: Callable[[Repository], Awaitable[T]]) -> T:
    return await do(await open_repository(app.project, app.directory))


_VERBS: dict[str, Callable[[App, argparse.Namespace], Reply]] = {
    "events": _events,
    "logs": _logs,
    "diff": _diff,
    "cancel": _cancel,
    "undo": _undo,
}
