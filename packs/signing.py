"""`pack.sig`: who answers for the files of a pack, as text that a person can read.

    stretto pack signature 1
    name team
    version 1.2.0
    signer ed25519:…
    file SHA256 commands/release.md        (one for each file but this one, sorted by path)
    signature BASE64                       (over all lines above, byte for byte)

The first line is a part of what is signed: no other program's signature is one of these. The rest is compared with the
files as they are, so that a file which was added, removed, changed or renamed is named.
"""

import base64
import binascii
import re
from typing import TYPE_CHECKING

from stretto.packs.files import SIGNATURE, Files, digests, fit
from stretto.packs.keys import needed, public, raw
from stretto.packs.manifest import MANIFEST, parse_manifest
from stretto.state.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_HEAD = "stretto pack signature 1\n"
_FORM = re.compile(
    re.escape(_HEAD) + r"name ([^\n]+)\nversion ([^\n]+)\nsigner (ed25519:[A-Za-z0-9+/=]+)\n"
    r"((?:file [0-9a-f]{64} [^\n]+\n)+)signature ([A-Za-z0-9+/=]+)\n"
)
_SHOWN = 5


def sign(files: Files, key: "Ed25519PrivateKey") -> bytes:
    """The `pack.sig` of a pack. Equal files and keys make equal bytes.

    Raises:
        BadInput: Its manifest cannot be read.
    """
    manifest = parse_manifest(files[MANIFEST].decode("utf-8", "replace"))
    text = _statement(manifest.name, manifest.version, public(key), _digests(files))
    return f"{text}signature {base64.b64encode(key.sign(text.encode())).decode()}\n".encode()


def signer(files: Files) -> str | None:
    """The public key of who signed these files, or None if nobody did.

    Raises:
        BadInput: `pack.sig` is none, is not of its signer, or not of these files; the message says what differs.
    """
    if SIGNATURE not in files:
        return None
    text = files[SIGNATURE].decode("utf-8", "replace")
    match = _FORM.fullmatch(text)
    if match is None:
        raise _refused("is no signature of a pack, in the form that `stretto pack sign` writes")
    name, version, who, lines, signature = match.groups()
    signed = {path: digest for _, digest, path in (line.split(" ", 2) for line in lines.split("\n") if line)}
    if text[: match.start(5) - len("signature ")] != _statement(name, version, who, signed):
        raise _refused("is not in the form that `stretto pack sign` writes")
    _verified(who, signature, text[: match.start(5) - len("signature ")].encode())
    _same(signed, _digests(files))
    manifest = parse_manifest(files[MANIFEST].decode("utf-8", "replace"))
    if (manifest.name, manifest.version) != (name, version):
        raise _refused(f"is of {name} {version}, and this is {manifest.name} {manifest.version}")
    return who


def _digests(files: Files) -> dict[str, str]:
    return {path: digest for path, digest in digests(files).items() if path != SIGNATURE}


def _statement(name: str, version: str, who: str, files: "Mapping[str, str]") -> str:
    lines = [f"file {files[path]} {fit(path)}\n" for path in sorted(files)]
    return f"{_HEAD}name {name}\nversion {version}\nsigner {who}\n{''.join(lines)}"


def _verified(who: str, signature: str, signed: bytes) -> None:
    needed()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(raw(who)).verify(_written(signature), signed)
    except BadInput as error:
        raise _refused(f"is in another form than `stretto pack sign` writes: {error.message}") from error
    except (InvalidSignature, ValueError, binascii.Error) as error:
        raise _refused("was not written by the signer that it names: it was changed after it was signed") from error


def _written(signature: str) -> bytes:
    """The bytes of a signature. ValueError if it is not written as `sign` does: base64 has several ways."""
    found = base64.b64decode(signature, validate=True)
    if base64.b64encode(found).decode() != signature:
        raise ValueError(signature)
    return found


def _same(signed: "Mapping[str, str]", there: "Mapping[str, str]") -> None:
    """Refuse files that are not those that were signed, and say which.

    Raises:
        BadInput: They are not.
    """
    gone, added = dict.fromkeys(sorted(set(signed) - set(there))), dict.fromkeys(sorted(set(there) - set(signed)))
    told = [f"{path!r} was changed" for path in sorted(set(signed) & set(there)) if signed[path] != there[path]]
    for old in [*gone]:
        if new := next((path for path in added if there[path] == signed[old]), None):
            told.append(f"{old!r} was renamed to {new!r}")
            del gone[old], added[new]
    told += [f"{path!r} was removed" for path in gone] + [f"{path!r} was added" for path in added]
    if told:
        more = f", and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
        raise _refused(f"is not of these files: {', '.join(told[:_SHOWN])}{more}", told)


def _refused(what: str, told: "list[str] | None" = None) -> BadInput:
    return BadInput(
        f"{SIGNATURE} {what}. Nothing was changed.",
        field=SIGNATURE,
        next_steps=("Get the pack again from its maintainers", "Is it yours? `stretto pack sign FOLDER` signs it anew"),
        details={"differences": told} if told else None,
    )
