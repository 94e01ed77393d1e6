"""The claude runner: the user's own Claude Code, headless, one process for each attempt.

It comes with the user's login and with nothing else of theirs: no settings, hooks, plugins, skills, MCP servers or
CLAUDE.md, so that an attempt is the same on every machine, and our own plugin does not load inside itself. Its tools
are those of the role; its file tools stay in the workspace, and write what the task declares. Nobody is asked: what is
not allowed is denied.
"""

import asyncio
import importlib.util
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from posixpath import normpath
from typing import TYPE_CHECKING, Any, cast

from stretto.agents.claude_gate import FLAGS, Gate
from stretto.agents.claude_stream import RETURN, ApiError, Stream
from stretto.agents.claude_tally import Tally
from stretto.agents.data import BadOutcome
from stretto.agents.execute import Execute, Finished
from stretto.agents.git import environment as without_git
from stretto.agents.loop import instructions
from stretto.agents.meter import Capped
from stretto.agents.resets import reset_in
from stretto.agents.retry import passes
from stretto.agents.roles import TOOLS, Role, load_role
from stretto.agents.runner import Surroundings
from stretto.agents.said import finish_schema, finished, from_text
from stretto.agents.speech import encodable
from stretto.agents.task import Brief, Outcome, failed
from stretto.state.errors import BadInput, PermanentError, TransientError

if TYPE_CHECKING:
    from stretto.agents.record import Recorder

TURNS = 200
"""Turns of an attempt whose budget names none."""
OUTPUT_TOKENS = 400_000
"""Output tokens of an attempt whose budget names none."""

_KEPT_BYTES = 64_000
_SHOWN = 300
_FLAGS = (
    *("-p", "--output-format", "stream-json", "--verbose", "--include-partial-messages", "--no-session-persistence"),
    *("--safe-mode", "--restricted", "--setting-sources", "", "--strict-mcp-config", "--disable-slash-commands"),
    *("--permission-mode", "dontAsk", "--settings", '{"attribution":{"commit":"","pr":""}}'),
)
"""`--restricted` keeps the file tools in the workspace; partial messages carry the final count of their tokens."""
_OWN = {"CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1", "DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_MAX_RETRIES": "15"}
"""What it starts ends with it, and the program stays the same. 15 tries of one call, the most it does, take minutes."""
_NESTED = re.compile(r"CLAUDE|STRETTO_|AI_AGENT$")
_PASSED = re.compile(
    r"CLAUDE_(CONFIG_DIR|CODE_(USE|SKIP|OAUTH|CLIENT|API|CERT|PROXY|MAX|SUBPROCESS|SHELL|TMPDIR|EFFORT)(_.*)?"
    r"|CODE_(ENABLE_TELEMETRY|DISABLE_(NONESSENTIAL_TRAFFIC|EXPERIMENTAL_BETAS|PROMPT_CACHING|1M_CONTEXT)))"
)
_CONVENTIONS = ("CLAUDE.md", "AGENTS.md")
_PLAIN = re.compile(r"(?!\.\.?(/|$))[\w.*-][\w./*-]*")
_LOGIN = ("Run `claude` and log in with /login, or set ANTHROPIC_API_KEY. Settings files are not read.",)
_CURES = {
    "authentication_failed": _LOGIN,
    "billing_error": ("Check the account's credit with the provider.",),
    "model_not_found": ("Check the model's name, and that the account may use it.",),
}
"""What to do about errors that neither a wait nor another attempt cures, by the client's name for them."""
_PASSING = frozenset({"overloaded", "rate_limit", "server_error", "unknown"})
"""Its names for what may pass, where no answer came that has a status."""


def find_claude() -> Path:
    """Claude Code: `claude` on PATH, else the one that the extra `claude` brings.

    Raises:
        BadInput: There is neither.
    """
    spec = importlib.util.find_spec("claude_agent_sdk")
    bundled = Path(spec.origin).parent / "_bundled" / "claude" if spec and spec.origin else None
    found = shutil.which("claude") or (shutil.which(bundled) if bundled else None)
    if found is None:
        raise BadInput(
            "The runner claude needs Claude Code: there is no `claude` on PATH.",
            field="runner",
            next_steps=("Install it (npm install -g @anthropic-ai/claude-code).", "Or: pip install 'stretto[claude]'"),
        )
    return Path(found).absolute()


class ClaudeRunner:
    """Executes attempts with Claude Code.

    Args:
        model: A model or an alias, as its `--model` takes them; empty for the user's default. After a comma, the one
            that stands in when the first is overloaded.
        execute: Starts it.
        record: Keeps every attempt, if given.

    Raises:
        BadInput: There is no Claude Code, or the model is no name.
    """

    metered = True
    counts = frozenset({"tokens", "usd", "tool_calls"})

    def __init__(self, model: str, execute: Execute, record: "Recorder | None" = None) -> None:
        names = model.split(",") if model else []
        if len(names) > 2 or any(not name or name.startswith("-") or re.search(r"\s", name) for name in names):
            allowed = ("claude:MODEL", "claude:MODEL,FALLBACK")
            raise BadInput(f"{model!r} is not the name of a model, or of two.", field="runner", allowed=allowed)
        self._model = model
        self._program = find_claude()
        self._execute = execute
        self._record = record

    @property
    def name(self) -> str:
        """The KIND:ARG under which it was chosen."""
        return f"claude:{self._model}" if self._model else "claude"

    @property
    def recording(self) -> bool:
        """Whether every attempt is kept for a cassette."""
        return self._record is not None

    async def run(self, brief: Brief, surroundings: Surroundings) -> Outcome:
        """Hold one session in the brief's `cwd`, to its end or the end of its budget.

        Raises:
            PermanentError: It cannot be started, is not logged in, or the provider refuses it.
            TransientError: The provider's outage lasted longer than the client's own patience.
            Capped: A cap of the workflow was reached.
        """
        if self._record is None:
            return await self._run(brief, surroundings)
        from stretto.agents.record_agent import recorded

        return await recorded(self._record, brief, surroundings, self._run)

    async def _run(self, brief: Brief, surroundings: Surroundings) -> Outcome:
        stream = Stream(surroundings.progress)
        tally = Tally(stream, surroundings.account, gated=surroundings.account.limited)
        await tally.begin()
        most = brief.budget.output_tokens or OUTPUT_TOKENS * brief.budget.tasks
        done = await self._watched(stream, tally, brief, surroundings, most)
        tally.end()
        if tally.stopped:
            raise Capped
        if stream.refused:
            outcome = _without_model(ApiError("authentication_failed", 401, "the login is refused"), None)
        elif done is None:
            outcome = failed(f"Stopped after {stream.output_tokens} output tokens; the budget is {most}.")
        elif done.timed_out:
            outcome = failed(f"The agent ran longer than its {brief.budget.seconds:g} s and was ended.")
        else:
            outcome = _outcome(stream, done, brief)
        return outcome.model_copy(update={"usage": stream.usage})

    async def _watched(
        self, stream: Stream, tally: Tally, brief: Brief, around: Surroundings, most: int
    ) -> Finished | None:
        """How the client ended; None if it was ended for what it said."""
        broken: list[Exception] = []

        def fail(error: Exception) -> None:
            tally.stop() if isinstance(error, Capped) else broken.append(error)
            work.cancel()

        said = encodable(prompt(brief))
        gate = Gate(stream, around.account, said, fail) if around.account.limited else None

        def take(line: str) -> None:
            try:
                around.hear(line)
                stream.take(line)
                tally.look()
                if gate:
                    gate.heard(line)
            except Exception as error:  # noqa: BLE001 - raised again, where somebody hears it
                broken.append(error)
            if broken or tally.stopped or stream.refused or (stream.output_tokens >= most and not stream.returned):
                work.cancel()

        work = asyncio.ensure_future(
            self._execute(
                [*self._argv(brief), *(FLAGS if gate else ())],
                cwd=Path(brief.cwd),
                env=environment(os.environ, around.environment),
                stdin=b"" if gate else said.encode(),
                timeout=brief.budget.seconds,
                limit_bytes=_KEPT_BYTES,
                on_stdout_line=take,
                on_stdin=gate.opened if gate else None,
            )
        )
        done = None
        try:
            done = await work
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task and task.cancelling():
                raise
        finally:
            if gate:
                await gate.close()
        if broken:
            raise broken[0]
        return done

    def _argv(self, brief: Brief) -> list[str]:
        role = load_role(brief.role)
        tools = [name for name, ours in TOOLS.items() if ours in role.tools]
        first, _, other = self._model.partition(",")
        limits = {
            "--model": first,
            "--fallback-model": other,
            "--max-turns": brief.budget.turns or TURNS * brief.budget.tasks,
            "--max-budget-usd": brief.budget.usd,
        }
        return [
            *(str(self._program), *_FLAGS, "--system-prompt", _system_prompt(role), "--tools", ",".join(tools)),
            *(word for flag, value in limits.items() if value for word in (flag, str(value))),
            *("--json-schema", json.dumps(finish_schema(brief.role))),
            *("--allowedTools", *_allowed(tools, brief.writes)),
        ]

    async def close(self) -> None:
        """Write the cassette, if there is one to write; nothing runs any more."""
        if self._record:
            self._record.save()


def environment(user: Mapping[str, str], project: Mapping[str, str]) -> dict[str, str]:
    """The environment of the client: the user's, for the login, and the project's over it.

    Left out is what a client sets for its children, by which it would take itself for one of them, and what is ours. Of
    the variables that are Claude Code's own, those about login, network and limits pass.
    """
    both = without_git({**user, **project})
    passed = {k: v for k, v in both.items() if not _NESTED.match(k) or _PASSED.fullmatch(k)}
    return {**_OWN, **passed}


def prompt(brief: Brief) -> str:
    """The brief as the first message; it names the project's own conventions, since no CLAUDE.md is loaded."""
    there = [name for name in _CONVENTIONS if (Path(brief.cwd) / name).is_file()]
    if not there:
        return instructions(brief)
    listed = "\n".join(f"- {name}" for name in there)
    return f"{instructions(brief)}\n\n## The conventions of this project, to read first and to keep to\n\n{listed}"


def _system_prompt(role: Role) -> str:
    return f"{role.prompt}\n\nHere the `finish` tool is called `{RETURN}`."


def _allowed(tools: Sequence[str], writes: Sequence[str]) -> Iterator[str]:
    """Permission rules: every tool of the role, writing only where the task declares it.

    In a rule brackets, spaces and the like have a meaning. With a declared path that holds one, or is the whole folder,
    there are no rules about paths, and nothing is denied early. A rule without a folder, such as `*.py`, allows such
    names in any. What was written is compared with what was declared in any case.
    """
    places = [normpath(path) for path in writes]
    ruled = bool(places) and all(_PLAIN.fullmatch(place) for place in places)
    yield from (tool for tool in tools if not ruled or tool not in {"Write", "Edit"})
    if ruled and "Edit" in tools:  # it stands for every tool that writes files
        for place in places:
            yield f"Edit(./{place})"
            yield f"Edit(./{place}/**)"


def _outcome(stream: Stream, done: Finished, brief: Brief) -> Outcome:
    said = done.stderr.decode("utf-8", "replace").strip()[-_SHOWN:]
    if stream.result is None:
        if not stream.began:
            raise PermanentError(
                f"Claude Code could not work (exit code {done.exit_code}): {said or 'it said nothing'}",
                next_steps=("Look whether `claude -p hello` works; if it does, `claude update`.",),
            )
        return failed(f"Claude Code ended with exit code {done.exit_code} and without a result. {said}".strip())
    if stream.error:
        return _without_model(stream.error, stream.resets)
    return _result(stream.result, brief)


def _without_model(error: ApiError, resets: float | None) -> Outcome:
    """A failed outcome where it was this conversation that the API would not take; else not the agent's failure."""
    what = f"Claude Code cannot reach its model: {error.text[:_SHOWN] or error.kind}"
    if passes(error.status) if error.status is not None else error.kind in _PASSING:
        now = datetime.now().astimezone()
        said = reset_in(error.text, now)
        at = resets if resets is not None else said.timestamp() if said else None
        after = max(at - now.timestamp(), 0.0) if at is not None else None
        steps = ("Resume the workflow when the provider answers again.",)
        raise TransientError(what, retry_after=after, next_steps=steps)
    if error.kind in _CURES or error.status in {401, 403}:
        raise PermanentError(what, next_steps=_CURES.get(error.kind, ()))
    return failed(what)


def _result(result: Mapping[str, Any], brief: Brief) -> Outcome:
    """The outcome that the last event of the stream is. That it calls itself a success proves nothing."""
    kind, text = str(result.get("subtype", "")), str(result.get("result", ""))
    if kind == "error_max_turns":
        return failed(f"Stopped after {brief.budget.turns or TURNS * brief.budget.tasks} turns without a result.")
    if kind == "error_max_budget_usd":
        return failed(f"Stopped after {result.get('total_cost_usd', 'unknown')} USD; the budget is {brief.budget.usd}.")
    if kind != "success" or result.get("is_error"):
        return failed(f"Claude Code ended with an error ({kind}): {_errors(result) or text[:_SHOWN]}")
    returned = result.get("structured_output") or from_text(text, brief.role)
    if returned is None:
        return failed(f"The agent ended without a usable result. It said: {text.strip()[:_SHOWN]!r}")
    try:
        return finished(returned, brief.role)
    except BadOutcome as error:
        return failed(f"The agent's result does not fit: {error.message}")


def _errors(result: Mapping[str, Any]) -> str:
    errors = result.get("errors")
    return "; ".join(str(e)[:_SHOWN] for e in cast("list[object]", errors)) if isinstance(errors, list) else ""
