"""Relative links of documents: where they lead, as paths from the project's root."""

import posixpath
import re
from collections.abc import Iterator

from stretto.graph.markdown import links

_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//|#|$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


def targets(path: str, text: str) -> Iterator[tuple[str, str]]:
    """Each relative link outside of code blocks: as it is written, and the path that it means.

    One that starts with a slash is meant from the project's root. A path that begins with `..` leads out of it.
    """
    fence = ""
    for line in text.splitlines():
        if mark := _FENCE.match(line):
            if not fence:
                fence = mark[1]
            elif mark[1].startswith(fence):
                fence = ""
            continue
        for target in () if fence else links(re.sub(r"`[^`]*`", "", line)):
            if _ELSEWHERE.match(target) is None:
                file = target.partition("#")[0].partition("?")[0]
                start = "" if file.startswith("/") else posixpath.dirname(path)
                yield target, posixpath.normpath(posixpath.join(start, file.lstrip("/") if not start else file))
