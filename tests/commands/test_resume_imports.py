import subprocess
import sys

NEEDLESS = (
    "yaml",
    "langchain_core.language_models.chat_models",
    "stretto.agents.claude",
    "stretto.agents.model",
    "stretto.agents.record",
    "stretto.agents.replay",
    "stretto.graph.analyze",
    "stretto.graph.template",
)
CODE = "import sys, stretto.commands.orchestrate; print(*sys.modules)"


def test_a_resume_imports_nothing_that_only_other_runs_need() -> None:
    told = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout

    loaded = set(told.split())
    assert "langgraph.pregel" in loaded
    assert loaded.isdisjoint(NEEDLESS)
