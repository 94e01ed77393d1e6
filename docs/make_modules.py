"""Rewrite the tables of modules in `docs/architecture.md` from the first line of each module's docstring.

python docs/make_modules.py
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
ROOMS = ("testing", "commands", "packs", "graph", "agents", "state")
BEGIN, END = "<!-- modules: made by `make docs` -->", "<!-- end of modules -->"


def tables() -> str:
    """One table for each room."""
    return "\n\n".join(_table(room) for room in ROOMS)


def _table(room: str) -> str:
    paths = sorted(p for p in (ROOT / room).rglob("*.py") if p.name != "__init__.py")
    rows = [f"| `{p.relative_to(ROOT / room).as_posix()}` | {_first_line(p)} |" for p in paths]
    return "\n".join([f"### {room}/", "", "| Module | What it is |", "|---|---|", *rows])


def _first_line(path: Path) -> str:
    told = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return told.partition("\n")[0].replace("|", "\\|").replace("<", "&lt;")


def page() -> str:
    """The page as it should be."""
    before, found, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        msg = f"{PAGE} has no place for the tables: {BEGIN} … {END}"
        raise ValueError(msg)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    sys.exit(0)
