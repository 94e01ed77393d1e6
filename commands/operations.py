"""Operations of a command: from the word in a line to the function that does it, with the flags that it takes."""

from collections.abc import Callable, Mapping
from importlib import import_module

from stretto.commands.app import App, require_supported
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.state.errors import BadInput

Handle = Callable[[Invocation, App], Reply]
Operations = Mapping[str, Handle | str]
"""A function, or `module:function` of `stretto.commands`, which is imported when it is asked for."""


def run(
    invocation: Invocation, app: App, operations: Operations, flags: Mapping[str, frozenset[str]] | None = None
) -> Reply:
    """Hand the operation of a line to its function. `flags` are those of the operations that have some.

    Raises:
        BadInput: The grammar knows the operation, but this version does not have it; or the flag does nothing there.
    """
    name = invocation.operation
    found = operations.get(name)
    if found is None:
        raise BadInput(
            f"/{invocation.command} {name} is understood, but this version does not have it yet; nothing was done.",
            field="operation",
            allowed=sorted(operations),
        )
    require_supported(invocation, (flags or {}).get(name, frozenset()))
    handle = _imported(found) if isinstance(found, str) else found
    return handle(invocation, app)


def _imported(place: str) -> Handle:
    module, _, function = place.partition(":")
    found: Handle = getattr(import_module(f"stretto.commands.{module}"), function)
    return found
