"""Where packs keep what belongs to the user: the cache of files, and the configuration with keys and signers."""

from collections.abc import Mapping
from pathlib import Path


def cache_folder(environ: Mapping[str, str]) -> Path:
    """The user's cache: STRETTO_CACHE, else `stretto` in XDG_CACHE_HOME, else in ~/.cache."""
    if named := environ.get("STRETTO_CACHE"):
        return Path(named).expanduser().absolute()
    return _base(environ, "XDG_CACHE_HOME", ".cache") / "stretto"


def config_folder(environ: Mapping[str, str]) -> Path:
    """The user's configuration: `stretto` in XDG_CONFIG_HOME, else in ~/.config."""
    return _base(environ, "XDG_CONFIG_HOME", ".config") / "stretto"


def _base(environ: Mapping[str, str], name: str, usual: str) -> Path:
    given = Path(environ.get(name, ""))
    return given if given.is_absolute() else Path.home() / usual  # a relative one is ignored, as XDG has it
