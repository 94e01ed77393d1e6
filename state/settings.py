"""The settings of a project: `.stretto/config.toml`, which git tracks."""

import tomllib
from pathlib import Path
from typing import Any, NamedTuple, cast

from stretto.state import places
from stretto.state.errors import BadInput

MERGE = ("auto", "ask", "never")
DURABILITY = ("power", "process")


class Settings(NamedTuple):
    """What the project chose. An empty string means that it chose nothing.

    `test` is the command that runs the project's tests, split as POSIX words; `runner` a KIND[:ARG]; `agents` how many
    may work at once; `merge` what happens to a finished branch; `durability` what a written event survives: `power`
    the loss of power, `process` (faster) only the end of the process; `environment` names the variables that the
    project's tests and the agents' programs get beside the harmless ones (`agents.environment_scrub`); `strict` has
    the event log refuse events that the registry does not know or that leave out what it requires.
    """

    test: str = ""
    runner: str = ""
    agents: int = 4
    merge: str = "auto"
    durability: str = "power"
    environment: tuple[str, ...] = ()
    strict: bool = False


def load(project: Path) -> Settings:
    """The settings of the project, or the defaults where it has no `config.toml`.

    Raises:
        BadInput: The file cannot be read, is not TOML, or has an unknown key or a wrong value; the message names it.
    """
    path = project / places.HOME / places.SETTINGS
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The settings {str(path)!r} cannot be read: {error}.", field="config.toml") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"The settings {str(path)!r} are not TOML: {error}.", field="config.toml") from error
    for key, value in values.items():
        _check(path, key, value)
    if names := values.get("environment"):
        values["environment"] = tuple(names)
    return Settings(**values)


def _check(path: Path, key: str, value: Any) -> None:
    if key not in Settings._fields:
        raise BadInput(f"The settings {str(path)!r} know no {key!r}.", field=key, allowed=Settings._fields)
    fits: bool
    allowed: tuple[str, ...]
    match key:
        case "agents":
            fits, allowed = type(value) is int and 1 <= value <= 64, ("1", "…", "64")
        case "merge":
            fits, allowed = value in MERGE, MERGE
        case "durability":
            fits, allowed = value in DURABILITY, DURABILITY
        case "strict":
            fits, allowed = type(value) is bool, ("true", "false")
        case "environment":
            fits, allowed = _names(value), ("a list of names of environment variables",)
        case _:
            fits, allowed = isinstance(value, str), ("a string",)
    if not fits:
        raise BadInput(
            f"{key} = {value!r} in {str(path)!r} is not possible: {', '.join(allowed)}.", field=key, allowed=allowed
        )


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) and v.isidentifier() for v in cast("list[object]", value))
