"""Documents of the template that were written by others than the verifier: each verifies, and no false one does."""

import random
import re
from pathlib import Path

import pytest

from stretto.commands.scenario_document import parse_document
from tests.commands.door import Project

DOCUMENTS = Path(__file__).parents[1] / "data" / "documents"
QUICK = ("mobile_release",)
"""Documents that verify in a few seconds."""
KINDS = ("feature", "search", "queue", "billing", "tenant", "quota")
WORDS = ("north", "south", "east", "west", "river", "stone")


def _parameters() -> list[object]:
    paths = sorted(DOCUMENTS.glob("*.md"))
    return [pytest.param(p, id=p.stem, marks=[] if p.stem in QUICK else [pytest.mark.slow]) for p in paths]


@pytest.mark.parametrize("document", _parameters())
def test_a_document_of_another_team_verifies(project: Project, document: Path) -> None:
    ran = project.run("verify", str(document), "--json")
    counts = ran.json["result"]["counts"]

    assert ran.code == 0, project.run("verify", str(document)).out
    assert counts["commands"]["held"] == counts["commands"]["total"] > 0
    assert "INTERNAL" not in ran.out


def _two_workflows(seed: int) -> str:
    """A document about two workflows for which there are too few agents, made by chance."""
    chance = random.Random(seed)
    first, second = (
        f"{kind}_{word}_{chance.randrange(1000):03d}"
        for kind, word in zip(chance.sample(KINDS, 2), chance.sample(WORDS, 2), strict=True)
    )
    high, low = sorted(chance.sample(range(4), 2))
    levels = ("critical", "high", "medium", "low")
    more = chance.randint(3, 4)
    less = chance.randint(2, 3)
    hours = chance.randint(1, 9)
    bodies = [
        f'{{"workflow_id": "{name}", "priority": "{levels[rank]}", "phases": {phases},\n'
        f'  "resource_requirements": {{"agents": {agents}, "memory": "2GB", "duration": "{long}"}}}}'
        for name, rank, phases, agents, long in (
            (first, high, '["build", "check"]', more, f"{hours}h"),
            (second, low, '["look", "mend", "tell"]', less, "90m"),
        )
    ]
    lines = [f"# {chance.choice(WORDS)}\n/coordination-hub create-workflow '{body}'" for body in bodies]
    chance.shuffle(lines)
    looks = [f"/workflow-status {second} --detailed", "/progress-aggregator system-overview --include-conflicts"]
    chance.shuffle(looks)
    events = [
        f'WORKFLOW_CREATED:{first}:setup:{{"priority":"{levels[high]}","resources":{{"agents":{more}}}}}',
        f'RESOURCE_ANALYSIS_REQUESTED:system:coordination:{{"conflicts":false,"total_agents":{more + less}}}',
        f'WORKFLOW_SCHEDULED:{first}:ready:{{"estimated_completion":"{hours}h","start_time":"immediate"}}',
        f'WORKFLOW_QUEUED:{second}:waiting:{{"queue_position":1,"estimated_start":"{chance.randint(5, 500)}m"}}',
        f'WORKFLOW_COMPLETED:{second}:finalization:{{"success":true}}',
    ]
    fences = "".join(f"**Events {i}**\n```text\n{event}\n```\n" for i, event in enumerate(events))
    return "### Chance\n```bash\n" + "\n\n".join([*lines, *looks]) + f"\n```\n{fences}- Nobody waits for ever\n"


@pytest.mark.parametrize("seed", range(6))
def test_whatever_its_ids_figures_and_order_a_document_holds_if_it_is_true_and_fails_if_it_is_not(
    project: Project, seed: int
) -> None:
    text = _two_workflows(seed)
    project.write({"true.md": text, "false.md": text.replace('"queue_position":1', '"queue_position":2')})

    true = project.run("verify", "true.md")
    refuted = project.run("verify", "false.md")

    assert true.code == 0, true.out
    assert refuted.code == 1
    assert f"false.md:{text[: text.index('WORKFLOW_QUEUED')].count(chr(10)) + 1}" in refuted.out
    assert "queue_position: differs: 1, not 2" in refuted.out


@pytest.mark.slow
@pytest.mark.parametrize("document", ["incident_response", "payments_migration"])
def test_other_ids_make_no_difference(project: Project, document: str) -> None:
    text = (DOCUMENTS / f"{document}.md").read_text("utf-8")
    found = sorted(set(re.findall(r"\b[a-z]+_[a-z]+_[0-9]{3}\b", text)))
    for number, name in enumerate(found):
        head, _, tail = name.partition("_")
        text = text.replace(name, f"{tail.partition('_')[0]}_{head}_{900 + number}")
    project.write({"doc.md": text})

    ran = project.run("verify", "doc.md")

    assert len(found) >= 2
    assert ran.code == 0, ran.out


@pytest.mark.slow
def test_an_example_alone_holds_as_among_the_others(project: Project) -> None:
    path = DOCUMENTS / "incident_response.md"
    names = [one.name for one in parse_document(path.read_text("utf-8"), "x")]

    assert len(names) > 1
    assert [project.run("verify", str(path), "--only", name).code for name in names] == [0] * len(names)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("/workflow-recovery backup-state '{\"target\": \"/tmp/x.tar.gz\"}'", "writes nothing outside its own folder"),
        ("/coordination-hub enable-caching '{\"cache_sharing\": \"team_wide\", \"path\": \"/tmp\"}'", "writes nothing"),
        ("/implement ../../x.md", "outside the project"),
        ('/plan "x" --reports="$(rm -rf x)"', "nothing is ever executed"),
        ("/orchestrate `id`", "Backticks are not executed"),
        ("/workflow-status 'a_001; rm -rf x'", "is not a usable id"),
        ("rm -rf x", "neither a slash command nor an event line"),
        ("/coordination-hub create-workflow '" + "[" * 5000, "not closed"),
        ("/coordination-hub create-workflow '" + "[" * 5000 + "'", "nested deeper"),
        ("/coordination-hub explode a_001", "explode"),
    ],
)  # fmt: skip
def test_a_hostile_line_is_refused_and_harms_nobody(project: Project, line: str, why: str) -> None:
    project.write({"doc.md": f"### One\n```bash\n{line}\n/workflow-status\n```\n"})
    before = project.everything()

    ran = project.run("verify", "doc.md")

    assert ran.code == 1
    assert why in ran.out
    assert "Traceback" not in ran.out + ran.err
    assert project.everything() == before


@pytest.mark.parametrize("content", [b"\x00\xff\xfe", b"### A\n```bash\n/test-all\n", b"x" * (5 << 20), b""])
def test_a_file_that_is_no_document_is_bad_input(project: Project, content: bytes) -> None:
    (project.root / "doc.md").write_bytes(content)

    ran = project.run("verify", "doc.md")

    assert ran.code == 2
    assert ran.err.startswith("stretto: ")


def test_a_prompt_and_line_ends_of_windows_make_no_difference(project: Project) -> None:
    lines = ["$ /coordination-hub a_001 create '{", '    "phases": ["x"]', "  }'", "$ /workflow-status a_001"]
    text = "\n".join(["### A", "```console", *lines, "```", ""])
    (project.root / "doc.md").write_bytes(text.replace("\n", "\r\n").encode())

    assert project.run("verify", "doc.md").code == 0


def test_a_line_that_is_meant_for_an_event_and_is_none_fails(project: Project) -> None:
    project.write(
        {"doc.md": "### A\n```bash\n/workflow-status\n```\n```\nWORKFLOW_COMPLETED:a_001:finalization\n```\n"}
    )

    ran = project.run("verify", "doc.md")

    assert ran.code == 1
    assert "doc.md:6" in ran.out
