"""What the tests of faults share: the ledger in which every injection is counted."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.tally import Ledger


@pytest.fixture(scope="session")
def ledger() -> Iterator[Ledger]:
    """`STRETTO_FAULTS_TABLE` names the file that keeps it."""
    ledger = Ledger()
    yield ledger
    if path := os.environ.get("STRETTO_FAULTS_TABLE"):
        ledger.write(Path(path))
