"""How soon others see what was decided: an overview in another process, and events under load.

    python benchmarks/bench_views.py [--decisions 100] [--seconds 10]

1. View: one process creates and cancels workflows, one decision after the other; another one waits to be rung and asks
   /progress-aggregator for the overview. How long from the decision (the timestamp of its WORKFLOW_SCHEDULED, which is
   when the transaction began) until a reply shows it. The store holds 20 workflows to begin with.
2. Load: four processes ask for agents and give them back as fast as they can, each time with four times what there is
   in the queue; a subscriber in a process of its own notes how late each event comes, by the event's own timestamp.

The clock is the machine's; an event's timestamp is in milliseconds. Fewer than 100 decisions make no p99.
"""

import argparse
import json
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event as Flag
from pathlib import Path

from stretto.commands.app import App
from stretto.commands.cli import handle
from stretto.commands.parse import parse_argv
from stretto.commands.reply import Reply
from stretto.state.errors import StrettoError
from stretto.state.log import Log
from stretto.state.subscription import AT_ONCE, Subscription
from stretto.state.wake import Bell
from stretto.state.wire import Event

P99 = 250.0
WRITERS = 4
THERE = 20
SPAWN = multiprocessing.get_context("spawn")


def command(folder: Path, *words: str) -> Reply:
    """A command as the command line gives it to its handler, in this process."""
    return handle(parse_argv([*words], project=str(folder)), App(str(folder), window=0.0))


def create(folder: Path, name: str, agents: int = 0) -> None:
    """A workflow that is admitted at once."""
    body = json.dumps({"resource_requirements": {"agents": agents}})
    command(folder, "coordination-hub", "create", name, body)


def look(folder: Path, count: int, ready: Flag, answer: "Queue[dict[str, float]]") -> None:
    """The reader's process: when it first saw each workflow in an overview."""
    seen: dict[str, float] = {}
    bell = Bell.hang(Path(App(str(folder)).state))
    try:
        while len(seen) < count:
            shown = command(folder, "progress-aggregator", "system-overview").result["workflows"]
            now = time.time()
            for one in shown:
                if one["workflow_id"].startswith("new_") and one["status"] != "CREATED":
                    seen.setdefault(one["workflow_id"], now)
            ready.set()
            bell.wait(0.5)
    finally:
        bell.close()
    answer.put(seen)


def view_lags(folder: Path, count: int) -> list[float]:
    """Milliseconds from before each decision until another process was shown it."""
    for number in range(THERE):
        create(folder, f"old_{number:03d}")
        command(folder, "coordination-hub", "cancel", f"old_{number:03d}")
    ready, answer = SPAWN.Event(), SPAWN.Queue()
    reader = SPAWN.Process(target=look, args=(folder, count, ready, answer))
    reader.start()
    ready.wait(60)
    for number in range(count):
        create(folder, f"new_{number:03d}")
        command(folder, "coordination-hub", "cancel", f"new_{number:03d}")  # so that there is room for the next
        time.sleep(0.02)
    seen: dict[str, float] = answer.get(timeout=120)
    reader.join()
    log = Log.find(App(str(folder)).state)
    if log is None:
        raise SystemExit("there is no log")
    with log:
        decided = {e.workflow_id: at(e) for e in log.events() if e.type == "WORKFLOW_SCHEDULED"}
    return sorted((when - decided[name]) * 1000 for name, when in seen.items())


def press(folder: Path, me: int, seconds: float, go: Flag) -> None:
    """One of those who ask for agents, more than there are, and give them back."""
    go.wait()
    until, number = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        name = f"job_{me}_{number:05d}"
        number += 1
        try:
            command(folder, "resource-manager", "allocate", name, "--agents=4")
            command(folder, "resource-manager", "release", name)
        except StrettoError:  # it was admitted and swept meanwhile
            continue


def note(folder: Path, ready: Flag, done: Flag, answer: "Queue[list[float]]") -> None:
    """The subscriber's process: how late each event came, in milliseconds."""
    late: list[float] = []

    def take(events: Sequence[Event]) -> None:
        now = time.time()
        late.extend((now - at(e)) * 1000 for e in events)

    with Subscription.open(Path(App(str(folder)).state), "bench", pace=AT_ONCE) as mine:
        ready.set()
        ending = threading.Thread(target=stop_when, args=(mine, done))
        ending.start()
        mine.deliver(take)
        ending.join()
    answer.put(late)


def stop_when(mine: Subscription, done: Flag) -> None:
    """Let the subscriber stop once all that write have."""
    done.wait()
    mine.stop()


def lags_under_load(folder: Path, seconds: float) -> list[float]:
    """Milliseconds from an event's timestamp to the subscriber, with all writers at work."""
    create(folder, "first_001")
    ready, go, done, answer = SPAWN.Event(), SPAWN.Event(), SPAWN.Event(), SPAWN.Queue()
    subscriber = SPAWN.Process(target=note, args=(folder, ready, done, answer))
    crew = [SPAWN.Process(target=press, args=(folder, n, seconds, go)) for n in range(WRITERS)]
    for process in (subscriber, *crew):
        process.start()
    ready.wait(60)
    go.set()
    for process in crew:
        process.join()
    done.set()
    late: list[float] = answer.get(timeout=60)
    subscriber.join()
    return sorted(late)


def at(event: Event) -> float:
    """Its timestamp in seconds since the epoch."""
    return datetime.fromisoformat(event.timestamp).timestamp()


def part(ordered: Sequence[float], share: float) -> float:
    """The value below which this share lies."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--decisions", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for name in ("view", "load"):
            (Path(temporary) / name).mkdir()
        views = view_lags(Path(temporary) / "view", asked.decisions)
        loads = lags_under_load(Path(temporary) / "load", asked.seconds)
    print(f"{'':<44}{'n':>7} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}")
    for name, found in (("overview of another process", views), (f"events, {WRITERS} writers at work", loads)):
        print(f"{name:<44}{len(found):>7} {part(found, 0.5):8.1f} {part(found, 0.99):8.1f} {found[-1]:8.1f}")
    print(f"overview p99 <= {P99:g} ms: {'yes' if part(views, 0.99) <= P99 else 'no'}")


if __name__ == "__main__":
    main()
