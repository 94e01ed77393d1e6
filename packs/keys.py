"""The user's signing key, and keys as text. Ed25519 by `cryptography`, which the extra `packs` brings."""

import base64
import binascii
import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from stretto.packs.home import config_folder
from stretto.state.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_KIND = "ed25519:"
_KEY = "signing.key"


def key_file(environ: "Mapping[str, str]") -> Path:
    """Where the user's key lies, or will."""
    return config_folder(environ) / _KEY


def user_key(environ: "Mapping[str, str]") -> "tuple[Ed25519PrivateKey, bool]":
    """The user's key, and whether it was made just now: there is one from the first signature on.

    Raises:
        BadInput: It cannot be read or made, others may read it, or the extra `packs` is not installed.
    """
    needed()
    path = key_file(environ)
    made = False
    try:
        if not os.path.lexists(path):
            made = _make(path)
        return _load(path), made
    except OSError as error:
        raise BadInput(f"The signing key {str(path)!r} cannot be used: {error.strerror}.", field="key") from error


def needed() -> None:
    """Refuse what needs `cryptography` where it is not installed.

    Raises:
        BadInput: It is not; the message names the extra.
    """
    try:
        import cryptography  # pyright: ignore[reportUnusedImport]  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise BadInput(
            "Signatures of packs need the extra `packs`, which is not installed: pip install 'stretto[packs]'",
            field="packs",
            next_steps=("pip install 'stretto[packs]'",),
        ) from error


def public(key: "Ed25519PrivateKey") -> str:
    """The public half as text: `ed25519:` and base64."""
    return _KIND + base64.b64encode(key.public_key().public_bytes_raw()).decode()


def raw(text: str) -> bytes:
    """The 32 bytes of a public key that is a text.

    Raises:
        BadInput: It is none, or written in another way than `public` does.
    """
    try:
        found = base64.b64decode(text.removeprefix(_KIND), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != 32 or text != _KIND + base64.b64encode(found).decode():
        raise BadInput(f"{text!r:.100} is no public key: {_KIND} and 32 bytes in base64.", field="signer")
    return found


def fingerprint(text: str) -> str:
    """What two people compare: the beginning of the SHA-256 of a public key, in groups of four.

    Raises:
        BadInput: As of `raw`.
    """
    digest = hashlib.sha256(raw(text)).hexdigest()[:40]
    return " ".join(digest[at : at + 4] for at in range(0, 40, 4))


def _make(path: Path) -> bool:
    """Write a new key, unless another process was quicker. Whether this one wrote it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    new = path.with_name(f".{_KEY}.{os.getpid()}")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(written)
            file.flush()
            os.fsync(file.fileno())
        os.link(new, path)  # which fails where there is one: a key is never overwritten, and never half there
    except FileExistsError:
        return False
    finally:
        new.unlink(missing_ok=True)
    return True


def _load(path: Path) -> "Ed25519PrivateKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode) or state.st_mode & 0o077 or state.st_uid != os.geteuid():
            raise BadInput(
                f"The signing key {str(path)!r} is not yours alone, so others may have it. Nothing was signed.",
                field="key",
                next_steps=(f"If nobody has read it: chmod 600 {path}", "If somebody may have: sign with a new key"),
            )
        written = file.read(10_000)
    try:
        key = load_pem_private_key(written, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None  # whatever is wrong with it, nothing of it is printed
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput(f"{str(path)!r} holds no Ed25519 key of Stretto's, and was left as it is.", field="key")
    return key
