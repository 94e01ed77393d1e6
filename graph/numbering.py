"""The numbers and names of reports, plans and summaries: `005_jwt_authentication.md`."""

import re
from collections.abc import Iterable

from stretto.state.errors import BadInput
from stretto.state.ids import slug

_NUMBERED = re.compile(r"(?!\d{4}-\d{2}-\d{2})([0-9]{1,5})(?:[_\-. ].*)?", re.DOTALL)
_NAME = re.compile(r"(?=.{3,60}\Z)[a-z0-9]+(?:_[a-z0-9]+)+")


def next_number(directory_listing: Iterable[str]) -> int:
    """One more than the highest number in use, and 1 in an empty directory.

    Understands names and paths such as `007_x.md`, `7-x.md`, `007.md`, `1000_x.md` and the folder `007_x/`. Dates
    (`2025-01-31_x.md`, `20250131_x.md`) are no numbers. Gaps are left: a deleted plan's number is not given again
    while a later one exists.
    """
    return max((n for n in map(number_of, directory_listing) if n is not None), default=0) + 1


def number_of(path: str) -> int | None:
    """The number with which a file's or a folder's name begins, None if it has none."""
    match = _NUMBERED.fullmatch(path.rstrip("/").rpartition("/")[2])
    return int(match[1]) if match else None


def file_name(number: int, text: str, *, suffix: str = "") -> str:
    """`NNN_snake.md`: the telling words of `text`, then `suffix`; a number of four digits keeps them all.

    `file_name(5, "Add JWT authentication")` is `005_jwt_authentication.md`, `file_name(6, "debug: header is lost")`
    is `006_debug_header_lost.md`, and `file_name(5, "", suffix="implementation_summary")` is
    `005_implementation_summary.md`. A text that is a name already, such as `add_jwt`, stays as it is. Whatever the
    texts hold, the name has only `[a-z0-9_]` before its `.md`.

    Raises:
        BadInput: The number is not positive.
    """
    if number < 1:
        raise BadInput(f"The number of a file starts at 1, and {number} is below.", field="number")
    parts = [text if _NAME.fullmatch(text) else slug(text, words=6, fallback=""), slug(suffix, words=6, fallback="")]
    return f"{number:03d}_{'_'.join(p for p in parts if p) or 'untitled'}.md"
