"""Writing together: several threads, one transaction, and who waits for whom."""

import threading
from collections.abc import Iterable

import pytest

from stretto.state.together import Together, Work

WHILE = 10.0


class Store:
    """Performs, and remembers how much it did at a time."""

    def __init__(self, takes: float = 0.0) -> None:
        self.lock = threading.RLock()
        self.together = Together(self.lock, self.perform)
        self.done: list[int] = []
        self._takes = takes

    def perform(self, works: Iterable[Work]) -> None:
        """Do them; slowly, where the disk is slow."""
        some = list(works)
        for work in some:
            work()
        threading.Event().wait(self._takes)
        self.done.append(len(some))

    def start(self, work: Work, patience: float) -> threading.Thread:
        """Write in a thread."""
        thread = threading.Thread(target=self.together.write, args=(work, patience))
        thread.start()
        return thread


def nothing() -> None:
    pass


def test_a_thread_that_waits_is_taken_along_by_the_next_who_writes() -> None:
    store = Store()
    written = threading.Event()
    waiting = store.start(written.set, WHILE)
    while not store.together.waiting:
        threading.Event().wait(0.001)

    store.together.write(nothing, 0.0)
    waiting.join(WHILE)

    assert written.is_set()
    assert store.done == [2]


@pytest.mark.slow
def test_who_was_taken_along_by_a_slow_disk_has_not_waited_in_vain() -> None:
    store = Store(takes=4.0)
    for _ in range(2):
        waiting = store.start(nothing, 3.0)
        for _ in range(1000):
            if store.together.waiting:
                break
            threading.Event().wait(0.001)
        store.together.write(nothing, 0.0)
        waiting.join(WHILE)

    assert store.done == [2, 2]


def test_the_main_thread_waits_for_nobody() -> None:
    store = Store()

    store.together.write(nothing, WHILE * 100)

    assert store.done == [1]


@pytest.mark.parametrize("patience", [0.0, 0.001])
def test_only_who_is_at_fault_is_told(patience: float) -> None:
    store, told = Store(), list[str]()

    def fail() -> None:
        raise ValueError("mine")

    def write_badly() -> None:
        try:
            store.together.write(fail, patience)
        except ValueError as error:
            told.append(str(error))

    written = threading.Event()
    threads = [
        threading.Thread(target=write_badly),
        threading.Thread(target=store.together.write, args=(written.set, 0)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WHILE)

    assert told == ["mine"]
    assert written.is_set()
