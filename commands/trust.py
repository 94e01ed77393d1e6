"""What a store may run: only what this user has put there."""

from stretto.commands.app import App
from stretto.state.errors import BadInput
from stretto.state.ours import is_ours


def require_own(app: App, workflow: str) -> None:
    """Refuse to run what a store says, unless the store was made by this user on this machine.

    Raises:
        BadInput: It was not, as far as its mark tells: it came with a clone, say.
    """
    if not app.directory.exists() or is_ours(str(app.directory)):
        return
    raise BadInput(
        f"The store {str(app.directory)!r} was not made by you on this machine: what {workflow!r} runs is"
        " somebody else's choice. Nothing was run.",
        field="--runner",
        next_steps=(
            f"Look at it: stretto workflow-status {workflow} --detailed",
            f"If you trust it: stretto orchestrate --resume {workflow} --runner …",
        ),
    )
