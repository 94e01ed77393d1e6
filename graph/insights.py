"""Insights: how many recommendations a report makes, counted in its text."""

import re

from stretto.graph.markdown import fences

_HEADING = re.compile(r"(?P<marks>#{1,6})\s+(?P<title>.+)")
_ITEM = re.compile(r"(?:[-*+]|[0-9]{1,3}[.)])\s+\S")


def recommendations(report: str) -> int:
    """The items of the lists under headings that speak of recommendations; what is nested in an item is its own."""
    lines = report.splitlines()
    hidden = {number for block in fences(lines) for number in block}
    inside, count = 0, 0
    for number, line in enumerate(lines):
        if number in hidden:
            continue
        if heading := _HEADING.match(line):
            level = len(heading["marks"])
            if "recommend" in heading["title"].lower():
                inside = level
            elif level <= inside:
                inside = 0
        elif inside and _ITEM.match(line):
            count += 1
    return count
