"""A failed workflow gone on with by another one: what is finished is not done again."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from stretto.commands.app import App
from stretto.commands.cli import handle
from stretto.commands.invocation import Invocation
from stretto.commands.parse import parse_line
from stretto.commands.scenario import Rules, run_example
from stretto.commands.scenario_document import parse_document
from stretto.graph import recovering
from stretto.graph.spec import Limits, Spec
from stretto.state.errors import BadInput, InvalidTransition, NotFound
from stretto.state.log import Log
from stretto.state.rows import WorkflowRow
from stretto.state.wire import Event

DOCUMENT = r"""### A move that fails
```bash
/orchestrate "Implement shop database migration" --priority=high
ERROR_ENCOUNTERED:shop_migration_001:database_migration:{"error":"connection_timeout","impact":"critical"}
/coordination-hub shop_migration_001 recovery-mode '{"recovery_strategy": "checkpoint_restore"}'
/coordination-hub shop_migration_001 restore '{"checkpoint_id": "pre_database_migration", "prepare_alternative": true}'
/orchestrate "Implement gradual database migration" \
  --continue-from=shop_migration_001 --strategy=conservative --recovery-mode
/workflow-status gradual_migration_002
```
"""


class Happened:
    """What the document left: its project, and the log."""

    def __init__(self, root: Path, failed: Sequence[str]) -> None:
        self.root = root
        self.failed = failed
        self.app = App(str(root), str(root / ".stretto" / "state"))

    def log(self) -> Log:
        log = Log.find(self.app.state)
        assert log
        return log

    def row(self, name: str) -> WorkflowRow:
        with self.log() as log:
            row = log.workflow(name)
        assert row
        return row

    def events(self, name: str) -> list[Event]:
        with self.log() as log:
            return list(log.events(name))


@pytest.fixture(scope="module")
def happened(tmp_path_factory: pytest.TempPathFactory) -> Happened:
    root = tmp_path_factory.mktemp("project")
    (example,) = parse_document(DOCUMENT, "x")
    ran = run_example(example, root, Rules(), lambda _: None)
    return Happened(root, [one.why for one in ran.steps if one.outcome == "failed"])


OLD, NEW = "shop_migration_001", "gradual_migration_002"


def test_every_line_of_it_is_done(happened: Happened) -> None:
    assert happened.failed == []


def test_finished_phases_are_inherited_and_not_run_again(happened: Happened) -> None:
    events = happened.events(NEW)
    started = [e.phase for e in events if e.type == "PHASE_STARTED"]
    skipped = [e for e in events if e.type == "PHASE_SKIPPED"]

    assert [e.phase for e in skipped] == ["research", "planning", "implementation"]
    assert all(e.data["skip_reason"] == f"finished in {OLD}" for e in skipped)
    assert started == ["database_migration", "testing", "documentation"]
    assert not [e for e in events if e.type == "TASK_STARTED" and e.phase in ("research", "planning", "implementation")]


def test_it_begins_at_the_commit_before_the_phase_that_failed(happened: Happened) -> None:
    spec = Spec.model_validate(happened.row(NEW).spec)
    (restored,) = [e for e in happened.events(OLD) if e.type == "CHECKPOINT_RESTORED"]

    assert spec.continues
    assert restored.data["name"] == "pre_database_migration"
    assert spec.plan_file.startswith("specs/plans/")
    with happened.log() as log:
        assert spec.continues.commit == log.fact(OLD, "base:database_migration~1")
        assert log.fact(OLD, recovering.CHILD) == NEW
        assert log.fact(NEW, recovering.PARENT)["workflow_id"] == OLD


def test_conservative_is_serial_with_a_gate_and_a_smaller_budget(happened: Happened) -> None:
    spec, plain = Spec.model_validate(happened.row(NEW).spec), Limits()

    assert spec.limits.agents == 1
    assert spec.gates == ("merge",)
    assert (spec.limits.attempts, spec.limits.debug_rounds) < (plain.attempts, plain.debug_rounds)
    assert happened.row(NEW).status == "PAUSED"


def test_the_recovery_is_over_when_the_phase_that_failed_is_done_by_the_other(happened: Happened) -> None:
    (told,) = [e.data for e in happened.events(OLD) if e.type == "RECOVERY_COMPLETED"]
    (done,) = [e for e in happened.events(NEW) if e.type == "PHASE_COMPLETED" and e.phase == "database_migration"]
    (begun,) = [e for e in happened.events(OLD) if e.type == "RECOVERY_INITIATED"]

    assert told["by"] == NEW
    assert told["seconds"] == recovering.seconds_between(begun.timestamp, done.timestamp)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (f'/orchestrate "Implement database migration" --continue-from={OLD}', InvalidTransition),
        ('/orchestrate "Implement database migration" --continue-from=nobody_001', NotFound),
        ('/orchestrate "Implement database migration" --recovery-mode', BadInput),
    ],
)
def test_what_cannot_be_gone_on_with_is_refused(happened: Happened, line: str, error: type[Exception]) -> None:
    with happened.log() as log:
        before = log.last_seq()
    invocation: Invocation = parse_line(line, project=str(happened.root))

    with pytest.raises(error):
        handle(invocation, happened.app)

    with happened.log() as log:
        assert log.last_seq() == before
