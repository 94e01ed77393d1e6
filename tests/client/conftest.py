"""What the tests with the real client share: a scripted API, and a user of Claude Code who speaks to it."""

import sys
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.client.api import Api
from tests.client.claude import ROOT, Claude
from tests.commands.door import CALC

if sys.platform != "linux":  # whose processes are left is read from /proc
    collect_ignore_glob = ["test_*.py"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows what the client said: it may not fail a second time."""
    report = yield
    user = getattr(item, "funcargs", {}).get("claude")
    if report.failed and isinstance(user, Claude):
        with suppress(Exception):
            report.sections.append(("the client", user.told()))
    return report


@pytest.fixture
def api() -> Iterator[Api]:
    """A model that says what the test has it say; every request must be one that the script expects."""
    with Api() as api:
        yield api
    api.check()


@pytest.fixture
def claude(tmp_path: Path, api: Api) -> Iterator[Claude]:
    """A user with an empty project, whose client loads the plugin of this checkout."""
    with Claude(tmp_path / "user", api, plugins=[ROOT]) as claude:
        yield claude


@pytest.fixture
def calc(claude: Claude) -> Claude:
    """A user whose project is the small calculator, in git."""
    for path, text in CALC.items():
        place = claude.project / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")
    for args in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "Begin"]):
        claude.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", *args)
    return claude
