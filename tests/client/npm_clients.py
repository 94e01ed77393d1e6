"""opencode, Gemini CLI and Qwen Code as npm has them, pinned: installed once, into the folder of the environment.

STRETTO_TEST_CLIENTS names another folder. A machine without npm, or without its registry, skips these tests.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = {
    "opencode": "opencode-ai@1.18.33",
    "gemini": "@google/gemini-cli@0.61.0",
    "qwen": "@qwen-code/qwen-code@0.15.10",
}
_SECONDS = 120
_PLACE = Path(os.environ.get("STRETTO_TEST_CLIENTS") or Path(sys.prefix) / "clients")


def npm_client(name: str) -> Path:
    """The program of a client; skips the test if it is not there and cannot be had."""
    folder = _PLACE / PACKAGES[name].replace("/", "+")
    program = folder / "node_modules" / ".bin" / name
    if program.exists():
        return program
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"{name} is installed by npm, which is not here")
    building = folder.with_name(f"{folder.name}.{os.getpid()}")
    building.mkdir(parents=True)
    argv = [npm, "install", "--no-audit", "--no-fund", "--fetch-retries=0", "--prefix", str(building), PACKAGES[name]]
    try:
        done = subprocess.run(argv, cwd=building, capture_output=True, text=True, check=False, timeout=_SECONDS)
        if done.returncode:
            pytest.skip(f"npm cannot install {PACKAGES[name]}: {done.stderr[-300:]}")
        building.rename(folder)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm has not installed {PACKAGES[name]} within {_SECONDS} s")
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return program
