"""Whole workflows by way of work orders, as a session of the assistant carries them out."""

from pathlib import Path

import pytest

from tests.commands.door import Project, copied
from tests.commands.host import ADD, Host

pytestmark = pytest.mark.slow  # each runs whole workflows


@pytest.fixture
def host(project: Project, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(project, monkeypatch)


def left(project: Project) -> tuple[object, list[str]]:
    """The files of the checkout, without what differs from run to run, and the subjects of the commits."""
    files = {p: f for p, f in project.checkout().items() if "__pycache__" not in p}
    return files, project.subjects()


def test_orders_lead_to_the_same_files_and_commits_as_a_command_with_the_same_agent(
    host: Host, tmp_path: Path, pristine: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = host.finish()
    monkeypatch.delenv("CLAUDECODE")
    other = copied(pristine, tmp_path / "other")
    monkeypatch.chdir(other.root)
    assert other.work(*ADD).code == 0

    assert (ran.code, ran.json["result"]["status"]) == (0, "completed")
    assert left(host.project) == left(other)
    mine, theirs = host.project.briefs(), other.briefs()
    assert sorted(b["idempotency_key"] for b in mine) == sorted(b["idempotency_key"] for b in theirs)
    for one in mine:
        (same,) = [b for b in theirs if b["idempotency_key"] == one["idempotency_key"]]
        assert {**one, "cwd": ""} == {**same, "cwd": ""}
    assert host.taken == list(dict.fromkeys(host.taken))
    assert (host.standing(), host.workspaces(), host.worktrees()) == ({}, [], [])
    assert host.project.git("status", "--porcelain") == ""
