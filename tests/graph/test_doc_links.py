import pytest

from stretto.graph.doc_links import targets


@pytest.mark.parametrize(
    ("path", "line", "found"),
    [
        ("docs/a.md", "[x](b.md)", [("b.md", "docs/b.md")]),
        ("docs/a.md", "[x](../README.md#top)", [("../README.md#top", "README.md")]),
        ("docs/a.md", "[x](/README.md)", [("/README.md", "README.md")]),
        ("a.md", "[x](../out.md)", [("../out.md", "../out.md")]),
        ("a.md", "[x](https://e.org/a.md) [y](#here) [z](mailto:a@e.org) [w]()", []),
        ("a.md", "`[x](no.md)`", []),
        ("a.md", "```\n[x](no.md)\n```\n[y](yes.md)", [("yes.md", "yes.md")]),
    ],
)
def test_relative_links_lead_from_their_own_document(path: str, line: str, found: list[tuple[str, str]]) -> None:
    assert list(targets(path, line)) == found
