"""What agents do to this project, replayed. Recorded again by `pytest workflows --stretto-record`."""

import asyncio

import pytest

from stretto.graph import PhaseSpec, Spec, TaskSpec, start


@pytest.mark.cassette("cassettes/zero_parts.jsonl", mode="strict", runner="model:script/scripts/zero_parts.yaml")
def test_our_template_leads_from_a_sentence_to_a_tested_change(scratch_project, run_workflow):
    project = scratch_project("..")

    ran = run_workflow("orchestrate", "Leave out parts that are zero", "--template=small-change", project=project)

    assert ran.status == "completed"
    assert "divmod" in ran.files["src/durations/__init__.py"]
    assert ran.outcomes["implementation/change"].summary.startswith("Parts that are zero")
    assert [event.data["task_id"] for event in ran.of_type("TASK_COMPLETED")] == ["implementation/change", "testing/tests"]
    assert project.git("status", "--porcelain") == ""


@pytest.mark.cassette(runner="model:script/scripts/readme.yaml")
def test_a_program_of_ours_drives_a_spec_of_its_own(scratch_project, cassette):
    project = scratch_project({"README.md": "# durations\n", "tests/test_nothing.py": "def test_nothing(): pass\n"})
    note = TaskSpec(
        id="readme", title="Tell of hours", role="implementer", prompt="Say `1h` in the README.", writes=("README.md",)
    )
    spec = Spec(
        workflow_id="readme_001",
        description="Tell of hours",
        type="documentation_update",
        template="",
        complexity="low",
        phases=(PhaseSpec(name="implementation", kind="implement", tasks=(note,)),),
    )

    result = asyncio.run(start(spec, project=project.path, runner=cassette.runner_for(spec, project.path)))

    assert result.status == "completed"
    assert project.read("README.md") == "# durations\n\n`1h` is an hour.\n"
