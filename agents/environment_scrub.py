"""The environment that programs run by an agent get: what they need to work, and no secret.

A list of what passes, not of what is held back: a new secret has a name that nobody thought of.
"""

import re
from collections.abc import Iterable, Mapping

PASSED = frozenset(
    {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "TERM",
        "TZ",
        "TMPDIR",
        "VIRTUAL_ENV",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
    }
)
"""Passed when set, and every `LC_*` too. Not: proxies and the indexes of package managers, whose addresses may hold a
password; `PYTHON*`, `LD_*`, `GIT_*` and the like, which change what a program does."""

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)


def scrub(environ: Mapping[str, str], keep: Iterable[str] = ()) -> dict[str, str]:
    """The part of `environ` that may be passed on.

    Args:
        environ: The driver's environment.
        keep: Names that are passed beside `PASSED` and `LC_*`, even those of secrets. Absent ones are no error.
    """
    kept = frozenset(keep)
    return {name: value for name, value in environ.items() if name in kept or _harmless(name)}


def _harmless(name: str) -> bool:
    return (name in PASSED or name.startswith("LC_")) and not _SECRET.search(name)
