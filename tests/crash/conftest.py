"""What the crash tests share: the process that forks drivers, and the undisturbed runs that others are held against."""

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.bench import Bench, Ending, Warm

SMALL = (1, 2, 5)

if sys.platform != "linux":  # whose processes are left is read from /proc
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    process = Warm()
    yield process
    process.close()


@pytest.fixture
def bench(tmp_path: Path, warm: Warm) -> Iterator[Bench]:
    """A plan of three parts: T1 and T2, and T5, which depends on T1 and is wrong at first."""
    with Bench(tmp_path / "bench", warm=warm, parts=SMALL, sleep=(0.0, 0.01)) as bench:
        yield bench


@pytest.fixture
def chance() -> random.Random:
    """What is random in a test; `STRETTO_CRASH_SEED` repeats it."""
    seed = os.environ.get("STRETTO_CRASH_SEED") or str(random.randrange(10**6))
    print(f"STRETTO_CRASH_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    return random.Random(seed)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Ending:
    """How the workflow of `bench` ends when nobody disturbs it."""
    return undisturbed(Bench(tmp_path_factory.mktemp("small") / "bench", warm=warm, parts=SMALL, sleep=(0.0, 0.01)))


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Ending:
    """How the workflow with all sixteen parts ends when nobody disturbs it."""
    return undisturbed(Bench(tmp_path_factory.mktemp("reference") / "bench", warm=warm, sleep=(0.0, 0.01)))


def undisturbed(bench: Bench) -> Ending:
    with bench:
        assert bench.start().wait() == 0, bench.said()
        return Ending.of(bench)
