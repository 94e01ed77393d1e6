"""`stretto cassette import`, and the replay of what was imported."""

import shutil
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from stretto.agents.cassette import Cassette, save
from stretto.agents.cassette_lint import lint_file
from stretto.agents.hold import Held, hold
from stretto.agents.replay import REPLAYED
from stretto.agents.session_import import Imported, import_files
from stretto.commands.amounts import some
from stretto.commands.reply import Reply
from stretto.commands.safe import one_line, safe

_SHOWN = 60


def bring(paths: Sequence[Path], target: Path, task: str) -> Reply:
    """Import recordings of Claude Code's, and say what was passed over.

    Raises:
        BadInput: A file cannot be read, or holds no turn; nothing was written.
    """
    made = import_files(paths, task)
    save(target, made.cassette)
    problems = lint_file(target)
    lanes = sorted({turn.lane for turn in made.cassette.turns})
    facts = {
        "path": str(target),
        "task": made.cassette.header.task,
        "rows": made.rows,
        "lanes": lanes,
        "turns": len(made.cassette.turns),
        "versions": list(made.versions),
        "usage": {"input_tokens": made.input_tokens, "output_tokens": made.output_tokens},
        "turns_without_usage": made.uncounted,
        "redactions": made.cassette.header.redactions,
        "skipped": made.skipped,
        "problems": [problem._asdict() for problem in problems],
    }
    text = "\n".join(_lines(made, target, len(lanes), [f"{p.line}: {p.text}" for p in problems]))
    steps = (f"stretto cassette replay {safe(str(target))}",)
    return Reply("cassette", text, facts, "import", next_steps=steps, exit_code=1 if problems else 0)


def _lines(made: Imported, target: Path, lanes: int, problems: Sequence[str]) -> list[str]:
    turns = made.cassette.turns
    unknown = f"; of {some(made.uncounted, 'turn')} nobody counted it" if made.uncounted else ""
    came = f"{some(len(turns), 'turn')} of {some(lanes, 'lane')}"
    return [
        f"Imported {some(made.rows, 'row')} as {came}: {safe(str(target))}",
        f"  task: {safe(made.cassette.header.task)}",
        f"  client: {safe(', '.join(made.versions)) or 'unknown'}",
        f"  tokens: {made.input_tokens} in, {made.output_tokens} out, each message counted once{unknown}",
        f"  redacted: {some(made.cassette.header.redactions, 'value')}",
        *(f"  passed over: {safe(what)}: {count}" for what, count in made.skipped.items()),
        *(f"  wrong: line {safe(problem)}" for problem in problems[:_SHOWN]),
    ]


def held(path: Path, cassette: Cassette, args: SimpleNamespace) -> Reply:
    """Hold an imported session in an empty folder, and tell what differed."""
    with scratch(keep=args.keep) as folder:
        root = folder / "session"
        root.mkdir()
        done = hold(cassette, root, "strict" if args.strict else "lenient" if args.lenient else "default")
        return _reply(done, path, root if args.keep else None, only_hash=args.hash)


@contextmanager
def scratch(*, keep: bool) -> Generator[Path]:
    """A new folder, which goes afterwards unless it is to be kept."""
    folder = Path(tempfile.mkdtemp(prefix="stretto-replay-"))
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _reply(done: Held, path: Path, kept: Path | None, *, only_hash: bool) -> Reply:
    facts: Mapping[str, Any] = {
        "holds": not done.misses,
        "lanes": done.lanes,
        "turns": done.turns,
        "calls": done.calls,
        "answered_from_recording": done.answered,
        "files": done.files,
        "drift": done.drift,
        "misses": done.misses,
        "hash": done.hash,
        "kept": str(kept) if kept else None,
    }
    if only_hash and not done.misses:
        return Reply("cassette", done.hash, facts, "replay")
    ending = "does NOT hold" if done.misses else "holds"
    lines = [
        f"The session {ending}: {some(done.turns, 'turn')} of {some(done.lanes, 'lane')}; {REPLAYED}.",
        f"  calls: {done.calls}, {done.answered} of them answered from the recording; none was run",
        *(f"  made: {safe(name)}" for name in sorted(done.files)),
        *(f"  miss: {safe(miss)}" for miss in done.misses[:_SHOWN]),
        *(f"  drift: {one_line(_told(one), 200)}" for one in done.drift[:_SHOWN]),
        f"  held: {done.hash}",
        *([f"  kept: {kept}"] if kept else []),
    ]
    steps = (f"stretto cassette lint {safe(str(path))}",) if done.misses else ()
    return Reply("cassette", "\n".join(lines), facts, "replay", next_steps=steps, exit_code=1 if done.misses else 0)


def _told(drift: Mapping[str, Any]) -> str:
    return f"{drift['lane']} turn {drift['turn']}: {', '.join(drift['files'])} {drift['why']}"
