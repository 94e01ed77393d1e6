"""Choosing a runner: from `--runner KIND:ARG` to the thing itself, checked before anything is written.

Only the runner that is asked for is imported: the others would add to every start and every resume.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from stretto.agents.execute import Execute
from stretto.agents.host import HOST, HostRunner
from stretto.agents.offline import refuse_live
from stretto.agents.process import run
from stretto.agents.retry import Patience
from stretto.agents.runner import Runner
from stretto.state.errors import BadInput
from stretto.state.settings import load
from stretto.state.store import find_project

if TYPE_CHECKING:
    from stretto.agents.cassette import Header
    from stretto.agents.pricing import Price
    from stretto.agents.record import Recorder

KINDS = ("host", "claude", "claude:MODEL", "model:PROVIDER/NAME", "replay:PATH", "command:ARG…")


def parse_runner(
    text: str,
    *,
    project: Path,
    execute: Execute = run,
    patience: Patience | None = None,
    record: "Recorder | None" = None,
) -> Runner:
    """The runner that `text` names. Relative paths in it start at the project folder.

    Args:
        text: `host`, `claude`, `claude:MODEL`, `model:PROVIDER/NAME`, `model:script/PATH`, `replay:PATH`,
            `replay:PATH?strict`, `replay:PATH?lenient` or `command:ARG…`. A model and those that stand in for it are
            divided by commas.
        project: The project folder.
        execute: Starts programs; they die with this process.
        patience: The workflow's budget for a provider's outages.
        record: Keeps what agents say.

    Raises:
        BadInput: There is no such runner, it lacks something, it cannot be recorded, or it is live and STRETTO_OFFLINE
            is set.
    """
    name = text.strip()
    kind, _, argument = name.partition(":")
    if not kind:
        raise _nothing_plugged_in()
    if name not in (HOST, "claude") and (kind not in ("claude", "model", "replay", "command") or not argument):
        raise BadInput(f"{text!r} is not a runner.", field="runner", allowed=KINDS)
    refuse_live(text)
    match kind:
        case "model":
            return _model(name, argument, project, execute, patience, record)
        case "claude":
            from stretto.agents.claude import ClaudeRunner

            return ClaudeRunner(argument, execute, record)
        case "command":
            from stretto.agents.command import CommandRunner

            return CommandRunner(argument, execute, project=project, record=record)
        case "replay":
            if record is not None:
                raise BadInput(f"{text!r} cannot be recorded: it is a recording.", field="record")
            return _replay(name, argument, project, execute)
        case _:
            return HostRunner(record)


def _model(
    name: str, models: str, project: Path, execute: Execute, patience: Patience | None, record: "Recorder | None"
) -> Runner:
    from stretto.agents.model import ModelRunner
    from stretto.agents.providers import candidates

    first, *others = candidates(models, project=project)
    return ModelRunner(
        name,
        first.chat,
        execute,
        record,
        patience=patience,
        source=first.source,
        fallback=others,
        manner=first.manner,
        prices=prices(project),
    )


def _replay(name: str, recording: str, project: Path, execute: Execute) -> Runner:
    from stretto.agents.replay import ReplayRunner

    path, _, mode = recording.partition("?")
    if mode not in ("", "strict", "lenient"):
        raise BadInput(f"{name!r}: there is no replay mode {mode!r}.", field="runner", allowed=("strict", "lenient"))
    return ReplayRunner(project / path, execute, name=name, strict=mode == "strict", lenient=mode == "lenient")


def prices(project: Path) -> "dict[str, Price]":
    """What the project says that models cost."""
    from stretto.agents.pricing import Price

    return {name: Price(**price) for name, price in load(find_project(project)).prices.items()}


def _nothing_plugged_in() -> BadInput:
    return BadInput(
        "No agent is plugged in, so nothing was started.\n"
        "Give --runner claude (your Claude Code), --runner model:anthropic/NAME (with ANTHROPIC_API_KEY set),"
        " --runner command:./agent, --runner replay:CASSETTE, or, inside an assistant, --runner host.",
        field="runner",
        allowed=KINDS,
    )


def header_for(
    text: str, *, project: Path, task: str, template: str = "", workflow: str = "", recorded_at: str = ""
) -> "Header":
    """The header of a cassette that is to be recorded with the runner that `text` names.

    What a script speaks is labelled as authored: no model said it.

    Raises:
        BadInput: The runner is a script, and not of this task.
    """
    from stretto.agents.cassette import Header, same_task
    from stretto.agents.script import load_script

    source = text.strip().removeprefix("model:")
    if source.startswith("command:"):
        source = "command"  # the words after it are paths of this machine
    header = Header(task=task, template=template, model=source, workflow=workflow, recorded_at=recorded_at)
    if not source.startswith("script/"):
        return header
    path = project / source.removeprefix("script/")
    script = load_script(path)
    tasks = (script.task, *script.aliases)
    if not same_task(task, tasks):
        raise BadInput(f"The script is not of the task {task!r}.", field="description", allowed=tasks)
    # Where the script lay is of no use elsewhere, and says something about the machine.
    known = {"origin": "authored", "task": script.task, "aliases": script.aliases, "model": f"script/{path.name}"}
    return header.model_copy(update=known)
