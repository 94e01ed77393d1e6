"""Exported commands in the real opencode, Gemini CLI and Qwen Code, offline: what is typed arrives and is not run."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.npm_clients import npm_client
from tests.client.other_api import OtherApi

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(420)]

HOSTILE = (
    "a $(touch PWNED1) `touch PWNED2` !`touch PWNED3` \"; touch PWNED4; !{touch PWNED5} '; rm -rf x; $1 {{args}} b"
)
TYPED = f"{shlex.quote(HOSTILE)} --runner=host --workflow-id=hostile_001"
# `opencode run` puts words with blanks between quotes of its own: it is given words without.
FLAGS = {
    "opencode": ["run", "--command", "stretto-report", "--format", "json", "--", *TYPED.split(" ")],
    "gemini": ["-m", "gemini-2.5-flash", "--approval-mode", "yolo", "-p", f"/stretto:report {TYPED}"],
    "qwen": ["--yolo", "--auth-type", "openai", "-p", f"/stretto:report {TYPED}"],
}


def settings(home: Path, project: Path, url: str) -> dict[str, str]:
    """Have each client speak to our model; the environment for it."""
    (home / ".gemini").mkdir(parents=True)
    (home / ".gemini/settings.json").write_text('{"security": {"auth": {"selectedType": "gemini-api-key"}}}')
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{url}/v1", "apiKey": "nobody"},
        "models": {"m": {"name": "m"}},
    }
    (project / "opencode.json").write_text(json.dumps({"provider": {"own": provider}, "model": "own/m"}))
    return {
        "GEMINI_API_KEY": "nobody",
        "GOOGLE_GEMINI_BASE_URL": url,
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
        "OPENAI_API_KEY": "nobody",
        "OPENAI_BASE_URL": f"{url}/v1",
        "OPENAI_MODEL": "m",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
    }


@pytest.mark.parametrize("client", FLAGS)
def test_a_hostile_line_reaches_stretto_as_it_was_typed_and_nothing_of_it_runs(client: str, tmp_path: Path) -> None:
    program, home, project = npm_client(client), tmp_path / "home", tmp_path / "project"
    project.mkdir()
    with OtherApi() as api:
        own = settings(home, project, api.url)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = {"HOME": str(home), "PATH": path, "LANG": "C.UTF-8", "TERM": "dumb", **own}

        def run(*argv: str, seconds: float = 60) -> str:
            done = subprocess.run(
                argv,
                cwd=project,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=seconds,
            )
            return done.stdout

        run(sys.executable, "-m", "stretto.commands", "setup", "--client", client)
        for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "Begin"]):
            run("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *words)
        said = run(str(program), *FLAGS[client], seconds=180)
        log = [json.loads(x) for x in run(sys.executable, "-m", "stretto.commands", "events", "--json").splitlines()]

    assert api.lines == [f"/report {TYPED}"], said[-3000:]
    created = [event["data"]["description"] for event in log if event["event_type"] == "WORKFLOW_CREATED"]
    assert created == [HOSTILE], said[-3000:]
    assert not list(tmp_path.rglob("PWNED*"))
