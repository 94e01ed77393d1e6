"""The files of packs by their content: what was fetched once is there for every project, also without a network."""

import os
import tempfile
from hashlib import sha256
from pathlib import Path

from stretto.packs.files import Files
from stretto.state.pack_lock import Locked


class Cache:
    """Files under their SHA-256. What does not fit its name any more counts as not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "packs"

    def keep(self, files: Files) -> None:
        """Keep the files of a pack. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for content in files.values():
            path = self._path(sha256(content).hexdigest())
            if self._read(path) is None:
                handle, new = tempfile.mkstemp(dir=self._folder)
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                Path(new).replace(path)

    def find(self, pack: Locked) -> dict[str, bytes] | None:
        """All files of a locked pack, or None if one is not here."""
        found = {path: self._read(self._path(digest)) for path, digest in pack.files.items()}
        files = {path: content for path, content in found.items() if content is not None}
        return files if len(files) == len(found) else None

    def _path(self, digest: str) -> Path:
        return self._folder / digest

    def _read(self, path: Path) -> bytes | None:
        try:
            content = path.read_bytes()
        except OSError:
            return None
        return content if sha256(content).hexdigest() == path.name else None
