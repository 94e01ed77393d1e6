"""What the quick doors and the hooks take in the place of parts of the standard library: the same, and light.

To import `typing` takes half as long as the bare interpreter's start, each of its tuples a hundredth part of that, and
so does each regular expression; a command needs few of those that its modules hold. Type checkers see the originals.
Where `NamedTuple` is used annotations must be texts: `from __future__ import annotations`.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import suppress
    from re import compile as pattern
    from typing import NamedTuple, cast
else:
    from operator import itemgetter

    class _Maker(type):
        """Makes the fields of a class from its annotations."""

        def __new__(cls, name, bases, space):
            fields = tuple(space.get("__annotations__", ()))
            space["_field_defaults"] = {field: space[field] for field in fields if field in space}
            space["_fields"] = space["__match_args__"] = fields
            space["__slots__"] = ()
            space.update((field, property(itemgetter(at))) for at, field in enumerate(fields))
            return super().__new__(cls, name, bases, space)

    class NamedTuple(tuple, metaclass=_Maker):
        """The base of a class whose annotated names are the fields of a tuple."""

        def __new__(cls, *values, **named):
            """By position, by name, or both."""
            if named or len(values) != len(cls._fields):
                known = cls._field_defaults | named
                missing = [field for field in cls._fields[len(values) :] if field not in known]
                if missing or len(values) > len(cls._fields) or not named.keys() <= {*cls._fields[len(values) :]}:
                    raise TypeError(f"{cls.__name__} takes {cls._fields}, not {values} and {named}")
                values = (*values, *(known[field] for field in cls._fields[len(values) :]))
            return tuple.__new__(cls, values)

        @classmethod
        def _make(cls, values):
            """As namedtuple has it."""
            made = tuple.__new__(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(f"{cls.__name__} takes {cls._fields}, not {tuple(made)}")
            return made

        def _replace(self, /, **changes):
            return type(self)(**{**self._asdict(), **changes})

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __getnewargs__(self):
            return tuple(self)

        def __repr__(self):
            told = ", ".join(f"{field}={value!r}" for field, value in self._asdict().items())
            return f"{type(self).__name__}({told})"

    class pattern:  # noqa: N801 - a function for whoever uses it
        """A regular expression that is compiled when it is first used."""

        def __init__(self, text, flags=0):
            self._given = (text, flags)

        def __getattr__(self, name):
            import re

            found = getattr(re.compile(*self._given), name)
            setattr(self, name, found)
            return found

    class suppress:  # noqa: N801 - the same
        """As contextlib has it, without groups of exceptions."""

        def __init__(self, *kinds):
            self._kinds = kinds

        def __enter__(self):
            return None

        def __exit__(self, kind, *_):
            return kind is not None and issubclass(kind, self._kinds)

    def cast(_, value):
        """The value, for a type checker of another type."""
        return value


__all__ = ["NamedTuple", "cast", "pattern", "suppress"]
