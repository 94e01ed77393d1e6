"""From publishing an event to a subscriber in another process: how late, how many, and whether all of them arrive.

    python benchmarks/bench_events.py [--rounds 5]

Beside our log, in the same rounds: a `diskcache.Deque`, from which one reader pops, and a bare file that lines are
appended to, with `fdatasync` and without; their readers look every millisecond. The log answers when an event is in the
file, power or no power, in its numbers, its hash chain and a transaction; a Deque does not sync, and a bare file knows
neither transactions nor a place to go on from. An event is about 260 bytes of JSON.

1. Latency: 200 events a second, one a commit; the subscriber in a process of its own. Once with `Pace(20, 0)`, where a
   subscriber gets what there is, and once with the default of 20 events or 50 ms, which trades time for fewer calls.
2. Throughput: as fast as possible, 20 events a commit.
3. 8 publishers and 4 subscribers, each a process: every subscriber counts what it gets, in order.

A disk that syncs slowly shows in all rows that sync; ratios to the bare file with fdatasync are printed for that.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event as Flag
from pathlib import Path
from typing import Any, NamedTuple

from diskcache.persistent import Deque as DiskDeque

from stretto.state.log import Log
from stretto.state.subscription import DEFAULT_PACE, Pace, Subscription
from stretto.state.wire import Event

PAD = "x" * 200
RATE = 200
BATCH = 20
PUBLISHERS, SUBSCRIBERS = 8, 4
P50, P99, PER_SECOND = 2.0, 25.0, 5000.0
SPAWN = multiprocessing.get_context("spawn")
Take = Callable[[dict[str, Any]], bool]
"""Is given one event; says whether it was the last."""


def fact(number: int) -> dict[str, Any]:
    """The data of an event. The clock is the machine's, the same in every process."""
    return {"i": number, "t": time.monotonic(), "pad": PAD}


class Ours:
    """The event log and a subscription."""

    def __init__(self, folder: Path, durability: str = "power", pace: Pace = DEFAULT_PACE) -> None:
        self.folder, self.durability, self.pace = folder, durability, pace

    def publisher(self) -> Callable[[Sequence[dict[str, Any]]], None]:
        log = Log.open(self.folder, durability=self.durability)

        def publish(facts: Sequence[dict[str, Any]]) -> None:
            with log.write() as tx:
                for data in facts:
                    tx.event("PHASE_PROGRESS", "shop_001", "plan", data)

        return publish

    def follow(self, ready: Flag, take: Take) -> None:
        with Subscription.open(self.folder, "bench", after=0, pace=self.pace) as sub:

            def handle(events: Sequence[Event]) -> None:
                for event in events:
                    if take(event.data):
                        sub.stop()

            ready.set()
            sub.deliver(handle)


class Deque:
    """diskcache's queue; reading takes away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def publisher(self) -> Callable[[Sequence[dict[str, Any]]], None]:
        queue: Any = DiskDeque(directory=str(self.folder))

        def publish(facts: Sequence[dict[str, Any]]) -> None:
            with queue.transact():
                for data in facts:
                    queue.append(json.dumps(data))

        return publish

    def follow(self, ready: Flag, take: Take) -> None:
        queue: Any = DiskDeque(directory=str(self.folder))
        ready.set()
        last = False
        while not last:
            try:
                last = take(json.loads(queue.popleft()))
            except IndexError:
                time.sleep(0.001)


class Bare:
    """Lines at the end of a file."""

    def __init__(self, folder: Path, *, sync: bool) -> None:
        self.path, self.sync = folder / "lines", sync

    def publisher(self) -> Callable[[Sequence[dict[str, Any]]], None]:
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

        def publish(facts: Sequence[dict[str, Any]]) -> None:
            os.write(file, "".join(f"{json.dumps(data)}\n" for data in facts).encode())
            if self.sync:
                os.fdatasync(file)

        return publish

    def follow(self, ready: Flag, take: Take) -> None:
        self.path.touch()
        last, rest = False, b""
        with self.path.open("rb") as file:
            ready.set()
            while not last:
                *lines, rest = (rest + file.read()).split(b"\n")
                for line in lines:
                    last = take(json.loads(line)) or last
                if not lines:
                    time.sleep(0.001)


Way = Ours | Deque | Bare


def ways(root: Path) -> dict[str, Way]:
    """What is compared, each in a folder of its own."""
    made = [root / name for name in ("ours", "default", "process", "deque", "synced", "bare")]
    for folder in made:
        folder.mkdir(parents=True)
    return {
        "our log, at once": Ours(made[0], pace=Pace(BATCH, 0)),
        "our log, 20 events or 50 ms": Ours(made[1]),
        "our log, durability=process, at once": Ours(made[2], "process", Pace(BATCH, 0)),
        "diskcache.Deque, popped every 1 ms": Deque(made[3]),
        "bare file + fdatasync, read every 1 ms": Bare(made[4], sync=True),
        "bare file, read every 1 ms": Bare(made[5], sync=False),
    }


def late(way: Way, count: int, ready: Flag, answer: "Queue[list[float]]") -> None:
    """The subscriber's process: how late each event came, in milliseconds."""
    found: list[float] = []

    def take(data: dict[str, Any]) -> bool:
        found.append((time.monotonic() - data["t"]) * 1000)
        return len(found) == count

    way.follow(ready, take)
    answer.put(found)


def latencies(way: Way, count: int) -> list[float]:
    """Publish at a steady rate to a subscriber in another process."""
    ready, answer = SPAWN.Event(), SPAWN.Queue()
    publish = way.publisher()
    subscriber = SPAWN.Process(target=late, args=(way, count, ready, answer))
    subscriber.start()
    ready.wait()
    time.sleep(0.2)
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(began + number / RATE - time.monotonic(), 0))
        publish([fact(number)])
    found: list[float] = answer.get(timeout=60)
    subscriber.join()
    return found


def per_second(way: Way, batches: int) -> float:
    """Publish as fast as possible, nobody listening."""
    publish = way.publisher()
    began = time.monotonic()
    for first in range(0, batches * BATCH, BATCH):
        publish([fact(first + i) for i in range(BATCH)])
    return batches * BATCH / (time.monotonic() - began)


def publish_many(folder: Path, me: int, count: int, go: Flag) -> None:
    """One of the publishers: commits of one to five events."""
    with Log.open(folder) as log:
        go.wait()
        number = 0
        while number < count:
            with log.write() as tx:
                for _ in range(min(1 + number % 5, count - number)):
                    tx.event("PHASE_PROGRESS", f"w_{me}", "plan", {"i": number, "pad": PAD})
                    number += 1


def subscribe_one(folder: Path, me: int, total: int, ready: Flag, answer: "Queue[Counted]") -> None:
    """One of the subscribers: counts, and looks that each publisher's events come in their order."""
    seen: list[int] = []
    newest: dict[str, int] = {}
    wrong = 0
    with Subscription.open(folder, f"bench_{me}", after=0) as sub:

        def handle(events: Sequence[Event]) -> None:
            nonlocal wrong
            for event in events:
                wrong += event.data["i"] != newest.get(event.workflow_id, -1) + 1
                newest[event.workflow_id] = event.data["i"]
                seen.append(event.seq)
            if seen[-1] == total:
                sub.stop()

        ready.set()
        sub.deliver(handle)
    answer.put(Counted(len(seen), total - len(set(seen)), wrong))


class Counted(NamedTuple):
    """Events that one subscriber got, those that it did not, and those that came out of order."""

    got: int
    lost: int
    wrong: int


def crowd(folder: Path, each: int) -> tuple[float, list[Counted]]:
    """Events a second from 8 publishers to 4 subscribers, until the last one has the last one; what each counted."""
    Log.open(folder).close()
    total, go, answer = PUBLISHERS * each, SPAWN.Event(), SPAWN.Queue()
    flags = [SPAWN.Event() for _ in range(SUBSCRIBERS)]
    crew = [
        SPAWN.Process(target=subscribe_one, args=(folder, n, total, flags[n], answer)) for n in range(SUBSCRIBERS)
    ] + [SPAWN.Process(target=publish_many, args=(folder, n, each, go)) for n in range(PUBLISHERS)]
    for process in crew:
        process.start()
    for flag in flags:
        flag.wait()
    time.sleep(1)  # the publishers import
    began = time.monotonic()
    go.set()
    counted: list[Counted] = [answer.get(timeout=300) for _ in range(SUBSCRIBERS)]
    took = time.monotonic() - began
    for process in crew:
        process.join()
    with Log.open(folder) as log:
        if log.verify() != total:
            raise SystemExit(f"the log holds {log.last_seq()} events, not {total}")
    return total / took, counted


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    found: dict[str, list[float]] = {}
    speeds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for number in range(rounds):
            for name, way in ways(Path(temporary) / f"late-{number}").items():
                found.setdefault(name, []).extend(latencies(way, RATE))
            for name, way in ways(Path(temporary) / f"fast-{number}").items():
                if name != "our log, 20 events or 50 ms":  # nobody listens: the same as the one before
                    speeds.setdefault(name, []).append(per_second(way, 100))
        show_latencies(found, rounds)
        show_speeds(speeds)
        show_crowd(*crowd(Path(temporary) / "crowd", 500))


def show_latencies(found: dict[str, list[float]], rounds: int) -> None:
    """Milliseconds from before the write to the handler."""
    synced = statistics.median(found["bare file + fdatasync, read every 1 ms"])
    print(
        f"latency at {RATE} events/s, n = {rounds} x {RATE}   {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'x bare':>7}"
    )
    for name, times in found.items():
        ordered = sorted(times)
        middle, last = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
        print(f"{name:<40} {middle:8.2f} {last:8.2f} {ordered[-1]:8.1f} {middle / synced:7.2f}")
    times = sorted(found["our log, at once"])
    reached = times[len(times) // 2] <= P50, times[int(len(times) * 0.99)] <= P99
    print(f"p50 <= {P50:g} ms: {'yes' if reached[0] else 'no'}; p99 <= {P99:g} ms: {'yes' if reached[1] else 'no'}\n")


def show_speeds(speeds: dict[str, list[float]]) -> None:
    """Events a second."""
    synced = statistics.median(speeds["bare file + fdatasync, read every 1 ms"])
    print(
        f"{BATCH} events a commit, n = {len(next(iter(speeds.values())))} x 100 commits   median ev/s   worst  x bare"
    )
    for name, found in speeds.items():
        middle = statistics.median(found)
        short = name.removesuffix(", at once").partition(", p")[0].partition(", r")[0]
        print(f"{short:<45} {middle:9,.0f} {min(found):8,.0f} {middle / synced:6.2f}")
    middle = statistics.median(speeds["our log, at once"])
    print(f">= {PER_SECOND:,.0f} events/s: {'yes' if middle >= PER_SECOND else 'no'}\n")


def show_crowd(speed: float, counted: Sequence[Counted]) -> None:
    """What each subscriber counted."""
    print(f"{PUBLISHERS} publishers x {SUBSCRIBERS} subscribers: {speed:,.0f} events/s, delivered to all")
    for number, one in enumerate(counted, 1):
        print(f"  subscriber {number}: got {one.got:,}, lost {one.lost}, out of order {one.wrong}")


if __name__ == "__main__":
    main()
