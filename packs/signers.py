"""Who signed which pack, as far as this user has seen: trusted on first use, and an error when it is another.

`signers.toml` in the user's configuration has one line for each pack: `team = "ed25519:…"`.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from stretto.packs.home import config_folder
from stretto.packs.keys import fingerprint, raw
from stretto.state import folders
from stretto.state.errors import BadInput

_HEAD = "# Who signed the packs that you have agreed to. A pack whose line is gone is new to you.\n"


def signers_file(environ: Mapping[str, str]) -> Path:
    """Where the user's known signers are kept."""
    return config_folder(environ) / "signers.toml"


def known(environ: Mapping[str, str]) -> dict[str, str]:
    """The public key of each pack's signer, by the pack's name.

    Raises:
        BadInput: The file cannot be read, or is not one that Stretto wrote.
    """
    path = signers_file(environ)
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"The known signers in {str(path)!r} cannot be read: {error}.", field=str(path)) from error
    for name, key in data.items():
        if not isinstance(key, str):
            raise BadInput(f"The known signers in {str(path)!r} have no key for {name!r}.", field=str(path))
        raw(key)
    return data


def check_signer(name: str, signer: str | None, locked: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """What to tell of a pack's signer, who is the one that the lock and this user know, or new.

    Args:
        name: The pack.
        signer: Who signed what is to be installed; None if nobody did.
        locked: Who signed what the project's lock has now; empty or None if nobody did, or it has none.
        environ: Tells where the user's configuration is.

    Raises:
        BadInput: It is another signer than before, or none any more. The message has the fingerprints of both.
    """
    path = signers_file(environ)
    before = {"the lock of this project": locked or "", str(path): known(environ).get(name, "")}
    for where, expected in before.items():
        if expected and expected != signer:
            raise _changed(name, signer, expected, where, path)
    if signer is None:
        return "Nobody signed it: that it is whole, its source alone can tell."
    shown = fingerprint(signer)
    if signer in before.values():
        return f"Signed by {shown}, as before."
    return f"Signed by {shown}, who is new to you. Compare this with the maintainers; from now on, no other will do."


def remember(name: str, signer: str | None, environ: Mapping[str, str] = os.environ) -> None:
    """Know a pack's signer from now on. Nothing is written where nobody signed, or it is known.

    Raises:
        BadInput: The user's configuration cannot be written.
    """
    path = signers_file(environ)
    signers = known(environ)
    if not signer or signers.get(name) == signer:
        return
    signers[name] = signer
    lines = [f'{each} = "{signers[each]}"\n' for each in sorted(signers)]
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folders.write(str(path), _HEAD + "".join(lines))
    except OSError as error:
        raise BadInput(f"{str(path)!r} cannot be written: {error.strerror}.", field=str(path)) from error


def _changed(name: str, signer: str | None, expected: str, where: str, path: Path) -> BadInput:
    now = f"signed by {fingerprint(signer)}" if signer else "not signed at all"
    return BadInput(
        f"The pack {name!r} is {now}, and {where} knows it as signed by {fingerprint(expected)}. Nothing was changed.",
        field="signer",
        next_steps=(
            "Ask the maintainers, by another way than this pack, whether they have changed their key.",
            f"If they have: stretto pack remove {name}, take its line out of {path}, and add it again.",
        ),
        details={"signer": signer, "known": expected, "where": where},
    )
