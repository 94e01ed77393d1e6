"""One server more, or less, in a file of settings that belongs to the user: JSON, or TOML for Codex."""

import json
import tomllib
from pathlib import Path
from typing import Any, cast

from stretto.packs.export import Shared, as_json
from stretto.state.errors import BadInput

SETTINGS = "settings"
"""Stands for a hash in the record of an export: of this file only an entry is ours."""
_NAME = "stretto"


def merged(place: Path, shared: Shared) -> bytes:
    """The file with our server in it.

    Raises:
        BadInput: It cannot be read as what it should be, or has another server of our name.
    """
    text = _text(place)
    servers = _servers(text, shared)
    if _NAME in servers and servers[_NAME] != shared.server:
        raise _refused(shared, f"has a server {_NAME!r} already, another one")
    if _NAME in servers:
        return text.encode()
    if shared.path.endswith(".toml"):
        return (text + ("\n" if text else "") + _table(shared)).encode()
    data = _data(text, shared)
    return as_json({**data, shared.key: {**servers, _NAME: shared.server}}).encode()


def parted(place: Path, shared: Shared) -> bytes | None:
    """The file without our server; None if nothing is left of it. An entry that somebody changed stays."""
    text = _text(place)
    servers = _servers(text, shared)
    if servers.get(_NAME) != shared.server:
        return text.encode()
    if shared.path.endswith(".toml"):
        left = text.replace(_table(shared), "").rstrip("\n")
        return f"{left}\n".encode() if left else None
    data = _data(text, shared)
    rest = {name: server for name, server in servers.items() if name != _NAME}
    data = {**data, shared.key: rest} if rest else {key: value for key, value in data.items() if key != shared.key}
    return as_json(data).encode() if data else None


def _text(place: Path) -> str:
    try:
        return place.read_text("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{str(place)!r} cannot be read: {error}. Nothing was changed.", field="-o") from error


def _servers(text: str, shared: Shared) -> dict[str, Any]:
    servers: object = _data(text, shared).get(shared.key, {})
    if not isinstance(servers, dict):
        raise _refused(shared, f"has something else than servers in {shared.key!r}")
    return cast("dict[str, Any]", servers)


def _data(text: str, shared: Shared) -> dict[str, Any]:
    try:
        data: object = tomllib.loads(text) if shared.path.endswith(".toml") else json.loads(text or "{}")
    except ValueError as error:
        raise _refused(shared, f"cannot be read without losing something of it ({error})") from error
    if not isinstance(data, dict):
        raise _refused(shared, "holds no settings")
    return cast("dict[str, Any]", data)


def _table(shared: Shared) -> str:
    values = "".join(f"{key} = {json.dumps(value)}\n" for key, value in shared.server.items())
    return f"[{shared.key}.{_NAME}]\n{values}"


def _refused(shared: Shared, what: str) -> BadInput:
    entry = json.dumps({shared.key: {_NAME: shared.server}})
    return BadInput(
        f"{shared.path!r} {what}; nothing was written.",
        field="-o",
        next_steps=(f"Put this server there yourself, or write to another folder: {entry}",),
    )
