"""git, through its command line.

Every call has the same surroundings: no hook runs, nothing is signed, no prompt waits for an answer, paths are taken
literally, and no `GIT_DIR` or `GIT_INDEX_FILE` leaks in from a hook or a terminal in which Stretto was started.
"""

import asyncio
import functools
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from stretto.agents.filelock import held
from stretto.state.errors import PermanentError, StrettoError

OLDEST = (2, 38)
"""The first git that can merge without a checkout (`merge-tree --write-tree`)."""

_KEPT = frozenset(
    {
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_SYSTEM",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_AUTHOR_NAME",
        "GIT_AUTHOR_EMAIL",
        "GIT_COMMITTER_NAME",
        "GIT_COMMITTER_EMAIL",
        "GIT_EXEC_PATH",
        "GIT_CEILING_DIRECTORIES",
        "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    }
)
"""What says how git works. Every other `GIT_…` variable may say on what, and is dropped."""

_FIXED = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_EDITOR": "false",
    "LC_ALL": "C",
}

_CONFIG = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.quotePath=false",
    "core.fsync=committed,reference",
    "gc.auto=0",
    "maintenance.auto=false",
    "commit.gpgsign=false",
    "submodule.recurse=false",
    "advice.addEmbeddedRepo=false",
)


class GitError(StrettoError):
    """git refused. The message holds the command and git's own words; `stderr` those alone."""

    code = "GIT_FAILED"

    def __init__(self, message: str, *, stderr: str = "", next_steps: Sequence[str] = ()) -> None:
        super().__init__(message, next_steps=next_steps, details={"stderr": stderr})
        self.stderr = stderr


class Ran(NamedTuple):
    """How one git command ended."""

    code: int
    stdout: bytes
    stderr: bytes


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` as git gets it: nothing in it names a repository, an index, a pager or an editor."""
    kept = {k: v for k, v in environ.items() if not k.startswith("GIT_") or k in _KEPT}
    return {**kept, **_FIXED}


class Git:
    """git in one working tree.

    With `git_dir`, git is told the repository and does not look for one: what lies in the tree (an agent may have
    written it) cannot lead it elsewhere. `config` holds further `name=value` settings.
    """

    def __init__(self, root: Path, git_dir: Path | None = None, *, config: Sequence[str] = ()) -> None:
        self.root = root
        self.git_dir = git_dir
        self.config = tuple(config)

    def configured(self, *config: str) -> "Git":
        """The same git with further `name=value` settings."""
        return Git(self.root, self.git_dir, config=(*self.config, *config))

    @property
    def where(self) -> tuple[str, ...]:
        """The options that name repository and working tree, for a command that a person is told to run."""
        if self.git_dir is None:
            return ("-C", str(self.root))
        return (f"--git-dir={self.git_dir}", f"--work-tree={self.root}")

    @property
    def told(self) -> Path:
        """The repository that this git was told.

        Raises:
            GitError: It was told none, and looks for one itself.
        """
        if self.git_dir is None:
            raise GitError(f"git in {str(self.root)!r} was not told its repository.")
        return self.git_dir

    def _argv(self, args: Sequence[str]) -> list[str]:
        settings = [part for name in (*_CONFIG, *self.config) for part in ("-c", name)]
        return ["git", *settings, *(self.where if self.git_dir else ()), *args]

    async def call(self, *args: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> Ran:
        """Run git with `args` and say how it ended, whatever the exit code.

        A cancelled caller still waits for git's end: a merge cut in half would be worse than a late one. If we are
        killed, git finishes, and holds the locks that we held as long as it runs.

        Raises:
            PermanentError: There is no git.
        """
        blocking = functools.partial(self._call, args, stdin, {**environment(os.environ), **(env or {})}, held())
        ending = asyncio.get_running_loop().run_in_executor(None, blocking)
        try:
            return await asyncio.shield(ending)
        except asyncio.CancelledError:
            await asyncio.wait([ending])
            raise

    def _call(self, args: Sequence[str], stdin: bytes | None, env: Mapping[str, str], locks: Sequence[int]) -> Ran:
        """In a thread: asyncio's own subprocesses hang when the loop is torn down while one is starting (3.11).

        Its output goes to files. A pipe would end with us, and git by its SIGPIPE: with half a checkout written.
        """
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                code = subprocess.run(
                    self._argv(args),
                    cwd=self.root,
                    env=env,
                    input=stdin or b"",
                    check=False,
                    stdout=out,
                    stderr=err,
                    pass_fds=locks,
                    start_new_session=True,  # Ctrl-C in the terminal must not stop it either
                ).returncode
            except FileNotFoundError as error:
                raise _missing(self.root) from error
            return Ran(code, _all(out), _all(err))

    async def run(
        self,
        *args: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        codes: Sequence[int] = (0,),
    ) -> bytes:
        """Run git with `args` and return what it printed.

        Raises:
            GitError: The exit code is none of `codes`.
        """
        ran = await self.call(*args, stdin=stdin, env=env)
        if ran.code not in codes:
            raise failure(args, ran)
        return ran.stdout

    async def line(self, *args: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run git with `args` and return the one line that it printed.

        Raises:
            GitError: The exit code is not 0.
        """
        return os.fsdecode(await self.run(*args, stdin=stdin, env=env)).rstrip("\n")

    async def resolve(self, name: str) -> str | None:
        """The object id that `name` stands for, or None if there is no such thing."""
        ran = await self.call("rev-parse", "--verify", "--quiet", "--end-of-options", name)
        return ran.stdout.decode().strip() if ran.code == 0 else None

    async def commit_at(self, name: str) -> str | None:
        """The id of the commit that `name` stands for, or None."""
        return await self.resolve(f"{name}^{{commit}}")


def _all(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _missing(root: Path) -> StrettoError:
    if not root.is_dir():
        return GitError(f"The folder {str(root)!r} is not there any more.")
    return PermanentError(
        "git was not found on PATH; nothing was changed.", next_steps=["Install git 2.38 or newer, then try again."]
    )


def failure(args: Sequence[str], ran: Ran) -> GitError:
    """The error for a git command that ended badly."""
    words = ran.stderr.decode(errors="replace").strip()
    return GitError(f"'git {' '.join(args[:6])}' ended with code {ran.code}: {words or 'no message'}", stderr=words)


def split(output: bytes) -> list[str]:
    """The parts of NUL-separated output, as text that stands for exactly these bytes in a path."""
    return [os.fsdecode(part) for part in output.split(b"\0")[:-1]]


async def check_version(git: Git) -> None:
    """Make sure that git is new enough.

    Raises:
        PermanentError: It is not there, or too old.
    """
    said = await git.line("version")
    found = re.search(r"(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        raise PermanentError(
            f"{said!r} is too old: Stretto merges in memory, which needs git 2.38 or newer. Nothing was changed.",
            next_steps=["Install git 2.38 or newer, then try again."],
        )
