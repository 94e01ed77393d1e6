"""What the tests of faults share: the ledger in which every injection is counted."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults import life
from tests.faults.forks import Forks
from tests.faults.shim import build
from tests.faults.tally import Ledger


@pytest.fixture(scope="session")
def ledger() -> Iterator[Ledger]:
    """`STRETTO_FAULTS_TABLE` names the file that keeps it."""
    ledger = Ledger()
    yield ledger
    if path := os.environ.get("STRETTO_FAULTS_TABLE"):
        ledger.write(Path(path))


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="session")
def forks(shim: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    process = Forks(shim, tmp_path_factory.mktemp("forks"))
    yield process
    process.close()


@pytest.fixture(scope="session")
def undisturbed(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    """How the life of a store ends when nothing happens to it."""
    project = tmp_path_factory.mktemp("undisturbed")
    assert forks.do("live", project) == 0, forks.why()
    return life.look(project).lasting()
