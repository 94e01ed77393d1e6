"""Running the handler of a pack's command: a program of the pack, in a sandbox with what the pack declares.

It gets one JSON object on stdin (`command, line, words, project, pack, version`) and prints one (`status` ok or error,
`message`, `result`, `next_steps`; all but `status` may be left out).
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, ValidationError

from stretto.agents.environment_scrub import scrub
from stretto.agents.execute import Finished
from stretto.agents.process import Limits, run
from stretto.agents.task import Frozen
from stretto.packs.consented import allowed
from stretto.packs.files import Files
from stretto.packs.manifest import MANIFEST, Manifest, parse_manifest
from stretto.packs.sandbox import Bounds, Kind, programs, python, sandbox, wrapped
from stretto.packs.writable import opened
from stretto.state.errors import BadInput, PermanentError
from stretto.state.pack_lock import installed, pack_file

SECONDS = 60.0
"""How long a handler may take."""
OUTPUT = 1_000_000
"""Bytes that it may print."""
PROCESSES = 64
LIMITS = Limits(address_space=2 << 30, file_size=64 << 20, cpu_seconds=60, open_files=256)
_TAIL = 1500
_PASSED = ("LANG", "LANGUAGE", "TZ")


class Answer(Frozen):
    """What a handler prints."""

    status: str = Field(pattern="^(ok|error)$")
    message: str = ""
    result: dict[str, Any] = Field(default_factory=dict)
    next_steps: tuple[str, ...] = ()


class Call(NamedTuple):
    """One call of a handler."""

    command: str
    line: str
    words: Sequence[str]


def run_handler(project: Path, pack: str, command: str, line: str, words: Sequence[str]) -> dict[str, Any]:
    """Run the handler of an installed pack's command, and return what it printed.

    Raises:
        BadInput: There is no such pack or handler, or it is not what the lock says; or there is no sandbox here, and
            nobody has agreed that it runs without one.
        PermanentError: It failed, took too long, or printed something else than one JSON object.
    """
    found = installed(str(project), pack)
    files = {path: pack_file(str(project), found, path) for path in found.files}
    return run_files(project, files, Call(command, line, words), sandbox())


def run_files(
    project: Path, files: Files, call: Call, kind: Kind, environ: Mapping[str, str] = os.environ, limit: float = SECONDS
) -> dict[str, Any]:
    """The same for files that are whole, in a sandbox of that kind, `limit` seconds at most."""
    manifest = parse_manifest(files[MANIFEST].decode("utf-8"))
    path = f"commands/{call.command}.py"
    if path not in files:
        raise BadInput(f"The pack {manifest.name!r} has no handler {path!r}.", field="command")
    if kind == "none" and not allowed(files, environ):
        raise BadInput(
            f"This machine has no sandbox (bubblewrap or Landlock) for /{manifest.name}:{call.command}, a program of"
            " its pack: it could do here whatever you can. Nothing was run.",
            field="--unsandboxed",
            next_steps=(
                "Install bubblewrap (on Debian and Ubuntu: apt install bubblewrap), or use Linux 6.2 or newer.",
                f"If you have read it and trust it: stretto pack verify {manifest.name} --unsandboxed",
            ),
        )
    done = _run(project.resolve(), files, manifest, call, kind, environ, limit)
    return _answer(done, f"/{manifest.name}:{call.command}", limit)


def _run(
    project: Path,
    files: Files,
    manifest: Manifest,
    call: Call,
    kind: Kind,
    environ: Mapping[str, str],
    limit: float,
) -> Finished:
    said = {
        **call._asdict(),
        "words": [*call.words],
        "project": str(project),
        "pack": manifest.name,
        "version": manifest.version,
    }
    with ExitStack() as stack:
        ground = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stretto-handler-"))).resolve()
        found = programs(manifest.capabilities.commands, environ)
        _lay(ground, files, found)
        writable = stack.enter_context(opened(project, manifest.capabilities.paths))
        bounds = Bounds(
            read=[str(project), str(ground)],
            write=[str(ground / "tmp"), *writable],
            run=[path for chain in found.values() for path in chain],
            network=bool(manifest.capabilities.hosts),
            processes=PROCESSES,
        )
        argv = [python(), "-I", "-S", "-B", str(ground / "pack" / "commands" / f"{call.command}.py")]
        return asyncio.run(
            run(
                wrapped(kind, argv, bounds, project),
                cwd=project,
                env=_environment(ground, environ),
                stdin=json.dumps(said).encode(),
                timeout=limit,
                limit_bytes=OUTPUT,
                limits=LIMITS,
            )
        )


def _lay(ground: Path, files: Files, found: Mapping[str, Sequence[str]]) -> None:
    """The pack as it was checked, a folder for its PATH, and one to write to; nobody else sees them."""
    for path, content in files.items():
        place = ground / "pack" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    (ground / "tmp").mkdir()
    (ground / "bin").mkdir()
    for name, chain in found.items():
        (ground / "bin" / Path(name).name).symlink_to(chain[0])


def _environment(ground: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """No home, nothing that was meant for others."""
    kept = {name: value for name, value in scrub(environ).items() if name in _PASSED or name.startswith("LC_")}
    return {**kept, "PATH": str(ground / "bin"), "TMPDIR": str(ground / "tmp"), "PYTHONUTF8": "1"}


def _answer(done: Finished, name: str, limit: float) -> dict[str, Any]:
    if done.timed_out:
        raise _failed(name, f"did not end within {limit:g} s, and was ended", done)
    if done.exit_code != 0:
        raise _failed(name, f"ended with exit code {done.exit_code}", done)
    if done.truncated:
        raise _failed(name, f"printed more than {OUTPUT} bytes", done)
    try:
        return Answer.model_validate_json(done.stdout).model_dump(mode="json")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise _failed(name, f"printed no answer: {f'{where}: ' if where else ''}{first['msg']}", done) from error


def _failed(name: str, what: str, done: Finished) -> PermanentError:
    tail = done.stderr[-_TAIL:].decode("utf-8", "replace").strip()
    return PermanentError(
        f"The handler of {name} {what}." + (f" It wrote last:\n{tail}" if tail else ""),
        next_steps=(f"Tell the maintainers of the pack, with the line: {name}",),
    )
