"""Verbs: on a workflow (events, logs, …), on a work order (brief, check, report, steer), and the MCP server."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import NoReturn

from stretto.commands.app import App
from stretto.commands.doors import folder
from stretto.commands.help import ORDER_REPORT, VERB_HELP
from stretto.commands.reply import Reply
from stretto.state.errors import BadInput


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        form = VERB_HELP[self.prog][0]
        raise BadInput(
            f"stretto {self.prog}: {message}.\nUsage: stretto {form}",
            field="arguments",
            next_steps=(f"stretto {self.prog} --help",),
        )


def run(verb: str, args: Sequence[str], as_json: bool) -> Reply | Iterator[str]:
    """Run one verb; `events` answers line by line.

    Raises:
        BadInput: An argument is wrong, or there is no such workflow.
    """
    found = _parser(verb).parse_args(list(args))
    app = App(folder(found.project), found.store or "", as_json)
    return _VERBS[verb](app, found)


def _parser(verb: str) -> _Parser:
    parser = _Parser(prog=verb, add_help=False, allow_abbrev=False)
    parser.add_argument("--project", default=".")
    parser.add_argument("--store")
    if verb == "mcp":
        parser.add_argument("--runner")
        return parser
    if verb == "setup":
        parser.add_argument("--remove", action="store_true")
        return parser
    parser.add_argument("order" if verb in _ON_ORDERS else "workflow", nargs="?" if verb == "events" else None)
    if verb == "events":
        parser.add_argument("--follow", action="store_true")
        parser.add_argument("--after", type=_number, default=0)
        parser.add_argument("--pattern", action="append", default=[])
        parser.add_argument("--class", dest="classes", action="append", default=[])
        parser.add_argument("--severity", default="")
    if verb == "logs":
        parser.add_argument("task")
        parser.add_argument("--attempt", type=_number)
    if verb == ORDER_REPORT:
        parser.add_argument("--failed")
    if verb == "steer":
        parser.add_argument("note")
    return parser


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _events(app: App, args: argparse.Namespace) -> Reply | Iterator[str]:
    from stretto.commands.event_lines import events
    from stretto.state.filter import Filter

    wanted = Filter(_listed(args.pattern), _listed(args.classes), args.severity, args.workflow or "")
    lines = events(app, wanted, follow=args.follow, after=args.after)
    if not (app.json or args.workflow or args.follow or app.directory.exists()):
        return Reply("events", "No workflow has run here yet.")
    return lines


def _listed(given: Sequence[str]) -> tuple[str, ...]:
    """A flag that may be given again, or with several values between commas."""
    return tuple(word.strip() for text in given for word in text.split(","))


def _logs(app: App, args: argparse.Namespace) -> Reply:
    from stretto.commands.looking import logs

    return logs(app, args.workflow, args.task, args.attempt)


def _diff(app: App, args: argparse.Namespace) -> Reply:
    from stretto.commands.looking import diff

    return diff(app, args.workflow)


def _cancel(app: App, args: argparse.Namespace) -> Reply:
    from stretto.commands.stopping import cancel

    return cancel(app, args.workflow)


def _undo(app: App, args: argparse.Namespace) -> Reply:
    from stretto.commands.stopping import undo

    return undo(app, args.workflow)


def _brief(app: App, args: argparse.Namespace) -> Reply:
    from stretto.commands.orders import brief

    return brief(app, args.order)


def _check(app: App, args: argparse.Namespace) -> Reply:
    from stretto.commands.orders import checks

    return checks(app, args.order)


def _report(app: App, args: argparse.Namespace) -> Reply:
    from stretto.commands.orders import read_outcome, report

    if args.failed is not None:
        return report(app, args.order, {"outcome": {"status": "failed", "summary": args.failed}})
    return report(app, args.order, read_outcome())


def _steer(app: App, args: argparse.Namespace) -> Reply:
    from stretto.commands.orders import steer

    return steer(app, args.order, args.note)


def _mcp(app: App, args: argparse.Namespace) -> Iterator[str]:
    """Serves until the client leaves. The answer is empty: stdout is the protocol's."""
    if find_spec("mcp") is None:
        raise BadInput(
            "`stretto mcp` needs the extra `mcp`, which is not installed: pip install 'stretto[mcp]'", field="mcp"
        )
    from stretto.commands.mcp_server import serve

    serve(app.project, store=app.store, runner=args.runner or "")
    return iter(())


_ON_ORDERS = frozenset({"brief", "check", "steer", ORDER_REPORT})


def _setup(app: App, args: argparse.Namespace) -> Reply:
    from stretto.commands.setup import setup

    return setup(app, remove=args.remove)


_VERBS: dict[str, Callable[[App, argparse.Namespace], Reply | Iterator[str]]] = {
    "events": _events,
    "logs": _logs,
    "diff": _diff,
    "cancel": _cancel,
    "undo": _undo,
    "brief": _brief,
    "check": _check,
    ORDER_REPORT: _report,
    "steer": _steer,
    "mcp": _mcp,
    "setup": _setup,
}
