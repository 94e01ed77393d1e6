"""Sealing: rows that carry a digest of themselves and of their key, deflated when that pays.

    row       2 bytes       16 bytes                      the rest
    sealed    its format    digest of key and all else    the value

A value is verified before it is inflated. The digest also says which row it is: who keeps it can tell a row that was
replaced from the one that was read. It has no secret in it, so it finds accidents and careless edits; somebody who
computes it anew can write what he likes.
"""

import zlib
from hashlib import blake2b
from typing import NamedTuple

from stretto.state.errors import StoreDamaged

DIGEST_SIZE = 16
_FORMAT = 2
_PLAIN, _DEFLATED, _PRIMED = 0, 1, 2
_HEADS = {encoding: bytes((_FORMAT, encoding)) for encoding in (_PLAIN, _DEFLATED, _PRIMED)}
_WORTH_DEFLATING = 1024
"""Below, it takes longer than it saves: the rows of small states are read and written most."""
_PRIMED_UP_TO = 4096
_WINDOW, _MEMORY = -13, 5
_WORDS = (
    b"\xa6__root__\xaf__pregel_tasks\xa9interrupt\xadscheduled\xadtask_path\x94\xbelangchain_core.messages.system"
    b"\xadSystemMessage\x94\xbclangchain_core.messages.tool\xabToolMessage\xactool_call_id\xa8artifact\xa6status"
    b"\xa7success\xb7langgraph.types\xa4Send\x93\xaflanggraph.types\xa9Interrupt"
    b"\x94\xbdlangchain_core.messages.human\xacHumanMessage\x86\xa7content\xa0\xb1additional_kwargs\x80"
    b"\xb1response_metadata\x80\xa4type\xa5human\xa4name\xc0\xa2id\xc0\xb3model_validate_json"
    b"\x94\xbalangchain_core.messages.ai\xa9AIMessage\x89\xa7content\xb1additional_kwargs\x80\xb1response_metadata\x80"
    b"\xa4type\xa2ai\xa4name\xc0\xa2id\xd9$\xaatool_calls\x90\xb2invalid_tool_calls\x90\xaeusage_metadata\xc0"
    b"\xb3model_validate_json"
    b"\xa6thread_id\xadcheckpoint_ns\xa6run_id\xd9\x1dcounters_since_delta_snapshot\xa6update\xa4fork"
    b"\xa7msgpack\xa4null\xa5bytes\xa8messages"
    b"\x96\xd9$1f000000-0000-6000-8000-000000000000\xc4\x10\x86\xa1v\x04\xa2ts\xd9 2026-01-01T00:00:00.000000+00:00"
    b"\xa2id\xd9$1f000000-0000-6000-8000-000000000000\xb0channel_versions\x82\xa9__start__\x02\xaebranch:to:step\x03"
    b"\xadversions_seen\x83\xa9__input__\x80\xa9__start__\x81\xa9__start__\x01\xa4step\x81\xaebranch:to:step\x02"
    b"\xb0updated_channels\x91\xaabranch:to:\x83\xa6source\xa5input\xa4loop\xa4step\xff\xa7parents\x80"
    b"\x92\xa4null\xc4\x00\x92\xa7msgpack\xc4\x01"
)
"""What is in nearly every small row, so that deflating starts with it in its window. Part of the format."""


LIKE = bytes((_FORMAT, 3))
"""Heads what `pack_like` made, which is for its caller to seal."""


class Row(NamedTuple):
    """A verified row: its value, and the digest that tells it from any other."""

    value: bytes
    digest: bytes


def seal(key: bytes, value: bytes) -> tuple[bytes, bytes]:
    """What is stored under `key` for `value`, and the digest of it."""
    head, body = pack(value) if len(value) >= _WORTH_DEFLATING else (_HEADS[_PLAIN], value)
    digest = blake2b(b"%d.%b%b%b" % (len(key), key, head, body), digest_size=DIGEST_SIZE).digest()
    return head + digest + body, digest


def unseal(key: bytes, sealed: bytes) -> Row:
    """What `seal` was given.

    Raises:
        StoreDamaged: Another format, or bytes that are not what was written under this key.
    """
    head, digest, body = sealed[:2], sealed[2 : 2 + DIGEST_SIZE], sealed[2 + DIGEST_SIZE :]
    if head not in _HEADS.values():
        raise StoreDamaged(f"a row is of format {head.hex()!r}, which this version of Stretto does not know")
    if digest != _digest(key, head, body):
        raise StoreDamaged("a row does not match its checksum")
    return Row(unpack(head, body), digest)


def pack(value: bytes) -> tuple[bytes, bytes]:
    """A head that names the encoding, and the value in the smaller of two encodings."""
    if len(value) < _WORTH_DEFLATING:
        return _HEADS[_PLAIN], value
    if len(value) <= _PRIMED_UP_TO:
        deflate = zlib.compressobj(1, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, _WORDS)
        encoding, small = _PRIMED, deflate.compress(value) + deflate.flush()
    else:
        encoding, small = _DEFLATED, zlib.compress(value, 1)
    return (_HEADS[encoding], small) if len(small) < len(value) else (_HEADS[_PLAIN], value)


def pack_like(value: bytes, base: bytes) -> bytes:
    """A value deflated with the knowledge of another one that it resembles."""
    deflate = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS, 8, zlib.Z_DEFAULT_STRATEGY, base)
    return deflate.compress(value) + deflate.flush()


def unpack_like(body: bytes, base: bytes) -> bytes:
    """What `pack_like` was given. StoreDamaged if it was not `pack_like` that made it."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS, base).decompress(body)
    except zlib.error as error:
        raise StoreDamaged(f"a row cannot be inflated: {error}") from error


def unpack(head: bytes, body: bytes) -> bytes:
    """What `pack` was given. StoreDamaged if it was not `pack` that made it."""
    try:
        if head == _HEADS[_PRIMED]:
            return zlib.decompressobj(_WINDOW, _WORDS).decompress(body)
        if head == _HEADS[_DEFLATED]:
            return zlib.decompress(body)
    except zlib.error as error:
        raise StoreDamaged(f"a row cannot be inflated: {error}") from error
    if head != _HEADS[_PLAIN]:
        raise StoreDamaged(f"a row is of format {head.hex()!r}, which this version of Stretto does not know")
    return body


def _digest(key: bytes, head: bytes, body: bytes) -> bytes:
    return blake2b(b"%d.%b%b%b" % (len(key), key, head, body), digest_size=DIGEST_SIZE).digest()
