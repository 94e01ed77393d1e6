"""Finding the workflow that a verb is about. Standard library only."""

from stretto.commands.app import App
from stretto.state.errors import NotFound
from stretto.state.ids import workflow_id
from stretto.state.log import Log
from stretto.state.rows import WorkflowRow

UNDONE = "undone"
"""The fact that a workflow was taken back: the command that brings its work again."""
_NAMED = 8


def find(app: App, name: str, *, field: str = "workflow") -> tuple[Log, WorkflowRow]:
    """The log, open for reading, and the row of a workflow; one `workflow_` before its id may be too much.

    The caller closes the log.

    Raises:
        BadInput: The name is no id.
        NotFound: There is no such workflow; the error names the newest ones.
    """
    checked = workflow_id(name, field=field)
    log = Log.find(app.state)
    if log is None:
        raise NotFound(f"There is no workflow {name!r}: no workflow has run here yet.", field=field)
    try:
        if row := log.workflow(checked) or log.workflow(checked.removeprefix("workflow_")):
            return log, row
        known = [w.id for w in reversed(log.newest_workflows(_NAMED))]
    except BaseException:
        log.close()
        raise
    log.close()
    raise NotFound(f"There is no workflow {name!r} in this store.", field=field, allowed=known)
