"""The settings of a project: `.stretto/config.toml`, which git tracks."""

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from stretto.state import places
from stretto.state.errors import BadInput

MERGE = ("auto", "ask", "never")
DURABILITY = ("power", "process")
CAPS = ("max_agents_total", "max_tokens", "max_usd", "max_tool_calls", "max_minutes")
"""Keys whose values are caps of a workflow, named as the flags are."""


class Settings(NamedTuple):
    """What the project chose. An empty string means that it chose nothing.

    `test` is the command that runs the project's tests, split as POSIX words; `runner` a KIND[:ARG]; `agents` how many
    may work at once; `merge` what happens to a finished branch; `durability` what a written event survives: `power`
    the loss of power, `process` (faster) only the end of the process; `environment` names the variables that the
    project's tests and the agents' programs get beside the harmless ones (`agents.environment_scrub`); `strict` has
    the event log refuse events that the registry does not know or that leave out what it requires. `max_…` are the caps
    of a workflow for which no flag gives another; None is no cap. `prices` says what models cost: USD for a million
    tokens of input and of output, by `PROVIDER/NAME`.
    `aliases` says which command of a pack a bare name means: `release = "team:release"`.
    """

    test: str = ""
    runner: str = ""
    agents: int = 4
    merge: str = "auto"
    durability: str = "power"
    environment: tuple[str, ...] = ()
    strict: bool = False
    max_agents_total: int | None = None
    max_tokens: int | None = None
    max_usd: float | None = None
    max_tool_calls: int | None = None
    max_minutes: float | None = None
    prices: Mapping[str, Mapping[str, float]] = {}
    aliases: Mapping[str, str] = {}


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
    fits, allowed = _fits(key, value)
    if not fits:
        raise BadInput(
            f"{key} = {value!r} in {str(path)!r} is not possible: {', '.join(allowed)}.", field=key, allowed=allowed
        )


def _fits(key: str, value: Any) -> tuple[bool, tuple[str, ...]]:
    """Whether the value is possible, and what is."""
    match key:
        case "agents":
            return type(value) is int and 1 <= value <= 64, ("1", "…", "64")
        case "merge":
            return value in MERGE, MERGE
        case "durability":
            return value in DURABILITY, DURABILITY
        case "strict":
            return type(value) is bool, ("true", "false")
        case "max_usd" | "max_minutes":
            return _amount(value) and value > 0, ("a number greater than 0",)
        case key if key in CAPS:
            return type(value) is int and value >= 1, ("a whole number of at least 1",)
        case "prices":
            return _prices(value), ('"PROVIDER/NAME" = {input = USD, output = USD}',)
        case "aliases":
            return _aliases(value), ('NAME = "PACK:COMMAND"',)
        case "environment":
            return _names(value), ("a list of names of environment variables",)
        case _:
            return isinstance(value, str), ("a string",)


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) and v.isidentifier() for v in cast("list[object]", value))


def _amount(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value >= 0


def _prices(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return all("/" in name and _price(price) for name, price in cast("dict[str, object]", value).items())


def _aliases(value: Any) -> bool:
    chosen = cast("dict[str, object]", value) if isinstance(value, dict) else {"": None}
    return all(isinstance(full, str) and full.count(":") == 1 and name for name, full in chosen.items())


def _price(value: object) -> bool:
    price = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    return price.keys() == {"input", "output"} and all(map(_amount, price.values()))
