"""Names of a package that are imported when they are first asked for, so that the package itself imports nothing."""

from collections.abc import Mapping


def load(package: str, name: str, homes: Mapping[str, str]) -> object:
    """The value of `name`, from the module of `package` that `homes` gives for it.

    Raises:
        AttributeError: It is none of the package's names.
    """
    if name not in homes:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{package}.{homes[name]}"), name)
    return value
