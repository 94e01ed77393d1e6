"""Agents with tools of their own, recorded: their turns are told again, their files made, their end returned."""

import asyncio
import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stretto.agents.cassette import Header, Turn, lint, load
from stretto.agents.choose import parse_runner
from stretto.agents.host import HostRunner
from stretto.agents.process import run as execute
from stretto.agents.record import Recorder
from stretto.agents.replay import ReplayRunner
from stretto.agents.runner import Runner, Surroundings
from stretto.agents.task import Brief, Outcome
from stretto.agents.workspace import open_workspace
from stretto.agents.wrote import wrote
from stretto.state.errors import PermanentError
from tests.agents.gitproject import GitProject
from tests.agents.sessions import KEY, stream

HEADER = Header(task="Do it", workflow="w_001")
DONE = {"status": "completed", "summary": "done", "usage": {"input_tokens": 7, "output_tokens": 5, "cost_usd": 0.01}}
AGENT = f"""
import json, pathlib, sys
brief = json.load(sys.stdin)
cwd = pathlib.Path(brief["cwd"])
(cwd / "app.py").write_text("root = " + repr(str(cwd)) + chr(10))
(cwd / "new").mkdir()
(cwd / "new" / "bytes").write_bytes(bytes([0, 255]))
(cwd / "new" / "run").write_text("#!/bin/sh")
(cwd / "new" / "run").chmod(0o755)
(cwd / "README.md").unlink()
print(json.dumps({DONE!r}))
"""
Seen = list[tuple[str, Mapping[str, Any]]]


def brief(cwd: Path, prompt: str = "Do it.", number: int = 1) -> Brief:
    facts = {"workflow_id": "w_001", "phase": "p", "task_id": "p/T", "idempotency_key": "k", "role": "implementer"}
    return Brief.model_validate({**facts, "attempt": number, "title": "T", "prompt": prompt, "cwd": str(cwd)})


async def worked(project: GitProject, runner: Runner, name: str, **more: Any) -> tuple[Outcome, dict[str, bytes], Seen]:
    """One attempt in a fresh workspace: its outcome, the files of the workspace, its progress."""
    repository = await project.open()
    await repository.begin("w_001")
    workspace = await open_workspace(repository, "w_001", name)
    seen: Seen = []
    around = Surroundings(
        progress=lambda kind, facts: seen.append((kind, facts)),
        wrote=lambda normal: wrote(workspace, normal),
        environment={},
        **more,
    )
    try:
        outcome = await runner.run(brief(workspace.cwd), around)
        await runner.close()
        files = {
            str(p.relative_to(workspace.cwd)): p for p in workspace.cwd.rglob("*") if p.is_file() and p.name != ".git"
        }
        return outcome, {name: _bytes(p, workspace.cwd) for name, p in files.items()}, seen
    finally:
        await workspace.close()


def _bytes(path: Path, cwd: Path) -> bytes:
    return path.read_bytes().replace(str(cwd).encode(), b"<here>") + oct(path.stat().st_mode)[-3:].encode()


def command(tmp_path: Path, body: str, recorder: Recorder | None) -> Runner:
    (tmp_path / "agent.py").write_text(body, "utf-8")
    words = shlex.join([sys.executable, "-IS", str(tmp_path / "agent.py")])
    return parse_runner(f"command:{words}", project=tmp_path, execute=execute, record=recorder)


def test_a_program_is_replayed_to_the_same_outcome_and_files(git_project: GitProject, tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    live, left, _ = asyncio.run(worked(git_project, command(tmp_path, AGENT, Recorder(path, HEADER)), "a"))
    again, made, seen = asyncio.run(worked(git_project, ReplayRunner(path, execute, strict=True), "b"))

    assert (again, made) == (live, left)
    assert "README.md" not in made
    assert made["app.py"] == b"root = '<here>'\n644"
    assert [kind for kind, _ in seen if kind == "drift"] == []
    turn = load(path).turns[0]
    assert json.loads(turn.reply.text) == DONE
    assert lint(load(path)) == []


def test_files_that_are_others_by_now_stop_the_replay_and_lenient_says_so(
    git_project: GitProject, tmp_path: Path
) -> None:
    path = tmp_path / "c.jsonl"
    asyncio.run(worked(git_project, command(tmp_path, AGENT, Recorder(path, HEADER)), "a"))
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "app.py").write_text("other\n")

    def replayed(*, lenient: bool = False) -> Seen:
        seen: Seen = []
        around = Surroundings(progress=lambda kind, facts: seen.append((kind, facts)))
        asyncio.run(ReplayRunner(path, execute, lenient=lenient).run(brief(tmp_path / "w"), around))
        return seen

    with pytest.raises(PermanentError, match=r"app\.py is not what it was before the agent wrote it"):
        replayed()
    assert (tmp_path / "w" / "app.py").read_text() == "other\n"
    told = [facts for kind, facts in replayed(lenient=True) if kind == "drift"]
    assert told[0]["files"] == ["app.py"]
    replayed()  # what it left is there already


def test_another_brief_is_drift_and_strict_refuses_it(git_project: GitProject, tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    body = f"import json; print(json.dumps({DONE!r}))"
    asyncio.run(worked(git_project, command(tmp_path, body, Recorder(path, HEADER)), "a"))
    seen: Seen = []
    around = Surroundings(progress=lambda kind, facts: seen.append((kind, facts)))
    asyncio.run(ReplayRunner(path, execute).run(brief(tmp_path, "Another."), around))
    assert [facts["changed"] for kind, facts in seen if kind == "drift"] == [["tail"]]
    with pytest.raises(PermanentError, match="changed: tail"):
        asyncio.run(ReplayRunner(path, execute, strict=True).run(brief(tmp_path, "Another."), Surroundings()))


def test_what_cannot_be_kept_is_named_and_stops_a_replay(git_project: GitProject, tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    body = f"open('long.bin', 'wb').truncate(2_000_000); open('env', 'w').write({KEY!r})\n"
    body += f"import json; print(json.dumps({DONE!r}))"
    asyncio.run(worked(git_project, command(tmp_path, body, Recorder(path, HEADER)), "a"))
    end = load(path).turns[-1].end
    assert end
    assert [one.split(":")[0] for one in end.lost] == ["long.bin"]
    assert [(f.path, f.text, f.redacted) for f in end.files or ()] == [("env", "<anthropic-key>", True)]
    with pytest.raises(PermanentError, match=r"not kept: long\.bin"):
        asyncio.run(worked(git_project, ReplayRunner(path, execute), "b"))


def test_an_attempt_that_is_ended_from_outside_ends_so_in_the_replay(git_project: GitProject, tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    recorder = Recorder(path, HEADER)

    async def cut() -> None:
        async with asyncio.timeout(3):
            await worked(git_project, command(tmp_path, "import time; time.sleep(60)", recorder), "a")

    with pytest.raises(TimeoutError):
        asyncio.run(cut())
    recorder.save()
    outcome, _, _ = asyncio.run(worked(git_project, ReplayRunner(path, execute), "b"))
    assert (outcome.status, outcome.error) == ("failed", "The attempt was ended before it had an outcome.")


def turns(path: Path) -> list[Turn]:
    return list(load(path).turns)


def test_claude_is_recorded_turn_by_turn(
    git_project: GitProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, client = tmp_path / "c.jsonl", tmp_path / "bin" / "claude"
    client.parent.mkdir()
    rows = stream()
    rows[-1] |= {"structured_output": {"status": "completed", "summary": "counted"}}
    lines = "\n".join(map(json.dumps, rows))
    body = f"import sys; sys.stdin.read(); open('out.txt', 'w').write('three'); print({lines!r})"
    client.write_text(f"#!{sys.executable} -IS\n{body}\n", "utf-8")
    client.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{client.parent}:/usr/bin:/bin")
        live = parse_runner("claude", project=tmp_path, execute=execute, record=Recorder(path, HEADER))
        outcome, files, _ = asyncio.run(worked(git_project, live, "a"))

    again, made, seen = asyncio.run(worked(git_project, ReplayRunner(path, execute, strict=True), "b"))

    assert (again, made) == (outcome, files)
    assert outcome.summary == "counted"
    assert made["out.txt"] == b"three644"
    assert [[c.name for c in t.reply.tool_calls] for t in turns(path)] == [["Agent"], []]
    assert turns(path)[0].tools[0].text == "Three."
    assert ("text", {"turn": 2, "text": "Three lines."}) in seen


def test_the_hosts_agents_are_recorded_from_their_transcript(git_project: GitProject, tmp_path: Path) -> None:
    path, transcript = tmp_path / "c.jsonl", tmp_path / "agent.jsonl"
    said = json.dumps({"status": "completed", "summary": "hosted"})
    blocks = {"id": "m1", "content": [{"type": "text", "text": said}], "usage": {"input_tokens": 2, "output_tokens": 3}}
    transcript.write_text(json.dumps({"type": "assistant", "isSidechain": True, "agentId": "x", "message": blocks}))
    report = {"text": said, "transcript": str(transcript)}

    def reported(_: Brief) -> Mapping[str, Any]:
        return report

    live, _, _ = asyncio.run(worked(git_project, HostRunner(Recorder(path, HEADER)), "a", order=reported))
    again, _, _ = asyncio.run(worked(git_project, ReplayRunner(path, execute, strict=True), "b"))

    assert again == live
    assert (again.summary, again.usage.output_tokens) == ("hosted", 3)
    assert [t.reply.text for t in turns(path)] == [said]
