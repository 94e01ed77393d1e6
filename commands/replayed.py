"""Whether state is what its log says: the rows hashed as they are, and as a replay of all events makes them."""

from typing import Any, NamedTuple

from stretto.graph.savepoints import digest
from stretto.state.care_fold import Story, Told
from stretto.state.ledger import fold
from stretto.state.log import Log


class Hashes(NamedTuple):
    """SHA-256 of workflows, attempts and live allocations, and whether every event carries the hash of the one before.

    Of a row it holds what events tell of it.
    """

    rows: str
    replay: str
    chain_sound: bool

    @property
    def equal(self) -> bool:
        """Whether state is what its log says."""
        return self.rows == self.replay and self.chain_sound


def hashes(log: Log) -> Hashes:
    """Of a whole store."""
    rows: dict[str, Any] = {}
    replay: dict[str, Any] = {}
    for row in log.workflows():
        story = Story()
        for e in log.events(row.id):
            story.take(Told(e.type, e.workflow_id, e.phase, e.timestamp, e.data))
        told = story.columns()
        rows[row.id], replay[row.id] = {name: row._asdict()[name] for name in told}, told
        for tried in log.attempts(row.id):
            name = f"{row.id}/{tried.task_id}#{tried.attempt}"
            said = story.attempt_columns(tried.task_id, tried.attempt)
            rows[name] = {k: v for k, v in tried._asdict().items() if k in said}
            replay[name] = said
    rows["ledger"] = {one.id: list(one) for one in log.allocations(live=True)}
    replay["ledger"] = {name: list(one) for name, one in fold(log.events()).items()}
    return Hashes(digest(rows), digest(replay), log.verify() > 0)
