"""The settings, read from the environment once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class ConfigError(Exception):
    """A setting has a value that cannot be used."""


@dataclass(frozen=True)
class Config:
    """What can be set. `max_body` is in bytes."""

    host: str = "127.0.0.1"
    port: int = 8000
    file: Path = Path("notes.json")
    max_body: int = 65536


def from_environment(environ: Mapping[str, str]) -> Config:
    """The settings from variables such as `NOTES_PORT`; what is not set keeps its default.

    Raises:
        ConfigError: A number is not a number, or out of range.
    """
    return Config(
        host=environ.get("NOTES_HOST", Config.host),
        port=_number(environ, "NOTES_PORT", Config.port, highest=65535),
        file=Path(environ.get("NOTES_FILE", Config.file)),
        max_body=_number(environ, "NOTES_MAX_BODY", Config.max_body, highest=2**30),
    )


def _number(environ: Mapping[str, str], name: str, default: int, *, highest: int) -> int:
    text = environ.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= highest):
        raise ConfigError(f"{name} must be a number from 1 to {highest}, and is {text!r}.")
    return int(text)
