"""The command runner's agent of the crash tests: a program of its own, copied out of the repository before it runs.

It says in an append-only journal when it starts and ends, and which processes it leaves behind; writes the file that
its task declares; and takes as long as it is told to. What it writes depends on the task alone.

    agent.py JOURNAL ORDERS

ORDERS is a JSON file that a test may change at any time: `parts` the numbers of the parts that the plan has, `sleep`
[least, most] seconds, and names of tasks: those that `fail` (`*`: all), those that `hold` until their name is gone, and
those that `wreck` (`T1#1`: in their first attempt) the git repository of their workspace.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

DEPENDS = {
    5: [1], 6: [2, 3],
    7: [5], 8: [6], 10: [9], 11: [4], 12: [8, 10],
    13: [12], 15: [7, 11], 16: [13, 14, 15],
}  # fmt: skip
PHASES = {"Parts": range(1, 7), "Joints": range(7, 13), "Whole": range(13, 17)}
BROKEN = 5


def main() -> None:
    journal, orders = Path(sys.argv[1]), Path(sys.argv[2])
    brief = json.load(sys.stdin)
    name = brief["task_id"].partition("/")[2].partition("~")[0]
    note(journal, "start", brief)
    leave_behind(journal, brief, name)
    wanted = read(orders)
    time.sleep(random.uniform(*wanted["sleep"]))
    while name in read(orders)["hold"]:
        time.sleep(0.02)
    if f"{name}#{brief['attempt']}" in wanted["wreck"]:
        shutil.rmtree(Path(brief["cwd"], ".git").read_text("utf-8").removeprefix("gitdir: ").strip())
    if name in read(orders)["fail"] or "*" in read(orders)["fail"]:
        said: dict[str, Any] = {"status": "failed", "summary": f"{name} was told to fail"}
    else:
        said = {"status": "completed", "summary": f"{name} is done", **work(brief, name, wanted["parts"])}
    note(journal, "end", brief)
    sys.stdout.write(json.dumps(said) + "\n")


def read(orders: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(orders.read_text("utf-8"))
    return found


def note(journal: Path, what: str, brief: dict[str, Any], **more: Any) -> None:
    """One line, in one write: what many processes append does not mix."""
    facts = {"what": what, "task": brief["task_id"], "key": brief["idempotency_key"], "pid": os.getpid()}
    line = json.dumps({**facts, "at": time.time(), "feedback": brief["feedback"], "prompt": brief["prompt"], **more})
    handle = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, (line + "\n").encode())
    os.close(handle)


def leave_behind(journal: Path, brief: dict[str, Any], name: str) -> None:
    """Now and then a child that nobody waits for, in a session of its own or not, with or without our stdout."""
    kind = sum(name.encode()) % 4
    if kind == 3:
        return
    stdout = None if kind == 2 else subprocess.DEVNULL
    child = subprocess.Popen(["sleep", "60"], start_new_session=kind == 1, stdin=subprocess.DEVNULL, stdout=stdout)
    note(journal, "child", brief, child=child.pid)


def work(brief: dict[str, Any], name: str, parts: list[int]) -> dict[str, Any]:
    cwd = Path(brief["cwd"])
    match brief["role"]:
        case "researcher":
            report = f"# What {name} found\n\nNothing is in the way.\n"
            return {"data": {"title": f"Findings of {name}", "report": report}}
        case "planner":
            return {"data": plan(brief["prompt"], parts)}
        case "debugger":
            cure = planned("D1", "repair part 5", [f"src/toolbox/part{BROKEN:02}.py"], [])
            return {"data": {"cause": "part 5 returns 0", "evidence": ["its test"], "tasks": [cure]}}
        case "tester":
            put(cwd / "tests" / "test_parts.py", tests(parts))
        case "documenter":
            put(cwd / "README.md", "# toolbox\n\nSixteen parts.\n")
            return {"data": {"files": ["README.md"]}}
        case _:
            number = BROKEN if name == "D1" else int(name[1:])
            value = 0 if name == f"T{BROKEN}" else number
            put(cwd / f"src/toolbox/part{number:02}.py", f"def part():\n    return {value}\n")
    return {}


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def tests(parts: list[int]) -> str:
    lines = ["import importlib", "import unittest", "", "", "class Parts(unittest.TestCase):"]
    for number in parts:
        lines += [f"    def test_part{number:02}(self):"]
        lines += [f'        self.assertEqual(importlib.import_module("toolbox.part{number:02}").part(), {number})', ""]
    return "\n".join(lines)


def plan(prompt: str, parts: list[int]) -> dict[str, Any]:
    back = prompt.partition("sent it back: ")[2].strip()
    title = f"Sixteen parts, {back}" if back else "Sixteen parts"
    phases = [
        {
            "name": name,
            "objective": f"the {name.lower()}",
            "complexity": "Low",
            "tasks": [part(number, parts) for number in numbers if number in parts],
        }
        for name, numbers in PHASES.items()
        if set(numbers) & set(parts)
    ]
    return {"title": title, "overview": "One file for each part.", "phases": phases}


def part(number: int, parts: list[int]) -> dict[str, Any]:
    checks = [f'python3 -c "import toolbox.part{number:02}"'] if number in {3, 12} else []
    after = [f"T{n}" for n in DEPENDS.get(number, []) if n in parts]
    return {**planned(f"T{number}", f"part {number}", [f"src/toolbox/part{number:02}.py"], checks), "depends_on": after}


def planned(name: str, title: str, writes: list[str], checks: list[str]) -> dict[str, Any]:
    return {
        "id": name,
        "title": title,
        "description": f"Write {title}.",
        "reads": [],
        "writes": writes,
        "depends_on": [],
        "checks": checks,
    }


if __name__ == "__main__":
    main()
