"""A JSON argument read field by field: what is there must be of its kind, and nothing may be left over."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from stretto.state.errors import BadInput

T = TypeVar("T")
_OFF = frozenset({"off", "disabled", "none", "manual"})
"""Words by which commands turn something off: each has its own, and who writes a document knows one of them."""


class Fields:
    """The fields of one object. Every read names what is allowed; `close` refuses what nobody has read."""

    def __init__(self, value: object, field: str = "json") -> None:
        if not isinstance(value, dict):
            raise BadInput(f"{field} must be an object, not {_kind(value)}.", field=field, allowed=("{…}",))
        self.field = field
        self._values = cast("dict[str, Any]", value)
        self._known: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def path(self, name: str) -> str:
        """The full name of a field, as errors give it."""
        return name if self.field == "json" else f"{self.field}.{name}"

    def raw(self, name: str) -> Any:
        """The value as it is; None where there is none."""
        self._known.append(name)
        return self._values.get(name)

    def read(self, name: str, reader: Callable[[object, str], T], default: T) -> T:
        """What `reader(value, full name)` makes of it; the default where there is none."""
        value = self.raw(name)
        return default if value is None else reader(value, self.path(name))

    def text(self, name: str, default: str = "", *, longest: int = 200) -> str:
        """A text of one line."""
        return self.read(name, lambda value, field: text(value, field, longest=longest), default)

    def choice(self, name: str, allowed: Sequence[str], default: str = "") -> str:
        """One of these words."""
        return self.read(name, lambda value, field: choice(value, field, allowed), default)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """`true` or `false`."""
        return self.read(name, flag, default)

    def always(self, *names: str) -> None:
        """What is always so may be asked for; it cannot be turned off.

        Raises:
            BadInput: Somebody tries to.
        """
        for name in names:
            if not self.flag(name, default=True):
                raise BadInput(
                    f"{self.path(name)} cannot be turned off: it is always so. Nothing was changed.",
                    field=self.path(name),
                    allowed=("true",),
                )

    def whole(self, name: str, default: int | None = None, *, least: int = 0, most: int = 10**9) -> int | None:
        """A whole number."""
        return self.read(name, lambda value, field: whole(value, field, least=least, most=most), default)

    def number(
        self, name: str, default: float | None = None, *, least: float = 0.0, most: float = 1e12
    ) -> float | None:
        """A number."""
        return self.read(name, lambda value, field: number(value, field, least=least, most=most), default)

    def texts(self, name: str, allowed: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of texts; of these words alone if some are named."""
        return self.read(name, lambda value, field: texts(value, field, allowed), ())

    def inner(self, name: str) -> "Fields":
        """An object inside; an empty one where there is none. The caller closes it."""
        return Fields({} if (value := self.raw(name)) is None else value, self.path(name))

    def close(self) -> None:
        """Nothing else may be there.

        Raises:
            BadInput: A field that nobody has read.
        """
        if unknown := [name for name in self._values if name not in self._known]:
            known = tuple(dict.fromkeys(self._known))
            raise BadInput(
                f"{self.path(unknown[0])} is not known here. Nothing was done.",
                field=self.path(unknown[0]),
                allowed=known,
            )


def text(value: object, field: str, *, longest: int = 200) -> str:
    """A text of one line. Raises BadInput for anything else."""
    if not isinstance(value, str) or not value.strip() or len(value) > longest or not value.isprintable():
        raise BadInput(f"{field} must be a text of one line, at most {longest} characters.", field=field)
    return value.strip()


def choice(value: object, field: str, allowed: Sequence[str]) -> str:
    """One of these words; where one of them turns something off, so does any other that does. Else raises BadInput."""
    off = _OFF & {*allowed}
    if isinstance(value, str) and value in _OFF and value not in allowed and len(off) == 1:
        return next(iter(off))
    if not isinstance(value, str) or value not in allowed:
        raise BadInput(f"{field} {str(value)[:40]!r} is not possible.", field=field, allowed=allowed)
    return value


def flag(value: object, field: str) -> bool:
    """`true` or `false`. Raises BadInput for anything else."""
    if not isinstance(value, bool):
        raise BadInput(f"{field} must be true or false, not {_kind(value)}.", field=field, allowed=("true", "false"))
    return value


def whole(value: object, field: str, *, least: int = 0, most: int = 10**9) -> int:
    """A whole number. Raises BadInput for anything else."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BadInput(
            f"{field} {str(value)[:40]!r} is not a whole number from {least} to {most}.",
            field=field,
            allowed=(str(least), "…", str(most)),
        )
    return value


def number(value: object, field: str, *, least: float = 0.0, most: float = 1e12) -> float:
    """A number. Raises BadInput for anything else."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
        raise BadInput(
            f"{field} {str(value)[:40]!r} is not a number from {least:g} to {most:g}.",
            field=field,
            allowed=(f"{least:g}", "…", f"{most:g}"),
        )
    return float(value)


def texts(value: object, field: str, allowed: Sequence[str] = ()) -> tuple[str, ...]:
    """A list of texts; of these words alone if some are named. Raises BadInput for anything else."""
    if not isinstance(value, list):
        raise BadInput(f"{field} must be a list, not {_kind(value)}.", field=field, allowed=("[…]",))
    items = cast("list[object]", value)
    if allowed:
        return tuple(choice(item, f"{field}[{i}]", allowed) for i, item in enumerate(items))
    return tuple(text(item, f"{field}[{i}]") for i, item in enumerate(items))


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names: dict[type, str] = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return names.get(type(value), "a number")
