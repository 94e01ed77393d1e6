"""Reading: everything that a checkpoint is made of, verified and in order, before it is built into objects."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from stretto.state.blobs import BlobStore
from stretto.state.documents import CHECKPOINT, LEAVE, Document, Documents, Place, Serializer, Write, load_document
from stretto.state.errors import StoreDamaged
from stretto.state.pruning import leaning
from stretto.state.sealing import Row
from stretto.state.segments import SEGMENT, Segments, Stored

KINDS = frozenset({"null", "bytes", "bytearray", "msgpack"})
"""The encodings that are written, hence the only ones read: never `pickle` or `json`, which can build any object."""
ROWS = (CHECKPOINT + LEAVE + SEGMENT).decode()
"""What the keys of rows begin with: there are no others."""
_FRESH = 256
_FRESH_UP_TO = 1 << 16
Encoded = tuple[str, bytes]
"""An encoding, and bytes in it."""


class Raw(NamedTuple):
    """What a checkpoint is made of: its document, values by channel, and writes in the order LangGraph applies them."""

    document: Document
    row: Row
    values: dict[str, Encoded]
    writes: Sequence[tuple[str, str, Encoded]]

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        values = sum(len(data) for _, data in self.values.values())
        return len(self.row.value) + values + sum(len(data) for _, _, (_, data) in self.writes)


class Step(NamedTuple):
    """What an ancestor tells of some channels: its own stored values, and the writes that came after it."""

    document: Document
    values: dict[str, Encoded]
    writes: Sequence[tuple[str, str, Encoded]]


def damaged(place: Place, error: Exception) -> StoreDamaged:
    """`error`, with the name of the checkpoint that could not be read."""
    if isinstance(error, StoreDamaged) and error.next_steps:
        return error
    return StoreDamaged(
        f"Checkpoint {place.id!r} of thread {place.thread!r} is damaged: {error}. Nothing of it was used; the"
        " thread's other checkpoints stay readable.",
        next_steps=(  # not a resume from an earlier one: LangGraph reads the newest of a thread whichever is named
            "stretto store repair   (leaves it out: the thread goes on from the newest one that is whole)",
            "Or restore the folder from a backup.",
        ),
    )


class Reader:
    """Reads the checkpoints of a store; what was read last is known until somebody writes to its thread."""

    def __init__(self, store: BlobStore, documents: Documents, segments: Segments) -> None:
        self._store = store
        self._documents = documents
        self._segments = segments
        self._fresh: OrderedDict[tuple[str, str, str | None], Raw] = OrderedDict()
        self._changes = -1

    def get(self, serde: Serializer, thread: str, namespace: str, checkpoint_id: str | None) -> Raw | None:
        """The checkpoint of that id, or else the newest; its document belongs to the caller."""
        wanted = (thread, namespace, checkpoint_id)
        changes = self._store.changes_of_others()
        fresh = self._fresh.get(wanted) if changes == self._changes else None
        if fresh is not None:
            return fresh._replace(document=load_document(serde, fresh.document.place, *fresh.row))
        with self._store.snapshot():
            place = Place(*wanted[:2], checkpoint_id) if checkpoint_id else self._documents.newest(thread, namespace)
            raw = self.read(serde, place) if place else None
            if changes != self._changes:
                self._fresh.clear()
                self._changes = changes
            if raw and raw.size <= _FRESH_UP_TO:
                self._fresh[wanted] = raw
                if len(self._fresh) > _FRESH:
                    self._fresh.popitem(last=False)
        return raw

    def forget(self, place: Place) -> None:
        """A checkpoint is written, or what came after it: to be called in the transaction that does it."""
        if self._fresh:
            self._fresh.pop((place.thread, place.namespace, None), None)
            self._fresh.pop(place, None)

    def forget_all(self) -> None:
        """Anything may be written: to be called in the transaction that does it."""
        self._fresh.clear()

    def read(self, serde: Serializer, place: Place, wanted: Mapping[str, Any] | None = None) -> Raw | None:
        """What lies at `place`, or None if nothing does or its metadata is not as wanted. For use in a snapshot."""
        try:
            document, row, writes = self._documents.read(serde, place)
            if document is None or any(document.metadata.get(k) != v for k, v in (wanted or {}).items()):
                return None
            self._documents.verify_parent(document)
            values = {name: self._fetch(place, value) for name, value in document.values.items()}
            return Raw(document, row, values, self._ordered(place, writes))
        except (StoreDamaged, ValueError) as error:
            raise damaged(place, error) from error

    def _only_writes(self, serde: Serializer, place: Place) -> None:
        try:
            self._ordered(place, self._documents.read(serde, place)[2])
        except (StoreDamaged, ValueError) as error:
            raise damaged(place, error) from error

    def alone(self, serde: Serializer, place: Place) -> Document | None:
        """The document at `place` if it needs nothing of the one that it follows, whatever became of that. Not built.

        Raises:
            StoreDamaged: Something of its own is not what was written.
        """
        try:
            with self._store.snapshot():
                document, _, writes = self._documents.read(serde, place)
                for value in document.values.values() if document else ():
                    self._fetch(place, value)
                self._ordered(place, writes)
        except ValueError as error:
            raise damaged(place, error) from error
        return document if document and not leaning(document) else None

    def step_back(self, serde: Serializer, child: Document, channels: Sequence[str]) -> Step | None:
        """What the parent of `child` tells of these channels, or None if it has none. For use in a snapshot."""
        place = child.before
        try:
            self._documents.verify_parent(child)
            document, _, writes = self._documents.read(serde, place)
            if document is None:
                return None
            self._documents.verify_writers(child, writes)
            values = {name: self._fetch(place, document.values[name]) for name in channels if name in document.values}
            return Step(document, values, self._ordered(place, writes, channels.__contains__))
        except (StoreDamaged, ValueError) as error:
            raise damaged(place, error) from error

    def verify(self, serde: Serializer, thread: str) -> int:
        """Read all that is stored of a thread; how many checkpoints that is. StoreDamaged where something is wrong."""
        self._segments.forget()
        found = sum(self.verify_at(serde, place) for place in self._documents.places_with_writes(thread))
        if damaged_ones := self._segments.damaged(thread):
            raise StoreDamaged(f"The segment {damaged_ones[0].hex()} of thread {thread!r} is not what was written.")
        return found

    def verify_at(self, serde: Serializer, place: Place) -> bool:
        """Read all that is stored at `place`, and see that it fits what it follows; whether a checkpoint is there.

        Raises:
            StoreDamaged: Something of it, or of what it follows, is not what was written, or is missing.
        """
        with self._store.snapshot():
            raw = self.read(serde, place)
            if raw is None:
                self._only_writes(serde, place)
            elif raw.document.parent:
                self.step_back(serde, raw.document, ())
        try:
            for encoded in [*raw.values.values(), *(value for _, _, value in raw.writes)] if raw else []:
                serde.loads_typed(encoded)
        except ValueError as error:
            raise damaged(place, error) from error
        return raw is not None

    def _ordered(
        self, place: Place, writes: Mapping[str, Sequence[Write]], of_interest: Callable[[str], bool] | None = None
    ) -> Sequence[tuple[str, str, Encoded]]:
        found = [
            (write.path, task, write.number, write.channel, write.value)
            for task, some in writes.items()
            for write in some
            if of_interest is None or of_interest(write.channel)
        ]
        if len(found) > 1:
            found.sort(key=lambda item: item[:3])  # LangGraph's `writes_sort_key`
        return [(task, channel, self._fetch(place, value)) for _, task, _, channel, value in found]

    def _fetch(self, place: Place, value: Stored) -> Encoded:
        kind = value[0]
        if kind not in KINDS:
            raise StoreDamaged(f"its encoding {kind!r} is not one that Stretto writes, and it was not loaded")
        return kind, self._segments.fetch(place.thread, value)
