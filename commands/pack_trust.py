"""`stretto pack sign|verify`: who answers for a pack, and whether it is still what they signed."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from stretto.commands.amounts import some
from stretto.commands.app import App
from stretto.commands.reply import Reply
from stretto.commands.version import version
from stretto.state import folders
from stretto.state.errors import BadInput
from stretto.state.store import find_project

if TYPE_CHECKING:
    from stretto.packs.files import Files


def sign(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    """Write the `pack.sig` of a pack's folder, by the user's key, which is made if there is none.

    Raises:
        BadInput: It is no folder of a sound pack, or the key cannot be used; nothing was written.
    """
    del args
    from stretto.packs.files import SIGNATURE, read_folder
    from stretto.packs.keys import fingerprint, key_file, public, user_key
    from stretto.packs.pack import sound
    from stretto.packs.signing import sign as signature_of

    folder = app.project / Path(words[0]).expanduser()
    files = read_folder(folder)
    manifest = sound(files, version()).manifest
    key, made = user_key(os.environ)
    place = folder / SIGNATURE
    try:
        folders.write(str(place), signature_of(files, key).decode())
        place.chmod(0o644)
    except OSError as error:
        raise BadInput(f"{str(place)!r} cannot be written: {error.strerror}.", field="FOLDER") from error
    who = public(key)
    new = f"A key was made for you: {key_file(os.environ)}. Keep a copy of it where nobody else can read it.\n"
    count = some(len(files) - (SIGNATURE in files), "file")
    text = f"{new if made else ''}{manifest.name} {manifest.version} is signed, {count}, by {fingerprint(who)}."
    facts = {"file": str(place), "signer": who, "fingerprint": fingerprint(who), "key_made": made}
    return Reply("pack", text, facts, operation="sign", next_steps=(f"stretto pack build {words[0]}",))


def verify(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    """Say who signed a pack; exit 1 if nobody did. With `--unsandboxed`, agree that its programs run without a sandbox.

    Raises:
        BadInput: It is not what was signed, or its signer is another one than before.
    """
    from stretto.commands.pack import read_pack
    from stretto.packs.keys import fingerprint
    from stretto.packs.pack import sound
    from stretto.packs.signers import check_signer
    from stretto.packs.signing import signer
    from stretto.state.pack_lock import read_lock

    files, where = read_pack(app, words[0])
    manifest = sound(files, version()).manifest
    locked = read_lock(str(find_project(app.project))).get(manifest.name)
    found = signer(files)
    told = check_signer(manifest.name, found, locked.signer if locked else None)
    lines = [f"{manifest.name} {manifest.version}, {some(len(files), 'file')}. {told}"]
    if args.unsandboxed:
        lines.append(_agree(files))
    facts = {
        "name": manifest.name,
        "version": manifest.version,
        "where": where,
        "signer": found or "",
        "fingerprint": fingerprint(found) if found else "",
    }
    return Reply("pack", "\n".join(lines), facts, operation="verify", exit_code=0 if found else 1)


def _agree(files: "Files") -> str:
    """Note that the handlers of these files may run without a sandbox.

    Raises:
        BadInput: There is nothing to agree to.
    """
    from stretto.packs.consented import allow
    from stretto.packs.sandbox import sandbox

    handlers = [path for path in files if path.startswith("commands/") and path.endswith(".py")]
    kind = sandbox()
    if not handlers or kind != "none":
        why = f"this machine has a sandbox, {kind}" if handlers else "the pack has no programs"
        raise BadInput(f"There is nothing to agree to: {why}. Nothing was changed.", field="--unsandboxed")
    allow(files)
    return f"From now on {', '.join(handlers)} run here without a sandbox, with all that you may do."
