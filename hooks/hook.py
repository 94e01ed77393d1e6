"""One event of the client, handed to `stretto.commands.hook`. Run as `python -I -S hook.py EVENT` by hooks/run.

Nothing need be installed: the package is made here, by hand, from the folder around this file. Until the version is
checked this must be Python that any 3.x can read; the launcher takes 86 as "too old, and nothing was read".
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the launcher tries whatever is called python
    sys.exit(86)

import gc
import os

gc.disable()  # a hook is over before there is garbage worth collecting


def remember(data: str) -> None:
    """Keep the path of this Python for the next hook. In place by a rename, so that no other hook reads half of it."""
    path = os.path.join(data, "python")
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == sys.executable + "\n":
                return
    except OSError:
        pass
    try:
        os.makedirs(data, 0o700, exist_ok=True)
        with open(f"{path}.{os.getpid()}", "w", encoding="utf-8") as file:
            file.write(sys.executable + "\n")
        os.replace(f"{path}.{os.getpid()}", path)
    except OSError as error:
        sys.stderr.write(f"stretto: {error}\n")


def find_stretto(data: str) -> None:
    """Make the rooms importable as `stretto.…`. Byte code goes to `data`: a plugin's folder is not ours to write."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    package = type(sys)("stretto")
    package.__path__ = [root]
    sys.modules["stretto"] = package
    if data:
        sys.pycache_prefix = os.path.join(data, "pycache")


def tell_shells(data: str) -> None:
    """Let `stretto` find our data in the shells of this session: the client tells them no folder of a plugin."""
    exports = os.environ.get("CLAUDE_ENV_FILE")
    if exports:
        quoted = data.replace("'", "'\\''")
        with open(exports, "a", encoding="utf-8") as file:
            file.write(f"export STRETTO_DATA='{quoted}'\n")


def main() -> None:
    """Serve one event. Whatever goes wrong is one line on stderr, never a failed hook."""
    data = os.environ.get("CLAUDE_PLUGIN_DATA", "")
    event = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        if data:
            remember(data)
            if event == "session-start":
                tell_shells(data)
        find_stretto(data)
        from stretto.commands.hook import main as serve

        serve(event)
    except Exception as error:  # noqa: BLE001 - a plugin that is damaged must not cost anybody their session
        sys.stderr.write(f"stretto: {type(error).__name__}: {error}\n")


def leave() -> None:
    """End at once: taking the interpreter down in good order would cost a quarter of its start."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(0)


main()
leave()
