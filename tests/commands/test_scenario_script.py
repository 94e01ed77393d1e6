"""What the lines of a document say of each other: names, tracks and plans, read before the first of them is run."""

from pathlib import Path

import pytest

from stretto.commands.scenario_document import parse_document
from stretto.commands.scenario_plans import prepared_plans
from stretto.commands.scenario_script import Script
from stretto.commands.scenario_templates import own_templates
from stretto.commands.scenario_trouble import Trouble
from stretto.graph.template_model import parse_template

TRACKED = """\
/implement specs/plans/002_ledger.md --orchestrated --workflow-id=impl_ledger_001
/subagents '{"phase": "implementation", "workflow_id": "impl_ledger_001"}' '[
  {"command": "/implement", "phase": 2, "scope": "bank_adapters"},
  {"command": "/implement", "phase": 1, "scope": "ledger_core_service"},
  {"command": "/implement", "phase": "jobs", "scope": "nightly"}
]'"""


def script(tmp_path: Path, lines: str, events: str = "") -> Script:
    (one,) = parse_document(f"### One\n```bash\n{lines}\n```\n```\n{events}\n```\n", "x")
    return Script(one, tmp_path)


@pytest.mark.parametrize(
    ("description", "below", "name"),
    [
        ("Research authentication best practices", "/workflow-status research_auth_001", "research_auth_001"),
        ("Implement services migration", 'X:services_migration_001:a:{"a":1}', "services_migration_001"),
        ("Pay by card", "/workflow-status research_auth_001\n/workflow-status pay_card_002", "pay_card_002"),
        ("Take card payment", "/workflow-status payments-7", "payments-7"),
        ("Pay by card", "/workflow-status earlier_001", ""),
        ("Work earlier", "/workflow-status earlier_001", ""),
        ("Pay by card", "/implement specs/plans/001_pay.md", ""),
        ("Pay by card", '/coordination-hub create pay_001 \'{"phases": ["a"]}\'', ""),
        ("Pay by card", "/report x --workflow-id=pay_001", ""),
        ("Pay by card", "", ""),
    ],
)  # fmt: skip
def test_a_workflow_is_meant_by_the_first_new_id_whose_words_begin_words_of_its_description(
    tmp_path: Path, description: str, below: str, name: str
) -> None:
    found = script(tmp_path, f'/workflow-status earlier_001\n/orchestrate "{description}"\n{below}')

    assert found.meant(4) == name


@pytest.mark.parametrize(
    ("below", "name"),
    [
        ('ERROR_ENCOUNTERED:zebra_042:x:{"error":"e"}', "zebra_042"),
        ("/workflow-status zebra", "zebra"),
        ("/coordination-hub create zebra\n/workflow-status zebra", "zebra"),
        ("/coordination-hub create zebra", ""),
        ("/resource-manager allocate zebra --agents=1", ""),
        ("/workflow-status own_001\n/report x --workflow-id=own_001", ""),
        ('/orchestrate "Count zebras"\n/workflow-status zebra', ""),
    ],
)
def test_else_by_the_first_that_a_line_takes_for_granted(tmp_path: Path, below: str, name: str) -> None:
    assert script(tmp_path, f'/orchestrate "Pay by card"\n{below}').meant(3) == name


@pytest.mark.parametrize("flag", ["--test-mode", "--dry-run", "--workflow-id=other_001"])
def test_what_starts_nothing_or_has_a_name_is_not_named(tmp_path: Path, flag: str) -> None:
    assert script(tmp_path, f'/orchestrate "Pay by card" {flag}\n/workflow-status pay_001').meant(3) == ""


def test_expected_events_count_as_below(tmp_path: Path) -> None:
    assert script(tmp_path, '/orchestrate "Pay by card"', "A:pay_001:b:{}").meant(3) == "pay_001"


def test_phases_that_others_take_up_go_to_the_agents_allocated_for_them_else_to_one_for_each_task(
    tmp_path: Path,
) -> None:
    lines = """/orchestrate "Pay by card"
/subagents '{"phase": "planning", "workflow_id": "pay_001"}' '[{"command": "/report", "topic": "a"}]'
/resource-manager allocate pay_001 --agents=3
/subagents '{"phase": "research", "workflow_id": "pay_001"}' '[{"command": "/report", "topic": "a"}]'"""

    assert script(tmp_path, lines).taken_up(3, "pay_001") == {"planning": 1, "research": 3}


def test_tracks_are_called_as_the_events_call_them_else_by_the_first_word_of_their_scope(tmp_path: Path) -> None:
    events = "PHASE_COMPLETED:impl_ledger_001:adapters:{}\nPHASE_COMPLETED:other_001:core:{}"

    assert script(tmp_path, f'/plan "Ledger"\n{TRACKED}', events).tracks(3) == ("ledger", "adapters", "jobs")
    assert script(tmp_path, f'/plan "Ledger"\n/plan "Next"\n{TRACKED}').tracks(3) == ()


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ("/implement specs/plans/002_ledger.md", ["001_earlier_work.md", "002_ledger.md"]),
        ('/plan "A"\n/implement specs/plans/003_a.md', ["001_earlier_work.md", "002_earlier_work.md"]),
        ('/plan "A"\n/plan "B"\n/implement specs/plans/001_a.md\n/implement specs/plans/002_b.md', []),
        ('/plan "A"\n/implement specs/plans/003_a.md\n/plan "B"\n/implement specs/plans/004_b.md',
         ["001_earlier_work.md", "002_earlier_work.md"]),
        ("/implement specs/plans/001-old.md\n/implement ../specs/plans/009_x.md", ["001-old.md"]),
        ("/test-all", []),
    ],
)  # fmt: skip
def test_as_many_plans_are_prepared_as_the_numbers_below_ask_for(tmp_path: Path, lines: str, names: list[str]) -> None:
    assert [path.rpartition("/")[2] for path, _ in prepared_plans(script(tmp_path, lines))] == names


def test_a_plan_that_is_prepared_has_the_tracks_that_lines_join(tmp_path: Path) -> None:
    text = dict(prepared_plans(script(tmp_path, TRACKED)))["specs/plans/002_ledger.md"]

    assert [line.partition(": ")[2] for line in text.splitlines() if line.startswith("### Phase")] == [
        "ledger", "bank", "jobs", "testing", "documentation",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("phase", "names"),
    [
        ("ledger_backfill", ["research", "planning", "implementation", "ledger_backfill", "testing", "documentation"]),
        ("implementation", None),
        ("No Such", None),
    ],
)
def test_a_workflow_in_whose_own_phase_trouble_comes_has_that_phase(
    tmp_path: Path, phase: str, names: list[str] | None
) -> None:
    lines = f'/orchestrate "Add a ledger"\nERROR_ENCOUNTERED:ledger_001:{phase}:{{"error":"full"}}'
    (one,) = parse_document(f"### One\n```bash\n{lines}\n```\n", "x")
    found = own_templates(Script(one, tmp_path), Trouble(one))

    assert (3 in found) == (names is not None)
    for own in found.values():
        assert [p.name for p in parse_template(own.text, name=own.name, where="x").phases] == names
