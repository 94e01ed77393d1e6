"""Documents: the rows of checkpoints, and of what tasks wrote after them.

    row          key                                        value
    checkpoint   c, thread, namespace, checkpoint           the fields of Document, see there
    writes       c, thread, namespace, checkpoint, task     [[number, path, channel, where the value lies] …]
    leave        x, thread, namespace, checkpoint, digest   nothing: the row of this digest was deleted or replaced, on
                                                            purpose
    segment      s, thread, digest                          a piece of values, see segments.py

Keys sort as their parts do: a thread and a namespace are each a range, a checkpoint and its writes are neighbours, and
the newest checkpoint is near the end of its range.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

from stretto.state.blobs import BlobStore
from stretto.state.errors import StoreDamaged
from stretto.state.keys import Range, below, join, split
from stretto.state.sealing import Row
from stretto.state.segments import SEGMENT, Stored

CHECKPOINT, LEAVE = b"c", b"x"
_OTHER_KINDS = (LEAVE, SEGMENT, b"w", b"v")
"""The last two are of format 1."""
_PARTS = 3
_KIND = "msgpack"
_TYPES = (str | None, bytes, bytes, dict, dict, dict)
_WRITE_TYPES = (int, str, str, list)
_MARK = 4
_REMEMBERED = 256


class Serializer(Protocol):
    """What is needed of LangGraph's serializer."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """An encoding, and the bytes of the object in it."""
        ...

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The object that such bytes were made of."""
        ...


class Place(NamedTuple):
    """The address of a checkpoint."""

    thread: str
    namespace: str
    id: str

    @property
    def key(self) -> bytes:
        """Where its document lies."""
        return CHECKPOINT + join(*self)


class Document(NamedTuple):
    """A checkpoint as it is stored.

    `parent_digest` is that of the row of `parent`, `writers` stands for the tasks whose writes it was made from,
    `checkpoint` is all of LangGraph's but values and id, and `values` says where these lie. `digest` is that of its own
    row; the fields between `place` and it are the row's value.
    """

    place: Place
    parent: str | None
    parent_digest: bytes
    writers: bytes
    checkpoint: dict[str, Any]
    metadata: dict[str, Any]
    values: Mapping[str, Stored]
    digest: bytes

    @property
    def before(self) -> Place:
        """Where its parent lies."""
        return self.place._replace(id=self.parent or "")


class Write(NamedTuple):
    """One write of a task. Of one number, the first stays; those below zero are LangGraph's own, and replaced."""

    number: int
    path: str
    channel: str
    value: Stored


def place_of(key: bytes) -> tuple[Place, str | None]:
    """The checkpoint to which a row belongs, and the task if the row holds writes. StoreDamaged for other keys."""
    try:
        parts, rest = split(key.removeprefix(CHECKPOINT), _PARTS)
        task = split(rest, 1)[0][0] if rest else None
    except ValueError as error:
        raise StoreDamaged(f"a row has the key {key!r}, which is not one of Stretto's") from error
    return Place(*parts), task


def thread_of(key: bytes) -> str | None:
    """The thread to which a row of any kind belongs, also one of format 1; None if its key is not one of Stretto's."""
    try:
        if key.startswith(CHECKPOINT):
            return place_of(key)[0].thread
        return split(key[1:], 1)[0][0] if key[:1] in _OTHER_KINDS else None
    except (StoreDamaged, ValueError):
        return None


def dump_document(serde: Serializer, document: Document) -> bytes:
    """The value of a checkpoint's row."""
    return _dump(serde, [*document[1:-1]])


def load_document(serde: Serializer, place: Place, value: bytes, digest: bytes) -> Document:
    """The document in a checkpoint's row. StoreDamaged if the row holds something else."""
    plain = _load(serde, value)
    try:
        parent, parent_digest, writers, checkpoint, metadata, values = plain
    except (TypeError, ValueError) as error:
        raise StoreDamaged("its row holds something else") from error
    document = Document(place, parent, parent_digest, writers, checkpoint, metadata, values, digest)
    if not all(map(isinstance, document[1:-1], _TYPES)):
        raise StoreDamaged("its row holds something else")
    return document


def dump_writes(serde: Serializer, writes: Sequence[tuple[int, str, str, Stored]]) -> bytes:
    """The value of a row of writes, each with the fields of `Write`."""
    return _dump(serde, [(*write,) for write in writes])


def load_writes(serde: Serializer, value: bytes) -> list[Write]:
    """The writes in such a row. StoreDamaged if it holds something else."""
    try:
        writes = [Write(*plain) for plain in _load(serde, value)]
    except (TypeError, ValueError) as error:
        raise StoreDamaged("a row of its writes holds something else") from error
    if not all(all(map(isinstance, write, _WRITE_TYPES)) for write in writes):
        raise StoreDamaged("a row of its writes holds something else")
    return writes


def _dump(serde: Serializer, plain: object) -> bytes:
    kind, data = serde.dumps_typed(plain)
    if kind != _KIND:
        raise TypeError(f"a checkpoint is encoded as {_KIND!r}, not {kind!r}")
    return data


def _load(serde: Serializer, value: bytes) -> Any:
    try:
        return serde.loads_typed((_KIND, value))
    except ValueError as error:
        raise StoreDamaged(f"its row cannot be decoded: {error}") from error


def mark(task: str) -> bytes:
    """A few bytes that stand for a task among the writers that a document names."""
    return blake2b(task.encode("utf-8", "surrogatepass"), digest_size=_MARK).digest()


def marks(writers: bytes) -> set[bytes]:
    """The marks in such a list."""
    return {writers[at : at + _MARK] for at in range(0, len(writers), _MARK)}


class Documents:
    """Reads documents of a store, and verifies that they fit together. For use in its transactions and snapshots."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._last: OrderedDict[tuple[str, str], tuple[int, Document]] = OrderedDict()

    def get(self, serde: Serializer, place: Place) -> Document | None:
        """The document at `place`, read and verified, or None."""
        row = self._store.get(place.key)
        return None if row is None else load_document(serde, place, *row)

    def follow(self, serde: Serializer, place: Place) -> Document | None:
        """The same, for use in a transaction, and never to be changed.

        It is not read if it was written last of its namespace, and nobody else has written to the store since.
        """
        version, last = self._last.get((place.thread, place.namespace), (-1, None))
        if last is not None and version == self._store.version and last.place == place:
            return last
        return self.get(serde, place)

    def remember(self, document: Document, digest: bytes) -> None:
        """It is written, as a row of that digest: to be called in the transaction that does it."""
        of = document.place[:2]
        self._last.pop(of, None)
        self._last[of] = self._store.version, Document(*document[:-1], digest)
        if len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)

    def forget_all(self) -> None:
        """Anything may be written, or what was written may be undone."""
        self._last.clear()

    def amend(self, serde: Serializer, key: bytes, made: Sequence[tuple[int, str, str, Stored]]) -> None:
        """Add writes to a row of them that is there."""
        row = self._store.get(key)
        kept = {write.number: write for write in load_writes(serde, row.value)} if row else {}
        for write in made:
            if write[0] < 0 or write[0] not in kept:
                kept[write[0]] = Write(*write)
        self._store.set(key, dump_writes(serde, list(kept.values())))

    def newest(self, thread: str, namespace: str) -> Place | None:
        """The newest checkpoint of a namespace; no value is read."""
        return next(self.places(thread, namespace), None)

    def places(self, thread: str, namespace: str, before: str | None = None) -> Iterator[Place]:
        """The checkpoints of a namespace, newest first; no value is read. For use outside of a transaction, too."""
        low, high = below(CHECKPOINT + join(thread, namespace))
        high = min(high, Place(thread, namespace, before).key) if before else high
        most = 4
        while keys := self._store.keys(Range(low, high), most, descending=True):
            for key in keys:
                place, task = place_of(key)
                if task is None:
                    yield place
            high, most = keys[-1], 256

    def all_places(self, prefix: bytes) -> list[Place]:
        """The checkpoints below a prefix of keys; no value is read."""
        found = map(place_of, self._store.keys(below(CHECKPOINT + prefix)))
        return [place for place, task in found if task is None]

    def places_with_writes(self, thread: str) -> list[Place]:
        """The checkpoints of a thread, and those of which only writes are there; no value is read. Oldest first."""
        found = {place_of(key)[0] for key in self._store.keys(below(CHECKPOINT + join(thread)))}
        return sorted(found, key=lambda place: (place.id, place.namespace))

    def threads(self) -> Iterator[str]:
        """Every thread that has checkpoints or writes, sorted; one step of the index for each, and no value is read."""
        low, high = below(CHECKPOINT)
        while keys := self._store.keys(Range(low, high), 1):
            thread = place_of(keys[0])[0].thread
            yield thread
            low = below(CHECKPOINT + join(thread)).high

    def read(self, serde: Serializer, place: Place) -> tuple[Document | None, Row, dict[str, list[Write]]]:
        """The document at `place`, its row and, by task, what was written after it; one range of the table."""
        key = place.key
        document, own, writes = None, Row(b"", b""), dict[str, list[Write]]()
        for name, row in self._store.rows(below(key)):
            if name == key:
                document, own = load_document(serde, place, *row), row
            else:
                writes[split(name[len(key) :], 1)[0][0]] = load_writes(serde, row.value)
        return document, own, writes

    def verify_parent(self, document: Document) -> None:
        """StoreDamaged if the row from which `document` was made is another one by now, or gone, and not on purpose."""
        if not document.parent_digest:
            return
        parent = self._store.get(document.before.key)
        if parent and parent.digest == document.parent_digest:
            return
        if self._store.get(_leave(document.before, document.parent_digest)) is None:
            wrong = "was changed since" if parent else "is missing"
            raise StoreDamaged(f"the checkpoint {document.parent!r} that it follows {wrong}")

    def verify_writers(self, document: Document, writes: Mapping[str, object]) -> None:
        """StoreDamaged if some of the parent's writes, from which `document` was made, are gone."""
        if marks(document.writers) - set(map(mark, writes)):
            raise StoreDamaged(f"writes to the checkpoint {document.parent!r} that it follows are missing")

    def take_leave(self, place: Place, digest: bytes) -> None:
        """Remember that the row of this digest is replaced or deleted on purpose."""
        self._store.set(_leave(place, digest), b"")


def _leave(place: Place, digest: bytes) -> bytes:
    return LEAVE + join(*place) + b"." + digest  # a digest may begin with the 0xFF that no part does
