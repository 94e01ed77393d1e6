#!/usr/bin/env python3
"""A command runner's agent without a model: it knows one job on `cli-todo` by heart, and makes one mistake in it.

It shows all that such a program has to do: read one brief from stdin, work in the brief's `cwd`, print one outcome to
stdout. What it writes to stderr is kept for `stretto logs`.
"""

import json
import sys
from pathlib import Path
from typing import Any

COUNT = 'def open_items(items):\n    """How many items are still to do."""\n    return len([i for i in items if {}])\n'
TEST = """from todo.counting import open_items
from todo.items import Item


def test_a_finished_item_is_not_counted():
    assert open_items([Item(1, "Milk"), Item(2, "Bread", done=True)]) == 1
"""
FILES = {
    "T1": ("src/todo/counting.py", COUNT.format("i")),  # the mistake
    "T2": ("docs/counting.md", "# Counting\n\n`open_items` tells how many items are still to do.\n"),
    "T3": ("tests/test_counting.py", TEST),
    "D1": ("src/todo/counting.py", COUNT.format("not i.done")),
}


def task(name: str, title: str, **more: Any) -> dict[str, Any]:
    """A task as planners and debuggers hand it over; `writes` is all that it may change."""
    return {"id": name, "title": title, "writes": [FILES[name][0]], **more}


def plan() -> dict[str, Any]:
    """Two phases. T1 and T2 wait for nothing, so they run at once; T3 waits for T1."""
    check = "python -c 'import todo.counting'"
    code = [task("T1", "Count the open items", checks=[check]), task("T2", "Say what counting means")]
    tests = [task("T3", "Test the count", depends_on=["T1"])]
    phases = [
        {"name": "Counting", "objective": "the function", "complexity": "Low", "tasks": code},
        {"name": "Tests", "objective": "its proof", "complexity": "Low", "tasks": tests},
    ]
    return {"title": "Counting", "overview": "One function.", "phases": phases}


def work(brief: dict[str, Any]) -> dict[str, Any]:
    """Do what the role does; return the `data` that it must hand over. Code and documents are files in `cwd`."""
    cwd = Path(brief["cwd"])
    match brief["role"]:
        case "researcher":
            return {"title": brief["title"], "report": "# Findings\n\nItems live in `src/todo/items.py`.\n"}
        case "planner":
            return plan()
        case "implementer":
            name = brief["task_id"].split("/")[1].split("~")[0]  # "implementation/D1~2": D1, in the second round
            path, text = FILES[name]
            (cwd / path).parent.mkdir(exist_ok=True)
            (cwd / path).write_text(text)
        case "debugger":
            return {"cause": "every item is counted", "evidence": ["2 == 1"], "tasks": [task("D1", "Count open ones")]}
        case "documenter":
            with (cwd / "README.md").open("a") as readme:
                readme.write("\nHow many items are open: `todo.counting.open_items`.\n")
            return {"files": ["README.md"]}
        case _:  # the tester adds nothing: the project's tests run after it
            pass
    return {}


brief = json.load(sys.stdin)
print(f"{brief['role']} works in {brief['cwd']}", file=sys.stderr)
outcome = {"status": "completed", "summary": f"{brief['title']}: done", "data": work(brief)}
print(json.dumps(outcome))  # with "usage": {"input_tokens": …}, if you count it
