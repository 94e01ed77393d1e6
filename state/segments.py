"""Segments: the values of a thread's channels, in immutable pieces named by their content.

A segment's key is the digest of the bytes that are stored for it, which are verified before they are inflated. Nothing
ever changes one, and nothing but `sweep` deletes one, so what is in memory under a digest is right for ever. One
that is much like another of its thread is deflated with that one's help, and names it; that one needs no other.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, TypeVar

from stretto.state.blobs import BlobStore
from stretto.state.errors import StoreDamaged
from stretto.state.keys import below, join
from stretto.state.ropes import Piece, Rope, Slice, weave
from stretto.state.sealing import DIGEST_SIZE, LIKE, pack, pack_like, unpack, unpack_like

SEGMENT = b"s"
INLINE = 256
"""Values up to so many bytes lie in the row that names them, which is written anew while they stay what they are."""
INLINE_ONCE = 512
"""The same for a row that is written once. Larger ones may help to store what they pass into."""
_HEAD, _BODY = 2, 2 + DIGEST_SIZE
_CAN_BE_BASE, _BASES, _SAMPLE, _THREADS = range(INLINE_ONCE, 32 << 10), 4, 32, 1024
_IN_MEMORY = 64 << 20


Stored = Sequence[Any]
"""A value as a row names it, in plain data: the encoding of its bytes, then the pieces of its rope."""


def rope_of(value: Stored) -> Rope:
    """The rope of a value. StoreDamaged if that is not what it is."""
    try:
        return tuple([piece if type(piece) is bytes else _slice(*piece) for piece in value[1:]])
    except (TypeError, ValueError) as error:
        raise StoreDamaged("it names a value in a way that Stretto does not know") from error


def _slice(digest: object, offset: object, size: object) -> Slice:
    if type(digest) is not bytes or type(offset) is not int or type(size) is not int or min(offset, size) < 0:
        raise TypeError("not a slice")
    return Slice(digest, offset, size)


def _inline(value: Stored) -> bytes | None:
    """The bytes of a value that is nothing but one literal."""
    return value[1] if len(value) == 2 and type(value[1]) is bytes else None


T = TypeVar("T")


class Segments:
    """Keeps and fetches values of all threads in a store. To be used within its transactions and snapshots."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._memory: OrderedDict[bytes | Rope, bytes] = OrderedDict()
        self._size = 0
        self._bases: dict[str, deque[bytes]] = {}
        self._lately: dict[str, deque[bytes]] = {}
        self._recent: dict[str, deque[Rope]] = {}

    def keep(self, thread: str, kind: str, data: bytes, base: Stored | None) -> Stored:
        """Store what is new in a value, given one that it may resemble."""
        if len(data) <= INLINE:
            return kind, data
        resembling = self._replaced(thread, base)
        if resembling:
            self._forget(resembling[0])  # read again, it is made of its segments: they stay
        rope = weave(data, resembling or self._passed_on(thread, data), lambda segment: self._keep(thread, segment))
        self._remember(rope, data)
        _push(self._recent, thread, rope)
        return [kind, *(piece if isinstance(piece, bytes) else list(piece) for piece in rope)]

    def _replaced(self, thread: str, base: Stored | None) -> tuple[Rope, bytes] | None:
        if not base or _inline(base) is not None:
            return None
        rope = rope_of(base)
        return rope, self._fetch(thread, rope)

    def _passed_on(self, thread: str, data: bytes) -> tuple[Rope, bytes] | None:
        """A value of the thread that ends in the same way: what is put in passes from one channel to the next."""
        end = memoryview(data)[len(data) // 2 :]
        for rope in reversed(self._recent.get(thread, ())):
            known = self._recall(rope)
            if known is not None and known.endswith(end):
                needed = [_key(thread, piece.digest) for piece in rope if isinstance(piece, Slice)]
                return (rope, known) if all(map(self._store.has, needed)) else None
        return None

    def _keep(self, thread: str, segment: bytes) -> bytes:
        if (same := self._same(thread, segment)) is not None:
            return same
        base = self._alike(thread, segment)
        row = b"".join(pack(segment)) if base is None else LIKE + base + pack_like(segment, self._memory[base])
        digest = _digest(row)
        key = _key(thread, digest)
        if not self._store.add_bare(key, row) and self._store.bare([key]) != {key: row}:
            raise StoreDamaged(f"the segment {digest.hex()} of thread {thread!r} is not what was written")
        self._remember(digest, segment)
        _push(self._lately, thread, digest)
        if base is None and len(segment) in _CAN_BE_BASE:
            _push(self._bases, thread, digest)
        return digest

    def _same(self, thread: str, segment: bytes) -> bytes | None:
        """The segment that has these bytes, if it was kept lately: what a task wrote joins a list as it is."""
        for digest in self._lately.get(thread, ()):
            if self._memory.get(digest) == segment and self._store.has(_key(thread, digest)):
                return digest
        return None

    def _alike(self, thread: str, segment: bytes) -> bytes | None:
        """A segment of the thread with much the same text: a message is written by its task, then joins a list."""
        if len(segment) in _CAN_BE_BASE:
            middle = len(segment) // 2
            sample = segment[middle : middle + _SAMPLE]
            for digest in reversed(self._bases.get(thread, ())):
                if sample in (self._recall(digest) or b"") and self._store.has(_key(thread, digest)):
                    return digest
        return None

    def fetch(self, thread: str, value: Stored) -> bytes:
        """The bytes of a value.

        Raises:
            StoreDamaged: A segment is missing, or not what was written.
        """
        inline = _inline(value)
        return self._fetch(thread, rope_of(value)) if inline is None else inline

    def _fetch(self, thread: str, rope: Rope) -> bytes:
        known = self._recall(rope)
        if known is None:
            segments = self._segments(thread, {piece.digest for piece in rope if isinstance(piece, Slice)})
            known = b"".join([_bytes(piece, segments) for piece in rope])
            self._remember(rope, known)
        return known

    def _segments(self, thread: str, digests: set[bytes], *, may_be_like: bool = True) -> dict[bytes, bytes]:
        known = {digest: self._recall(digest) for digest in digests}
        found = {digest: data for digest, data in known.items() if data is not None}
        prefix = _key(thread)
        read = self._store.bare(prefix + digest for digest in digests - set(found))
        bases = {row[_HEAD:_BODY] for row in read.values() if row.startswith(LIKE)}
        if bases and not may_be_like:
            raise StoreDamaged(f"the segment {min(bases).hex()} helps one that helps another")
        known_bases = self._segments(thread, bases, may_be_like=False) if bases else {}
        for key, row in read.items():
            digest = key.removeprefix(prefix)
            if _digest(row) != digest:
                raise StoreDamaged(f"the segment {digest.hex()} is not what was written")
            base = known_bases.get(row[_HEAD:_BODY])
            found[digest] = unpack(row[:_HEAD], row[_HEAD:]) if base is None else unpack_like(row[_BODY:], base)
            self._remember(digest, found[digest])
        if missing := digests - set(found):
            raise StoreDamaged(f"the segment {min(missing).hex()} is missing")
        return found

    def forget(self) -> None:
        """Read everything from the store again."""
        self._memory.clear()
        self._size = 0

    def damaged(self, thread: str) -> list[bytes]:
        """The segments of a thread, of a checkpoint or of none, that are not what was written."""
        prefix = _key(thread)
        keys = self._store.keys(below(SEGMENT + join(thread)))
        return [key.removeprefix(prefix) for key in keys if _digest(self._store.bare([key])[key]) != key[len(prefix) :]]

    def sweep(self, thread: str, live: set[bytes]) -> None:
        """Delete the segments of a thread but these, and those that these are like."""
        rows = self._store.bare_rows(below(SEGMENT + join(thread)))
        alive = {_key(thread, digest) for digest in live}
        alive |= {_key(thread, row[_HEAD:_BODY]) for key, row in rows if key in alive and row.startswith(LIKE)}
        for key, _ in rows:
            if key not in alive:
                self._store.delete(key)

    def copy(self, source: str, target: str) -> None:
        """Give `target` all segments of `source`."""
        for key, row in self._store.bare_rows(below(SEGMENT + join(source))):
            self._store.add_bare(_key(target, key.removeprefix(_key(source))), row)

    def _recall(self, name: bytes | Rope) -> bytes | None:
        data = self._memory.get(name)
        if data is not None:
            self._memory.move_to_end(name)
        return data

    def _forget(self, name: bytes | Rope) -> None:
        self._size -= len(self._memory.pop(name, b""))

    def _remember(self, name: bytes | Rope, data: bytes) -> None:
        self._forget(name)
        self._size += len(data)
        self._memory[name] = data
        while self._size > _IN_MEMORY and len(self._memory) > 1:
            self._size -= len(self._memory.popitem(last=False)[1])


def _push(recent: dict[str, deque[T]], thread: str, item: T) -> None:
    recent.setdefault(thread, deque(maxlen=_BASES)).append(item)
    if len(recent) > _THREADS:
        del recent[next(iter(recent))]


def digests(values: Iterable[Stored]) -> set[bytes]:
    """The segments that these values are made of."""
    return {piece.digest for value in values for piece in rope_of(value) if isinstance(piece, Slice)}


def _bytes(piece: Piece, segments: dict[bytes, bytes]) -> bytes:
    if isinstance(piece, bytes):
        return piece
    data = segments[piece.digest]
    if piece.offset + piece.length > len(data):
        raise StoreDamaged(f"the segment {piece.digest.hex()} is shorter than what is taken of it")
    return data if piece.length == len(data) else data[piece.offset : piece.offset + piece.length]


def _digest(row: bytes) -> bytes:
    return blake2b(row, digest_size=DIGEST_SIZE).digest()


def _key(thread: str, digest: bytes = b"") -> bytes:
    return SEGMENT + join(thread) + b"." + digest  # a digest may begin with the 0xFF that no part does
