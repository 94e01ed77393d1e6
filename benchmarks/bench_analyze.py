"""How often analysis agrees with people, on the labelled descriptions of `tests/data/descriptions.jsonl`.

The labels were given by meaning before any rule was written:
    type          what is there at the end (code that behaves right, text, tests, knowledge, a changed structure …); a
                  sentence that asks first of all to find something out is research, whatever follows
    low           one place, a small change
    medium        one component, a few files, a clear design
    high          several components, or a risk to data, money or security
    very_high     the whole system
The rules were tuned on the split `tune`; nothing was tuned on the split `heldout`.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from stretto.graph.analyze import Analysis, analyze

DATA = Path(__file__).parents[1] / "tests" / "data" / "descriptions.jsonl"


class Judged(NamedTuple):
    text: str
    split: str
    type: str
    complexity: str
    found: Analysis


def judged() -> list[Judged]:
    rows = (json.loads(line) for line in DATA.read_text("utf-8").splitlines())
    return [Judged(r["text"], r["split"], r["type"], r["complexity"], analyze(r["text"])) for r in rows]


def accuracy(rows: Sequence[Judged], field: str) -> float:
    return sum(bool(getattr(r, field) == getattr(r.found, field)) for r in rows) / len(rows)


def confusions(rows: Sequence[Judged], field: str) -> Iterator[tuple[str, str, int]]:
    pairs = Counter((getattr(r, field), getattr(r.found, field)) for r in rows)
    return ((was, said, n) for (was, said), n in pairs.most_common() if was != said)


def main() -> None:
    rows = judged()
    for split in ("tune", "heldout"):
        part = [r for r in rows if r.split == split]
        for field in ("type", "complexity"):
            usual = Counter(getattr(r, field) for r in part).most_common(1)[0][1] / len(part)
            print(
                f"{split:8} {field:10} {accuracy(part, field):6.1%} of {len(part)} (always the usual one: {usual:.1%})"
            )
            for was, said, n in confusions(part, field):
                print(f"             {n} x {was}, taken for {said}")


if __name__ == "__main__":
    main()
