"""The command line: `todo add|list|done|remove`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from todo.items import Item, UnknownItem, added, finished, removed
from todo.storage import BadFile, load, save


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command. Returns the exit code."""
    options = _parser().parse_args(argv)
    try:
        items = load(options.file)
        if options.command == "list":
            _show(items, everything=options.all)
        else:
            save(options.file, _changed(items, options))
    except (UnknownItem, BadFile) as error:
        print(f"todo: {error}", file=sys.stderr)
        return 2
    return 0


def _changed(items: Sequence[Item], options: argparse.Namespace) -> list[Item]:
    if options.command == "add":
        new = added(items, options.text)
        print(new[-1])
        return new
    if options.command == "done":
        return finished(items, options.number)
    return removed(items, options.number)


def _show(items: Sequence[Item], *, everything: bool) -> None:
    for item in items:
        if everything or not item.done:
            print(item)


def _text(text: str) -> str:
    line = " ".join(text.split())
    if not line:
        raise argparse.ArgumentTypeError("is empty")
    return line


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="todo", description="A list of things to do.")
    default = Path(os.environ.get("TODO_FILE") or Path.home() / ".todo.json")
    parser.add_argument("--file", type=Path, default=default, help="where the list is kept")
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="add an item")
    add.add_argument("text", type=_text)
    show = commands.add_parser("list", help="show the open items")
    show.add_argument("--all", action="store_true", help="show the finished ones too")
    for name, words in (("done", "finish an item"), ("remove", "forget an item")):
        commands.add_parser(name, help=words).add_argument("number", type=int)
    return parser
