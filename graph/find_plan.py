"""Which plan `/implement` goes on with when none is named."""

import re
from collections.abc import Iterable

from stretto.graph.plan import incomplete
from stretto.graph.plan_file import parse
from stretto.graph.plan_lines import PHASES, Outline

_PLACE = re.compile(r"(?:.*/)?specs/plans/[^/]+\.md", re.DOTALL)


def newest_unfinished(plans: Iterable[tuple[str, str, float]]) -> str | None:
    """The path of the newest plan with something left to do, or None.

    `plans` are (path, text, time of last change in seconds). Every `specs/plans/*.md`, at the root or in a folder
    below, counts whatever its name; other files, and notes that have no phases section, do not. Of two files of one
    time, as after a checkout, the one with the higher name is the newer.

    Raises:
        BadInput: A plan that is newer than any unfinished one cannot be read. Going on with an older plan instead
            would be a surprise, so the message names file and line.
    """
    placed = (p for p in plans if _PLACE.fullmatch(p[0]))
    for path, text, _ in sorted(placed, key=lambda p: (p[2], p[0].rpartition("/")[2], p[0]), reverse=True):
        is_plan = any(s.title in PHASES for s in Outline(text, path).sections)
        if is_plan and incomplete(parse(text, source=path)) is not None:
            return path
    return None
