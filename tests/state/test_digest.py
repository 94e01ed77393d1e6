"""The hash of the log's chain is SHA-256, whoever computes it."""

import hashlib
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from stretto.state.chain import link
from stretto.state.digest import sha256


@given(st.binary())
def test_it_is_the_same_as_that_of_hashlib(data: bytes) -> None:
    assert sha256(data).hexdigest() == hashlib.sha256(data).hexdigest()


def test_a_link_of_the_chain_is_what_it_always_was() -> None:
    values = (
        1,
        "evt_1",
        "TASK_STARTED",
        "shop_001",
        "plan",
        "2026-01-01T00:00:00.000Z",
        "stretto",
        "info",
        '{"ü":1}',
        "",
    )

    assert link("", values) == "6291b1c28e5257b15cf1f2efbce402baf392d3e57e0d56b5e93d35e8d1f64a27"


def test_without_the_small_modules_the_large_one_is_taken() -> None:
    code = """if True:
        import sys
        sys.modules["_sha2"] = sys.modules["_sha256"] = None
        from stretto.state.digest import sha256
        assert "hashlib" in sys.modules
        print(sha256(b"stretto").hexdigest())
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == hashlib.sha256(b"stretto").hexdigest()
