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
COMMANDS = {"stretto": "report", "team": "hello"}
"""One of Stretto's own, by `setup`, and that of a new pack, which is installed and exported."""


def flags(client: str, pack: str) -> list[str]:
    """How the client is told to run the command."""
    name = COMMANDS[pack]
    return {
        # `opencode run` puts words with blanks between quotes of its own: it is given words without
        "opencode": ["run", "--command", f"{pack}-{name}", "--format", "json", "--", *TYPED.split(" ")],
        "gemini": ["-m", "gemini-2.5-flash", "--approval-mode", "yolo", "-p", f"/{pack}:{name} {TYPED}"],
        "qwen": ["--yolo", "--auth-type", "openai", "-p", f"/{pack}:{name} {TYPED}"],
    }[client]


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


@pytest.mark.parametrize("pack", COMMANDS)
@pytest.mark.parametrize("client", ["opencode", "gemini", "qwen"])
def test_a_hostile_line_reaches_stretto_as_it_was_typed_and_nothing_of_it_runs(
    client: str, pack: str, tmp_path: Path
) -> None:
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

        stretto = (sys.executable, "-m", "stretto.commands")
        if pack == "stretto":
            run(*stretto, "setup", "--client", client)
        else:
            run(*stretto, "pack", "new", pack)
            run(*stretto, "pack", "add", pack, "--yes")
            run(*stretto, "pack", "export", pack, "--client", client, "-o", ".")
        for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "Begin"]):
            run("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *words)
        said = run(str(program), *flags(client, pack), seconds=180)
        log = [json.loads(x) for x in run(*stretto, "events", "--json").splitlines()]

    line = "/report" if pack == "stretto" else f"/{pack}:{COMMANDS[pack]}"
    assert api.lines == [f"{line} {TYPED}"], said[-3000:]
    created = [event["data"]["description"] for event in log if event["event_type"] == "WORKFLOW_CREATED"]
    assert created == [HOSTILE], said[-3000:]
    assert not list(tmp_path.rglob("PWNED*"))
