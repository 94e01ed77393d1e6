"""`stretto store`: care of the store. Checking, repairing, backing up, pruning, counting, migrating."""

from collections.abc import Callable
from pathlib import Path
from shlex import quote
from types import SimpleNamespace
from typing import Any

from stretto.commands.amounts import size, some
from stretto.commands.app import App
from stretto.commands.reply import Reply
from stretto.commands.safe import one_line, safe
from stretto.commands.verb_operations import named, only, operation_of
from stretto.state import places
from stretto.state.care_finding import Finding, Report
from stretto.state.errors import BadInput
from stretto.state.tide import check_tide, mark

FLAGS: dict[str, tuple[str, ...]] = {
    "check": ("deep",),
    "repair": ("dry_run",),
    "backup": (),
    "prune": ("older_than", "keep", "refs", "dry_run"),
    "stats": (),
    "migrate": (),
}
"""The operations, and what each may be given."""
_EVERY = sorted({flag for flags in FLAGS.values() for flag in flags})
_NO_STORE = ("stretto doctor",)
_BACK_UP = "stretto store backup ../store.tar.gz"
_SHOWN = 200
_DAMAGED = 4


def store(app: App, args: SimpleNamespace) -> Reply:
    """Do one of the operations.

    Raises:
        BadInput: A flag is not one of the operation, or the backup has no target; nothing was written.
        StoreDamaged: The store cannot be read at all.
        StrettoError: It cannot be read or written, or somebody is at work in it.
    """
    args = named(args)
    operation = operation_of("store", args, FLAGS)
    if args.target is not None and operation != "backup":
        raise BadInput(f"`stretto store {operation}` takes no target.", field="target")
    only("store", operation, args, FLAGS[operation], _EVERY)
    if not (app.directory / places.EVENTS).exists() and operation != "check" and operation != "stats":
        path = str(app.directory / places.EVENTS)
        check_tide(path, mark(path), 0)
        raise BadInput(
            f"There is no store in {str(app.directory)!r}: nothing has run here yet.",
            field="store",
            next_steps=("Name another store: --store DIR or STRETTO_STORE.", "stretto doctor"),
        )
    return _OPERATIONS[operation](app, args)


def repaired(app: App, *, dry_run: bool) -> Reply:
    """`stretto store repair`, for another command that offers it.

    Raises:
        StrettoError: As for `store`.
    """
    return store(
        app, SimpleNamespace(**{**dict.fromkeys(_EVERY), "target": None, "operation": "repair", "dry_run": dry_run})
    )


def _check(app: App, args: SimpleNamespace) -> Reply:
    from stretto.state.care_check import check

    report = check(app.directory, deep=bool(args.deep))
    facts = _facts(report)
    read = _read(report)
    if not report.rows and not report.findings:
        return Reply("store", "There is no store here yet; nothing to check.", facts, "check", next_steps=_NO_STORE)
    if not report.damage:
        lines = [f"The store is sound: {read}.", *_lines(report.findings)]
        steps = [] if args.deep else ["stretto store check --deep   (every checkpoint)"]
        steps += ["stretto store repair --dry-run"] if report.findings else [_BACK_UP]
        return Reply("store", "\n".join(lines), facts, "check", next_steps=tuple(steps))
    head = f"The store is damaged: {some(len(report.damage), 'finding')}. Nothing was changed. Read: {read}."
    text = "\n".join([head, *_lines(report.findings)])
    steps = ["stretto store repair --dry-run", "stretto store repair"]
    return Reply("store", text, facts, "check", next_steps=tuple(steps), exit_code=_DAMAGED)


def _read(report: Report) -> str:
    events = report.rows.get("events", 0)
    others = sum(report.rows.values()) - events
    return f"{some(events, 'event')}, {some(others, 'other row')}, {some(report.checkpoints, 'checkpoint')} loaded"


def _facts(report: Report) -> dict[str, Any]:
    return {
        "sound": not report.damage,
        "findings": [f.facts() for f in report.findings],
        "rows": report.rows,
        "checkpoints": report.checkpoints,
    }


def _lines(findings: tuple[Finding, ...]) -> list[str]:
    lines = [
        f"  {'damaged' if f.damaged else 'untidy '}  {one_line(f.line(), 400)}"
        for f in sorted(findings, key=lambda f: not f.damaged)
    ]
    rest = [f"  … and {len(lines) - _SHOWN} more; --json has all"] if len(lines) > _SHOWN else []
    return [*lines[:_SHOWN], *rest]


def _repair(app: App, args: SimpleNamespace) -> Reply:
    from stretto.state.care_repair import repair

    done = repair(app.directory, dry_run=bool(args.dry_run))
    facts = {
        "actions": list(done.actions),
        "dry_run": bool(args.dry_run),
        "quarantine": str(done.quarantine) if done.quarantine else None,
    }
    if not done.actions:
        text = "There is nothing to repair; nothing was changed."
        return Reply("store", text, facts, "repair", next_steps=(_BACK_UP,))
    lines = [f"  {one_line(line, 400)}" for line in done.actions]
    if args.dry_run:
        head = f"A repair would make {some(len(lines), 'change')}; nothing was changed:"
        return Reply("store", "\n".join([head, *lines]), facts, "repair", next_steps=("stretto store repair",))
    foot = f"What was replaced lies in {safe(str(done.quarantine))}, byte for byte; delete it when you need it no more."
    text = "\n".join([f"Repaired: {some(len(lines), 'change')}.", *lines, foot])
    events = (done.event,) if done.event else ()
    return Reply("store", text, facts, "repair", events=events, next_steps=("stretto store check --deep",))


def _prune(app: App, args: SimpleNamespace) -> Reply:
    from stretto.commands.pruning import OLDER_THAN, prune

    return prune(
        app,
        older_than=args.older_than or OLDER_THAN,
        keep=args.keep or 0,
        refs=bool(args.refs),
        dry_run=bool(args.dry_run),
    )


def _migrate(app: App, args: SimpleNamespace) -> Reply:
    del args
    from stretto.state.care_migrate import migrate

    done = migrate(app.directory)
    formats = dict(zip(("before", "after"), done.formats, strict=True)) if done.formats else None
    facts = {"before": done.before, "after": done.after, "events": done.events, "checkpoints": formats}
    changed = done.before != done.after
    lines = [_step("schema of the log", done.before, done.after)]
    if done.formats:
        lines.append(_step("format of the checkpoints", *done.formats))
        changed = changed or done.formats[0] != done.formats[1]
    lines.append(f"{some(done.events, 'event')} verified; {'brought up' if changed else 'nothing was changed'}.")
    return Reply("store", "\n".join(lines), facts, "migrate", next_steps=("stretto store check --deep",))


def _step(what: str, before: int, after: int) -> str:
    return f"The {what} is {after}, which is today's." if before == after else f"The {what} was {before}, is {after}."


def _backup(app: App, args: SimpleNamespace) -> Reply:
    from stretto.state.care_backup import backup

    if not args.target:
        raise BadInput(
            "`stretto store backup` needs a target: a new folder, or a new file that ends in .tar, .tar.gz or .tgz.",
            field="target",
            next_steps=("stretto store backup ../store-backup.tar.gz",),
        )
    done = backup(app.directory, Path(args.target).expanduser().resolve())
    facts = {"path": str(done.path), "bytes": done.size, **_facts(done.report)}
    head = f"Backed up to {safe(str(done.path))}: {size(done.size)}; checked there: {_read(done.report)}."
    if done.report.damage:
        head = f"{head} The copy is damaged, as the store is."
        text = "\n".join([head, *_lines(done.report.damage)])
        return Reply("store", text, facts, "backup", next_steps=("stretto store repair --dry-run",), exit_code=_DAMAGED)
    step = f"stretto store check --deep --store {quote(str(done.path))}"
    if not done.path.is_dir():
        step = f"tar -xf {quote(str(done.path))} -C FOLDER   (gives FOLDER/store, to be put in the store's place)"
    return Reply("store", f"{head} It is sound.", facts, "backup", next_steps=(step,))


def _stats(app: App, args: SimpleNamespace) -> Reply:
    del args
    from stretto.state.care_stats import stats

    facts = stats(app.directory)
    if not facts["parts"]:
        return Reply("store", "There is no store here yet.", facts, "stats", next_steps=_NO_STORE)
    told = ", ".join(f"{count} {status}" for status, count in facts["statuses"].items())
    lines = [
        f"{app.directory}: {size(facts['bytes'])}",
        *(f"  {name:<20} {size(count):>10}" for name, count in facts["parts"].items()),
        f"{some(facts['workflows'], 'workflow')}{': ' if told else ''}{told}",
        *(f"  {name:<20} {count:>10} rows" for name, count in facts["rows"].items()),
        f"  {'checkpoints':<20} {facts['checkpoints']:>10} of {some(facts['threads'], 'thread')}",
        *(["The largest workflows:"] if facts["largest"] else []),
        *(_largest(one) for one in facts["largest"]),
    ]
    return Reply("store", "\n".join(lines), facts, "stats", next_steps=("stretto store prune --dry-run",))


def _largest(one: dict[str, Any]) -> str:
    return (
        f"  {one['workflow_id']:<32} {one['status']:<10} {some(one['events'], 'event')} {size(one['event_bytes'])},"
        f" {some(one['checkpoints'], 'checkpoint')} {size(one['checkpoint_bytes'])}, logs {size(one['log_bytes'])}"
    )


_OPERATIONS: dict[str, Callable[[App, SimpleNamespace], Reply]] = {
    "check": _check,
    "repair": _repair,
    "backup": _backup,
    "prune": _prune,
    "stats": _stats,
    "migrate": _migrate,
}
