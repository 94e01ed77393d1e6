"""`stretto verify FILE.md`: run an integration document, and say line by line what holds."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from stretto.commands.app import App
from stretto.commands.reply import Reply
from stretto.commands.scenario import Done, Ran, Rules, first_words, run_example
from stretto.commands.scenario_compare import Compared, Key, counted
from stretto.commands.scenario_document import Example, read_document
from stretto.commands.scenario_ground import bare
from stretto.state.errors import BadInput

_WIDE = 76


def verify(
    app: App,
    file: str,
    *,
    rules: Rules,
    only: str = "",
    keep: bool = False,
    furnish: Callable[[Path], None] = bare,
) -> Reply:
    """Run the examples of a document, each on a ground of its own. Exit code 0 if all of it holds, else 1.

    `furnish` is given the folder of each before anything is in it.

    Raises:
        BadInput: The file is no document, or no example of it is meant by `only`.
    """
    path = Path(app.folder, file)
    examples = _chosen(read_document(path), only)
    with ExitStack() as held:
        folder = Path(tempfile.mkdtemp(prefix="stretto-verify-"))
        if not keep:
            held.callback(shutil.rmtree, folder, ignore_errors=True)
        ran = [
            run_example(example, folder / f"{number:02d}", rules, _noted(app, example), furnish=furnish)
            for number, example in enumerate(examples, 1)
        ]
    counts = _counts(ran)
    lines = [*(line for one in ran for line in _shown(one, path.name)), *_sums(counts), *_prose(ran, path.name)]
    if keep:
        lines += ["", f"Projects and stores are kept in {folder}, one folder an example."]
    result = {
        "file": str(path),
        "holds": all(one.holds for one in ran),
        "counts": counts,
        "examples": [_as_data(one) for one in ran],
        "kept": str(folder) if keep else None,
    }
    return Reply("verify", "\n".join(lines), result, exit_code=0 if result["holds"] else 1)


def _chosen(examples: tuple[Example, ...], only: str) -> tuple[Example, ...]:
    """All of them, or the one whose name is `only` or holds it."""
    if not only:
        return examples
    exact = [one for one in examples if one.name == only]
    found = exact or [one for one in examples if only.lower() in one.name.lower()]
    if len(found) != 1:
        what = "Several examples are" if found else "No example is"
        raise BadInput(f"{what} named {only!r}.", field="--only", allowed=[one.name for one in found or examples])
    return (found[0],)


def _noted(app: App, example: Example) -> Callable[[str], None]:
    """Progress on stderr, for people."""

    def note(text: str) -> None:
        if not app.json:
            sys.stderr.write(f"{example.name}: {text}\n")

    return note


# ── the table ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _shown(ran: Ran, name: str) -> Iterator[str]:
    yield f"{ran.example.name}  ({name}:{ran.example.line})"
    if ran.prepared:
        yield f"  prepared: {', '.join(ran.prepared)}"
    yield from (line for done in ran.steps for line in _shown_step(done))
    yield from (line for compared in ran.compared for line in _shown_event(compared, name))
    yield ""


def _shown_step(done: Done) -> Iterator[str]:
    yield f"  {done.step.line:>5}  {first_words(done.step.text, _WIDE):<{_WIDE}}  {done.outcome}"
    if done.why:
        yield from (f"         {line}" for line in done.why.splitlines()[:3])


def _shown_event(compared: Compared, name: str) -> Iterator[str]:
    event = compared.expected.event
    told = ":".join(event[:3]) if event else first_words(compared.expected.text)
    seen = f"event {compared.seen.seq}" if compared.seen else compared.why
    yield f"  {told:<60}  {seen:<12}  {compared.verdict}  {name}:{compared.expected.line}"
    yield from (f"         {_shown_key(key)}" for key in compared.keys)


def _shown_key(key: Key) -> str:
    why = f" ({key.why})" if key.why else ""
    if key.verdict == "equal":
        return f"{key.name}: equal{why}"
    if key.verdict == "measured":
        return f"{key.name}: measured: {key.seen}{why}"
    return f"{key.name}: differs: {key.seen!r}, not {key.expected!r}{why}"


def _sums(counts: dict[str, Any]) -> Iterator[str]:
    steps, events, keys = counts["commands"], counts["events"], counts["keys"]
    refused = f", {steps['done with refusals']} of them with refusals" if steps["done with refusals"] else ""
    yield f"{steps['held']} of {steps['total']} commands done{refused}"
    yield f"{events['held']} of {events['total']} events seen as they should be"
    yield f"keys: {keys['equal']} equal, {keys['measured']} measured, {keys['differs']} differ"


def _prose(ran: Sequence[Ran], name: str) -> Iterator[str]:
    bullets = [(bullet, checked) for one in ran for bullet, checked in one.bullets]
    if not bullets:
        return
    bound = [checked for _, checked in bullets if checked]
    holding = sum(checked.holds for checked in bound)
    yield f"{holding} of {len(bound)} checks of the prose hold; {len(bullets) - len(bound)} sentences not checked"
    for bullet, checked in bullets:
        verdict = "not checked" if checked is None else f"{'holds' if checked.holds else 'fails'}: {checked.why}"
        yield f"  {name}:{bullet.line}  {first_words(bullet.text, 60)}  {verdict}"


# ── the data ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _counts(ran: Sequence[Ran]) -> dict[str, Any]:
    steps = [done for one in ran for done in one.steps if done.step.kind != "event"]
    injected = [done for one in ran for done in one.steps if done.step.kind == "event"]
    compared = [c for one in ran for c in one.compared]
    bullets = [checked for one in ran for _, checked in one.bullets]
    return {
        "commands": {
            "total": len(steps),
            "held": sum(done.outcome != "failed" for done in steps),
            "done with refusals": sum(done.outcome == "done with refusals" for done in steps),
        },
        "events": {
            "total": len(compared) + len(injected),
            "held": sum(c.holds for c in compared) + sum(done.outcome == "done" for done in injected),
            "injected": len(injected),
        },
        "keys": counted(compared),
        "prose": {
            "total": len(bullets),
            "checked": sum(c is not None for c in bullets),
            "held": sum(c is not None and c.holds for c in bullets),
        },
    }


def _as_data(ran: Ran) -> dict[str, Any]:
    return {
        "name": ran.example.name,
        "line": ran.example.line,
        "holds": ran.holds,
        "prepared": list(ran.prepared),
        "steps": [
            {
                "line": done.step.line,
                "section": done.step.section,
                "kind": done.step.kind,
                "text": done.step.text,
                "outcome": done.outcome,
                "why": done.why,
                "events": list(done.events),
            }
            for done in ran.steps
        ],
        "events": [_event_as_data(c) for c in ran.compared],
        "bullets": [
            {"line": b.line, "text": b.text, "check": b.check, "holds": c and c.holds, "why": c.why if c else ""}
            for b, c in ran.bullets
        ],
    }


def _event_as_data(compared: Compared) -> dict[str, Any]:
    return {
        "line": compared.expected.line,
        "text": compared.expected.text,
        "seen": compared.seen.envelope() if compared.seen else None,
        "verdict": compared.verdict,
        "why": compared.why,
        "keys": [key._asdict() for key in compared.keys],
    }
