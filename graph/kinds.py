"""Which stage serves which kind of phase."""

from stretto.graph.debugging import Debugging
from stretto.graph.documenting import Documenting
from stretto.graph.implementing import Implementing
from stretto.graph.planning import Planning
from stretto.graph.researching import Researching
from stretto.graph.spec import Kind
from stretto.graph.stages import Stage
from stretto.graph.testing import Testing

_STAGES: dict[Kind, Stage] = {
    "research": Researching(),
    "review": Researching(),
    "plan": Planning(),
    "implement": Implementing(),
    "test": Testing(),
    "debug": Debugging(),
    "document": Documenting(),
}


def stage_for(kind: Kind) -> Stage:
    """The stage that serves phases of this kind. Stages hold no state."""
    return _STAGES[kind]
