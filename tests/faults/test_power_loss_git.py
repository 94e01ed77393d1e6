"""The power is cut after work was committed to git and its landing acknowledged: the work must be there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.agents.gitproject import run_git
from tests.faults.disk import Disk
from tests.faults.shim import Call, read_trace
from tests.faults.tally import Ledger, times

pytestmark = pytest.mark.slow

LANDING = """
import asyncio, os, sys
from pathlib import Path
from stretto.agents.commits import FILE, Entry, commit, tree_with
from stretto.agents.git import Git
from stretto.agents.refs import Move, move
from stretto.state.log import Log

async def main():
    project = Path(sys.argv[1])
    git, ref = Git(project), "refs/heads/stretto/w"
    tip = await git.line("rev-parse", "HEAD")
    await git.run("update-ref", ref, tip)
    acks = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with Log.open(project / ".stretto" / "state") as log:
        for number in range(int(sys.argv[3])):
            blob = await git.line("hash-object", "-w", "--stdin", stdin=f"text {number}".encode())
            tree = await tree_with(git, await git.line("rev-parse", tip + "^{tree}"), [("file", Entry(FILE, blob))])
            new = await commit(git, tree, tip, "land", [])
            await move(git, Move(ref, new, tip))
            tip = new
            with log.write() as tx:
                tx.put_fact("w", "landed", tip)
            os.write(acks, (tip + "\\n").encode())

asyncio.run(main())
"""


def test_what_was_landed_is_in_git_when_the_log_says_so(shim: Path, tmp_path: Path, ledger: Ledger) -> None:
    row = ledger.tally(
        "power cut after a landing was recorded, on a disk with a journal; nothing that was not synced came to it",
        "the branch holds the commit that the log names, and git finds all of it",
    )
    project, acks, trace = tmp_path / "project", tmp_path / "acks", tmp_path / "trace"
    project.mkdir()
    run_git(project, "init", "-q", "-b", "main")
    run_git(project, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "Begin")
    disk = Disk(project, ordered=True)
    disk.adopt()

    identity = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    faults = {
        "STRETTO_FAULT_ROOT": project,
        "STRETTO_FAULT_TRACE": trace,
        "STRETTO_FAULT_ACKS": acks,
        "LD_PRELOAD": shim,
    }
    environment = {**os.environ, **identity, **{name: str(path) for name, path in faults.items()}}
    subprocess.run([sys.executable, "-c", LANDING, project, acks, str(times(3, 30))], check=True, env=environment)

    for call in read_trace(trace):
        if call.kind != "a":
            disk.call(call)
            continue
        with row.injection():
            assert landed(disk, call, tmp_path / "after")


def landed(disk: Disk, acknowledged: Call, after: Path) -> bool:
    shutil.rmtree(after, ignore_errors=True)
    disk.cut(after, "nothing", Random(0))
    assert run_git(after, "fsck", "--strict", "--no-dangling", "--no-reflogs") == ""
    tip = acknowledged.data.decode().strip()
    return run_git(after, "rev-parse", "refs/heads/stretto/w").strip() == tip
