"""A pack in one file: a `.tar.gz` that is made the same everywhere, and is looked at in memory before it is believed.

The headers of an archive are read one by one, and only plain files and the folders around them are known: what would
change the meaning of another header (long names, PAX records, sparse maps) is refused with every other kind, so there
is nothing in which two readers of one archive could differ. Nothing is unpacked to the disk.
"""

import gzip
import io
import os
import stat
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from stretto.packs.files import MOST, SIGNATURE, WHOLE, Files, fit, sized, whole
from stretto.packs.manifest import MANIFEST
from stretto.state.errors import BadInput

_BLOCK = tarfile.BLOCKSIZE
_UNPACKED = WHOLE + (2 * MOST + 20) * _BLOCK + tarfile.RECORDSIZE
"""Bytes of the largest archive that can hold a pack: the files, a header and a padding for each, and the end."""
_FOLDERS = ("commands", "agents", "templates", "scenarios", "cassettes")
_KINDS = {
    tarfile.SYMTYPE: "a link",
    tarfile.LNKTYPE: "a link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
    tarfile.XHDTYPE: "a PAX record",
    tarfile.XGLTYPE: "a PAX record",
    tarfile.SOLARIS_XHDTYPE: "a PAX record",
    tarfile.GNUTYPE_LONGNAME: "a long name",
    tarfile.GNUTYPE_LONGLINK: "a long name",
}


def archived(files: Files) -> bytes:
    """A `.tar.gz` of the files. Equal files make equal bytes: it holds no clock, no user and no mode but one."""
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, content in sorted(files.items()):
            member = tarfile.TarInfo(fit(path))
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    packed = bytearray(gzip.compress(inner.getvalue(), mtime=0))
    packed[9] = 255  # the system that packed it: unknown, whichever it was
    return bytes(packed)


def read_archive(path: Path) -> dict[str, bytes]:
    """The files of a pack that lies in an archive.

    Raises:
        BadInput: It is none, or it holds what no pack may; the message names the entry.
    """
    try:
        packed = _packed(path)
    except OSError as error:
        raise BadInput(f"The archive {str(path)!r} cannot be read: {error.strerror}.", field="pack") from error
    return whole(_entries(_unpacked(packed, str(path))), str(path))


def _packed(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise BadInput(f"{str(path)!r} is no regular file, so it is no archive of a pack.", field="pack")
        with open(handle, "rb", closefd=False) as file:
            return file.read(_UNPACKED + 1)
    finally:
        os.close(handle)


def _unpacked(packed: bytes, where: str) -> bytes:
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)  # gzip's form; gzip itself would unpack as much as there is
    try:
        inner = unpacker.decompress(packed, _UNPACKED + 1)
    except zlib.error as error:
        raise BadInput(
            f"{where!r} is no .tar.gz, or it is damaged: {error}.",
            field="pack",
            next_steps=("`stretto pack build FOLDER` makes such an archive",),
        ) from error
    if max(len(inner), len(packed)) > _UNPACKED:
        raise BadInput(f"{where!r} is larger than a pack can be ({_UNPACKED} bytes, unpacked).", field="pack")
    if not unpacker.eof or unpacker.unused_data:
        raise BadInput(f"{where!r} is cut off, or something stands behind its end.", field="pack")
    return inner


def _entries(inner: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    while any(block := inner[at : at + _BLOCK]):
        entry = _header(block, at)
        at += _BLOCK
        if entry.isdir() and entry.size == 0:
            _folder(entry.name)
            continue
        name = _plain(entry)
        content = inner[at : at + entry.size]
        padding = inner[at + entry.size : at + _padded(entry.size)]
        if len(content) + len(padding) != _padded(entry.size) or any(padding):
            raise BadInput(f"{name!r} is cut off in the archive, or something stands behind its end.", field="pack")
        at += _padded(entry.size)
        yield name, content
    if len(inner) - at < 2 * _BLOCK or any(inner[at:]):
        raise BadInput("The archive is cut off, or something stands behind its end.", field="pack")


def _header(block: bytes, at: int) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "ascii", "strict")
    except (tarfile.TarError, UnicodeDecodeError, ValueError) as error:
        raise BadInput(f"The archive has no sound header at byte {at}: {error}.", field="pack") from error


def _plain(entry: tarfile.TarInfo) -> str:
    """The name of a plain file that is not too large."""
    if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        kind = _KINDS.get(entry.type, f"of the kind {entry.type!r}")
        raise BadInput(
            f"{entry.name!r:.220} is {kind} in the archive; it may hold plain files only.",
            field="pack",
            next_steps=("`stretto pack build FOLDER` makes such an archive",),
        )
    name = fit(entry.name)
    if entry.size < 0 or entry.linkname:
        raise BadInput(f"{name!r} has an impossible header in the archive.", field="pack")
    sized(name, entry.size)
    return name


def _folder(name: str) -> None:
    if name.rstrip("/") not in _FOLDERS:
        known = ", ".join((MANIFEST, SIGNATURE, *(f"{folder}/" for folder in _FOLDERS)))
        raise BadInput(f"{name!r:.220} is no folder that a pack may hold. At its root stand {known}.", field="pack")


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
