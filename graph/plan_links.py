"""Links between reports, plans and summaries: relative, so that they hold in every clone and on every forge."""

import posixpath
import re

from stretto.graph.markdown import link, one_line
from stretto.graph.plan_lines import Outline


def relative(path: str, folder: str) -> str:
    """A path from the project's root as seen from a folder of the project: `../reports/001_x.md`.

    Addresses such as `https://…` stay as they are.
    """
    return path if re.match(r"[a-z][a-z0-9+.-]+://", path) else posixpath.relpath(path, folder or ".")


def add_link(text: str, label: str, target: str) -> str:
    """The file with `- **Label**: [name](target)` at the end of its metadata; unchanged if it has that line.

    `target` is seen from the file's own folder, see `relative`. A file without metadata gets some below its title, and
    one without a newline at its end gets that. Everything else stays as it is, byte for byte.
    """
    entry = f"- **{one_line(label)}**: {link(one_line(target))}"
    outline = Outline(text, "the file")
    span = next((s.lines for s in outline.sections if s.title == "metadata"), None)
    if span is not None:
        if entry in (outline.lines[i].rstrip() for i in span):
            return text
        return _inserted(text, _last(outline, span) + 1, [entry])
    return _inserted(text, outline.title_line() + 1, ["", "## Metadata", entry])


def _last(outline: Outline, span: range) -> int:
    """The last line of a section that is not blank, or its heading."""
    return next((i for i in reversed(span) if outline.lines[i].strip()), span.start - 1)


def _inserted(text: str, at: int, new: list[str]) -> str:
    end = "\r\n" if "\r\n" in text else "\n"
    lines = (text if text.endswith("\n") else text + end).split("\n")
    lines[at:at] = [line + end.removesuffix("\n") for line in new]
    return "\n".join(lines)
