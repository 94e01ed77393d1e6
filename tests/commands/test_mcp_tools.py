"""From the arguments of an MCP tool to a line, and back through the grammar."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.commands.handlers import HANDLERS
from stretto.commands.mcp_tools import ARGUMENT, TOOLS, line_of, prompt_text, prompts
from stretto.commands.parse import parse_line
from stretto.state.errors import BadInput

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1).filter(str.strip)
HERE = Path()


@given(TEXT)
def test_a_description_arrives_as_it_was_given(description: str) -> None:
    invocation = parse_line(line_of("orchestrate", {"description": description}), project=HERE)

    assert [w.text for w in invocation.words] == [description]
    assert invocation.operation == ""
    assert invocation.flags == {}


@given(TEXT)
def test_a_reason_arrives_as_it_was_given(reason: str) -> None:
    invocation = parse_line(line_of("orchestrate", {"resume": "x_001", "reject": reason}), project=HERE)

    assert invocation.flags == {"resume": "x_001", "reject": reason}


def test_the_other_arguments_are_flags() -> None:
    assert line_of("orchestrate", {"resume": "x_001", "approve": True}) == "/orchestrate --resume='x_001' --approve"
    assert line_of("orchestrate", {"description": "Add x", "approve": False}) == "/orchestrate 'Add x'"
    assert line_of("workflow_status", {}) == "/workflow-status"
    assert line_of("workflow_status", {"workflow_id": "x", "detailed": True}) == "/workflow-status 'x' --detailed"


def test_an_argument_that_is_null_is_not_given() -> None:
    assert line_of("workflow_status", {"workflow_id": None}) == "/workflow-status"


@pytest.mark.parametrize(
    ("name", "arguments", "field", "allowed"),
    [
        ("delete", {}, "name", ("run", "orchestrate", "workflow_status")),
        ("run", {}, "line", ()),
        ("run", {"line": 3}, "line", ("string",)),
        ("run", {"line": ["/plan"]}, "line", ("string",)),
        ("orchestrate", {"descripton": "x"}, "descripton", ("description", "resume", "approve", "reject")),
        ("orchestrate", {"approve": "yes"}, "approve", ("boolean",)),
    ],
)
def test_what_is_wrong_is_refused_with_its_field(
    name: str, arguments: dict[str, Any], field: str, allowed: tuple[str, ...]
) -> None:
    with pytest.raises(BadInput) as refusal:
        line_of(name, arguments)

    assert (refusal.value.field, refusal.value.allowed) == (field, allowed)


def test_every_slash_command_is_a_prompt_that_names_its_line() -> None:
    assert set(prompts()) == set(HANDLERS)
    for name in prompts():
        assert prompt_text(name, {ARGUMENT: "$(id) 'a\"b"}).endswith(f"\n\n/{name} $(id) 'a\"b\n")
        assert prompt_text(name, {}).endswith(f"\n\n/{name}\n")


def test_a_prompt_that_there_is_not_is_refused() -> None:
    with pytest.raises(BadInput, match="no prompt 'nope'"):
        prompt_text("nope", {})
    with pytest.raises(BadInput, match="no argument 'line'"):
        prompt_text("plan", {"line": "x"})


def test_no_schema_allows_what_is_not_in_it() -> None:
    for tool in TOOLS.values():
        schema = tool.schema()
        assert schema["additionalProperties"] is False
        assert set(schema.get("required", ())) <= set(schema["properties"])
