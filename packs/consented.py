"""Packs whose handlers this user lets run without a sandbox, by version and content, in the user's configuration."""

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from stretto.packs.files import Files, digests
from stretto.packs.home import config_folder
from stretto.packs.manifest import MANIFEST, parse_manifest
from stretto.state import folders
from stretto.state.errors import BadInput


def consents_file(environ: Mapping[str, str]) -> Path:
    """Where they are noted: one line each, with the pack's name, its version and the digest of its files."""
    return config_folder(environ) / "unsandboxed"


def allowed(files: Files, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the user has agreed to just these files."""
    return _line(files) in _lines(consents_file(environ))


def allow(files: Files, environ: Mapping[str, str] = os.environ) -> None:
    """Note that the user agrees.

    Raises:
        BadInput: It cannot be noted.
    """
    path = consents_file(environ)
    lines = _lines(path)
    if _line(files) in lines:
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folders.write(str(path), "".join(f"{line}\n" for line in sorted([*lines, _line(files)])))
    except OSError as error:
        raise BadInput(f"{str(path)!r} cannot be written: {error.strerror}.", field="--unsandboxed") from error


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{str(path)!r} cannot be read: {error}.", field="--unsandboxed") from error


def _line(files: Files) -> str:
    manifest = parse_manifest(files[MANIFEST].decode("utf-8", "replace"))
    tree = sha256("".join(f"{path}\0{digest}\n" for path, digest in digests(files).items()).encode()).hexdigest()
    return f"{manifest.name} {manifest.version} {tree}"
