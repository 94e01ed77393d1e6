"""Writing together: what several threads have to write at one time, in one transaction.

LangGraph stores what a task wrote in one thread, and the checkpoint that is made of it in another, and waits for the
second. The first does better to wait for the second too: what is written takes less time than a transaction for it.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from stretto.state.errors import StrettoError

Work = Callable[[], None]

_ENOUGH = 4
"""So many writes are not worth waiting for another."""
_MOST_IN_VAIN = 4


class _Job:
    """A write on its way to a transaction, which may hold others too."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.error: Exception | None = None
        self.begun = self.finished = False
        self.done = threading.Lock()
        self.done.acquire()

    def finish(self, error: Exception | None) -> None:
        self.error = error
        self.finished = True
        self.done.release()


class Together:
    """The writers of one store.

    Args:
        lock: Held by whoever uses the store.
        perform: Does all that it is given in one transaction, or nothing of it, and raises why.
    """

    def __init__(self, lock: threading.RLock, perform: Callable[[Sequence[Work]], None]) -> None:
        self._lock = lock
        self._perform = perform
        self._jobs: deque[_Job] = deque()
        self._in_vain = self._unwilling = 0

    @property
    def waiting(self) -> int:
        """How many writes nobody has begun with."""
        return len(self._jobs)

    def write(self, work: Work, patience: float) -> None:
        """Do `work`, which may be done a second time; wait for up to `patience` seconds for another to go with."""
        if not patience and self._lock.acquire(blocking=False):
            try:
                self._drain(work)
            finally:
                self._lock.release()
            return
        job = _Job(work)
        self._jobs.append(job)
        if not (patience and self._joined(job, patience)):
            with self._lock:
                if not job.finished:
                    self._drain()
        if not job.finished:  # somebody was interrupted between taking it up and doing it
            raise _interrupted()
        if job.error is not None:
            raise job.error

    def _joined(self, job: _Job, patience: float) -> bool:
        """Wait for somebody else to take the job along; whether he is done. Who waits in vain does so ever more seldom.

        LangGraph writes in threads of its own: who writes in the main one does it by himself, one after the other.
        """
        if len(self._jobs) >= _ENOUGH or threading.get_ident() == threading.main_thread().ident:
            return False
        if self._unwilling:
            self._unwilling -= 1
            return False
        done = job.done.acquire(timeout=patience)
        taken = done or job.begun  # the disk may take longer than he waits
        self._in_vain = 0 if taken else min(self._in_vain + 1, _MOST_IN_VAIN)
        self._unwilling = 0 if taken else 4**self._in_vain
        return done

    def _drain(self, *own: Work) -> None:
        """Do what waits and then what is one's own, which raises here what goes wrong with it."""
        jobs: list[_Job] = []
        works: list[Work] = []
        while self._jobs:
            job = self._jobs.popleft()
            job.begun = True
            jobs.append(job)
            works.append(job.work)
        works += own
        try:
            self._perform(works)
        except Exception as error:
            if own and not jobs:
                raise
            for job in jobs:
                job.finish(error if len(works) == 1 else self._alone(job.work))
            if own and (mine := self._alone(*own)):
                raise mine from None
        except BaseException:
            for job in jobs:
                job.finish(_interrupted())
            raise
        else:
            for job in jobs:
                job.finish(None)

    def _alone(self, work: Work) -> Exception | None:
        """Do one of a group that failed: only those that are at fault may fail."""
        try:
            self._perform((work,))
        except Exception as error:  # noqa: BLE001 - it is raised where the job came from
            return error
        return None


def _interrupted() -> StrettoError:
    return StrettoError("A write was interrupted. Nothing of it was stored.")
