"""DiskCacheSaver: LangGraph's checkpoints in a diskcache directory.

    row         key                                            value
    checkpoint  c, thread, namespace, checkpoint               parent, checkpoint, metadata, {channel: version, digest}
    write       w, thread, namespace, checkpoint, task, index  task path, channel, the value
    value       v, thread, digest                              a channel's value, once for all that hold it

Keys sort as their parts do, so a thread, a namespace and the writes of one checkpoint are each a range, and the newest
checkpoint is the last of its range.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from types import TracebackType
from typing import Any, NamedTuple, Self, TypedDict, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    PendingWrite,
    get_checkpoint_id,
    get_checkpoint_metadata,
    writes_sort_key,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from stretto.state.blobs import BlobStore
from stretto.state.disk import Durability
from stretto.state.errors import StoreDamaged
from stretto.state.keys import below, join, split

_CHECKPOINT, _WRITE, _VALUE = b"c", b"w", b"v"
_KINDS = frozenset({"null", "bytes", "bytearray", "msgpack"})
"""The encodings that are written, hence the only ones read: never `pickle` or `json`, which can build any object."""

_Stored = tuple[str | int | float | None, str]
"""A channel's version and the digest of its value."""


class _Document(TypedDict):
    parent: str | None
    checkpoint: dict[str, Any]
    metadata: CheckpointMetadata
    values: dict[str, _Stored]


class _Place(NamedTuple):
    """The address of a checkpoint."""

    thread: str
    namespace: str
    id: str

    @property
    def config(self) -> RunnableConfig:
        return {"configurable": {"thread_id": self.thread, "checkpoint_ns": self.namespace, "checkpoint_id": self.id}}


class DiskCacheSaver(BaseCheckpointSaver[int]):
    """Checkpoints that survive a killed process and, by default, a power cut.

    Serves any number of threads and processes at once, and both `invoke` and `ainvoke`; only a fork of a process that
    has it open is refused. Loading a checkpoint rebuilds plain data and the types that LangGraph vouches for, and no
    others: name yours with `with_allowlist`.

    Args:
        directory: Made if missing, and closed to everyone but its owner.
        durability: `power` syncs every write to the disk; `process` is faster, and a power cut may cost the last ones.

    Raises:
        BadInput: The directory cannot hold a store.
        StoreDamaged: It holds something else, or a broken store.
        StrettoError: This process was forked from one that has the directory open.
    """

    def __init__(self, directory: str | os.PathLike[str], *, durability: Durability = "power") -> None:
        super().__init__(serde=JsonPlusSerializer(allowed_msgpack_modules=None))
        self._store = BlobStore(directory, durability)

    def close(self) -> None:
        """Release the store, for this saver and for its copies."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint, and those of its channel values that the store does not hold yet.

        Raises:
            StrettoError: The disk refused, or another process kept the store locked; nothing was written.
        """
        thread, namespace, parent = _address(config)
        place = _Place(thread, namespace, checkpoint["id"])
        with self._store.transaction():
            before = self._document(_Place(thread, namespace, parent)) if parent else None
            document = _Document(
                parent=parent,
                checkpoint={name: part for name, part in checkpoint.items() if name != "channel_values"},
                metadata=get_checkpoint_metadata(config, metadata),
                values=self._keep_values(thread, checkpoint, new_versions, before["values"] if before else {}),
            )
            self._store.set(_CHECKPOINT + join(*place), _dump(self.serde, document))
        return place.config

    def _keep_values(
        self, thread: str, checkpoint: Checkpoint, new: ChannelVersions, held: Mapping[str, _Stored]
    ) -> dict[str, _Stored]:
        """Where each channel's value lies. What did not change since the parent is not even serialised."""
        kept: dict[str, _Stored] = {}
        for channel, value in checkpoint["channel_values"].items():
            version = checkpoint["channel_versions"].get(channel)
            unchanged = channel not in new and version is not None and channel in held and held[channel][0] == version
            kept[channel] = held[channel] if unchanged else (version, self._keep(thread, value))
        return kept

    def _keep(self, thread: str, value: object) -> str:
        row = _dump(self.serde, value)
        digest = blake2b(row, digest_size=20).hexdigest()
        key = _VALUE + join(thread, digest)
        if key not in self._store:
            self._store.set(key, row)
        return digest

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store what a task wrote after a checkpoint.

        The first write of an index stays, so a task that runs again changes nothing; those of LangGraph's own channels
        (error, interrupt, resume) are replaced.

        Raises:
            StrettoError: The disk refused, or another process kept the store locked; nothing was written.
        """
        thread, namespace, checkpoint_id = _address(config)
        prefix = _WRITE + join(thread, namespace, checkpoint_id or "", task_id)
        rows = [
            (WRITES_IDX_MAP.get(channel, index), _dump(self.serde, value, task_path, channel))
            for index, (channel, value) in enumerate(writes)
        ]
        with self._store.transaction():
            for index, row in rows:
                key = prefix + join(str(index))
                if index < 0 or key not in self._store:
                    self._store.set(key, row)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, or the newest of its thread and namespace; None if there is none.

        Raises:
            StoreDamaged: A row of it is not what was written; the message names thread and checkpoint.
        """
        thread, namespace, checkpoint_id = _address(config)
        with self._store.snapshot():
            if checkpoint_id:
                found = self._load(_Place(thread, namespace, checkpoint_id))
                return found._replace(config=config) if found else None
            newest = self._store.last(below(_CHECKPOINT + join(thread, namespace)))
            return self._load(_place(newest)) if newest else None

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
                found = self._load(place, filter or {})
            if found:
                left = None if left is None else left - 1
                yield found

    def _places(self, config: RunnableConfig | None, before: RunnableConfig | None) -> Sequence[_Place]:
        """Where the checkpoints that match lie, newest first."""
        asked = (config or {}).get("configurable", {})
        thread, namespace, wanted = asked.get("thread_id"), asked.get("checkpoint_ns"), asked.get("checkpoint_id")
        end = get_checkpoint_id(before) if before else None
        prefix = _CHECKPOINT if thread is None else _CHECKPOINT + join(str(thread))
        found = [
            place
            for place in map(_place, self._store.keys(below(prefix)))
            if namespace in (None, place.namespace) and wanted in (None, "", place.id) and (not end or place.id < end)
        ]
        return sorted(found, key=lambda place: place.id, reverse=True)

    def delete_thread(self, thread_id: str) -> None:
        """Delete everything of a thread.

        Raises:
            StrettoError: The disk refused, or another process kept the store locked; nothing was deleted.
        """
        with self._store.transaction():
            for kind in (_CHECKPOINT, _WRITE, _VALUE):
                self._store.erase(below(kind + join(str(thread_id))))

    def _load(self, place: _Place, wanted: Mapping[str, Any] | None = None) -> CheckpointTuple | None:
        """The checkpoint at `place`, or None if there is none or its metadata is not as wanted."""
        document = self._document(place)
        if document is None:
            return None
        metadata = cast("Mapping[str, Any]", document["metadata"])
        if any(metadata.get(name) != value for name, value in (wanted or {}).items()):
            return None
        with _naming(place):
            values = {name: self._value(place.thread, digest) for name, (_, digest) in document["values"].items()}
            writes = list(self._writes(place))
        parent = document["parent"]
        return CheckpointTuple(
            config=place.config,
            checkpoint=cast("Checkpoint", {**document["checkpoint"], "channel_values": values}),
            metadata=document["metadata"],
            parent_config=place._replace(id=parent).config if parent else None,
            pending_writes=writes,
        )

    def _document(self, place: _Place) -> _Document | None:
        with _naming(place):
            row = self._store.get(_CHECKPOINT + join(*place))
            if row is None:
                return None
            document = _undump(self.serde, row, 0)[1]
            if not isinstance(document, dict) or set(cast("dict[str, Any]", document)) != set(
                _Document.__annotations__
            ):
                raise StoreDamaged("its row holds something else")
            return cast("_Document", document)

    def _value(self, thread: str, digest: str) -> object:
        row = self._store.get(_VALUE + join(thread, digest))
        if row is None:
            raise StoreDamaged(f"the value {digest} is missing")
        return _undump(self.serde, row, 0)[1]

    def _writes(self, place: _Place) -> Sequence[PendingWrite]:
        """What tasks wrote after the checkpoint, in the order in which LangGraph applies it."""
        prefix = _WRITE + join(*place)
        found: list[tuple[tuple[str, str, int], PendingWrite]] = []
        for key, row in self._store.rows(below(prefix)):
            (task, index), _ = split(key.removeprefix(prefix), 2)
            (path, channel), value = _undump(self.serde, row, 2)
            found.append((writes_sort_key(path, task, int(index)), (task, channel, value)))
        return tuple(write for _, write in sorted(found, key=lambda item: item[0]))

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


def _address(config: RunnableConfig) -> tuple[str, str, str | None]:
    """Thread, namespace and, if given, the checkpoint."""
    asked = config.get("configurable", {})
    return str(asked["thread_id"]), asked.get("checkpoint_ns", ""), get_checkpoint_id(config)


def _place(key: bytes) -> _Place:
    return _Place(*split(key.removeprefix(_CHECKPOINT), 3)[0])


def _dump(serde: SerializerProtocol, value: object, *heading: str) -> bytes:
    """A heading, then the encoding and the bytes that `serde` made of a value."""
    kind, data = serde.dumps_typed(value)
    if kind not in _KINDS:
        raise TypeError(f"{kind!r} is not an encoding that may be loaded again")
    return join(*heading, kind) + b"." + data


def _undump(serde: SerializerProtocol, row: bytes, headings: int) -> tuple[Sequence[str], Any]:
    (*heading, kind), data = split(row, headings + 1)
    if kind not in _KINDS:
        raise StoreDamaged(f"its encoding {kind!r} is not one that Stretto writes, and it was not loaded")
    return heading, serde.loads_typed((kind, data[1:]))


@contextmanager
def _naming(place: _Place) -> Generator[None]:
    """Say which checkpoint it was that could not be read."""
    try:
        yield
    except (StoreDamaged, ValueError) as error:
        raise StoreDamaged(
            f"Checkpoint {place.id!r} of thread {place.thread!r} is damaged: {error}. Nothing of it was used; the"
            " thread's other checkpoints stay readable.",
            next_steps=("Resume from an earlier checkpoint of the thread, or restore the folder from a backup.",),
        ) from error
