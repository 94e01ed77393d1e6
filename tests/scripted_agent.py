"""A command runner's agent for tests: what each task writes and returns stands in a JSON file.

    python scripted_agent.py SCRIPT.json

The script maps a task to what its agent does. The first of these keys that is there counts: `task_id#attempt`,
`task_id`, the task's name without phase and generation, the role. An action may have `files` (path from `cwd` → text;
None deletes), `links` (path → target), `outcome` (keys over those of the role's plain outcome), `raw` (printed instead
of an outcome), `stderr`, `exit` (code), `sleep` (seconds), `touch` (an absolute path, made when the work begins) and
`until` (an absolute path; the work ends when it is there). Every brief is appended to `SCRIPT.json.briefs`.

Runs under `python -I -S`, since tests start many.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

Json = dict[str, Any]

TASKS: list[Json] = [
    {"id": "T1", "title": "Multiply", "description": "Add mul.", "writes": ["src/calc/mul.py"]},
    {"id": "T2", "title": "Subtract", "description": "Add sub.", "writes": ["src/calc/sub.py"]},
    {
        "id": "T3",
        "title": "Test them",
        "description": "",
        "writes": ["tests/test_ops.py"],
        "depends_on": ["T1", "T2"],
    },
]
PLAN: Json = {
    "title": "Arithmetic",
    "overview": "Multiply and subtract.",
    "phases": [
        {"name": "Operations", "objective": "Two operations", "complexity": "Low", "tasks": TASKS[:2]},
        {"name": "Tests", "objective": "Tests of them", "complexity": "Low", "tasks": TASKS[2:]},
    ],
}
FILES: Json = {
    "T1": {"src/calc/mul.py": "def mul(a, b):\n    return a * b\n"},
    "T2": {"src/calc/sub.py": "def sub(a, b):\n    return a - b\n"},
    "T3": {
        "tests/test_ops.py": (
            "from calc.mul import mul\nfrom calc.sub import sub\n\n\n"
            "def test_mul():\n    assert mul(2, 3) == 6\n\n\ndef test_sub():\n    assert sub(3, 2) == 1\n"
        )
    },
}
DATA: Json = {
    "researcher": {"title": "What is there", "report": "# Findings\n\nOne module.\n"},
    "planner": PLAN,
    "debugger": {"cause": "mul adds", "evidence": ["2 * 3 gave 5"], "tasks": []},
    "documenter": {"files": ["README.md"]},
}


def main() -> None:
    script = Path(sys.argv[1])
    brief = json.load(sys.stdin)
    with script.with_name(f"{script.name}.briefs").open("a", encoding="utf-8") as file:
        file.write(json.dumps(brief) + "\n")
    action = chosen(json.loads(script.read_text("utf-8")), brief)
    begin(action)
    leave(action, Path(brief["cwd"]))
    sys.stderr.write(action.get("stderr", ""))
    sys.stdout.write(action.get("raw") or json.dumps(outcome(action, brief)))
    sys.exit(action.get("exit", 0))


def chosen(script: Json, brief: Json) -> Json:
    task, role = brief["task_id"], brief["role"]
    name = task.partition("/")[2].partition("~")[0]
    found: Json = {"files": FILES.get(name, {})} if role == "implementer" else {}
    if role == "documenter":
        found = {"files": {"README.md": "# calc\n\nAdds, multiplies and subtracts.\n"}}
    for key in (f"{task}#{brief['attempt']}", task, name, role):
        if key in script:
            return {**found, **script[key]}
    return found


def begin(action: Json) -> None:
    if "touch" in action:
        Path(action["touch"]).touch()
    time.sleep(action.get("sleep", 0))
    deadline = time.monotonic() + 60
    while "until" in action and not Path(action["until"]).exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def leave(action: Json, cwd: Path) -> None:
    for path, text in action.get("files", {}).items():
        if text is None:
            (cwd / path).unlink()
            continue
        (cwd / path).parent.mkdir(parents=True, exist_ok=True)
        (cwd / path).write_text(text, "utf-8")
    for path, target in action.get("links", {}).items():
        (cwd / path).symlink_to(target)


def outcome(action: Json, brief: Json) -> Json:
    usage = {"input_tokens": 10, "output_tokens": 5, "cost_usd": 0.001}
    said: Json = {"status": "completed", "summary": f"{brief['role']} did it", "usage": usage}
    if brief["role"] in DATA:
        said["data"] = DATA[brief["role"]]
    return {**said, **action.get("outcome", {})}


if __name__ == "__main__":
    main()
