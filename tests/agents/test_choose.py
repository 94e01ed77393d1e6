"""Choosing a runner: each mistake is refused with what to do instead."""

import sys
from pathlib import Path

import pytest

from stretto.agents.cassette import Cassette, Header, save
from stretto.agents.choose import KINDS, header_for, parse_runner
from stretto.agents.execute import Execute, Finished
from stretto.agents.record import Recorder
from stretto.agents.runner import Runner
from stretto.state.errors import BadInput


async def nothing(*_: object, **__: object) -> Finished:
    raise AssertionError("choosing a runner starts nothing")


execute: Execute = nothing


def choose(text: str, project: Path) -> Runner:
    return parse_runner(text, project=project, execute=execute)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "agent").write_text("#!/bin/sh\n")
    (tmp_path / "agent").chmod(0o755)
    (tmp_path / "demo.yaml").write_text("task: Add JWT\naliases: [JWT]\nlanes: {a/b#1: [{say: hi}]}\n")
    save(tmp_path / "demo.jsonl", Cassette(Header(task="Add JWT"), ()))
    return tmp_path


@pytest.mark.parametrize("text", ["command:./agent --fast", "replay:demo.jsonl", "replay:demo.jsonl?strict"])
def test_a_runner_keeps_the_name_by_which_it_was_chosen(project: Path, text: str) -> None:
    assert choose(text, project).name == text


def test_a_script_is_a_model(project: Path) -> None:
    assert choose("model:script/demo.yaml", project).name == "model:script/demo.yaml"


@pytest.mark.parametrize("text", ["", "  "])
def test_without_a_runner_two_lines_say_what_to_plug_in(project: Path, text: str) -> None:
    with pytest.raises(BadInput) as caught:
        choose(text, project)
    lines = caught.value.message.splitlines()
    assert len(lines) == 2
    for words in ("--runner model:anthropic/", "ANTHROPIC_API_KEY", "--runner replay:", "--runner command:./agent"):
        assert words in lines[1]


@pytest.mark.parametrize("text", ["claude:", "claudette", "model:", "telepathy:x", "replay:"])
def test_an_unknown_kind_is_refused_with_the_known_ones(project: Path, text: str) -> None:
    with pytest.raises(BadInput) as caught:
        choose(text, project)
    assert caught.value.allowed == KINDS


@pytest.mark.parametrize("text", ["model:anthropic", "model:mistral/large", "model:/x"])
def test_an_unknown_provider_is_refused_with_the_known_ones(project: Path, text: str) -> None:
    with pytest.raises(BadInput) as caught:
        choose(text, project)
    assert caught.value.allowed == ("anthropic/NAME", "openai/NAME", "ollama/NAME", "script/PATH")


@pytest.mark.parametrize("text", ["replay:missing.jsonl", "model:script/missing.yaml", "replay:demo.jsonl?fast"])
def test_a_missing_file_or_mode_is_refused(project: Path, text: str) -> None:
    with pytest.raises(BadInput):
        choose(text, project)


@pytest.mark.parametrize("provider", ["anthropic", "openai", "ollama"])
def test_a_missing_extra_is_told_with_the_line_that_installs_it(
    project: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, f"langchain_{provider}", None)  # as on a machine without the extra
    with pytest.raises(BadInput) as caught:
        choose(f"model:{provider}/some-model", project)
    assert caught.value.next_steps == (f"pip install 'stretto[{provider}]'",)


@pytest.mark.parametrize(("provider", "key"), [("anthropic", "ANTHROPIC_API_KEY"), ("openai", "OPENAI_API_KEY")])
def test_a_missing_key_is_told_by_its_variable(
    project: Path, provider: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(f"langchain_{provider}")
    monkeypatch.delenv(key, raising=False)
    with pytest.raises(BadInput, match=key):
        choose(f"model:{provider}/some-model", project)


def test_a_recording_cannot_be_recorded(project: Path) -> None:
    recorder = Recorder(project / "new.jsonl", Header(task="t"))
    with pytest.raises(BadInput) as caught:
        parse_runner("replay:demo.jsonl", project=project, execute=execute, record=recorder)
    assert caught.value.field == "record"


def test_what_a_script_speaks_is_labelled_as_authored(project: Path) -> None:
    header = header_for("model:script/demo.yaml", project=project, task="jwt", workflow="w")
    assert (header.origin, header.task, header.aliases) == ("authored", "Add JWT", ("JWT",))
    there = header_for(f"model:script/{project / 'demo.yaml'}", project=project, task="jwt")
    assert there.model == header.model == "script/demo.yaml"
    assert header_for("model:openai/x", project=project, task="jwt").origin == "recorded"


def test_a_script_of_another_task_is_not_recorded(project: Path) -> None:
    with pytest.raises(BadInput) as caught:
        header_for("model:script/demo.yaml", project=project, task="Add a blog")
    assert caught.value.allowed == ("Add JWT", "JWT")


@pytest.mark.parametrize(
    "text",
    [
        "task: t\nlanes: {}",
        "task: t\nlanes: {a: [{say: 3}]}",
        "task: t\nlanes: {a: [{call: [{x: {}, y: {}}]}]}",
        "lanes: {a: []}",
        "!!python/object/apply:os.system [true]",
        "[",
    ],
)
def test_a_script_that_is_none_is_refused(project: Path, text: str) -> None:
    (project / "bad.yaml").write_text(text)
    with pytest.raises(BadInput, match=r"bad\.yaml"):
        choose("model:script/bad.yaml", project)
