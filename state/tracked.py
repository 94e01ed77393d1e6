"""Whether git tracks a file of a store.

Git overwrites ignored files without a question: a commit that holds a file of the store replaces the user's own when it
is pulled. The index of git is searched for the path, which is a fraction of a millisecond; only what looks like one is
asked of git. Standard library only, and little of it, for the hooks.
"""

import os

INDEX = "index"
_SHARED = "sharedindex."
_PLAIN = (b"DIRC\0\0\0\2", b"DIRC\0\0\0\3")
"""How an index begins that holds its paths whole: version 4 leaves out what a path has in common with the last one."""


def tracks(git: str, root: str, folder: str) -> bool:
    """Whether the work tree `root`, whose git folder is `git`, has a file of `folder` under version control.

    An index that cannot be read counts as one that has.
    """
    path = os.path.relpath(folder, root)
    if path.startswith(os.pardir):
        return False
    try:
        with open(os.path.join(git, INDEX), "rb") as file:
            index = file.read()
        shared = any(name.startswith(_SHARED) for name in os.listdir(git))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    plain = index.startswith(_PLAIN) and not shared
    wanted = os.fsencode(path.replace(os.sep, "/") + "/").lower()  # where `.Stretto` and `.stretto` are one folder
    return (not plain or wanted in index.lower()) and _asked(root, path)


def _asked(root: str, path: str) -> bool:
    import subprocess  # here: hardly anybody comes this far

    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    listed = ["git", "-C", root, "ls-files", "-z", "--", f":(icase,literal,top){path}/"]
    try:
        done = subprocess.run(listed, env=own, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return True
    return done.returncode != 0 or bool(done.stdout)
