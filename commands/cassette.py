"""`stretto cassette`: recorded runs as files. Record, replay, import, lint, diff, redact."""

from pathlib import Path
from types import SimpleNamespace

from stretto.commands.amounts import some
from stretto.commands.app import App
from stretto.commands.reply import Reply
from stretto.commands.safe import safe
from stretto.commands.verb_operations import Operation, perform
from stretto.state.errors import BadInput

_SHOWN = 200


def cassette(app: App, args: SimpleNamespace) -> Reply:
    """Do one of the operations.

    Raises:
        BadInput: The words or flags are not those of the operation, or a file cannot be read or written.
    """
    return perform(app, "cassette", args, "files", _OPERATIONS)


def place(app: App, text: str) -> Path:
    """A file that is named, seen from the project's folder."""
    return app.project / Path(text).expanduser()


def writable(app: App, text: str, *, force: bool, field: str) -> Path:
    """Where a cassette may be written.

    Raises:
        BadInput: Something is there already, or no file can be there.
    """
    path = place(app, text)
    if path.is_dir() or not path.parent.is_dir():
        raise BadInput(f"{text!r} is not a file that can be written.", field=field)
    if path.exists() and not force:
        raise BadInput(f"{text!r} is there already, and was left as it is.", field=field, next_steps=("Give --force.",))
    return path


def _lint(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    del args
    from stretto.agents.cassette_lint import lint_file

    found = {word: lint_file(place(app, word)) for word in words}
    facts = {"files": {word: [problem._asdict() for problem in problems] for word, problems in found.items()}}
    lines = [f"{safe(word)}:{p.line}: {safe(p.text)}" for word, problems in found.items() for p in problems]
    if not lines:
        return Reply("cassette", f"Nothing is wrong with {some(len(found), 'cassette')}.", facts, "lint")
    rest = [f"… and {len(lines) - _SHOWN} more; --json has all"] if len(lines) > _SHOWN else []
    steps = tuple(f"stretto cassette redact {safe(word)} --in-place" for word, p in found.items() if _leaks(p))
    text = "\n".join([*lines[:_SHOWN], *rest])
    return Reply("cassette", text, facts, "lint", next_steps=steps, exit_code=1)


def _leaks(problems: object) -> bool:
    return "secret" in str(problems) or "path of one machine" in str(problems)


def _diff(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    del args
    from stretto.agents.cassette import load
    from stretto.agents.cassette_diff import compare

    found = compare(load(place(app, words[0])), load(place(app, words[1])))
    text = "\n".join(found.lines()) or "The two are the same, but for when they were made."
    return Reply("cassette", text, found.facts(), "diff")


def _redact(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    from stretto.agents.cassette import line_of, load, save
    from stretto.agents.cassette_redact import redacted

    if args.in_place and args.output:
        raise BadInput("Either --in-place or --output, not both.", field="--output", allowed=("--in-place", "--output"))
    path = place(app, words[0])
    target = writable(app, args.output, force=args.force, field="--output") if args.output else path
    old = load(path)
    new = redacted(old)
    if not (args.in_place or args.output):
        text = "\n".join(line_of(part) for part in (new.header, *new.turns))
        return Reply("cassette", text, {"cassette": text}, "redact", exact=True)
    changed = sum(a != b for a, b in zip((old.header, *old.turns), (new.header, *new.turns), strict=True))
    if new != old or target != path:
        save(target, new)
    facts = {"path": str(target), "changed": changed, "redactions": new.header.redactions}
    return Reply("cassette", f"Redacted {some(changed, 'line')}: {safe(str(target))}.", facts, "redact")


def _record(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    from stretto.commands.cassette_runs import record

    return record(app, writable(app, words[0], force=args.force, field="file"), words[1], args)


def _replay(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    from stretto.commands.cassette_runs import replay

    if args.strict and args.lenient:
        raise BadInput("Either --strict or --lenient, not both.", field="--lenient", allowed=("--strict", "--lenient"))
    return replay(app, place(app, words[0]), words[1] if len(words) > 1 else "", args)


def _import(app: App, words: list[str], args: SimpleNamespace) -> Reply:
    from stretto.commands.cassette_import import bring

    if not args.output:
        raise BadInput("`stretto cassette import` needs --output CASSETTE.", field="--output")
    target = writable(app, args.output, force=args.force, field="--output")
    return bring([place(app, word) for word in words], target, args.task or "")


_OPERATIONS = {
    "record": Operation(
        'record FILE "TASK" --runner KIND:ARG',
        (2, 2),
        ("runner", "template", "attempts", "max_agents", "force"),
        _record,
    ),
    "replay": Operation('replay FILE ["TASK"]', (1, 2), ("strict", "lenient", "hash", "keep"), _replay),
    "import": Operation("import FILE… --output CASSETTE", (1, 1000), ("output", "task", "force"), _import),
    "lint": Operation("lint FILE…", (1, 1000), (), _lint),
    "diff": Operation("diff A B", (2, 2), (), _diff),
    "redact": Operation("redact FILE [--in-place | --output FILE]", (1, 1), ("in_place", "output", "force"), _redact),
}
