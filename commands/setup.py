"""`stretto setup`: pages in a project's `.claude/commands` for the bare names that the assistant keeps for itself.

The plugin's commands answer to bare names (`/orchestrate`), but not to /plan and /debug: these are the client's own. A
page of the project comes before them.
"""

from pathlib import Path

from stretto.commands.app import App
from stretto.commands.help import definition
from stretto.commands.reply import Reply
from stretto.state.errors import BadInput
from stretto.state.store import find_project

TAKEN = ("debug", "plan")
"""Commands whose bare name the client keeps for something of its own."""
_MARK = "# Written by `stretto setup`, which also removes it: stretto setup --remove\n"
_PAGE = """\
---
{mark}name: {name}
description: {description}
argument-hint: {hint}
allowed-tools: Bash(stretto typed {name})
---

!`stretto typed {name}`

{told}"""


def setup(app: App, *, remove: bool) -> Reply:
    """Write the pages, or remove them.

    Raises:
        BadInput: One of them is there already and is not ours; nothing was changed.
    """
    root = find_project(app.project)
    folder = root / ".claude" / "commands"
    if not folder.resolve().is_relative_to(root.resolve()) or (folder.exists() and not folder.is_dir()):
        raise BadInput(f"{str(folder)!r} is no folder of this project; nothing was changed.", field="project")
    pages = {name: folder / f"{name}.md" for name in TAKEN}
    for name, path in pages.items():
        if path.is_symlink() or (path.exists() and _MARK not in path.read_text(encoding="utf-8", errors="replace")):
            raise BadInput(
                f"{str(path)!r} is not one of our pages; nothing was changed.",
                field=name,
                next_steps=(f"Keep it, and type /stretto:{name}; or move it away and try again.",),
            )
    return _remove(pages, folder) if remove else _write(pages, folder)


def _write(pages: dict[str, Path], folder: Path) -> Reply:
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in pages.items():
        path.write_text(_page(name), encoding="utf-8")
    named = " and ".join(f"/{name}" for name in pages)
    said = f"{named} are Stretto's in this project from the next session on: {folder}"
    return Reply(
        "setup", said, {"pages": [str(path) for path in pages.values()]}, next_steps=("stretto setup --remove",)
    )


def _page(name: str) -> str:
    head, _, body = definition(name)
    told = body.partition("`\n\n")[2]
    hint = "'{}'".format(head["argument-hint"].replace("'", "''"))
    return _PAGE.format(mark=_MARK, name=name, description=head["description"], hint=hint, told=told)


def _remove(pages: dict[str, Path], folder: Path) -> Reply:
    there = [path for path in pages.values() if path.exists()]
    for path in there:
        path.unlink()
    for empty in (folder, folder.parent):
        if empty.is_dir() and not any(empty.iterdir()):
            empty.rmdir()
    said = "The pages of `stretto setup` are removed." if there else "There are no pages of `stretto setup` here."
    return Reply("setup", said, {"removed": [str(path) for path in there]})
