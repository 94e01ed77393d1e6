"""Serve the notes: `python -m notes_api`."""

import os
import sys
from wsgiref.simple_server import make_server

from notes_api.app import App
from notes_api.config import ConfigError, from_environment
from notes_api.store import NoteStore


def main() -> int:
    """Serve until Ctrl-C. Returns the exit code."""
    try:
        config = from_environment(os.environ)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    with make_server(config.host, config.port, App(NoteStore(config.file), config)) as server:
        print(f"Listening on http://{config.host}:{config.port}", file=sys.stderr)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
