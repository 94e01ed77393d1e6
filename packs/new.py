"""A new pack: one command that works, its template and a scenario that proves it."""

from pathlib import Path

from stretto.packs.manifest import parse_manifest
from stretto.state.errors import BadInput

_FILES = {
    "pack.toml": """\
name = "{name}"
version = "0.1.0"
description = "What our team does with Stretto"
license = "MIT"
requires = ">={version}"

[capabilities]
tools = ["Read", "Grep", "Glob"]
""",
    "README.md": """\
# {name}

    stretto pack lint {name}
    stretto pack add ./{name}
    stretto {name}:hello "the parser"

`commands/hello.md` is the command, `templates/hello.yaml` what it starts, `scenarios/hello.md` what must come of it
(`stretto pack test {name}`).
""",
    "commands/hello.md": """\
---
name: hello
description: Have two researchers look at a part of the project and write a report
argument-hint: '"PART"'
template: hello
---
Starts two researchers on the part that you name: one finds out how it works, the other what could break. Their reports
land in `specs/reports/`.
""",
    "templates/hello.yaml": """\
name: hello
description: Two researchers look at a part of the project.
phases:
  - name: research
    kind: research
    tasks:
      - id: how
        title: "How {{{{subject}}}} works"
        role: researcher
        prompt: "Find out how {{{{description}}}} works, and name the files."
      - id: risks
        title: "What could break in {{{{subject}}}}"
        role: researcher
        prompt: "Find out what could break in {{{{description}}}}, and name the files."
""",
    "scenarios/hello.md": """\
# Scenarios of {name}

### Scenario: Two researchers at once

```bash
/{name}:hello "the parser" --workflow-id=hello_001
/workflow-status hello_001
```

**Event Sequence**:
```
WORKFLOW_CREATED:hello_001:setup:{{}}
WORKFLOW_COMPLETED:hello_001:finalization:{{}}
```

**Expected Results**:
- It comes to its end by itself <!-- check: status hello_001 COMPLETED -->
""",
}


def write_new(project: Path, name: str, version: str) -> str:
    """Write a new pack to a folder of its name in `project`; where that is.

    Raises:
        BadInput: That is no name for a pack, or there is something of that name.
    """
    parts = version.split(".")
    texts = {path: text.format(name=name, version=".".join(parts[:2])) for path, text in _FILES.items()}
    parse_manifest(texts["pack.toml"])
    folder = project / name
    try:
        folder.mkdir()
        for path, text in texts.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text, "utf-8")
    except FileExistsError as error:
        raise BadInput(f"{str(folder)!r} is there already, and was left as it is.", field="NAME") from error
    except OSError as error:
        raise BadInput(f"{str(folder)!r} cannot be written: {error.strerror}.", field="NAME") from error
    return str(folder)
