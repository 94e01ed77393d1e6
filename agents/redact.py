"""Secrets: taken out before anything is written, and looked for again afterwards.

Only values go; keys and structure stay, so that a recording keeps its meaning.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

_PATTERNS = {
    "anthropic-key": r"\bsk-ant-[A-Za-z0-9_-]{16,}",
    "openai-key": r"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,}",
    "github-token": r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,})",
    "gitlab-token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "aws-key-id": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "google-key": r"\bAIza[A-Za-z0-9_-]{35}",
    "slack-token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    "stripe-key": r"\b(?:sk|rk)_live_[A-Za-z0-9]{16,}",
    "huggingface-token": r"\bhf_[A-Za-z0-9]{30,}",
    "npm-token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "pypi-token": r"\bpypi-AgEI[A-Za-z0-9_-]{50,}",
    "jwt": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "private-key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    "bearer": r"(?<=\bBearer )[A-Za-z0-9._~+/-]{20,}=*",
    "password-in-url": r"(?<=://)[^/\s:@\"']+:[^/\s:@\"']{3,}(?=@)",
}
SECRETS = {name: re.compile(pattern) for name, pattern in _PATTERNS.items()}
_MARKS: dict[str, tuple[str, ...]] = {
    "anthropic-key": ("sk-ant-",),
    "openai-key": ("sk-",),
    "github-token": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    "gitlab-token": ("glpat-",),
    "aws-key-id": ("AKIA", "ASIA"),
    "google-key": ("AIza",),
    "slack-token": ("xox",),
    "stripe-key": ("_live_",),
    "huggingface-token": ("hf_",),
    "npm-token": ("npm_",),
    "pypi-token": ("pypi-AgEI",),
    "jwt": ("eyJ",),
    "private-key": ("-----BEGIN ",),
    "bearer": ("Bearer ",),
    "password-in-url": ("://",),
}
"""What every secret of a kind holds one of: a text without any of them, the usual case, need not be searched."""
_BY_MARK = tuple((mark, kind) for kind, marks in _MARKS.items() for mark in marks)
_OWN_PATH = re.compile(
    r"(?<![\w.~/>-])/(?:(?:home|Users)/\w[\w.-]*/|root/|(?:private/)?var/folders/)[\w./-]*|\b[A-Za-z]:\\Users\\\w[^\s\"']*"
)
_HOMES = (
    (re.compile(r"(?<![\w.~>-])/(?:(?:home|Users)/\w[\w.-]*|root)(?![\w-])"), "<home>"),
    (re.compile(r"(?<![\w.>])-(?:home|Users)-[A-Za-z0-9]+(?=-|\b)"), "<home>"),
    (re.compile(r"\b[A-Za-z]:\\Users\\\w[\w.-]*"), "<home>"),
    (re.compile(r"(?<![\w.~>-])(?:/private)?/var/folders/[\w./-]*"), "<tmp>"),
)
"""Homes of whoever: as a path, as Claude Code names folders after paths, as Windows has them; and macOS's own /tmp."""
_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$", re.IGNORECASE)
_SHORTEST = 8
_TAKEN_OUT = re.compile(rf"<(?:secret|home|{'|'.join(_PATTERNS)})>")


class Redactor:
    """Takes secrets out of texts.

    Secrets are what looks like one, the values of environment variables named `…KEY`, `…TOKEN`, `…SECRET` or
    `…PASSWORD` of at least 8 characters, and the home folder, also in the form with dashes that some tools name
    folders by; `everybody`'s home, if the text may come from another machine.
    """

    def __init__(self, environment: Mapping[str, str] | None = None, *, everybody: bool = False) -> None:
        known = os.environ if environment is None else environment
        values = {value for name, value in known.items() if _SECRET_NAME.search(name) and len(value) >= _SHORTEST}
        # The longest first: one value may be the beginning of another.
        self._values = sorted(values, key=lambda value: (-len(value), value))
        self._home_forms = _home_forms(known.get("HOME", ""))
        self._home = _home_pattern(self._home_forms)
        self._homes = _HOMES if everybody else ()

    def text(self, text: str) -> str:
        """`text` without secrets."""
        for value in self._values:
            text = text.replace(value, "<secret>")
        if marked := {kind for mark, kind in _BY_MARK if mark in text}:
            for name, pattern in SECRETS.items():
                text = pattern.sub(f"<{name}>", text) if name in marked else text
        if any(form in text for form in self._home_forms):
            text = self._home.sub("<home>", text)
        for pattern, name in self._homes:
            text = pattern.sub(name, text)
        return text

    def json(self, value: Any) -> Any:
        """A JSON value without secrets. Keys stay, but for those that are one themselves."""
        return _mapped_whole(value, self.text)


def _home_forms(home: str) -> list[str]:
    home = home.rstrip("/")
    if len(home) < 2:
        return []
    return [home, home.replace("/", "-")] if home.count("/") > 1 else [home]


def _home_pattern(forms: list[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.])(?:{'|'.join(map(re.escape, forms))})(?!\w|\.\w)")


def redactions_in(text: str) -> int:
    """How many values were taken out of `text`."""
    return len(_TAKEN_OUT.findall(text))


def secrets_in(text: str) -> list[str]:
    """The kinds of secrets that `text` seems to hold."""
    marked = {kind for mark, kind in _BY_MARK if mark in text}
    return [name for name, pattern in SECRETS.items() if name in marked and pattern.search(text)]


def paths_in(text: str) -> list[str]:
    """The paths in `text` that lie in somebody's home or in a folder that systems make for one run."""
    return _OWN_PATH.findall(text)


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with every text in it changed; keys stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [mapped(item, change) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        return {key: mapped(item, change) for key, item in cast("dict[str, object]", value).items()}
    return value


def _mapped_whole(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list | tuple):
        return [_mapped_whole(item, change) for item in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    changed: dict[str, Any] = {}
    for key, item in cast("dict[str, object]", value).items():
        name = change(key)
        while name in changed:  # two keys that are secrets of one kind stay two
            name += "'"
        changed[name] = _mapped_whole(item, change)
    return changed


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from texts_in(item)
    elif isinstance(value, dict):
        for key, item in cast("dict[str, object]", value).items():
            yield key
            yield from texts_in(item)
