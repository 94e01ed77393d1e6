"""/test-all: the project's whole test suite, run in the checkout as it is."""

from stretto.commands.app import App, require_supported
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.test import run_tests
from stretto.state.errors import BadInput

MEASURES = {
    "coverage": "coverage",
    "coverage-analysis": "coverage",
    "affected-areas": "areas",
    "performance-validation": "performance",
}
"""What each flag measures."""
SUPPORTED = frozenset({"timeout", "workflow-context", *MEASURES})


def handle(invocation: Invocation, app: App) -> Reply:
    """Run every test; counts come from the runner. No tests found is a failure.

    Raises:
        BadInput: No way to test the project was found.
    """
    require_supported(invocation, SUPPORTED)
    words = [word.text for word in invocation.words]
    if words not in ([], ["coverage"]):
        raise BadInput(f"/test-all cannot do {words[0]!r}.", field="extent", allowed=("coverage",))
    wanted = {MEASURES[flag] for flag in invocation.flags.keys() & MEASURES.keys()}
    return run_tests(invocation, app, "all", wanted | set(words))
