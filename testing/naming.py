"""From a test to its cassette: what its mark says, else a path by its name."""

import re
from pathlib import Path
from typing import Any, cast

import pytest

from stretto.agents.recording import Mode
from stretto.testing.tape import MODES, Recorded, Tape

_SCRIPT = "model:script/"


def tape_of(request: pytest.FixtureRequest) -> Tape:
    """The cassette of a test.

    Raises:
        pytest.UsageError: Its mark says what it cannot mean, or it is to be recorded and nobody says by whom.
    """
    said = _said(request)
    path = Path(request.path).parent / (said["path"] or default_path(request))
    recording = _recording(request, said["runner"]) if request.config.getoption("--stretto-record") else None
    return Tape(path, mode=cast("Mode", said["mode"]), test=request.node.nodeid, recording=recording)


def default_path(request: pytest.FixtureRequest) -> Path:
    """`cassettes/MODULE/TEST.jsonl`; what file systems do not take in a name becomes a dash."""
    name = re.sub(r"[^\w.=-]+", "-", str(request.node.name)).strip("-")
    group = request.node.getparent(pytest.Class)
    return Path("cassettes", request.path.stem, *([group.name] if group else ()), f"{name}.jsonl")


def _said(request: pytest.FixtureRequest) -> dict[str, str]:
    """What the nearest mark says: `path`, `mode` and `runner`."""
    said = {"path": "", "mode": "default", "runner": ""}
    mark = request.node.get_closest_marker("cassette")
    if mark is None:
        return said
    given: dict[str, Any] = {**dict(zip(("path",), mark.args, strict=False)), **mark.kwargs}
    if len(mark.args) > 1 or given.keys() - said.keys() or ("path" in mark.kwargs and mark.args):
        raise pytest.UsageError("The mark cassette takes a path, mode=… and runner=…, each once.")
    found = {**said, **{name: str(value) for name, value in given.items() if value is not None}}
    if found["mode"] not in MODES:
        raise pytest.UsageError(f"The mark cassette knows no mode {found['mode']!r}: {', '.join(MODES)}.")
    return found


def _recording(request: pytest.FixtureRequest, marked: str) -> Recorded:
    given = str(request.config.getoption("--stretto-runner"))
    if not given and not marked:
        raise pytest.UsageError("Who is recorded? Name it: --stretto-runner model:PROVIDER/NAME.")
    here = request.config.invocation_params.dir if given else Path(request.path).parent
    return Recorded(_placed(given or marked, here))


def _placed(runner: str, folder: Path) -> str:
    """A script lies beside whoever names it, not in the scratch project."""
    if not runner.startswith(_SCRIPT):
        return runner
    return f"{_SCRIPT}{(folder / runner.removeprefix(_SCRIPT)).resolve()}"
