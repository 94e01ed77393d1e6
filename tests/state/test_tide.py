"""The tide mark of a database that is written to with either durability, in turns."""

from pathlib import Path

import pytest

from stretto.state.tide import Tide, mark


@pytest.mark.parametrize("synced", [True, False])
def test_a_mark_replaces_the_one_before_it_whichever_durability_that_had(tmp_path: Path, synced: bool) -> None:
    database = str(tmp_path / "events.db")
    for commits, each in ((1, synced), (2, not synced), (3, synced)):
        tide = Tide(database, synced=each)
        tide.rise(commits)
        tide.close()

        assert mark(database) == commits
