"""DiskCacheSaver: LangGraph's checkpoints in a diskcache directory.

What lies where is told in documents.py, and how values share their bytes in ropes.py. The format is 2, which the file
says in its header; a store of format 1 is rewritten when it is opened, and any other is refused.

What a load finds, and reports as StoreDamaged:

- a bit that flipped in a row, and a row that was edited or moved to another key: each carries a digest of both;
- a checkpoint that was removed, or rolled back to an earlier row of the same key, once another was made from it: each
  carries the digest of its parent, and what is pruned or replaced on purpose leaves a note;
- a segment of a value that is missing or another;
- commits that are gone with the WAL, or because an older copy was put back without the mark beside it (tide.py);
- in a file of up to 32 MB, when it is opened: a row to which no page leads any more;
- with `verify`, writes of a task that were removed after the next checkpoint was made from them.

What it cannot find: the newest checkpoint of a thread removed together with its writes, writes rolled back to what they
were before an interrupt was answered, the whole folder replaced by an older copy of itself, and a change by somebody
who computes the digests anew: there is no secret in them.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, Self, cast

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    PendingWrite,
    get_checkpoint_id,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from stretto.state import migration, pruning
from stretto.state.blobs import BlobStore
from stretto.state.configs import address, config_of, described
from stretto.state.decoding import Decoder
from stretto.state.disk import Durability
from stretto.state.documents import CHECKPOINT, Document, Documents, Place, dump_document, dump_writes, mark
from stretto.state.encoding import Encoder
from stretto.state.errors import BadInput, StoreDamaged
from stretto.state.healing import Healer
from stretto.state.keys import join
from stretto.state.reading import ROWS, Encoded, Raw, Reader, damaged
from stretto.state.segments import INLINE, INLINE_ONCE, Segments, Stored

_PATIENCE, _REMEMBERED = 0.005, 4096
_STRATEGIES = ("keep_latest", "delete")
_MESSAGES: set[type] = {AIMessage, HumanMessage, SystemMessage, ToolMessage}


class DiskCacheSaver(BaseCheckpointSaver[int]):
    """Checkpoints that survive a killed process and, by default, a power cut.

    Serves any number of threads and processes at once, and both `invoke` and `ainvoke`; only a fork of a process that
    has it open is refused. Loading a checkpoint rebuilds plain data and the types that LangGraph vouches for, and no
    others: name yours with `with_allowlist`.

    Args:
        directory: Made if missing, and closed to everyone but its owner.
        durability: `power` syncs every write to the disk; `process` is faster, and a power cut may cost the last ones.

    Raises:
        BadInput: There is no such durability, or the directory cannot hold a store.
        StoreDamaged: It holds something else, a broken store, or one of a format that this version does not know.
        StrettoError: This process was forked from one that has the directory open.
    """

    def __init__(self, directory: str | os.PathLike[str], *, durability: Durability = "power") -> None:
        super().__init__(serde=JsonPlusSerializer(allowed_msgpack_modules=None))
        self._store = BlobStore(directory, durability, lambda old: migration.migrate(old, self.serde), kinds=ROWS)
        self.directory = self._store.directory
        self._documents = Documents(self._store)
        self._segments = Segments(self._store)
        self._reader = Reader(self._store, self._documents, self._segments)
        self._encoder, self._decoder = Encoder(_MESSAGES, JsonPlusSerializer), Decoder(_MESSAGES)
        self._writers: dict[Place, bytes] = {}
        self._store.rolled_back = self._forget_all

    def close(self) -> None:
        """Release the store, for this saver and for its copies."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Writing

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint, and what is new in its channels' values.

        Raises:
            StoreDamaged: The checkpoint that it follows is not what was written; nothing was written.
            StrettoError: The disk refused, or another process kept the store locked; nothing was written.
        """
        thread, namespace, parent = address(config)
        place = Place(thread, namespace, checkpoint["id"])
        before = Place(thread, namespace, parent) if parent else None
        rest = {**checkpoint, "channel_versions": {**checkpoint["channel_versions"]}}  # LangGraph changes its own
        del rest["channel_values"], rest["id"]
        about = described(config, metadata)
        encoded = {
            channel: self._encoder.encode(self.serde, value)
            for channel, value in checkpoint["channel_values"].items()
            if channel in new_versions
        }

        def work() -> None:
            follows = self._follows(before) if before else None
            values = self._keep_values(place, checkpoint, encoded, follows)
            digest, writers = (follows.digest, self._writers.get(follows.place, b"")) if follows else (b"", b"")
            self._put(Document(place, parent, digest, writers, rest, about, values, b""))
            self._reader.forget(place)

        self._store.write(work)
        return config_of(place)

    def _follows(self, place: Place) -> Document | None:
        try:
            return self._documents.follow(self.serde, place)
        except StoreDamaged as error:
            raise damaged(place, error) from error

    def _keep_values(
        self, place: Place, checkpoint: Checkpoint, encoded: Mapping[str, Encoded], follows: Document | None
    ) -> dict[str, Stored]:
        """Where each channel's value lies. What did not change since the parent is not even serialised."""
        held: Mapping[str, Stored] = follows.values if follows else {}
        before: Mapping[str, Any] = follows.checkpoint.get("channel_versions", {}) if follows else {}
        kept: dict[str, Stored] = {}
        now = checkpoint["channel_versions"]
        for channel, value in checkpoint["channel_values"].items():
            base, new = held.get(channel), encoded.get(channel)
            if new is None:
                version = now.get(channel)
                if base and version is not None and before.get(channel) == version:
                    kept[channel] = base
                    continue
                new = self._encoder.encode(self.serde, value)
            kept[channel] = new if len(new[1]) <= INLINE else self._segments.keep(place.thread, *new, base)
        return kept

    def _put(self, document: Document) -> None:
        """Write the row of a document. One that it replaces leaves a note for those made from it."""
        key, value = document.place.key, dump_document(self.serde, document)
        digest = self._store.add(key, value)
        if digest is None:
            old = self._store.get(key)
            digest = self._store.set(key, value)
            if old and old.digest != digest:
                self._documents.take_leave(document.place, old.digest)
        self._documents.remember(document, digest)

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store what a task wrote after a checkpoint.

        The first write of an index stays, so a task that runs again changes nothing; those of LangGraph's own channels
        (error, interrupt, resume) are replaced. In a thread that is not the main one, waits for up to five milliseconds
        for a checkpoint to be written with.

        Raises:
            StrettoError: The disk refused, or another process kept the store locked; nothing was written.
        """
        thread, namespace, checkpoint_id = address(config)
        place = Place(thread, namespace, checkpoint_id or "")
        key = CHECKPOINT + join(*place, task_id)
        encoded: list[tuple[int, str, Encoded]] = []
        urgent = False
        for index, (channel, value) in enumerate(writes):
            number = WRITES_IDX_MAP.get(channel, index)
            urgent = urgent or number < 0
            encoded.append((number, channel, self._encoder.encode(self.serde, value)))

        def work() -> None:
            keep = self._segments.keep
            made = [
                (number, task_path, channel, new if len(new[1]) <= INLINE_ONCE else keep(thread, *new, None))
                for number, channel, new in encoded
            ]
            if self._store.add(key, dump_writes(self.serde, made)) is None:
                self._documents.amend(self.serde, key, made)
            self._writers[place] = self._writers.pop(place, b"") + mark(task_id)
            if len(self._writers) > _REMEMBERED:
                del self._writers[next(iter(self._writers))]
            self._reader.forget(place)

        self._store.write(work, 0.0 if urgent else _PATIENCE)

    # Reading

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, or the newest of its thread and namespace; None if there is none.

        Raises:
            StoreDamaged: A row of it, or the checkpoint that it follows, is not what was written; the message names
                thread and checkpoint.
        """
        thread, namespace, checkpoint_id = address(config)
        raw = self._reader.get(self.serde, thread, namespace, checkpoint_id)
        if raw is None:
            return None
        return self._build(raw, config if checkpoint_id else config_of(raw.document.place))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - the name is LangGraph's
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """The checkpoints that match, newest first. Nothing is locked while the caller works on one.

        Raises:
            StoreDamaged: A row of one is not what was written; the message names thread and checkpoint.
        """
        left = limit
        for place in self._places(config, before):
            if left is not None and left <= 0:
                return
            with self._store.snapshot():
                raw = self._reader.read(self.serde, place, filter)
            if raw:
                left = None if left is None else left - 1
                yield self._build(raw, config_of(place))

    def _places(self, config: RunnableConfig | None, before: RunnableConfig | None) -> Iterator[Place]:
        """Where the checkpoints that match lie, newest first."""
        asked = (config or {}).get("configurable", {})
        thread, namespace, wanted = asked.get("thread_id"), asked.get("checkpoint_ns"), asked.get("checkpoint_id")
        end = get_checkpoint_id(before) if before else None
        if thread is not None and namespace is not None and not wanted:
            return self._documents.places(str(thread), namespace, end)
        found = (
            place
            for place in self._documents.all_places(b"" if thread is None else join(str(thread)))
            if namespace in (None, place.namespace) and wanted in (None, "", place.id) and (not end or place.id < end)
        )
        return iter(sorted(found, key=lambda place: place.id, reverse=True))

    def _build(self, raw: Raw, config: RunnableConfig) -> CheckpointTuple:
        document, serde, decode = raw.document, self.serde, self._decoder.decode
        try:
            values = {name: decode(serde, value) for name, value in raw.values.items()}
            writes: list[PendingWrite] = [(task, channel, decode(serde, value)) for task, channel, value in raw.writes]
        except ValueError as error:
            raise damaged(document.place, error) from error
        document.checkpoint.update(id=document.place.id, channel_values=values)
        return CheckpointTuple(
            config=config,
            checkpoint=cast("Checkpoint", document.checkpoint),
            metadata=cast("CheckpointMetadata", document.metadata),
            parent_config=config_of(document.before) if document.parent else None,
            pending_writes=writes,
        )

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """The writes to some channels on the way to a checkpoint, oldest first, from the nearest stored value of each.

        Only these writes and values are built; the other values of the checkpoints on the way are not read.

        Raises:
            StoreDamaged: A checkpoint or a write on the way is not what was written, or is missing.
        """
        thread, namespace, checkpoint_id = address(config)
        histories = {channel: DeltaChannelHistory(writes=[]) for channel in channels}
        left = list(channels)
        with self._store.snapshot():
            place = (
                Place(thread, namespace, checkpoint_id) if checkpoint_id else self._documents.newest(thread, namespace)
            )
            child = self._documents.get(self.serde, place) if place else None
            while left and child and child.parent and (step := self._reader.step_back(self.serde, child, left)):
                for task, channel, value in reversed(step.writes):
                    histories[channel]["writes"].append((task, channel, self.serde.loads_typed(value)))
                for channel, value in step.values.items():
                    histories[channel]["seed"] = self.serde.loads_typed(value)
                left = [channel for channel in left if channel not in step.values]
                child = step.document
        for history in histories.values():
            history["writes"].reverse()
        return histories

    def threads(self) -> Iterator[str]:
        """The ids of all threads, sorted. Neither checkpoints nor values are read, however many there are."""
        return self._documents.threads()

    def verify(self, thread_id: str) -> int:
        """Read all that is stored of a thread; how many checkpoints that is. StoreDamaged if anything is wrong."""
        return self._reader.verify(self.serde, str(thread_id))

    @property
    def healer(self) -> Healer:
        """What says of each checkpoint whether it is damaged, and takes damaged ones out."""
        return Healer(self._store, self._documents, self._segments, self._reader, self.serde)

    # Deleting and copying

    def delete_thread(self, thread_id: str) -> None:
        """Delete everything of a thread.

        Raises:
            StrettoError: The disk refused, or another process kept the store locked; nothing was deleted.
        """
        self._change(lambda: pruning.erase(self._store, str(thread_id)))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints that these runs made, and what was written after them; one transaction a thread.

        One from which the value of a DeltaChannel of a later checkpoint is made stays: without it, that value would be
        another, and nobody would be told.

        Raises:
            StrettoError: As of `delete_thread`.
        """
        runs = set(map(str, run_ids))
        for thread in [*self.threads()] if runs else []:
            self._prune(thread, lambda documents: {d.place for d in documents if d.metadata.get("run_id") in runs})

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete all but the newest checkpoint of each namespace (`keep_latest`), or all (`delete`).

        Those before the newest from which the value of one of its DeltaChannels is made stay, too.

        Raises:
            BadInput: There is no such strategy; nothing was deleted.
            StrettoError: As of `delete_thread`.
        """
        if strategy not in _STRATEGIES:
            raise BadInput(f"There is no strategy {strategy!r}.", field="strategy", allowed=_STRATEGIES)
        for thread in map(str, thread_ids):
            if strategy == "delete":
                self.delete_thread(thread)
            else:
                self._prune(thread, pruning.outdated)

    def _prune(self, thread: str, choose: Callable[[Sequence[Document]], set[Place]]) -> None:
        self._change(lambda: pruning.prune(self._store, self._segments, self.serde, thread, choose))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Give a thread all checkpoints of another, with their writes; it keeps those that it has.

        Raises:
            StrettoError: As of `delete_thread`; nothing was copied.
        """
        source, target = str(source_thread_id), str(target_thread_id)
        if source != target:
            self._change(lambda: pruning.copy(self._store, self._segments, self.serde, source, target))

    def _change(self, change: Callable[[], None]) -> None:
        """Do something to many rows."""

        def work() -> None:
            change()
            self._forget_all()

        self._store.write(work)

    def _forget_all(self) -> None:
        self._reader.forget_all()
        self._documents.forget_all()
        self._writers.clear()

    # The same for `ainvoke`

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """`put` in a thread."""
        return await asyncio.to_thread(self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """`put_writes` in a thread."""
        await asyncio.to_thread(self.put_writes, config, writes, task_id, task_path)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """`get_tuple` in a thread."""
        return await asyncio.to_thread(self.get_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - the name is LangGraph's
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """`list`, each checkpoint loaded in a thread."""
        found = self.list(config, filter=filter, before=before, limit=limit)
        while (each := await asyncio.to_thread(next, found, None)) is not None:
            yield each

    async def adelete_thread(self, thread_id: str) -> None:
        """`delete_thread` in a thread."""
        await asyncio.to_thread(self.delete_thread, thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """`delete_for_runs` in a thread."""
        await asyncio.to_thread(self.delete_for_runs, run_ids)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """`prune` in a thread."""
        await asyncio.to_thread(self.prune, thread_ids, strategy=strategy)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """`copy_thread` in a thread."""
        await asyncio.to_thread(self.copy_thread, source_thread_id, target_thread_id)

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """`get_delta_channel_history` in a thread."""
        return await asyncio.to_thread(self.get_delta_channel_history, config=config, channels=channels)
