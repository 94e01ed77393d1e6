"""A program as an agent: one JSON object in, one out, and nothing else counts."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from stretto.agents.command import CommandRunner
from stretto.agents.data import schema_for
from stretto.agents.process import run as execute
from stretto.agents.runner import Surroundings
from stretto.agents.task import Artifact, Brief, Budget, Outcome, RoleName, Usage
from stretto.state.errors import BadInput, PermanentError


def brief(cwd: Path, role: RoleName = "implementer", **more: Any) -> Brief:
    facts: dict[str, Any] = {"prompt": "Do what must be done.", **more}
    return Brief(
        workflow_id="w",
        phase="p",
        task_id="p/T1",
        attempt=2,
        idempotency_key="w/p/T1#2",
        role=role,
        title="Do it",
        cwd=str(cwd),
        schema=schema_for(role),
        **facts,
    )


def run(tmp_path: Path, body: str, role: RoleName = "implementer", **more: Any) -> tuple[Outcome, list[str]]:
    """Run an agent whose program has this body; return its outcome and what it said on stderr."""
    program = tmp_path / "project" / "agent"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!{sys.executable}\nimport json, os, sys\n{body}\n")
    program.chmod(0o755)
    (tmp_path / "work").mkdir(exist_ok=True)
    lines: list[str] = []
    around = Surroundings(progress=lambda kind, facts: lines.append(str(facts["text"])))
    runner = CommandRunner("./agent 'two words' $HOME", execute, project=program.parent)
    return asyncio.run(runner.run(brief(tmp_path / "work", role, **more), around)), lines


def test_a_program_reads_its_brief_and_its_outcome_counts(tmp_path: Path) -> None:
    outcome, lines = run(
        tmp_path,
        """
brief = json.load(sys.stdin)
print("working", file=sys.stderr)
print(json.dumps({
    "status": "completed", "summary": json.dumps([sys.argv[1:], os.getcwd(), brief]),
    "artifacts": ["a.md", {"path": "b.md", "digest": "d"}], "writes": ["a.md"],
    "usage": {"input_tokens": 5, "cost_usd": 0.1}}))""",
        checks=("true",),
    )
    argv, cwd, told = json.loads(outcome.summary)
    assert argv == ["two words", "$HOME"]
    assert cwd == told["cwd"] == str(tmp_path / "work")
    assert told["schema"] == schema_for("implementer")
    assert set(told) >= {"workflow_id", "phase", "task_id", "attempt", "idempotency_key", "role", "prompt", "inputs"}
    assert told["checks"] == ["true"]
    assert outcome.artifacts == (Artifact(path="a.md"), Artifact(path="b.md", digest="d"))
    assert outcome.writes == ("a.md",)
    assert outcome.usage == Usage(input_tokens=5, output_tokens=None, cost_usd=0.1)
    assert lines == ["working"]


def test_white_space_around_the_object_does_not_matter(tmp_path: Path) -> None:
    assert run(tmp_path, 'print(\'\\n  {"status": "partial"}  \\n\')')[0].status == "partial"


def test_data_is_checked_for_the_role(tmp_path: Path) -> None:
    body = "print(json.dumps({'status': 'completed', 'data': {'title': 'T', 'report': 'R', 'extra': 1}}))"
    assert run(tmp_path, body, "researcher")[0].data == {"title": "T", "report": "R"}


def test_half_a_surrogate_pair_is_replaced_since_no_store_can_hold_it(tmp_path: Path) -> None:
    body = "print(json.dumps({'status': 'completed', 'summary': 'x' + chr(0xd83d)}))"
    assert run(tmp_path, body)[0].summary == "x?"


def test_an_agent_that_says_it_failed_is_believed(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "print(json.dumps({'status': 'failed', 'summary': 'no idea'}))", "planner")
    assert (outcome.status, outcome.error) == ("failed", "no idea")


@pytest.mark.parametrize(
    ("body", "role", "words"),
    [
        ("print('all done!')", "implementer", "all done!"),
        ("", "implementer", "Not one JSON object"),
        ("print('[1]')", "implementer", "Not a JSON object"),
        ("print('{} {}')", "implementer", "Not one JSON object"),
        ("print('{\"status\": NaN}')", "implementer", "NaN"),
        ("print('['*100000)", "implementer", "Not one JSON object"),
        ("print('{}')", "implementer", "status"),
        ("print(json.dumps({'status': 'done'}))", "implementer", "status"),
        ("print(json.dumps({'status': 'completed', 'mood': 'good'}))", "implementer", "mood"),
        ("print(json.dumps({'status': 'completed', 'writes': 'a'}))", "implementer", "writes"),
        ("print(json.dumps({'status': 'completed', 'writes': ['../a']}))", "implementer", "writes.0"),
        ("print(json.dumps({'status': 'completed', 'artifacts': ['/etc/x']}))", "implementer", "artifacts.0.path"),
        ("print(json.dumps({'status': 'completed', 'usage': {'input_tokens': -1}}))", "implementer", "input_tokens"),
        ("print(json.dumps({'status': 'completed'}))", "researcher", "data.title"),
        ("print('x' * 5000); sys.exit(1)", "implementer", "exit code 1"),
        ("sys.exit('out of luck')", "implementer", "out of luck"),
        ("os.kill(os.getpid(), 9)", "implementer", "exit code -9"),
        ("print('x' * 9_000_000)", "implementer", "more than 8000000 bytes"),
    ],
)
def test_anything_else_is_a_failed_attempt_that_says_what_came(
    tmp_path: Path, body: str, role: RoleName, words: str
) -> None:
    outcome, _ = run(tmp_path, body, role)
    assert outcome.status == "failed"
    assert words in outcome.error
    assert len(outcome.error) < 1000


def test_a_program_that_hangs_is_ended_at_its_budget(tmp_path: Path) -> None:
    began = time.monotonic()
    outcome, _ = run(tmp_path, "import time; time.sleep(60)", budget=Budget(seconds=0.5))
    assert "longer than its 0.5 s" in outcome.error
    assert time.monotonic() - began < 10


def test_a_program_may_ignore_its_brief(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "print(json.dumps({'status': 'completed'}))", prompt="x" * 3_000_000)
    assert outcome.status == "completed"


@pytest.mark.parametrize("argument", ["", "  ", "'open", "./missing", "no-such-program-anywhere", "./folder"])
def test_a_program_that_is_not_there_is_refused_before_anything_starts(tmp_path: Path, argument: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadInput) as caught:
        CommandRunner(argument, execute, project=tmp_path)
    assert caught.value.field == "runner"


def test_a_program_that_went_away_is_the_runners_fault(tmp_path: Path) -> None:
    program = tmp_path / "agent"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    runner = CommandRunner("./agent", execute, project=tmp_path)
    program.unlink()
    with pytest.raises(PermanentError, match="Nothing was started"):
        asyncio.run(runner.run(brief(tmp_path), Surroundings()))


def test_a_program_without_a_slash_is_found_on_the_path(tmp_path: Path) -> None:
    runner = CommandRunner("cat /dev/null", execute, project=tmp_path)
    outcome = asyncio.run(runner.run(brief(tmp_path), Surroundings()))
    assert "Not one JSON object" in outcome.error
    assert runner.name == "command:cat /dev/null"
