"""Serving: the saver for LangGraph's own server, which finds it by the path in `langgraph.json`.

"checkpointer": {"path": "stretto.state.serving:open_saver"}
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from stretto.state import store
from stretto.state.checkpoint import DiskCacheSaver


@asynccontextmanager
async def open_saver() -> AsyncGenerator[DiskCacheSaver]:
    """A saver on the checkpoints of the project around the working directory, or of the store that STRETTO_STORE names.

    Raises:
        StrettoError: There cannot be a store, or it cannot be read.
    """
    directory = store.store_directory(store.find_project(Path.cwd()), None, os.environ)
    store.create(directory)
    with DiskCacheSaver(directory / store.CHECKPOINTS) as saver:
        yield saver
