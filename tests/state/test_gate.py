"""The lock that one process at a time may hold, and who held it last."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stretto.state.errors import StrettoError
from stretto.state.gate import TOKEN_SIZE, hold_again, let_go, open_gate

OURS, THEIRS = b"o" * TOKEN_SIZE, b"t" * TOKEN_SIZE
HOLD = """
import sys, time
from stretto.state.gate import hold_again, open_gate
hold_again(open_gate(sys.argv[1]), "it", sys.argv[2].encode())
print(flush=True)
time.sleep(60)
"""


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[int]:
    opened = open_gate(str(tmp_path / "lock"))
    yield opened
    os.close(opened)


def again(gate: int, token: bytes) -> bool:
    """Hold it and let it go."""
    alone = hold_again(gate, "it", token)
    let_go(gate)
    return alone


def test_who_holds_the_lock_again_knows_whether_another_held_it_since(gate: int) -> None:
    assert [again(gate, token) for token in (OURS, OURS, OURS, THEIRS, OURS, OURS)] == [
        False,
        True,
        True,
        False,
        False,
        True,
    ]


def test_one_who_was_killed_with_the_lock_held_is_known_to_have_held_it(gate: int, tmp_path: Path) -> None:
    again(gate, OURS)
    child = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "lock", THEIRS.decode()], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.communicate()

    assert [again(gate, OURS), again(gate, OURS)] == [False, True]


def test_a_lock_file_that_cannot_be_written_is_an_error_and_leaves_the_lock_free(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    reading = os.open(tmp_path / "lock", os.O_RDONLY)
    try:
        with pytest.raises(StrettoError, match=r"The lock of 'it' cannot be written: .*\. Nothing was written\."):
            hold_again(reading, "it", OURS)

        with (tmp_path / "lock").open("r+") as other:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(reading)
