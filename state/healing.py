"""Healing: which checkpoints of a thread are not what was written, and the thread without them.

A checkpoint that is whole stays, even where the one that it follows is lost: it gets the note that it would have if
that had been deleted on purpose. Unless one of its DeltaChannels is made from what is lost: then its value would be
another, and it goes as well.
"""

from collections.abc import Iterator
from typing import NamedTuple

from stretto.state import pruning
from stretto.state.blobs import BlobStore
from stretto.state.documents import Documents, Place, Serializer
from stretto.state.errors import StoreDamaged
from stretto.state.keys import below
from stretto.state.reading import Reader
from stretto.state.segments import Segments


class Examined(NamedTuple):
    """A checkpoint that was read. `why` says what is wrong, and is empty for nothing.

    `stays` says that it is whole itself: what is wrong belongs to the one that it follows, and it can do without. A
    `place` without an id stands for what belongs to no checkpoint of the thread.
    """

    place: Place
    why: str
    stays: bool


class Healer:
    """Reads threads of a store, and mends them."""

    def __init__(
        self, store: BlobStore, documents: Documents, segments: Segments, reader: Reader, serde: Serializer
    ) -> None:
        self._serde = serde
        self._store = store
        self._documents = documents
        self._segments = segments
        self._reader = reader

    def examine(self, thread: str, *, deep: bool = True) -> Iterator[Examined]:
        """Read every checkpoint, newest first; or, not `deep`, of each namespace the newest until one is whole."""
        self._segments.forget()
        over: set[str] = set()
        sound = True
        for place in reversed(self._documents.places_with_writes(thread)):
            if place.namespace not in over and (found := self._look(place)):
                yield found
                sound = sound and not found.why
                if not found.why and not deep:
                    over.add(place.namespace)
        if deep and sound:
            yield from self._loose(thread)

    def heal(self, thread: str) -> list[Examined]:
        """Delete what is damaged, and return what was: those that `stays` is not said of are gone. Twice is like once.

        Oldest first, so that one which is lost is gone when those are looked at that follow it.
        """
        self._segments.forget()
        done: list[Examined] = []
        while found := [*self._mended(thread)]:
            done += found
        done = done or self._loose(thread)
        if done:
            self._reader.forget_all()
            with self._store.transaction():
                pruning.sweep(self._store, self._segments, self._serde, thread)
        return done

    def _loose(self, thread: str) -> list[Examined]:
        """Damaged pieces of values that no checkpoint needs: the same text, written again, would come upon them."""
        why = "a piece of a value is not what was written, but no checkpoint needs it"
        return [Examined(Place(thread, "", ""), why, stays=False)] if self._segments.damaged(thread) else []

    def _mended(self, thread: str) -> Iterator[Examined]:
        for place in self._documents.places_with_writes(thread):
            found = self._look(place)
            if found and found.why:
                with self._store.transaction():
                    mended = self._mend(found)
                yield mended

    def _look(self, place: Place) -> Examined | None:
        """None where sound writes are and no checkpoint."""
        try:
            return Examined(place, "", stays=True) if self._reader.verify_at(self._serde, place) else None
        except StoreDamaged as error:
            why = str(error.__cause__ or error)
        try:
            stays = self._reader.alone(self._serde, place) is not None
        except StoreDamaged:
            stays = False
        return Examined(place, f"what it follows is damaged: {why}" if stays and "follows" not in why else why, stays)

    def _mend(self, found: Examined) -> Examined:
        document = self._documents.get(self._serde, found.place) if found.stays else None
        if document is None:
            return self._left_out(found)
        try:
            self._documents.verify_parent(document)
        except StoreDamaged:
            self._documents.take_leave(document.before, document.parent_digest)
            return found
        return self._left_out(found._replace(place=document.before))  # what was written to it is not all there

    def _left_out(self, found: Examined) -> Examined:
        self._store.erase(below(found.place.key))
        return found._replace(stays=False)
