"""How long each quick command takes, beside a bare start of the interpreter that runs it.

    python benchmarks/bench_doors.py [--rounds 30] [--python PATH]

Three doors: `alone` is `python -I -m stretto.commands …` in an environment that holds Stretto and nothing else, as a
plugin's is but for its libraries, beside `python -I -c pass` there; `here` the same in the environment that runs this
benchmark, whose own start may be slower; `hook` the answer to a typed command, `sh hooks/run expansion` beside
`python -I -S -c pass`. All are whole processes with their byte code made before, and each round runs everything once,
a bare start of its own kind before each. Every command meets a project without a store and one with 100 workflows. The
columns are milliseconds on the clock, the ratio of the medians, and the same ratio for the processor's time, which
other programs disturb less.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench_hooks import LIMIT, WORKFLOW, Took, event, fill, middle, number, timed

from stretto.commands.version import version
from stretto.state.store import EVENTS
from stretto.state.tide import path_of

ROOT = Path(__file__).parents[1]
ROOMS = ("commands", "packs", "graph", "agents", "state")
ORDERS = 4
STORES = "stores"
NOTE = f"The limit of {LIMIT:g} holds for what only looks, and for refusals. What `{STORES}` waits for the disk."


class Door(NamedTuple):
    """One way in: a bare start, and what stands before a command's own words."""

    name: str
    bare: tuple[str, ...]
    program: tuple[str, ...]
    environment: Mapping[str, str]


class Case(NamedTuple):
    """One command in one project. `kind` is why it is not held to the limit, `code` what it ends with."""

    door: Door
    situation: str
    project: Path
    words: tuple[str, ...]
    code: int = 0
    kind: str = ""

    @property
    def stdin(self) -> bytes:
        """What a hook is sent; nothing for a console."""
        if self.door.name != "hook":
            return b""
        name, *rest = self.words
        return json.dumps(event(self.project, command_name=f"stretto:{name}", command_args=" ".join(rest))).encode()

    @property
    def argv(self) -> list[str]:
        """The whole process."""
        return [*self.door.program, *(self.words if self.door.name != "hook" else ())]


def alone(folder: Path, python: str) -> str:
    """An environment of `python` with Stretto and nothing else; its interpreter."""
    maker = venv.EnvBuilder(symlinks=True, with_pip=False)
    maker.create(folder)
    found = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "lib" / found / "site-packages"
    for room in ROOMS:
        shutil.copytree(ROOT / room, site / "stretto" / room, ignore=shutil.ignore_patterns("__pycache__"))
    (site / f"stretto-{version()}.dist-info").mkdir()
    return str(folder / "bin" / Path(python).name)


def doors(root: Path) -> Iterator[Door]:
    """The ways in, with what they need."""
    plain = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(root)}
    for name, python in (("alone", alone(root / "env", sys.executable)), ("here", sys.executable)):
        yield Door(name, (python, "-I", "-c", "pass"), (python, "-I", "-m", "stretto.commands"), plain)
    python, data = str(Path(sys.executable).resolve()), root / "data"
    data.mkdir()
    (data / "python").write_text(f"{python}\n", "utf-8")
    told = {**plain, "CLAUDE_PLUGIN_DATA": str(data), "CLAUDE_PID": str(os.getpid())}
    yield Door("hook", (python, "-I", "-S", "-c", "pass"), ("sh", str(ROOT / "hooks" / "run"), "expansion"), told)


def everywhere() -> Iterator[tuple[tuple[str, ...], int, str]]:
    """Words that any project can be asked, what they end with, and why they are not held to the limit."""
    yield ("workflow-status",), 0, ""
    yield ("workflow-status", "--help"), 0, ""
    yield ("workflow-status", "--bogus"), 2, ""


def anywhere() -> Iterator[tuple[tuple[str, ...], int, str]]:
    """Words for a console."""
    yield ("events",), 0, ""
    yield ("--help",), 0, ""
    yield ("--version",), 0, ""
    yield ("logs", WORKFLOW), 2, ""
    yield ("orchestrate", "--max-agents=none", "Add x"), 2, ""


def in_store() -> Iterator[tuple[tuple[str, ...], int, str]]:
    """Words about a workflow and its orders, for a console."""
    yield ("workflow-status", WORKFLOW), 0, ""
    yield ("workflow-status", "nobody_001"), 2, ""
    yield ("events", WORKFLOW), 0, ""
    yield ("logs", WORKFLOW, "implementation/T1"), 0, ""
    yield ("cancel", "nobody_001"), 2, ""
    yield ("brief", "nobody_001/plan/T1#1"), 2, STORES
    yield ("brief", number(2)), 0, STORES
    yield ("steer", number(0), "Be quick."), 0, STORES
    yield ("report", number(1), "--failed", "It is gone."), 0, STORES


def cases(root: Path) -> list[Case]:
    """Every command at every door."""
    empty, full = root / "empty", root / "full"
    for project in (empty, full):
        (project / ".git").mkdir(parents=True)
    fill(full, ORDERS)
    found: list[Case] = []
    for door in doors(root):
        console = door.name != "hook"
        for situation, project in (("no store", empty), ("100 workflows", full)):
            asked = [*everywhere(), *(anywhere() if console else ())]
            asked += in_store() if console and project is full else []
            if not console and project is full:
                asked.append((("workflow-status", WORKFLOW), 0, ""))
            for words, code, kind in asked:
                found.append(Case(door, situation, project, words, code if console else 0, kind))
    return found


def run(case: Case, kept: Path) -> Took:
    """One command; what it stores is taken away again."""
    took, done = timed(case.argv, case.stdin, case.door.environment, case.project)
    if case.kind:
        events = case.project / ".stretto/state" / EVENTS
        shutil.copyfile(kept, events)
        Path(path_of(str(events))).unlink(missing_ok=True)  # the mark of a commit that is gone now
        os.sync()
    if done.returncode != case.code or not (done.stdout or done.stderr):
        raise RuntimeError(f"{case.argv}: {done.returncode} {done.stdout!r} {done.stderr!r}")
    return took


def main() -> None:
    """Print a row for each command at each door, and the worst of each door."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=30)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary).resolve()
        found = cases(root)
        kept = root / "kept.db"
        shutil.copyfile(root / "full" / ".stretto/state" / EVENTS, kept)
        for case in found:  # makes the byte code
            run(case, kept)
        times: list[list[Took]] = [[] for _ in found]
        starts: dict[str, list[Took]] = {case.door.name: [] for case in found}
        for _ in range(args.rounds):
            for column, case in zip(times, found, strict=True):
                starts[case.door.name].append(timed(case.door.bare, environment=case.door.environment)[0])
                column.append(run(case, kept))
    bare = {name: middle(column) for name, column in starts.items()}
    show([(case, middle(column)) for case, column in zip(found, times, strict=True)], bare)
    for name, start in bare.items():
        print(
            f"{name}: a bare start takes {start.wall:.1f} ms, median of {len(starts[name])}; a row is of {args.rounds}"
        )
    print(NOTE)


def show(rows: Sequence[tuple[Case, Took]], bare: Mapping[str, Took]) -> None:
    """The table, and at each door the worst of those that the limit is for."""
    print(f"{'door':<6} {'situation':<14} {'command':<40} {'ms':>6} {'x bare':>7} {'x cpu':>6}")
    worst: dict[str, tuple[float, str]] = {}
    for case, took in rows:
        start = bare[case.door.name]
        ratio, words = took.wall / start.wall, " ".join(case.words)
        mark = case.kind or ("" if ratio <= LIMIT else f"over {LIMIT:g}")
        row = f"{case.door.name:<6} {case.situation:<14} {words:<40.40} {took.wall:6.1f} {ratio:7.2f}"
        print(f"{row} {took.cpu / start.cpu:6.2f}  {mark}".rstrip())
        if not case.kind:
            worst[case.door.name] = max(worst.get(case.door.name, (0.0, "")), (ratio, f"{case.situation}: {words}"))
    for name, (ratio, of) in worst.items():
        print(f"worst of those held to {LIMIT:g} at the door {name!r}: {ratio:.2f} ({of})")


if __name__ == "__main__":
    main()
