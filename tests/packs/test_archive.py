"""An archive of a pack: made the same everywhere, and refused when it holds anything but the pack's plain files."""

import contextlib
import gzip
import io
import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.packs.archive import archived, read_archive
from stretto.packs.files import LARGEST, MOST
from stretto.state.errors import BadInput

MANIFEST = b'name = "team"\n'
FILES = {"commands/release.md": b"a page\n", "pack.toml": MANIFEST, "templates/release.yaml": b"x" * 600}
_NAMES = st.from_regex(r"(commands|agents|scenarios)/[a-z][a-z0-9]{0,8}\.md", fullmatch=True)
_PACKS = st.dictionaries(_NAMES, st.binary(max_size=1500), max_size=6).map(lambda some: {**some, "pack.toml": MANIFEST})

Entry = tuple[tarfile.TarInfo, bytes]


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> Entry:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type, entry.linkname = len(content), kind, link
    return entry, content


def tar(*entries: Entry, form: int = tarfile.USTAR_FORMAT) -> bytes:
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w", format=form) as archive:
        for entry, content in (member("pack.toml", MANIFEST), *entries):
            archive.addfile(entry, io.BytesIO(content))
    return inner.getvalue()


def written(folder: Path, content: bytes) -> Path:
    path = folder / "team.tar.gz"
    path.write_bytes(content)
    return path


def test_what_is_packed_is_what_is_read(tmp_path: Path) -> None:
    packed = archived(FILES)
    assert read_archive(written(tmp_path, packed)) == FILES
    assert archived(dict(reversed(FILES.items()))) == packed


@settings(max_examples=60, deadline=None)
@given(_PACKS, st.data())
def test_a_changed_byte_is_an_error_or_changes_no_file(files: dict[str, bytes], data: st.DataObject) -> None:
    packed = bytearray(archived(files))
    at = data.draw(st.integers(0, len(packed) - 1))
    with tempfile.TemporaryDirectory() as folder:
        assert read_archive(written(Path(folder), bytes(packed))) == dict(sorted(files.items()))
        packed[at] ^= data.draw(st.integers(1, 255))
        with contextlib.suppress(BadInput):
            assert read_archive(written(Path(folder), bytes(packed))) == dict(sorted(files.items()))


def test_an_archive_by_plain_tar_is_read_too(tmp_path: Path) -> None:
    folders = member("commands", kind=tarfile.DIRTYPE)
    assert read_archive(written(tmp_path, gzip.compress(tar(folders, member("commands/a.md", b"x"))))) == {
        "commands/a.md": b"x",
        "pack.toml": MANIFEST,
    }


def _pax(headers: dict[str, str]) -> bytes:
    entry = member("commands/a.md", b"x")
    entry[0].pax_headers = headers
    return tar(entry, form=tarfile.PAX_FORMAT)


@pytest.mark.parametrize(
    ("inner", "told"),
    [
        (lambda: tar(member("../pack.toml", b"x")), "no file that a pack may hold"),
        (lambda: tar(member("commands/../../a.md", b"x")), "no file that a pack may hold"),
        (lambda: tar(member("/etc/cron.d/a", b"x")), "no file that a pack may hold"),
        (lambda: tar(member("commands\\a.md", b"x")), "no file that a pack may hold"),
        (lambda: tar(member("./commands/a.md", b"x")), "no file that a pack may hold"),
        (lambda: tar(member("setup.py", b"x")), "no file that a pack may hold"),
        (lambda: tar(member("Pack.toml", b"x")), "no file that a pack may hold"),
        (lambda: tar(member("commands/A.md", b"x"), member("commands/a.md", b"x")), "no file that a pack may hold"),
        (lambda: tar(member("commands/a.md\n", b"x")), "no file that a pack may hold"),
        (lambda: tar(member("commands/a.md", b"x"), member("commands/a.md", b"y")), "there twice"),
        (lambda: tar(member("commands/a.md", kind=tarfile.SYMTYPE, link="/etc/passwd")), "a link"),
        (lambda: tar(member("commands/a.md", kind=tarfile.LNKTYPE, link="pack.toml")), "a link"),
        (lambda: tar(member("commands/a.md", kind=tarfile.CHRTYPE)), "a device"),
        (lambda: tar(member("commands/a.md", kind=tarfile.BLKTYPE)), "a device"),
        (lambda: tar(member("commands/a.md", kind=tarfile.FIFOTYPE)), "a pipe"),
        (lambda: tar(member("commands/a.md", kind=tarfile.GNUTYPE_SPARSE)), "a sparse file"),
        (lambda: tar(member("commands/a.md", b"x", kind=b"Z")), "of the kind"),
        (lambda: tar(member("elsewhere", kind=tarfile.DIRTYPE)), "no folder that a pack may hold"),
        (lambda: tar(member("commands/../..", kind=tarfile.DIRTYPE)), "no folder that a pack may hold"),
        (lambda: _pax({"path": "../../evil"}), "a PAX record"),
        (lambda: _pax({"GNU.sparse.major": "1", "GNU.sparse.realsize": "9" * 12}), "a PAX record"),
        (lambda: tar(member("commands/" + "a" * 150 + ".md", b"x"), form=tarfile.GNU_FORMAT), "a long name"),
        (lambda: tar() + b"more", "behind its end"),
        (lambda: tar().rstrip(b"\0").ljust(1024, b"\0"), "cut off"),
        (lambda: tar()[:512] + MANIFEST, "cut off"),
        (lambda: b"\1" * 512 + tar(), "no sound header"),
        (lambda: b"\0" * 1024, "holds no pack.toml"),
        (lambda: tar(*(member(f"commands/a{n}.md") for n in range(MOST))), "at most 500 files"),
        (lambda: tar(member("commands/a.md", b"\0" * (LARGEST + 1))), "at most"),
    ],
)
def test_a_hostile_archive_is_refused(tmp_path: Path, inner: Callable[[], bytes], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        read_archive(written(tmp_path, gzip.compress(inner(), mtime=0)))


def test_a_size_below_zero_is_refused(tmp_path: Path) -> None:
    entry = bytearray(tar(member("commands/a.md", b"x"))[1024:1536])
    entry[124:136] = b"\xff" * 12
    entry[148:156] = b" " * 8
    entry[148:156] = b"%06o\0 " % sum(entry)
    with pytest.raises(BadInput, match="impossible header"):
        read_archive(written(tmp_path, gzip.compress(tar()[:1024] + bytes(entry) + b"\0" * 1024)))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "cut off"),
        (b"PK\x03\x04 zip", "no .tar.gz"),
        (archived(FILES)[:-4], "cut off"),
        (archived(FILES) + b"\0", "behind its end"),
        (archived(FILES) + archived(FILES), "behind its end"),
    ],
)
def test_what_is_no_whole_archive_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        read_archive(written(tmp_path, content))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = gzip.compress(b"\0" * (256 << 20), compresslevel=9)
    assert len(bomb) < 1 << 20
    with pytest.raises(BadInput, match="larger than a pack can be"):
        read_archive(written(tmp_path, bomb))


def test_only_a_regular_file_is_an_archive(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, told in (
        (tmp_path, "no regular file"),
        (tmp_path / "pipe", "no regular file"),
        (tmp_path / "no", "cannot be read"),
    ):
        with pytest.raises(BadInput, match=told):
            read_archive(path)
