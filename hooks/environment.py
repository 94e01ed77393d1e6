"""Makes the Python environment that bin/stretto runs in: `python -I -S environment.py ROOT ENV [SECONDS]`.

ENV does not exist before it is complete: it is made beside its place and renamed. One process at a time makes one;
the kernel lets go of the lock of a dead one, and what that left is removed. ROOT is only read. With SECONDS the work is
done by a process of its own, which goes on when they are over. Progress goes to stderr; the reason for a failure is
the one text on stdout.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOMS = ("testing", "commands", "packs", "graph", "agents", "state")
FILES = ("pyproject.toml", "constraints.txt", "README.md", "LICENSE")
EXTRAS = frozenset({"mcp"})
"""Extras that the plugin needs, as far as the project has them."""
_DAYS_KEPT = 30
"""An environment that nothing has used for so long is removed when a new one is made."""
_LAST_WORDS = 600
_MISLEADING = frozenset({"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET"})
_TRUST = {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"}
"""uv trusts whom the system trusts, as pip does: behind many a company's proxy nothing can be fetched otherwise."""


class Failed(Exception):
    """It could not be made; the text says why."""


def say(text: str) -> None:
    """Tell the person who waits."""
    sys.stderr.write(f"stretto: {text}\n")


def make(root: Path, env: Path) -> None:
    """Make the environment, unless somebody else has."""
    try:
        env.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (env.parent / "environment.lock").open("a") as lock:
            _hold(lock.fileno())
            if not (env / "bin" / "python").exists():
                say(f"preparing its Python environment in {env} (once; this may take a minute) ...")
                _clean(env)
                _make(root, env)
    except OSError as error:
        raise Failed(f"its Python environment cannot be made in {env.parent}: {error.strerror or error}.") from error


def _hold(lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("another process is preparing its Python environment; waiting for it ...")
        fcntl.flock(lock, fcntl.LOCK_EX)


def _clean(env: Path) -> None:
    """Remove what died half-made, and what has not been used for long."""
    before = time.time() - _DAYS_KEPT * 86_400
    for folder in env.parent.iterdir():
        used = folder / "used"
        old = folder.name.startswith("env-") and (used if used.exists() else folder).stat().st_mtime < before
        if old or folder.name.startswith("new-"):
            shutil.rmtree(folder, ignore_errors=True)


def _make(root: Path, env: Path) -> None:
    new = Path(tempfile.mkdtemp(prefix="new-", dir=env.parent))
    try:
        source = new / "source"
        for room in ROOMS:
            shutil.copytree(root / room, source / room, ignore=shutil.ignore_patterns("__pycache__"))
        for name in FILES:
            shutil.copy(root / name, source / name)
        _install(source, new / "env")
        _run([str(new / "env" / "bin" / "python"), "-I", "-m", "stretto.commands", "--version"])
        (new / "env").rename(env)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _install(source: Path, env: Path) -> None:
    what = ["-c", str(source / "constraints.txt"), f"{source}{_extras(source)}"]
    python = str(env / "bin" / "python")
    if uv := _uv():
        _run([uv, "venv", "-q", "--python", sys.executable, str(env)])
        _run([uv, "pip", "install", "-q", "--python", python, *what])
        return
    try:
        _run([sys.executable, "-I", "-m", "venv", str(env)])
    except Failed as error:
        raise Failed(f"{error} On Debian and Ubuntu: apt install python3-venv.") from error
    _run([python, "-I", "-m", "pip", "install", "-q", "--disable-pip-version-check", *what])


def _extras(source: Path) -> str:
    told = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))
    there = EXTRAS & told["project"].get("optional-dependencies", {}).keys()
    return f"[{','.join(sorted(there))}]" if there else ""


def _uv() -> str | None:
    """A uv that runs: version managers put a shim where nothing may be behind it."""
    for folder in (None, Path.home() / ".local" / "bin"):
        found = shutil.which("uv", path=None if folder is None else str(folder))
        if found and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
            return found
    return None


def _run(argv: list[str]) -> None:
    kept = {k: v for k, v in os.environ.items() if k not in _MISLEADING}
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_TRUST | kept, check=False)
    if done.returncode != 0:
        said = done.stdout.decode("utf-8", "replace").strip()[-_LAST_WORDS:]
        name = Path(argv[0]).name
        raise Failed(f"its Python environment could not be made; nothing was left behind. {name} said:\n{said}\n")


def make_apart(root: Path, env: Path, seconds: float) -> None:
    """Make it in a process of its own, and wait for that for a while."""
    with tempfile.TemporaryFile() as said:
        argv = [sys.executable, "-I", "-S", __file__, str(root), str(env)]
        nothing = subprocess.DEVNULL
        process = subprocess.Popen(argv, stdin=nothing, stdout=said, stderr=nothing, start_new_session=True)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed("its Python environment is still being prepared; try again in a minute.") from None
        if code != 0:
            said.seek(0)
            raise Failed(said.read().decode("utf-8", "replace").strip())


def main() -> int:
    """Run as a program: 0 if the environment is there, else 1 and the reason on stdout."""
    root, env, *seconds = sys.argv[1:]
    try:
        if seconds:
            make_apart(Path(root), Path(env), float(seconds[0]))
        else:
            make(Path(root), Path(env))
    except Failed as error:
        sys.stdout.write(f"{error}\n")
        return 1
    return 0


sys.exit(main())
