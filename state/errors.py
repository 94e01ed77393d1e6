"""Every error that Stretto raises on purpose.

    StrettoError                exit 1   something failed; the message says what is safe
    ├── BadInput                exit 2   a field of the request is wrong; nothing was written
    │   ├── NotFound            exit 2   an id that the store does not know
    │   ├── InvalidTransition   exit 2   the state machine has no such arrow
    │   └── WorkflowExists      exit 2
    ├── StateConflict           exit 1   someone else wrote first
    ├── WorkflowDriven          exit 1   another living process drives this workflow
    ├── OrderTaken              exit 1   another agent has this work order
    ├── Fenced                  exit 1   our lease was taken over; our writes are refused
    ├── StoreDamaged            exit 4
    ├── DiskFull                exit 1   there is no space left; with space, it goes on where it was
    ├── DiskFailed              exit 1   a write or a sync failed; the process that met it writes no more
    ├── TransientError          exit 1   a second try can cure it (the retry module looks for this)
    └── PermanentError          exit 1   a second try cannot

Standard library only, and `typing` for checkers alone: the hooks import this.
"""

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, ClassVar


class StrettoError(Exception):
    """The root. `code` is for programs, the message for people, `next_steps` for both."""

    code: "ClassVar[str]" = "FAILED"
    exit_code: "ClassVar[int]" = 1

    def __init__(
        self, message: str, *, next_steps: "Sequence[str]" = (), details: "Mapping[str, Any] | None" = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next_steps = tuple(next_steps)
        self.details = dict(details or {})


class BadInput(StrettoError):
    """A request that cannot be taken. Raised before anything is written."""

    code = "BAD_INPUT"
    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        field: str = "",
        allowed: "Sequence[str]" = (),
        next_steps: "Sequence[str]" = (),
        details: "Mapping[str, Any] | None" = None,
    ) -> None:
        extra: dict[str, Any] = {}
        if field:
            extra["field"] = field
        if allowed:
            extra["allowed"] = list(allowed)
        super().__init__(message, next_steps=next_steps, details={**extra, **(details or {})})
        self.field = field
        self.allowed = tuple(allowed)


class NotFound(BadInput):
    """An id that the store does not know."""

    code = "NOT_FOUND"


class InvalidTransition(BadInput):
    """The workflow's state machine has no such arrow; its state is unchanged."""

    code = "INVALID_TRANSITION"


class WorkflowExists(BadInput):
    """A workflow of this id exists with another body."""

    code = "WORKFLOW_EXISTS"


class StateConflict(StrettoError):
    """A write carried a version that is no longer the current one. Read again, then decide."""

    code = "STATE_CONFLICT"


class WorkflowDriven(StrettoError):
    """Another living process drives this workflow."""

    code = "WORKFLOW_DRIVEN"


class OrderTaken(StrettoError):
    """Another agent has taken this work order."""

    code = "ORDER_TAKEN"


class Fenced(StrettoError):
    """Our lease was taken over while we slept; the write was refused and nothing of it was stored."""

    code = "FENCED"


class StoreDamaged(StrettoError):
    """A row or a file of the store does not match its checksum, or is of an unknown version."""

    code = "STORE_DAMAGED"
    exit_code = 4


class DiskFull(StrettoError):
    """There is no space left, or no quota. Nothing of this write was stored; with space, the next one is."""

    code = "DISK_FULL"


class DiskFailed(StrettoError):
    """The disk failed to read, write or sync. Nothing of this write was acknowledged.

    Who met it in a write does not write again: after a failed sync the kernel forgets what it could not write, so that
    the next sync succeeds without it.
    """

    code = "DISK_FAILED"


class TransientError(StrettoError):
    """A failure of somebody else's that may pass: a provider's outage, a rate limit, a cut connection.

    `retry_after` is the provider's own advice in seconds, or None.
    """

    code = "TRANSIENT"

    def __init__(self, message: str, *, retry_after: float | None = None, next_steps: "Sequence[str]" = ()) -> None:
        super().__init__(message, next_steps=next_steps)
        self.retry_after = retry_after


class PermanentError(StrettoError):
    """A failure that another try would only repeat: a wrong key, a missing program, a refused cassette."""

    code = "PERMANENT"
