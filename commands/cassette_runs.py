"""`stretto cassette record` and `replay`: a workflow that is recorded, and one whose agents were."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace as changed
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from stretto.agents.cassette import Cassette, load
from stretto.agents.process import run as execute
from stretto.agents.replay import REPLAYED, ReplayRunner
from stretto.agents.runner import Surroundings
from stretto.agents.task import Brief, Outcome
from stretto.commands import orchestrate
from stretto.commands.amounts import some
from stretto.commands.app import App
from stretto.commands.cassette_import import held, scratch
from stretto.commands.coordinating import reading
from stretto.commands.invocation import Invocation
from stretto.commands.parse import parse_argv
from stretto.commands.reply import Reply
from stretto.commands.safe import one_line, safe
from stretto.commands.scratch import copy
from stretto.state.errors import BadInput, StrettoError
from stretto.state.log_hash import log_hash
from stretto.state.view import fold

_SHOWN = 60
REPLAYABLE = ("orchestrate", "report", "plan", "implement", "debug", "document", "subagents")
"""The commands that run agents in a workflow of their own."""
_OF_A_WORKFLOW = ("--workflow-context", "--continue-from")
_PASSED_ON = ("template", "attempts", "max_agents")


class Replayed(NamedTuple):
    """What came of a replay: how the workflow ended, what differed, what the recording lacked, the hash of its log."""

    status: str
    drift: list[Mapping[str, Any]]
    misses: list[str]
    tasks: int
    hash: str

    @property
    def holds(self) -> bool:
        """Whether the workflow ended well, on the recording alone."""
        return self.status == "completed" and not self.misses


def record(app: App, path: Path, task: str, args: SimpleNamespace) -> Reply:
    """Run a workflow and write its cassette.

    Raises:
        BadInput: There is no runner, or it lacks something.
    """
    flags = [f"--{name.replace('_', '-')}={value}" for name in _PASSED_ON if (value := getattr(args, name)) is not None]
    invocation = parse_argv(["orchestrate", task, f"--record={path}", *flags], project=app.folder)
    done = orchestrate.handle(invocation, app._replace(runner=args.runner or app.runner))
    if not path.exists():
        return done._replace(command="cassette", operation="record")
    made = load(path)
    lanes = len({turn.lane for turn in made.turns})
    text = f"{done.text}\nRecorded {some(len(made.turns), 'turn')} of {some(lanes, 'lane')}: {safe(str(path))}"
    facts = {**done.result, "cassette": str(path), "turns": len(made.turns), "lanes": lanes}
    steps = (f"stretto cassette replay {safe(str(path))}", f"stretto cassette lint {safe(str(path))}", *done.next_steps)
    return done._replace(command="cassette", operation="record", text=text, result=facts, next_steps=steps)


def replay(app: App, path: Path, task: str, args: SimpleNamespace) -> Reply:
    """Replay a cassette in a scratch copy of the project, with a store of its own, and tell what differed.

    Raises:
        BadInput: The cassette cannot be replayed, or the project has no commit to copy.
    """
    cassette = load(path)
    if cassette.header.origin == "imported":
        if task:
            raise BadInput("An imported session is replayed as a whole: leave the task out.", field="task")
        return held(path, cassette, args)
    runner = ReplayRunner(path, execute, strict=args.strict, lenient=args.lenient)
    runner.refuse_unknown(task or cassette.header.task)
    with scratch(keep=args.keep) as folder:
        done = _replayed(app, runner, _invocation(cassette, task, app), folder)
        return _reply(done, path, folder if args.keep else None, only_hash=args.hash)


def _invocation(cassette: Cassette, task: str, app: App) -> Invocation:
    """The command that was recorded; /orchestrate in the wording that is asked for.

    Raises:
        BadInput: It is none that a replay can give again, or one of a workflow that the scratch copy does not have.
    """
    header = cassette.header
    command = header.command or "orchestrate"
    if command not in REPLAYABLE:
        raise _not_here(f"is of /{command}, which `cassette replay` does not run", command)
    if named := [flag for flag in header.options if flag.partition("=")[0] in _OF_A_WORKFLOW]:
        raise _not_here(f"was made for a workflow of another store ({', '.join(named)})", command)
    if command == "orchestrate":
        options = header.options or ((f"--template={header.template}",) if header.template else ())
        return parse_argv(["orchestrate", *options, "--", task or header.task], project=app.folder)
    if not header.arguments:
        raise _not_here(f"of /{command} does not tell what that was given", command)
    return parse_argv([command, *header.options, "--", *header.arguments], project=app.folder)


def _not_here(why: str, command: str) -> BadInput:
    return BadInput(
        f"This cassette {why}.",
        field="cassette",
        allowed=[f"/{name}" for name in REPLAYABLE],
        next_steps=(f"stretto {command} … --runner replay:FILE",),
    )


def _replayed(app: App, runner: ReplayRunner, invocation: Invocation, folder: Path) -> Replayed:
    from stretto.commands.cli import handle

    heard = _Heard(runner)
    project = asyncio.run(copy(app, folder / "project"))
    there = App(str(project), str(folder / "store"), json=app.json, agents=lambda: heard)
    done = handle(invocation, there)
    with reading(there) as log:
        events = list(log.events(done.workflow_id))
    tasks = sum(task.state == "completed" for task in fold(events).tasks.values())
    status = str(done.result.get("status", "failed"))
    return Replayed(status, heard.drift, list(dict.fromkeys(heard.misses)), tasks, log_hash(events))


class _Heard:
    """A replay runner that is listened to."""

    def __init__(self, runner: ReplayRunner) -> None:
        self._runner = runner
        self.drift: list[Mapping[str, Any]] = []
        self.misses: list[str] = []

    @property
    def name(self) -> str:
        return self._runner.name

    async def run(self, brief: Brief, surroundings: Surroundings) -> Outcome:
        def progress(kind: str, facts: Mapping[str, Any]) -> None:
            if kind == "drift":
                self.drift.append(facts)
            surroundings.progress(kind, facts)

        try:
            return await self._runner.run(brief, changed(surroundings, progress=progress))
        except StrettoError as error:
            self.misses.append(error.message)
            raise

    async def close(self) -> None:
        await self._runner.close()


def _reply(done: Replayed, path: Path, kept: Path | None, *, only_hash: bool) -> Reply:
    drift = sorted(done.drift, key=lambda d: (str(d["lane"]), d["turn"], str(d.get("tool", ""))))
    facts = {
        "status": done.status,
        "holds": done.holds,
        "tasks": done.tasks,
        "drift": drift,
        "misses": done.misses,
        "log_hash": done.hash,
        "kept": str(kept) if kept else None,
    }
    code = 0 if done.holds else 1
    if only_hash and done.holds:
        return Reply("cassette", done.hash, facts, "replay")
    ending = "holds" if done.holds else "does NOT hold"
    lines = [f"The recording {ending}: {done.status}, {some(done.tasks, 'task')}; {REPLAYED}."]
    lines += ["\n    ".join(f"  miss: {safe(miss)}".splitlines()) for miss in done.misses]
    lines += [f"  drift: {_told(one)}" for one in drift[:_SHOWN]]
    lines += [f"  … and {len(drift) - _SHOWN} more; --json has all"] if len(drift) > _SHOWN else []
    lines.append(f"  log: {done.hash}")
    lines += [f"  kept: {kept}"] if kept else []
    # The lenient mode finds turns by their address: it does not help where there is none.
    there = all(": changed: " in miss for miss in done.misses)
    steps = [] if there or done.holds else [f"stretto cassette lint {safe(str(path))}"]
    steps += [] if done.holds else [f"stretto cassette replay {safe(str(path))} {'--lenient ' * there}--keep"]
    return Reply("cassette", "\n".join(lines), facts, "replay", next_steps=tuple(steps), exit_code=code)


def _told(drift: Mapping[str, Any]) -> str:
    more = [f"{name}={drift[name]}" for name in ("tool", "files", "lost") if drift.get(name)]
    return one_line(f"{drift['lane']} turn {drift['turn']}: {', '.join([*drift['changed'], *more])}", 200)
