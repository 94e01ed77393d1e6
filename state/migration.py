"""Migration: a store of format 1, rewritten in today's.

    row         key                                            value
    checkpoint  c, thread, namespace, checkpoint               parent, checkpoint, metadata, {channel: version, digest}
    write       w, thread, namespace, checkpoint, task, index  task path, channel, the value
    value       v, thread, digest                              a channel's value, once for all that hold it

Each value was headed by texts and its encoding, and sealed with a CRC.
"""

import zlib
from collections.abc import Mapping
from typing import Any

from stretto.state.blobs import BlobStore
from stretto.state.documents import (
    CHECKPOINT,
    Document,
    Place,
    Serializer,
    Write,
    dump_document,
    dump_writes,
)
from stretto.state.errors import StoreDamaged
from stretto.state.keys import below, join, split
from stretto.state.segments import Segments, Stored

_WRITE, _VALUE = b"w", b"v"
_PLAIN, _DEFLATED = b"\x01\x00", b"\x01\x01"
_HEAD, _CHECKSUM = 2, 4


def migrate(store: BlobStore, serde: Serializer) -> None:
    """Rewrite every row, within a transaction of the caller's.

    Raises:
        StoreDamaged: A row is not what was written; the store is as it was.
    """
    try:
        _rewrite(store, Segments(store), serde)
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise StoreDamaged(
            f"The store in {store.directory!r} has no number of its format, and its rows are not of format 1:"
            f" {error}. It is as it was.",
            next_steps=("Name another directory, or restore this one from a backup.",),
        ) from error


def _rewrite(store: BlobStore, segments: Segments, serde: Serializer) -> None:
    written: dict[Place, Document] = {}
    for key, sealed in store.bare_rows(below(CHECKPOINT)):
        place = Place(*split(key.removeprefix(CHECKPOINT), 3)[0])
        old = _unheaded(_unseal(key, sealed), 0)[1]
        written[place] = _document(store, segments, place, serde.loads_typed(old), written)
        row = dump_document(serde, written[place])
        store.delete(key)
        written[place] = written[place]._replace(digest=store.set(key, row))
    _writes(store, segments, serde)
    for kind in (_WRITE, _VALUE):
        store.erase(below(kind))


def _document(
    store: BlobStore, segments: Segments, place: Place, old: Mapping[str, Any], written: Mapping[Place, Document]
) -> Document:
    before = written.get(place._replace(id=old["parent"] or ""))
    values: dict[str, Stored] = {}
    for channel, (_, digest) in old["values"].items():
        key = _VALUE + join(place.thread, digest)
        if not (sealed := store.bare([key])):
            raise StoreDamaged(f"A value of checkpoint {place.id!r} of thread {place.thread!r} is missing.")
        kind, data = _unheaded(_unseal(key, sealed[key]), 0)[1]
        values[channel] = segments.keep(place.thread, kind, data, before.values.get(channel) if before else None)
    digest = before.digest if before else b""
    checkpoint = {name: part for name, part in old["checkpoint"].items() if name != "id"}
    return Document(place, old["parent"], digest, b"", checkpoint, old["metadata"], values, b"")


def _writes(store: BlobStore, segments: Segments, serde: Serializer) -> None:
    found: dict[bytes, list[Write]] = {}
    for key, sealed in store.bare_rows(below(_WRITE)):
        (thread, namespace, checkpoint, task, index), _ = split(key.removeprefix(_WRITE), 5)
        (path, channel), (kind, data) = _unheaded(_unseal(key, sealed), 2)
        write = Write(int(index), path, channel, segments.keep(thread, kind, data, None))
        found.setdefault(Place(thread, namespace, checkpoint).key + join(task), []).append(write)
    for key, writes in found.items():
        store.set(key, dump_writes(serde, writes))


def _unseal(key: bytes, sealed: bytes) -> bytes:
    head, body = sealed[:_HEAD], sealed[_HEAD + _CHECKSUM :]
    checksum = zlib.crc32(body, zlib.crc32(head, zlib.crc32(key))).to_bytes(_CHECKSUM)
    if head not in (_PLAIN, _DEFLATED) or sealed[_HEAD : _HEAD + _CHECKSUM] != checksum:
        raise StoreDamaged(f"The row {key!r} of a store of format 1 is not what was written; the store is as it was.")
    return zlib.decompress(body) if head == _DEFLATED else body


def _unheaded(row: bytes, texts: int) -> tuple[list[str], tuple[str, bytes]]:
    (*heading, kind), data = split(row, texts + 1)
    return heading, (kind, data[1:])
