"""What is said of a workflow before it begins, through the door."""

from typing import Any

from tests.commands.door import Project

ADD = ("orchestrate", "Add multiplication and subtraction")


def test_without_a_past_the_estimate_says_so_and_nothing_is_warned_about(project: Project) -> None:
    ran = project.work("report", "Sessions", "--max-tokens=1000")

    assert ran.code == 0
    assert (
        "Estimate, 80 % of cases: 1 agents (no history), tokens unknown, money unknown, 3 min 0 s (no history)."
        in ran.err
    )
    assert "probably stop" not in ran.err


def test_with_a_past_it_has_intervals_and_a_cap_below_them_is_warned_about(project: Project) -> None:
    for _ in range(2):
        assert project.work("report", "Sessions").code == 0

    ran = project.work("report", "Sessions", "--max-tokens=14", "--max-usd=1")
    said = project.work("report", "Sessions", "--json").json["result"]["estimate"]
    dry = project.run("report", "Sessions", "--dry-run", "--json", "--max-tokens=14").json["result"]

    assert "Estimate, 80 % of cases: 1 agents, 15 tokens, 0.001 USD, " in ran.err
    warning = (
        "--max-tokens: a cap of 14 tokens is less than it takes in 9 of 10 cases, at least 15 tokens;"
        " it will probably stop there"
    )
    assert warning in ran.err
    assert "--max-usd:" not in ran.err
    assert (said["agents"]["likely"], said["tokens"]["low"], said["tokens"]["high"]) == (1, 15, 15)
    assert said["seconds"]["low"] < said["seconds"]["high"]
    assert warning in dry["warnings"]
    assert dry["estimate"]["agents"]["n"] > 0


def test_further_attempts_of_the_past_are_expected_again(project: Project) -> None:
    twice: dict[str, Any] = {
        "T1#1": {"outcome": {"status": "failed"}},
        "research/topic#1": {"outcome": {"status": "failed"}},
    }
    project.agent(twice)
    for _ in range(2):
        assert project.work("report", "Sessions").code == 0

    dry = project.run("report", "Sessions", "--dry-run", "--json").json["result"]

    assert dry["estimate"]["agents"]["likely"] == 2
