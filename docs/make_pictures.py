"""Redraw the pictures of the README from a workflow that really runs.

python docs/make_pictures.py

The demo is run and its output drawn, without the long lists. Then `examples/agent.py` works on a scratch copy of
`cli-todo`, and the live view is drawn as a terminal gets it while two agents work side by side. No model is called.
"""

import asyncio
import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from stretto.agents import parse_runner
from stretto.commands.screen import Screen
from stretto.graph import Result, Spec, instantiate, load_template, stream
from stretto.graph.analyze import analyze
from stretto.state.figures import WorkflowView
from stretto.state.view import apply, fold

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
SENTENCE = "Add a count of the open items"
RUNNER = "command:../agent.py"
COMMAND = f'stretto orchestrate "{SENTENCE}" --runner {RUNNER}'
SVG = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
<rect fill="#292929" width="{width}" height="{height}" rx="8"/>
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""Rich's own, without its window and without a font from another server."""


def spec_for(project: Path) -> Spec:
    """The spec of the sentence."""
    analysis = analyze(SENTENCE)
    template = load_template(analysis.template, project)
    return instantiate(template, SENTENCE, analysis=analysis, workflow_id="count_open_items_001")


def terminal(width: int = 88) -> Console:
    """A terminal of which a picture can be taken."""
    return Console(record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor")


def save(console: Console, name: str) -> None:
    """Write the picture."""
    IMAGES.mkdir(exist_ok=True)
    svg = console.export_svg(title=COMMAND, code_format=SVG, unique_id=name)
    lines = [line.rstrip() for line in svg.splitlines()]
    (IMAGES / f"{name}.svg").write_text("\n".join(lines) + "\n", "utf-8")


async def run(project: Path) -> None:
    """Run the workflow, and take the picture on the way."""
    screen, seen = Screen(), fold(())
    runner = parse_runner(RUNNER, project=project)
    async for item in stream(spec_for(project), project=project, runner=runner):
        if isinstance(item, Result):
            break
        before = implementers(seen)
        apply(seen, item)
        screen.apply(item)
        if (before, implementers(seen)) == (1, 2):
            draw(screen, "live")


def implementers(view: WorkflowView) -> int:
    """How many are at work."""
    return sum(t.phase == "implementation" and t.state == "running" for t in view.tasks.values())


def draw(screen: Screen, name: str) -> None:
    """The command, and the live view as it stands."""
    console = terminal()
    console.print(f"[bold]$[/] {COMMAND}", highlight=False)
    console.print(screen)
    save(console, name)


def told(*command: str, cwd: Path = ROOT) -> str:
    """What a program prints."""
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout.rstrip()


def draw_demo() -> None:
    """What `make demo` prints: the kill, what is left, the resume, and whether it holds."""
    lines = told(sys.executable, "examples/demo.py").splitlines()
    heads = [i for i, line in enumerate(lines) if line[:2] in {f"{n}." for n in range(1, 7)}]
    first, kill, left, resume, now, holds = heads
    del first, left, resume
    end = next(i for i, line in enumerate(lines) if line == "Next")
    console = terminal(width=124)
    console.print("[bold]$[/] make demo", highlight=False)
    for line in (*lines[kill - 1 : now - 1], *lines[holds - 1 : end - 1]):
        console.print(line, highlight=False, markup=False, style="bold" if line[:1].isdigit() else None)
    save(console, "demo")


def main() -> int:
    """Draw both. Returns the exit code."""
    draw_demo()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "todo"
        told(sys.executable, "examples/scratch.py", "cli-todo", str(project))
        shutil.copy(ROOT / "examples" / "agent.py", folder)
        asyncio.run(run(project))
    return 0


if __name__ == "__main__":
    sys.exit(main())
