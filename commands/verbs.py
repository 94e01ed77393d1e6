"""Verbs: on a workflow (events, logs, …), on a work order (brief, check, report, steer), the MCP server, and more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from os.path import exists
from types import SimpleNamespace

from stretto.commands.app import App
from stretto.commands.doors import folder
from stretto.commands.grammar import Flag
from stretto.commands.help import ORDER_REPORT, VERB_HELP
from stretto.commands.reply import Reply
from stretto.commands.verb_line import LIST, NUMBER, SWITCH, TEXT, Form, Wrong, read
from stretto.state.errors import BadInput


def _all(names: str, kind: Flag) -> dict[str, Flag]:
    return dict.fromkeys(names.split(), kind)


_ON_WORKFLOW, _ON_ORDER = Form(("workflow",)), Form(("order",))
_FORMS = {
    "events": Form(
        ("workflow",),
        {"follow": SWITCH, "hash": SWITCH, "after": NUMBER, "pattern": LIST, "class": LIST, "severity": TEXT},
        optional=True,
    ),
    "logs": Form(("workflow", "task"), {"attempt": NUMBER}),
    "diff": _ON_WORKFLOW,
    "cancel": _ON_WORKFLOW,
    "undo": _ON_WORKFLOW,
    "brief": _ON_ORDER,
    "check": _ON_ORDER,
    ORDER_REPORT: Form(("order",), {"failed": TEXT}),
    "steer": Form(("order", "note")),
    "mcp": Form(flags={"runner": TEXT}),
    "setup": Form(flags={"remove": SWITCH, "client": TEXT}),
    "verify": Form(("file",), {"exact": SWITCH, "total-order": SWITCH, "only": TEXT, "keep": SWITCH}),
    "eval": Form(
        ("suite",),
        {"runner": TEXT, "against": TEXT, "tasks": LIST, "repeat": NUMBER, "out": TEXT, "record": TEXT},
    ),
    "store": Form(
        ("operation", "target"),
        {"deep": SWITCH, "dry-run": SWITCH, "refs": SWITCH, "older-than": TEXT, "keep": NUMBER},
        optional=True,
    ),
    "doctor": Form(),
    "cassette": Form(
        ("operation",),
        {
            **_all("runner template output task", TEXT),
            **_all("attempts max-agents", NUMBER),
            **_all("force strict lenient hash keep in-place", SWITCH),
        },
        optional=True,
        rest="files",
    ),
    "pack": Form(
        ("operation",),
        {**_all("output client", TEXT), **_all("yes frozen force keep remove unsandboxed", SWITCH)},
        optional=True,
        rest="packs",
    ),
}


def run(verb: str, args: Sequence[str], as_json: bool) -> Reply | Iterator[str]:
    """Run one verb; `events` answers line by line.

    Raises:
        BadInput: An argument is wrong, or there is no such workflow.
    """
    try:
        # `-o` is what programs that write a file call it
        found = read(
            _FORMS[verb], ["--output" if verb in ("cassette", "pack") and arg == "-o" else arg for arg in args]
        )
    except Wrong as wrong:
        raise BadInput(
            f"stretto {verb}: {wrong}.\nUsage: stretto {VERB_HELP[verb][0]}",
            field="arguments",
            next_steps=(f"stretto {verb} --help",),
        ) from None
    app = App(folder(found.project or "."), found.store or "", as_json)
    return _VERBS[verb](app, found)


def _events(app: App, args: SimpleNamespace) -> Reply | Iterator[str]:
    from stretto.commands.event_lines import events
    from stretto.state.filter import Filter

    if args.hash:
        from stretto.commands.event_hash import event_hash

        return event_hash(app, args)
    classes = vars(args)["class"]
    wanted = Filter(tuple(args.pattern), tuple(classes), args.severity or "", args.workflow or "")
    lines = events(app, wanted, follow=args.follow, after=args.after or 0)
    if not (app.json or args.workflow or args.follow or exists(app.state)):  # noqa: PTH110 - pathlib is slow to import
        return Reply("events", "No workflow has run here yet.")
    return lines


def _logs(app: App, args: SimpleNamespace) -> Reply:
    from stretto.commands.looking import logs

    return logs(app, args.workflow, args.task, args.attempt)


def _diff(app: App, args: SimpleNamespace) -> Reply:
    from stretto.commands.looking import diff

    return diff(app, args.workflow)


def _cancel(app: App, args: SimpleNamespace) -> Reply:
    from stretto.commands.stopping import cancel

    return cancel(app, args.workflow)


def _undo(app: App, args: SimpleNamespace) -> Reply:
    from stretto.commands.stopping import undo

    return undo(app, args.workflow)


def _brief(app: App, args: SimpleNamespace) -> Reply:
    from stretto.commands.orders import brief

    return brief(app, args.order)


def _check(app: App, args: SimpleNamespace) -> Reply:
    from stretto.commands.orders import checks

    return checks(app, args.order)


def _report(app: App, args: SimpleNamespace) -> Reply:
    from stretto.commands.orders import read_outcome, report

    if args.failed is not None:
        return report(app, args.order, {"outcome": {"status": "failed", "summary": args.failed}})
    return report(app, args.order, read_outcome())


def _steer(app: App, args: SimpleNamespace) -> Reply:
    from stretto.commands.orders import steer

    return steer(app, args.order, args.note)


def _mcp(app: App, args: SimpleNamespace) -> Iterator[str]:
    """Serves until the client leaves. The answer is empty: stdout is the protocol's."""
    from importlib.util import find_spec

    if find_spec("mcp") is None:
        raise BadInput(
            "`stretto mcp` needs the extra `mcp`, which is not installed: pip install 'stretto[mcp]'", field="mcp"
        )
    from stretto.commands.mcp_server import serve

    serve(app.project, store=app.store, runner=args.runner or "")
    return iter(())


def _setup(app: App, args: SimpleNamespace) -> Reply:
    if args.client in (None, "claude"):
        from stretto.commands.setup import setup

        return setup(app, remove=args.remove)
    from stretto.commands.exporting import set_up

    return set_up(app, args.client, remove=args.remove)


def _verify(app: App, args: SimpleNamespace) -> Reply:
    from stretto.commands.scenario import Rules
    from stretto.commands.verify import verify

    rules = Rules(exact=args.exact, total_order=vars(args)["total-order"])
    return verify(app, args.file, rules=rules, only=args.only or "", keep=args.keep)


def _eval(app: App, args: SimpleNamespace) -> Reply:
    from stretto.commands.evaluating import evaluate

    return evaluate(app, args)


def _doctor(app: App, args: SimpleNamespace) -> Reply:
    del args
    from stretto.commands.doctor import doctor

    return doctor(app)


def _pack(app: App, args: SimpleNamespace) -> Reply:
    from stretto.commands.pack import pack

    return pack(app, args)


def _cassette(app: App, args: SimpleNamespace) -> Reply:
    from stretto.commands.cassette import cassette

    return cassette(app, args)


def _store(app: App, args: SimpleNamespace) -> Reply:
    from stretto.commands.store import store

    return store(app, args)


_VERBS: dict[str, Callable[[App, SimpleNamespace], Reply | Iterator[str]]] = {
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
    "verify": _verify,
    "eval": _eval,
    "store": _store,
    "doctor": _doctor,
    "cassette": _cassette,
    "pack": _pack,
}
