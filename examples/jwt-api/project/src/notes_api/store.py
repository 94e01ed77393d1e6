"""Where the notes are kept: in memory, and in a JSON file that is replaced as a whole on every change."""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path


class NoteNotFound(Exception):
    """There is no note with this id."""


@dataclass(frozen=True)
class Note:
    """One note. `created` and `updated` are stamps, see `clock.stamp`."""

    id: int
    title: str
    text: str
    created: str
    updated: str


class NoteStore:
    """The notes of one file. Ids rise and are never given twice."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._notes: dict[int, Note] = {}
        self._last_id = 0
        if file.exists():
            self._load()

    def all(self) -> list[Note]:
        """Every note, the oldest first."""
        return list(self._notes.values())

    def get(self, note_id: int) -> Note:
        """One note.

        Raises:
            NoteNotFound: There is none.
        """
        if note_id not in self._notes:
            raise NoteNotFound(note_id)
        return self._notes[note_id]

    def add(self, title: str, text: str, now: str) -> Note:
        """Keep a new note."""
        self._last_id += 1
        return self._put(Note(self._last_id, title, text, created=now, updated=now))

    def change(self, note_id: int, title: str, text: str, now: str) -> Note:
        """Give a note another title and text.

        Raises:
            NoteNotFound: There is none.
        """
        return self._put(replace(self.get(note_id), title=title, text=text, updated=now))

    def remove(self, note_id: int) -> None:
        """Forget a note.

        Raises:
            NoteNotFound: There is none.
        """
        self.get(note_id)
        del self._notes[note_id]
        self._save()

    def _put(self, note: Note) -> Note:
        self._notes[note.id] = note
        self._save()
        return note

    def _load(self) -> None:
        data = json.loads(self._file.read_text(encoding="utf-8"))
        self._last_id = data["last_id"]
        self._notes = {entry["id"]: Note(**entry) for entry in data["notes"]}

    def _save(self) -> None:
        data = {"last_id": self._last_id, "notes": [asdict(note) for note in self._notes.values()]}
        draft = self._file.with_name(f"{self._file.name}.new")
        draft.write_text(json.dumps(data, indent=1), encoding="utf-8")
        os.replace(draft, self._file)
