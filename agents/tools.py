"""The tools of the model runner: read, write, edit, search, list, run; all inside one workspace.

A tool never raises: what goes wrong is a result that tells the model what to do instead. Which tools there are is the
role's decision.
"""

import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stretto.agents.contain import Inside, Outside, matches
from stretto.agents.data import bad_outcome
from stretto.agents.declared import undeclared
from stretto.agents.execute import Execute, Finished
from stretto.agents.roles import Role
from stretto.state.errors import StrettoError

_FILE_BYTES = 2_000_000
_SHOWN = 16_000
_LISTED = 500
_HITS = 200
_WALKED = 20_000
_SEARCH_SECONDS = 20.0
_LIST_FILES = ("git", "-c", "core.fsmonitor=false", "ls-files", "-z", "--cached", "--others", "--exclude-standard")


class Args(BaseModel):
    """Arguments of a tool; the docstring is what the model is told."""

    model_config = ConfigDict(extra="ignore")


class ReadFile(Args):
    """Read a text file, or a part of it."""

    path: str = Field(description="relative to the workspace")
    start: int = Field(default=1, ge=1, description="first line, from 1")
    lines: int = Field(default=400, ge=1, le=2000)


class WriteFile(Args):
    """Make a file, or replace the whole of it. Missing folders are made."""

    path: str = Field(description="relative to the workspace")
    content: str


class EditFile(Args):
    """Replace a piece of a file. `old` must stand in it exactly once, white space included."""

    path: str = Field(description="relative to the workspace")
    old: str = Field(min_length=1)
    new: str


class Search(Args):
    """Find lines that fit a regular expression (Python's), as path:line:text."""

    pattern: str = Field(min_length=1)
    path: str = Field(default="", description="a folder or file to search in; empty: the whole workspace")
    glob: str = Field(default="**", max_length=200, description="which files, such as *.py or src/**/*.py")


class ListFiles(Args):
    """List files. What git ignores is left out."""

    glob: str = Field(default="**", max_length=200, description="such as *.py or src/**/*.py")


class Run(Args):
    """Run a program in the workspace; returns its exit code and output. No shell: no pipes, no &&, no globs."""

    argv: list[str] = Field(min_length=1, description="the program and its arguments, one item each")
    seconds: float = Field(default=120, gt=0, le=900, description="time limit")


SHAPES: dict[str, type[Args]] = {
    "read_file": ReadFile,
    "write_file": WriteFile,
    "edit_file": EditFile,
    "search": Search,
    "list_files": ListFiles,
    "run": Run,
}


def ours(name: str) -> bool:
    """Whether a tool works inside the workspace, so that a replay can use it again; any other is of the outside."""
    return name in SHAPES or name == "finish"


class Result(NamedTuple):
    """What a tool answered. Not `ok` is an error that the model may mend."""

    text: str
    ok: bool = True


Handler = Callable[[Any], Awaitable[Result]]


class Toolbox:
    """The tools of one attempt."""

    def __init__(
        self, workspace: Path, role: Role, *, writes: Sequence[str], execute: Execute, environment: Mapping[str, str]
    ) -> None:
        self._inside = Inside(workspace)
        self._declared = tuple(writes)
        self._execute = execute
        self._environment = environment
        self._written: set[str] = set()
        self._tools = role.tools
        self._handlers: dict[str, Handler] = {
            "read_file": self._read_file,
            "write_file": self._write_file,
            "edit_file": self._edit_file,
            "search": self._search,
            "list_files": self._list_files,
            "run": self._run,
        }

    @property
    def written(self) -> set[str]:
        """The relative paths that were written so far."""
        return self._written

    async def use(self, name: str, args: object) -> Result:
        """Run one tool call of a model."""
        if name not in self._tools:
            return Result(f"There is no tool {name!r} here. Tools: {', '.join(self._tools)}, finish.", ok=False)
        try:
            return await self._handlers[name](SHAPES[name].model_validate(args))
        except ValidationError as error:
            return Result(bad_outcome(error, "", f"{name}: wrong arguments").message, ok=False)
        except (Outside, OSError, ValueError, StrettoError) as error:
            return Result(f"{name}: {error}", ok=False)

    async def _read_file(self, args: ReadFile) -> Result:
        content = self._inside.read(args.path, limit_bytes=_FILE_BYTES)
        if b"\0" in content[:8000]:
            return Result(f"{args.path!r} is a binary file of {len(content)} bytes.", ok=False)
        lines = list(StringIO(content.decode("utf-8", "replace"), newline="\n"))
        part = "".join(islice(lines, args.start - 1, args.start - 1 + args.lines))
        last = min(len(lines), args.start - 1 + args.lines)
        more = "" if args.start == 1 and last == len(lines) else f"\n[lines {args.start} to {last} of {len(lines)}]"
        return Result(shortened(part, 4 * _SHOWN) + more)

    async def _write_file(self, args: WriteFile) -> Result:
        self._may_write(args.path)
        self._write(args.path, args.content.encode())
        return Result(f"Wrote {args.path}: {len(args.content.splitlines())} lines.")

    async def _edit_file(self, args: EditFile) -> Result:
        self._may_write(args.path)
        text = self._inside.read(args.path, limit_bytes=_FILE_BYTES).decode()
        if (count := text.count(args.old)) != 1:
            advice = "read it again" if count == 0 else "give more of the text around it"
            return Result(f"The old text stands {count} times in {args.path}, not once: {advice}.", ok=False)
        self._write(args.path, text.replace(args.old, args.new).encode())
        return Result(f"Edited {args.path}.")

    def _may_write(self, path: str) -> None:
        if undeclared(self._declared, [str(self._inside.relative(path))]):
            raise Outside(f"{path!r} is not among the declared writes of this task: {', '.join(self._declared)}.")

    def _write(self, path: str, content: bytes) -> None:
        self._written.add(str(self._inside.write(path, content)))

    async def _search(self, args: Search) -> Result:
        below = str(self._inside.relative(args.path)) if args.path else "."
        files = [name for name in await self._files(args.glob) if below in (".", name) or name.startswith(f"{below}/")]
        question = {"pattern": args.pattern, "root": str(self._inside.root), "files": files, "limit": _HITS}
        program = [sys.executable, "-I", "-S", str(Path(__file__).with_name("grep.py"))]
        done = await self._start(program, seconds=_SEARCH_SECONDS, stdin=json.dumps(question).encode())
        if done.timed_out:
            return Result(f"The search took more than {_SEARCH_SECONDS:.0f} s: give a simpler pattern.", ok=False)
        if done.exit_code != 0:
            return Result(f"The pattern is not valid: {_text(done.stderr)[:300]}", ok=False)
        hits = _text(done.stdout).split("\n") if done.stdout else []
        full = f"\n[the first {_HITS}; there may be more]" if len(hits) == _HITS else ""
        return Result(("\n".join(hits) or f"Nothing found in {len(files)} files.") + full)

    async def _list_files(self, args: ListFiles) -> Result:
        files = await self._files(args.glob)
        more = f"\n[{len(files) - _LISTED} more]" if len(files) > _LISTED else ""
        return Result(("\n".join(files[:_LISTED]) or "No file fits.") + more)

    async def _files(self, glob: str) -> list[str]:
        listed = await self._start(_LIST_FILES, seconds=_SEARCH_SECONDS)
        names = sorted(set(_text(listed.stdout).split("\0")) - {""}) if listed.exit_code == 0 else []
        # Nothing listed is also what git says of a folder that a repository further up ignores.
        return [
            name for name in names or self._walked() if matches(name, glob) and (self._inside.root / name).is_file()
        ]

    def _walked(self) -> list[str]:
        found: list[str] = []
        for folder, folders, names in os.walk(self._inside.root):
            folders[:] = sorted(name for name in folders if name != ".git")
            found += [str(Path(folder, name).relative_to(self._inside.root)) for name in sorted(names)]
            if len(found) >= _WALKED:
                break
        return found[:_WALKED]

    async def _run(self, args: Run) -> Result:
        done = await self._start(args.argv, seconds=args.seconds)
        ending = f"ended after its {args.seconds:g} s" if done.timed_out else f"exit code {done.exit_code}"
        streams = (("stdout", done.stdout), ("stderr", done.stderr))
        said = "".join(f"\n--- {name}\n{shortened(_text(stream), _SHOWN)}" for name, stream in streams if stream)
        cut = "\n[the output was cut]" if done.truncated else ""
        return Result(ending + said + cut, ok=done.exit_code == 0 and not done.timed_out)

    async def _start(self, argv: Sequence[str], *, seconds: float, stdin: bytes = b"") -> Finished:
        return await self._execute(argv, cwd=self._inside.root, env=self._environment, stdin=stdin, timeout=seconds)


def schemas(role: Role) -> list[dict[str, Any]]:
    """The tools of a role, in the form that every LangChain chat model binds."""
    return [function(name, SHAPES[name].__doc__ or "", SHAPES[name].model_json_schema()) for name in role.tools]


def function(name: str, description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A tool in the form that every LangChain chat model binds."""
    return {"type": "function", "function": {"name": name, "description": description, "parameters": dict(schema)}}


def shortened(text: str, limit: int) -> str:
    """`text`, or its first quarter and its end: that is where programs say what went wrong."""
    if len(text) <= limit:
        return text
    head, tail = text[: limit // 4], text[-(limit - limit // 4) :]
    return f"{head}\n[… {len(text) - limit} characters left out …]\n{tail}"


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")
