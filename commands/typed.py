"""`stretto typed NAME DATA`: a slash command as a page of the client calls it, with arguments that a hook has kept.

The page holds one constant line, so nothing that a person types is ever a part of a shell's. The client drops the whole
command if that line fails, without a word to the model: so this always ends with 0 and says in its text how it went.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stderr
from pathlib import Path

from stretto.commands.arguments import take
from stretto.commands.handlers import HANDLERS
from stretto.commands.invocation import Invocation
from stretto.commands.parse import parse_line
from stretto.commands.reply import Reply, envelope
from stretto.commands.words import of_error, of_reply, shortened
from stretto.state.errors import BadInput, StrettoError

MOST = 24_000
"""Bytes of an answer: above some 30 KB the client shows the model the first 2 KB only."""
NOT_KEPT = """\
Nothing was done: the arguments of /{name} did not arrive. The hooks of the plugin hand them over, and they did not run:
are hooks switched off (`disableAllHooks`, --bare), or was Python 3.11 or newer not found? In a terminal this does the
same: stretto {name} …"""


def typed(arguments: Sequence[str], run: Callable[[Invocation], Reply]) -> str:
    """What `/NAME` with the arguments kept for this session says, whatever happens. `arguments` are NAME and DATA.

    Raises:
        BadInput: No page calls it like this.
    """
    if not arguments or arguments[0] not in HANDLERS or len(arguments) > 2:
        raise BadInput(
            "`stretto typed NAME DATA` is for the pages of slash commands; in a terminal it is `stretto NAME …`.",
            field="NAME",
            allowed=list(HANDLERS),
        )
    name, *named = arguments
    try:
        text = _kept(name, named or _data_folders())
    except (ValueError, OSError) as error:
        return f"{NOT_KEPT.format(name=name)}\n({error})"
    if text is None:
        return NOT_KEPT.format(name=name)
    rest = f"This is cut. To see all of it: stretto {name} … in a terminal."
    return shortened(_said(f"/{name} {text}", run), MOST, rest)


def _kept(name: str, folders: Iterable[str]) -> str | None:
    session = os.environ.get("CLAUDE_CODE_SESSION_ID", "")
    found = (take(folder, session, name) for folder in folders)
    return next((text for text in found if text is not None), None)


def _data_folders() -> list[str]:
    """Where the plugin keeps its data, for a page that lies in a project: the client tells the plugin's pages alone."""
    home = Path(os.environ.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude")
    return [str(path) for path in sorted((home / "plugins" / "data").glob("stretto-*"))]


def _said(line: str, run: Callable[[Invocation], Reply]) -> str:
    """Progress is left out: the client would put it in front of the reply."""
    try:
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stderr(nowhere):
            invocation = parse_line(line, project=".")
            reply = run(invocation)
        return envelope(reply) if "json" in invocation.flags else of_reply(reply, HANDLERS)
    except StrettoError as error:
        return of_error(error, HANDLERS)
    except Exception as error:  # noqa: BLE001 - an exit code other than 0 would lose the command without a word
        return f"This failed. An error nobody foresaw: {type(error).__name__}: {error}"
