"""Pruning: what may be deleted of a thread, what must stay for what stays, and how a thread is copied."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from stretto.state.blobs import BlobStore
from stretto.state.documents import (
    CHECKPOINT,
    LEAVE,
    Document,
    Documents,
    Place,
    Serializer,
    dump_document,
    load_document,
    load_writes,
    place_of,
)
from stretto.state.keys import below, join
from stretto.state.segments import SEGMENT, Segments, digests

_DELTAS = "counters_since_delta_snapshot"
"""In a checkpoint's metadata: LangGraph's DeltaChannels that have changed since their last stored value."""


def erase(store: BlobStore, thread: str) -> None:
    """Delete everything of a thread."""
    for kind in (CHECKPOINT, SEGMENT, LEAVE):
        store.erase(below(kind + join(thread)))


def outdated(documents: Sequence[Document]) -> set[Place]:
    """All checkpoints but the newest of each namespace."""
    newest: dict[str, Place] = {}
    for place in sorted(document.place for document in documents):
        newest[place.namespace] = place
    return {document.place for document in documents} - set(newest.values())


def prune(
    store: BlobStore,
    segments: Segments,
    serde: Serializer,
    thread: str,
    choose: Callable[[Sequence[Document]], set[Place]],
) -> None:
    """Delete the checkpoints that `choose` names, their writes, and the segments that nothing is made of any more."""
    documents = _documents(store, serde, thread)
    gone = choose([*documents.values()])
    gone -= _needed(documents, gone)
    if not gone:
        return
    for document in documents.values():
        if document.place not in gone and document.before in gone:
            Documents(store).take_leave(document.before, document.parent_digest)
    for place in gone:
        store.erase(below(place.key))
    _sweep(store, segments, serde, thread, [d for place, d in documents.items() if place not in gone])


def sweep(store: BlobStore, segments: Segments, serde: Serializer, thread: str) -> None:
    """Delete the segments of a thread that nothing is made of."""
    _sweep(store, segments, serde, thread, _documents(store, serde, thread).values())


def _sweep(store: BlobStore, segments: Segments, serde: Serializer, thread: str, documents: Iterable[Document]) -> None:
    live = digests(value for document in documents for value in document.values.values())
    segments.sweep(thread, live | _written(store, serde, thread))


def _documents(store: BlobStore, serde: Serializer, thread: str) -> dict[Place, Document]:
    reader = Documents(store)
    found = ((place, reader.get(serde, place)) for place in reader.all_places(join(thread)))
    return {place: document for place, document in found if document}


def leaning(document: Document) -> set[str]:
    """The DeltaChannels of a checkpoint whose values are made from those before it."""
    changed: Iterable[str] = document.metadata.get(_DELTAS) or ()
    return set(changed) - set(document.values)


def _needed(documents: Mapping[Place, Document], gone: set[Place]) -> set[Place]:
    """Those of `gone` without which a DeltaChannel of one that stays would have another value."""
    needed: set[Place] = set()
    for document in documents.values():
        if document.place not in gone:
            channels = leaning(document)
            before = documents.get(document.before)
            while channels and before:
                needed.add(before.place)
                channels -= set(before.values)
                before = documents.get(before.before)
    return needed & gone


def _written(store: BlobStore, serde: Serializer, thread: str) -> set[bytes]:
    """The segments that the writes of a thread are made of."""
    return digests(
        write.value
        for key, row in store.rows(below(CHECKPOINT + join(thread)))
        if place_of(key)[1] is not None
        for write in load_writes(serde, row.value)
    )


def copy(store: BlobStore, segments: Segments, serde: Serializer, source: str, target: str) -> None:
    """Give `target` all rows of `source`.

    A row's digest covers its key, so each copy gets the digest of its copied parent. One whose parent is not among
    them, or has a greater id, which LangGraph never makes, keeps no digest of it.
    """
    segments.copy(source, target)
    copied: dict[Place, bytes] = {}
    for key, row in store.rows(below(CHECKPOINT + join(source))):
        place, task = place_of(key)
        there = place._replace(thread=target)
        if task is not None:
            store.set(there.key + join(task), row.value)
            continue
        document = load_document(serde, place, *row)
        parent_digest = copied.get(document.before, b"")
        moved = document._replace(place=there, parent_digest=parent_digest)
        copied[place] = store.set(there.key, dump_document(serde, moved))
