"""What the doctor asks of programs and packages: git, clients, extras, the runner, and whether children die."""

import asyncio
import os
import shutil
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from stretto.agents.choose import parse_runner
from stretto.agents.git import Git, check_version
from stretto.agents.host import HOST
from stretto.agents.process import run as execute
from stretto.commands.app import App
from stretto.state.care_machine import Seen
from stretto.state.errors import BadInput, StrettoError
from stretto.state.process import started
from stretto.state.settings import load
from stretto.state.store import find_project

CLIENTS = ("codex", "gemini", "opencode", "cursor-agent", "copilot", "aider", "amp", "goose", "qwen", "crush")
"""Clients that are looked for by name beside Claude Code; none of them is started."""
EXTRAS = {
    "anthropic": "langchain-anthropic",
    "openai": "langchain-openai",
    "ollama": "langchain-ollama",
    "claude": "claude-agent-sdk",
    "mcp": "mcp",
    "packs": "cryptography",
}
NEEDED = ("diskcache", "langchain-core", "langgraph", "langgraph-checkpoint", "pydantic", "pyyaml", "rich", "tenacity")
_SECONDS = 20.0
_ESCAPES = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    print(os.getpid(), flush=True)
    sys.stdout.close()
    os.close(1)
    time.sleep(60)
time.sleep(0.1)
"""
"""A program that leaves a descendant behind, out of its process group."""


async def look(app: App) -> list[Seen]:
    """Ask all of them. No model is called, and nothing of the project's is run."""
    return [
        packages(),
        *await git(),
        *await clients(),
        await children(),
        await handlers(),
        extras(),
        runner(app),
    ]


def packages() -> Seen:
    """Whether what Stretto needs is installed."""
    missing = [name for name in NEEDED if _version(name) is None]
    if missing:
        return Seen("packages", "problem", f"missing: {', '.join(missing)}", "Install Stretto again: pip install .")
    return Seen("packages", "ok", f"all {len(NEEDED)} that Stretto needs; diskcache {_version('diskcache')}")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def extras() -> Seen:
    """Which extras are installed; none has to be."""
    found = [f"{name} ({told})" for name, package in EXTRAS.items() if (told := _version(package))]
    return Seen("extras", "ok", f"installed: {', '.join(found)}" if found else "none installed; none is needed")


async def git() -> list[Seen]:
    """Git's version, and whether it makes worktrees: in a repository of a moment."""
    if shutil.which("git") is None:
        return [Seen("git", "problem", "there is no git on PATH", "Install git 2.38 or newer.")]
    with tempfile.TemporaryDirectory(prefix="stretto-doctor-") as folder:
        place = Git(Path(folder))
        try:
            await check_version(place)
            told = (await place.line("version")).removeprefix("git version ")
        except StrettoError as error:
            return [Seen("git", "problem", error.message, "Install git 2.38 or newer.")]
        return [Seen("git", "ok", told), await _worktrees(place)]


async def _worktrees(place: Git) -> Seen:
    own = place.configured("user.name=stretto", "user.email=stretto@localhost")
    try:
        await own.run("init", "--quiet", "--template=", "repository")
        inside = Git(own.root / "repository", config=own.config)
        await inside.run("commit", "--quiet", "--allow-empty", "-m", "Begin")
        await inside.run("worktree", "add", "--quiet", "--detach", str(own.root / "worktree"), "HEAD")
    except StrettoError as error:
        return Seen("worktrees", "problem", error.message, "Agents work in git worktrees: see what git says.")
    return Seen("worktrees", "ok", "git makes them")


async def clients() -> list[Seen]:
    """Claude Code and its version; others by name."""
    found = [Seen("client", "ok", f"{name}, {path}") for name in CLIENTS if (path := shutil.which(name))]
    claude = shutil.which("claude")
    if claude:
        return [await _claude(claude), *found]
    return found or [Seen("client", "note", "no coding assistant was found on PATH", "None is needed in a terminal.")]


async def _claude(path: str) -> Seen:
    try:
        done = await execute(
            [path, "--version"],
            cwd=Path(tempfile.gettempdir()),
            env={**os.environ, "DISABLE_AUTOUPDATER": "1"},
            timeout=_SECONDS,
        )
    except StrettoError as error:
        return Seen("client", "warning", f"claude, {path}: {error.message}", "Install it again.")
    told = done.stdout.decode("utf-8", "replace").strip().partition("\n")[0][:80]
    if done.exit_code or not told:
        return Seen(
            "client", "warning", f"claude, {path}, does not tell its version", "Look what `claude --version` says."
        )
    return Seen("client", "ok", f"claude {told}, {path}")


async def children() -> Seen:
    """Whether what agents start ends with them: tried with a descendant that has left its group."""
    try:
        done = await execute(
            [sys.executable, "-I", "-S", "-c", _ESCAPES],
            cwd=Path(tempfile.gettempdir()),
            env=dict(os.environ),
            timeout=_SECONDS,
        )
        pid = int(done.stdout.decode())
    except (StrettoError, ValueError) as error:
        return Seen("children", "problem", f"a program cannot be started and ended: {error}", "")
    for _ in range(20):
        if started(pid) is None:
            return Seen("children", "ok", "whatever an agent starts ends with its driver, also what leaves its group")
        await asyncio.sleep(0.05)
    os.kill(pid, 9)
    what = "what an agent starts ends with its driver, except for what leaves its process group"
    return Seen("children", "note", what, "On Linux nothing escapes.")


async def handlers() -> Seen:
    """Which sandbox programs of packs would run in, found by trying it."""
    from stretto.packs.sandbox import look as look_for_sandbox

    kind = await look_for_sandbox()
    if kind == "bubblewrap":
        return Seen("sandbox", "ok", "bubblewrap: programs of packs see and reach what they declare")
    if kind == "landlock":
        what = "landlock: programs of packs read, write and reach what they declare; they see that other files exist"
        return Seen("sandbox", "ok", what, "Install bubblewrap if they must not: apt install bubblewrap.")
    what = "none: programs of packs run only after a consent of its own"
    return Seen("sandbox", "note", what, "Install bubblewrap, or use Linux 6.2 or newer with Landlock.")


def runner(app: App) -> Seen:
    """Which runner is chosen, and whether it could be started now."""
    try:
        text = os.environ.get("STRETTO_RUNNER", "") or load(find_project(app.project)).runner
        text = text or (HOST if os.environ.get("CLAUDECODE") == "1" else "")
        if not text:
            steps = "Give --runner, or set STRETTO_RUNNER or `runner` in .stretto/config.toml."
            return Seen("runner", "note", "none is chosen, so nothing starts by itself", steps)
        chosen = parse_runner(text, project=app.project)
    except BadInput as error:
        return Seen("runner", "problem", error.message, " ".join(error.next_steps))
    return Seen("runner", "ok", f"{chosen.name} can be started")
