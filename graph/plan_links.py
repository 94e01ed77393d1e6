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

    `target` is seen from the file's own folder, see `relative`. A file without metadata gets some below its title.
    Everything else stays as it is, byte for byte.
    """
    line = f"- **{one_line(label)}**: {link(one_line(target))}"
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.split("\n")
    outline = Outline(text, "the file")
    span = next((s.lines for s in outline.sections if s.title == "metadata"), None)
    if span is not None and line in (outline.lines[i].rstrip() for i in span):
        return text
    new = [line] if span is not None else ["", "## Metadata", line]
    at = 1 + (_last(outline, span) if span is not None else outline.title_line())
    before, after = "\n".join(lines[:at]).removesuffix("\r"), "\n".join(lines[at:])
    return end.join((before, *new)) + (f"{end}{after}" if at < len(lines) else "")


def _last(outline: Outline, span: range) -> int:
    """The last line of a section that is not blank, or its heading."""
    return next((i for i in reversed(span) if outline.lines[i].strip()), span.start - 1)
