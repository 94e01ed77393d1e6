"""Verbs with operations (`stretto pack add`): which one is meant, and whether its words and flags are its own."""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import NamedTuple

from stretto.commands.amounts import some
from stretto.commands.app import App
from stretto.commands.reply import Reply
from stretto.state.errors import BadInput


class Operation(NamedTuple):
    """What an operation is called with: its form, the least and the most words, its flags; and what does it."""

    form: str
    words: tuple[int, int]
    flags: tuple[str, ...]
    do: Callable[[App, list[str], SimpleNamespace], Reply]


def perform(app: App, verb: str, args: SimpleNamespace, words: str, operations: Mapping[str, Operation]) -> Reply:
    """Do one of a verb's operations; `words` is the name that its words have among the arguments.

    Raises:
        BadInput: There is no such operation, or the words or flags are not its own.
    """
    args = named(args)
    operation = operation_of(verb, args, operations)
    chosen, given = operations[operation], list(getattr(args, words))
    if not chosen.words[0] <= len(given) <= chosen.words[1]:
        raise BadInput(
            f"`stretto {verb} {operation}` was given {some(len(given), 'argument')}."
            f"\nUsage: stretto {verb} {chosen.form}",
            field="arguments",
            next_steps=(f"stretto {verb} --help",),
        )
    only(verb, operation, args, chosen.flags, {flag for each in operations.values() for flag in each.flags})
    return chosen.do(app, given, args)


def named(args: SimpleNamespace) -> SimpleNamespace:
    """The arguments with names that Python can say."""
    return SimpleNamespace(**{name.replace("-", "_"): value for name, value in vars(args).items()})


def operation_of(verb: str, args: SimpleNamespace, known: Collection[str]) -> str:
    """The operation that is asked for.

    Raises:
        BadInput: It is none of those that are known.
    """
    operation = str(args.operation or "")
    if operation not in known:
        missing = f"`stretto {verb}` needs an operation."
        raise BadInput(
            f"`stretto {verb}` has no operation {operation!r}." if operation else missing,
            field="operation",
            allowed=tuple(known),
            next_steps=(f"stretto {verb} --help",),
        )
    return operation


def only(verb: str, operation: str, args: SimpleNamespace, flags: Sequence[str], every: Collection[str]) -> None:
    """Refuse a flag of another operation: it would do nothing here.

    Raises:
        BadInput: There is one of `every` that is none of `flags`.
    """
    for flag in sorted(set(every) - set(flags)):
        if getattr(args, flag) not in (None, False):
            shown = f"--{flag.replace('_', '-')}"
            allowed = [f"--{each.replace('_', '-')}" for each in flags]
            raise BadInput(f"`stretto {verb} {operation}` takes no {shown}.", field=shown, allowed=allowed)
