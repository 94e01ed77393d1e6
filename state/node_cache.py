"""DiskNodeCache: results of LangGraph's nodes, kept in a diskcache directory for as long as their CachePolicy says.

    row     key               value
    result  n, namespace, key its encoding, then what LangGraph's serializer made of the writes of the node

Results can be computed again, so the store is as safe as against a killed process, no more. Rows that were not written
by this module are errors, and nothing in them is run.
"""

import asyncio
import os
import time
from collections.abc import Collection, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from langgraph.cache.base import BaseCache, FullKey, Namespace
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from stretto.state.blobs import BlobStore
from stretto.state.errors import StoreDamaged
from stretto.state.keys import below, join, split
from stretto.state.reading import KINDS

_RESULT = b"n"
_END = b"\xfe"
"""Follows the last part of a namespace, which it never begins."""


class DiskNodeCache(BaseCache[Any]):
    """For `compile(cache=…)`. Serves any number of threads and processes at once.

    Loading a result rebuilds plain data and the types that LangGraph vouches for, and those that are named; others come
    back as plain data.

    Args:
        directory: Made if missing, and closed to everyone but its owner. Not that of a saver.
        types: Classes in results, as (module, name).

    Raises:
        BadInput: The directory cannot hold a store.
        StoreDamaged: It holds something else, or a broken store.
    """

    def __init__(self, directory: str | os.PathLike[str], *, types: Collection[tuple[str, str]] = ()) -> None:
        super().__init__(serde=JsonPlusSerializer(allowed_msgpack_modules=[*types] or None))
        self._store = BlobStore(directory, "process", marked=False)
        self._store.write(lambda: self._store.erase_expired(time.time()))

    def close(self) -> None:
        """Release the store."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get(self, keys: Sequence[FullKey]) -> dict[FullKey, Any]:
        """The results that are there and have not expired.

        Raises:
            StoreDamaged: One of them is not what was written; `clear` makes room for it anew.
        """
        names = {_key(key): key for key in keys}
        try:
            rows = self._store.unexpired(names, time.time())
            return {names[name]: self._load(row.value) for name, row in rows.items()}
        except (StoreDamaged, ValueError) as error:
            raise StoreDamaged(
                f"A cached result in {self._store.directory!r} is damaged: {error}. Nothing of it was used.",
                next_steps=(f"Remove {self._store.directory!r}: what was cached in it is made again.",),
            ) from error

    def _load(self, value: bytes) -> Any:
        (kind,), data = split(value, 1)
        if kind not in KINDS:
            raise StoreDamaged(f"its encoding {kind!r} is not one that Stretto writes")
        return self.serde.loads_typed((kind, data[len(_END) :]))

    def set(self, pairs: Mapping[FullKey, tuple[Any, int | None]]) -> None:
        """Keep results, each for so many seconds, or until it is cleared.

        Raises:
            StrettoError: The disk refused; nothing was kept.
        """
        now = time.time()
        rows = [
            (_key(key), self._dump(value), None if seconds is None else now + seconds)
            for key, (value, seconds) in pairs.items()
        ]

        def work() -> None:
            for key, value, expires in rows:
                self._store.set(key, value, expires)

        self._store.write(work)

    def _dump(self, value: object) -> bytes:
        kind, data = self.serde.dumps_typed(value)
        if kind not in KINDS:
            raise TypeError(f"{kind!r} is not an encoding that may be loaded again")
        return join(kind) + _END + data

    def clear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Delete the results of these namespaces, or all."""
        prefixes = [_RESULT] if namespaces is None else [_RESULT + join(*each) + _END for each in namespaces]

        def work() -> None:
            for prefix in prefixes:
                self._store.erase(below(prefix))

        self._store.write(work)

    async def aget(self, keys: Sequence[FullKey]) -> dict[FullKey, Any]:
        """`get` in a thread."""
        return await asyncio.to_thread(self.get, keys)

    async def aset(self, pairs: Mapping[FullKey, tuple[Any, int | None]]) -> None:
        """`set` in a thread."""
        await asyncio.to_thread(self.set, pairs)

    async def aclear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """`clear` in a thread."""
        await asyncio.to_thread(self.clear, namespaces)


def _key(key: FullKey) -> bytes:
    namespace, name = key
    return _RESULT + join(*namespace) + _END + join(name)
