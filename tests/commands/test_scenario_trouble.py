"""By which id a document speaks of a workflow that it has not named."""

import pytest

from stretto.commands.scenario_ahead import meant
from stretto.commands.scenario_document import parse_document


@pytest.mark.parametrize(
    ("description", "below", "name"),
    [
        ("Research authentication best practices", "/workflow-status research_auth_001", "research_auth_001"),
        (
            "Implement microservices architecture migration",
            "X:microservices_migration_001:a:{}",
            "microservices_migration_001",
        ),
        ("Pay by card", "/workflow-status research_auth_001\n/workflow-status pay_card_002", "pay_card_002"),
        ("Pay by card", "/workflow-status earlier_001", ""),
        ("Work earlier", "/workflow-status earlier_001", ""),
        ("Pay by card", "/implement specs/plans/001_pay.md", ""),
        ("Pay by card", "", ""),
    ],
)
def test_it_is_the_first_new_id_below_whose_words_begin_words_of_the_description(
    description: str, below: str, name: str
) -> None:
    text = f'### One\n```bash\n/workflow-status earlier_001\n/orchestrate "{description}"\n{below}\n```\n'
    (one,) = parse_document(text, "x")

    assert meant(one, one.steps[1], description) == name


def test_expected_events_count_as_below() -> None:
    (one,) = parse_document('### One\n```bash\n/orchestrate "Pay by card"\n```\n```\nA:pay_001:b:{}\n```\n', "x")

    assert meant(one, one.steps[0], "Pay by card") == "pay_001"
