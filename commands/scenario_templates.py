"""The templates that a document takes for granted: where it speaks of trouble in a phase that no template has."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from stretto.commands.scenario_lines import starts
from stretto.commands.scenario_script import Script, template_of
from stretto.commands.scenario_trouble import Trouble
from stretto.graph.template_model import Template, parse_template
from stretto.state.errors import BadInput

FOLDER = ".stretto/templates"
_LONGEST = 64


class Own(NamedTuple):
    """A template of the scenario's project, as a file."""

    name: str
    text: str

    @property
    def path(self) -> str:
        """Where it lies."""
        return f"{FOLDER}/{self.name}.yaml"


def own_templates(script: Script, trouble: Trouble) -> dict[int, Own]:
    """By the number of each `/orchestrate` line that needs one: its own template, and the phases where trouble comes.

    They come behind the implementation, as the phase does that moves data in the template `migration`.
    """
    found: dict[int, Own] = {}
    for one in script.lines:
        if one.invocation is None or not starts(one.invocation):
            continue
        template = template_of(one.invocation, None)
        phases = trouble.phases(script.workflow(one.step.line)) if template else ()
        if template and (new := [p for p in phases if p not in {known.name for known in template.phases}]):
            own = _with(template, new)
            if own:
                found[one.step.line] = own
    return found


def _with(template: Template, phases: Sequence[str]) -> Own | None:
    """A template with more phases; none if one has a name that no phase may have."""
    built = [i for i, phase in enumerate(template.phases, 1) if phase.kind == "implement"]
    at = max(built, default=len(template.phases))
    name = "-".join([template.name, "with", *phases]).replace("_", "-")[:_LONGEST].strip("-")
    data = template.model_dump(mode="json", exclude_defaults=True)
    known: list[dict[str, Any]] = data["phases"]
    text = json.dumps({**data, "name": name, "phases": [*known[:at], *map(_phase, phases), *known[at:]]}, indent=2)
    try:
        parse_template(text, name=name, where=name)
    except BadInput:
        return None
    return Own(name, text)


def _phase(name: str) -> dict[str, Any]:
    words = name.replace("_", " ").replace("-", " ")
    task = {
        "id": "step",
        "title": f"{words.capitalize()}: {{{{subject}}}}",
        "role": "implementer",
        "prompt": "What was asked for: {{description}}\n\nDo this part of it: " + words,
    }
    return {"name": name, "kind": "implement", "tasks": [task]}
