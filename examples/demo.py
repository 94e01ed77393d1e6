"""The demo: one sentence to committed work, killed in the middle and resumed. Offline; nothing of yours is touched.

    make demo

It works on a copy of examples/jwt-api in .demo/jwt-api, made anew each time; `python examples/demo.py DIRECTORY` takes
another place, which must be empty. It ends with 0 only if everything that it shows holds.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from follow import Follower
from outcome import STRETTO, Event, artifacts, environment, findings, lines, output, run_tests
from record import WORK, cassette_of
from scratch import EXAMPLES, make_environment, make_project, refused

from stretto.agents.replay import REPLAYED
from stretto.state.errors import StrettoError

NAME = "jwt-api"
PLACE = EXAMPLES.parent / ".demo" / NAME
KILL_AFTER = 2
"""So many implementers have finished when the driver is killed; another one is at work then."""
PATIENCE = 300.0
LIVE = sys.stderr.isatty()
"""On a terminal the CLI draws its own live view on stderr; elsewhere a line for each finished task is printed here."""
WIDTH = min(118, shutil.get_terminal_size().columns - 1) if sys.stdout.isatty() else 118

Due = Callable[[Sequence[Event]], bool]


class Stuck(Exception):
    """The demo cannot go on; the message says why."""


def say(*paragraph: str) -> None:
    """Print lines at once, since programs print between them."""
    for line in paragraph:
        print(line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…", flush=True)


def title(text: str) -> None:
    """Print the headline of a step."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def show(text: str) -> None:
    """Print what a program printed."""
    say(*textwrap.indent(text.strip("\n"), "   ").splitlines())


def command(*words: str) -> None:
    """Print a command as one would type it."""
    say("   $ " + " ".join(f'"{word}"' if " " in word else word for word in words))


def drive(project: Path, words: Sequence[str], follower: Follower, due: Due) -> int | None:
    """Run the CLI and watch its events from outside. Kill it when that is `due`, or return its exit code.

    Raises:
        Stuck: It takes too long.
    """
    command("stretto", *words)
    terminal = termios.tcgetattr(sys.stderr) if LIVE else None
    deadline = time.monotonic() + PATIENCE
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        stderr = None if LIVE else said
        driver = subprocess.Popen([*STRETTO, *words], cwd=project, env=environment(), stdout=said, stderr=stderr)
        try:
            while driver.poll() is None:
                tell(follower.wait(0.1))
                if due(follower.events):
                    return kill(driver, follower.events)
                if time.monotonic() > deadline:
                    raise Stuck(f"It has not ended after {PATIENCE:g} s.")
        finally:
            driver.kill()
            driver.wait()
            if terminal:  # a live view that is killed cannot put back what it changed
                termios.tcsetattr(sys.stderr, termios.TCSANOW, terminal)
                print("\033[?25h", end="", file=sys.stderr, flush=True)
        tell(follower.wait(1.0))
        if driver.returncode:
            said.seek(0)
            show(said.read())
        return driver.returncode


def tell(new: Sequence[Event]) -> None:
    """A line for each event that is worth one, where there is no live view."""
    for event in () if LIVE else new:
        data = event["data"]
        if event["event_type"] == "TASK_COMPLETED":
            say(f"   ✓ {data['task_id']:<24} {data['results']['summary']}")
        if event["event_type"] in ("PHASE_FAILED", "WORKFLOW_FAILED"):
            say(f"   ✗ {event['phase']:<24} {data['failure_reason']}")


def kill(driver: "subprocess.Popen[bytes]", seen: Sequence[Event]) -> None:
    """End the driver as the kernel would that is out of memory."""
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    if LIVE:
        print(file=sys.stderr, flush=True)
    command("kill", "-9", str(driver.pid))
    say(f"   while {' and '.join(sorted(begun(seen) - done(seen)))} was at work")


def half_way(seen: Sequence[Event]) -> bool:
    """Whether enough implementers are done while another one is at work."""
    return len(done(seen)) >= KILL_AFTER and begun(seen) > done(seen)


def begun(seen: Sequence[Event]) -> set[str]:
    """The tasks that an implementer has begun."""
    return _implementers(seen, "TASK_STARTED")


def done(seen: Sequence[Event]) -> set[str]:
    """The tasks that an implementer has done."""
    return _implementers(seen, "TASK_COMPLETED")


def _implementers(seen: Sequence[Event], kind: str) -> set[str]:
    mine = [event["data"] for event in seen if event["event_type"] == kind]
    return {data["task_id"] for data in mine if data["agent_id"] == "implementer"}


def never(_: Sequence[Event]) -> bool:
    """For a driver that may end by itself."""
    return False


def cut_short(text: str) -> str:
    """What workflow-status printed, without the events at its end."""
    before, _, after = text.partition("\n\n  last events")
    told = [line for line in after.splitlines() if line and not line.startswith("    ")]
    return "\n".join([*before.splitlines(), "", *told])


def prepared(place: Path, given: bool) -> None:
    """Make the copy."""
    if not given and place.exists():
        shutil.rmtree(place)
    make_project(NAME, place)
    make_environment(place)
    count = len(lines(["git", "log", "--format=%h"], place))
    title("1. A project: an HTTP API for notes that everybody can read and change")
    command("cd", os.path.relpath(place))
    say(f"   {count} commits, {run_tests(place).stdout.strip().rpartition(chr(10))[2]}")


def main(argv: Sequence[str]) -> int:
    """Run the demo. Returns the exit code: 0 only if everything holds."""
    began = time.monotonic()
    place = Path(argv[0]).absolute() if argv else PLACE
    try:
        prepared(place, bool(argv))
        with Follower(place) as follower:
            problems = played(place, follower)
    except StrettoError as error:
        return refused(error)
    except (Stuck, subprocess.CalledProcessError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"demo: stopped. What it made is in {place}.", file=sys.stderr)
        return 130
    say("", f"{REPLAYED[0].upper()}{REPLAYED[1:]}. It took {time.monotonic() - began:.0f} s.")
    if problems:
        print(f"demo: {problems} of these do not hold, see ✗ above.", file=sys.stderr)
    return 1 if problems else 0


def played(place: Path, follower: Follower) -> int:
    """Start, kill, look, resume, look again. Returns how many findings do not hold."""
    base = output(["git", "rev-parse", "HEAD"], place).strip()
    runner = f"replay:{os.path.relpath(cassette_of(NAME), place)}"
    title("2. One sentence. What the agents say is replayed; their tools and the tests really run")
    if (code := drive(place, WORK[NAME].command(runner), follower, half_way)) is not None:
        raise Stuck(f"The driver ended with code {code} before it could be killed.")
    name = str(follower.events[0]["workflow_id"])
    title("3. The driver is dead in the middle of its work; what is left?")
    command("stretto", "workflow-status", name)
    show(cut_short(output([*STRETTO, "workflow-status", name], place)))
    title("4. Going on from there")
    if code := drive(place, ["orchestrate", "--resume", name], follower, never):
        raise Stuck(f"The resumed workflow ended with code {code}.")
    return shown(place, name, base)


def shown(place: Path, name: str, base: str) -> int:
    """Show what is there now, and look up whether it is what it must be."""
    title("5. What is there now")
    command("git", "log", "--oneline")
    show(output(["git", "log", "--oneline", f"{base}..HEAD"], place))
    command("python", "-m", "pytest")
    tests = run_tests(place)
    show("\n".join(tests.stdout.strip().splitlines()[-1:]))
    command("stretto", "events", name, "|", "tail", "-3")
    show("\n".join(lines([*STRETTO, "events", name], place)[-3:]))
    command("ls", "specs/*")
    show("\n".join(artifacts(place)))
    title("6. Does it hold?")
    found = list(findings(place, name, base, tests))
    say(*(f"   {'✓' if finding.holds else '✗'} {finding.text}" for finding in found))
    stretto = os.path.relpath(Path(sys.executable).with_name("stretto"), place)
    title("Next")
    say(
        f"   cd {os.path.relpath(place)}",
        f"   less {artifacts(place)[-1]}",
        "   git log -p",
        f"   {stretto} logs {name} debugging/debug",
        f"   {stretto} undo {name}      takes it all back",
    )
    return sum(not finding.holds for finding in found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
