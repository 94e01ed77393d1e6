"""Cutting a bash fence of a document into commands and events."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.commands.fence import Statement, split_document
from stretto.commands.parse import parse_line
from stretto.state.errors import BadInput

FENCE = r"""
# Start, and don't stop
/orchestrate "Implement # migration" --priority=high   # the rest isn't read
/plan 'a' \
  --orchestrated

# Workflow encounters critical error
ERROR_ENCOUNTERED:wf_001:database_migration:{"error":"it's out"}
  /coordination-hub create '{
  "name": "it # is",
  "x": 1
}' # done
npm test
/report a#b c
"""


def test_a_fence_holds_commands_events_and_lines_that_are_neither() -> None:
    assert split_document(FENCE) == [
        Statement("command", '/orchestrate "Implement # migration" --priority=high', 3),
        Statement("command", "/plan 'a' \\\n  --orchestrated", 4),
        Statement("event", 'ERROR_ENCOUNTERED:wf_001:database_migration:{"error":"it\'s out"}', 8),
        Statement("command", '/coordination-hub create \'{\n  "name": "it # is",\n  "x": 1\n}\'', 9),
        Statement("other", "npm test", 13),
        Statement("command", "/report a#b c", 14),
    ]


def test_line_ends_of_windows_are_line_ends() -> None:
    assert [s.text for s in split_document("/test a\r\n/test-all \\\r\n --coverage\r\n")] == [
        "/test a",
        "/test-all \\\r\n --coverage",
    ]


def test_an_open_quote_is_refused_at_its_place() -> None:
    with pytest.raises(BadInput) as caught:
        split_document("# it's\n/test a\n/plan 'x\n/test b\n")
    assert (caught.value.details["line"], caught.value.details["column"]) == (3, 7)


@given(st.lists(st.text("ab '\"\\\n#$é", max_size=8).filter(str.strip), max_size=5))
def test_quoted_texts_come_out_of_a_document_whole(texts: list[str]) -> None:
    document = "\n".join("/orchestrate '{}' # c'".format(t.replace("'", "'\\''")) for t in texts)
    found = [parse_line(s.text, project=Path()).words[0].text for s in split_document(document)]
    assert found == texts
