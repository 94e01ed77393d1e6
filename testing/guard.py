"""What holds around a test with a cassette: nothing live, no other machine. Not while it is recorded."""

from collections.abc import Generator
from contextlib import contextmanager

import pytest

from stretto.agents.offline import VARIABLE
from stretto.testing.network import cut
from stretto.testing.tape import Tape


@contextmanager
def guarded(tape: Tape, patch: pytest.MonkeyPatch) -> Generator[None]:
    """Refuse live runners, here and in whatever the test starts, and cut this process off the network."""
    if tape.recording:
        yield
        return
    patch.setenv(VARIABLE, f"this test replays {tape.path.name}")
    with cut():
        yield
