"""Write the table of docs/reliability.md from the counts of the last `make faults`."""

import json
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("reliability.md")
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"


def _row(counted: dict[str, Any]) -> str:
    told = "; ".join(f"{name} {value}" for name, value in counted["figures"].items())
    return f"| {counted['fault']} | {counted['injected']} | {counted['promise']} | {counted['held']} | {told} |"


def _table(counts: list[dict[str, Any]]) -> str:
    head = ["| fault | injected | what is promised | held | measured |", "|---|---:|---|---:|---|"]
    return "\n".join([*head, *map(_row, counts)])


def main(path: str) -> None:
    """Put the table of the counts in `path` between the marks of the page."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    counts = json.loads(Path(path).read_text(encoding="utf-8"))
    PAGE.write_text(f"{before}{BEGIN}\n{_table(counts)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
