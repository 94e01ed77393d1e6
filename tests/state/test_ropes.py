"""Ropes: any values come back, what is the same is stored once, and what is appended costs what it is long."""

import random
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.state.blobs import BlobStore
from stretto.state.errors import StoreDamaged
from stretto.state.keys import Range, below
from stretto.state.ropes import Piece, Rope, Slice, common_prefix, common_suffix, cut, length, weave
from stretto.state.segments import Segments


class Shelf(dict[bytes, bytes]):
    """Segments by their digests."""

    def keep(self, data: bytes) -> bytes:
        digest = blake2b(data, digest_size=16).digest()
        self[digest] = data
        return digest

    def read(self, rope: Rope) -> bytes:
        return b"".join(map(self.piece, rope))

    def piece(self, piece: Piece) -> bytes:
        return self[piece.digest][piece.offset :][: piece.length] if isinstance(piece, Slice) else piece


def replace(draw: random.Random, value: bytes, new: bytes) -> bytes:
    start = draw.randint(0, len(value))
    end = min(len(value), start + draw.choice((0, 0, 1, 50, 5000)))
    return value[:start] + new + value[end:]


edits = st.lists(st.tuples(st.integers(0, 2**32), st.binary(max_size=300)), max_size=60)


@given(st.binary(max_size=3000), edits)
def test_every_value_of_any_sequence_comes_back(value: bytes, changes: list[tuple[int, bytes]]) -> None:
    shelf = Shelf()
    rope = weave(value, None, shelf.keep)
    seen = [(value, rope)]
    for seed, new in changes:
        value = replace(random.Random(seed), value, new)
        rope = weave(value, (rope, seen[-1][0]), shelf.keep)
        seen.append((value, rope))
    assert all(shelf.read(rope) == value for value, rope in seen)
    assert all(len(rope) <= 30 for _, rope in seen)


@given(st.binary(max_size=3000), st.data())
def test_a_cut_is_the_bytes_between(value: bytes, data: st.DataObject) -> None:
    shelf = Shelf()
    rope = weave(b"\x91" + value + value, (weave(value, None, shelf.keep), value), shelf.keep)
    whole = shelf.read(rope)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    assert shelf.read(cut(rope, start, end)) == whole[start:end]


@given(st.binary(max_size=40), st.binary(max_size=5000), st.binary(max_size=40), st.binary(max_size=40))
def test_what_both_begin_and_end_with_is_found(head: bytes, same: bytes, one: bytes, two: bytes) -> None:
    prefix = common_prefix(head + same + one, len(head), same + two, 0)
    assert (head + same + one)[len(head) :][:prefix] == (same + two)[:prefix]
    assert prefix >= len(same)
    assert (head + same + one)[len(head) + prefix :][:1] != (same + two)[prefix:][:1] or prefix == len(same) + min(
        len(one), len(two)
    )
    suffix = common_suffix(one + same, two + same, len(one + same))
    assert suffix >= len(same)
    assert (one + same).endswith((two + same)[len(two + same) - suffix :])


def test_an_equal_value_is_the_same_rope_and_no_segment() -> None:
    shelf = Shelf()
    value = random.Random(1).randbytes(5000)
    rope = weave(value, None, shelf.keep)
    stored = dict(shelf)
    assert weave(value, (rope, value), shelf.keep) == rope
    assert weave(value, None, shelf.keep) == rope
    assert shelf == stored


def test_a_list_that_grows_by_a_message_stores_little_more_than_the_messages() -> None:
    draw = random.Random(2)
    shelf = Shelf()
    items: list[bytes] = []
    rope: Rope = ()
    value = ormsgpack.packb(items)
    written = 0
    for _ in range(1000):
        items.append(draw.randbytes(500))
        new, before = ormsgpack.packb(items), sum(map(len, shelf.values()))
        rope, value = weave(new, (rope, value), shelf.keep), new
        written += sum(map(len, shelf.values())) - before
        assert len(rope) <= 24
    assert shelf.read(rope) == value
    assert sum(map(length, rope)) == len(value)
    assert written < 5 * len(value), "each byte is written once, and again when its segment is merged"


def test_one_change_in_the_middle_of_a_large_value_stores_a_few_bytes() -> None:
    shelf = Shelf()
    old = random.Random(3).randbytes(100_000)
    rope = weave(old, None, shelf.keep)
    new = old[:50_000] + b"changed" + old[50_007:]
    found = weave(new, (rope, old), shelf.keep)
    assert shelf.read(found) == new
    assert len(shelf) == 1
    assert found[1:2] == (b"changed",)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BlobStore]:
    opened = BlobStore(tmp_path / "store", "process")
    yield opened
    opened.close()


def test_segments_that_resemble_each_other_are_stored_as_a_difference(store: BlobStore) -> None:
    segments = Segments(store)
    text = random.Random(4).randbytes(4000)
    first = segments.keep("t", "bytes", text, None)
    second = segments.keep("t", "bytes", b"a head" + text + b"a tail", None)
    rows = store.bare(store.keys(Range(b"s", b"t")))
    assert min(map(len, rows.values())) < 150
    for value, data in ((first, text), (second, b"a head" + text + b"a tail")):
        assert Segments(store).fetch("t", value) == data
    segments.sweep("t", {piece[0] for piece in second[1:] if isinstance(piece, list)})
    assert Segments(store).fetch("t", second) == b"a head" + text + b"a tail", "what it needs stays"


def test_a_slice_that_reaches_beyond_its_segment_is_damage(store: BlobStore) -> None:
    segments = Segments(store)
    kind, piece = segments.keep("t", "bytes", random.Random(5).randbytes(1000), None)
    for wrong in ([piece[0], 1, 1000], [piece[0], -1, 10], [piece[0], 0], [b"x" * 16, 0, 10], ["x", 0, 1], 7):
        with pytest.raises(StoreDamaged):
            Segments(store).fetch("t", [kind, wrong])


def test_a_value_that_passes_on_to_another_channel_is_stored_once(store: BlobStore) -> None:
    segments = Segments(store)
    data = random.Random(1).randbytes(50_000)
    with store.transaction():
        first = segments.keep("t", "msgpack", b"\x81\xa8messages" + data, None)
        rows = len(store.keys(below(b"")))

        second = segments.keep("t", "msgpack", data, None)

        assert len(store.keys(below(b""))) == rows
    assert Segments(store).fetch("t", first) == b"\x81\xa8messages" + data
    assert Segments(store).fetch("t", second) == data


def test_a_value_is_not_made_of_one_that_was_taken_back(store: BlobStore) -> None:
    segments = Segments(store)
    data = random.Random(1).randbytes(50_000)

    def fail() -> None:
        segments.keep("t", "msgpack", data, None)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.write(fail)

    with store.transaction():
        value = segments.keep("t", "msgpack", b"\x81\xa8messages" + data, None)

    assert Segments(store).fetch("t", value) == b"\x81\xa8messages" + data


def test_what_was_written_and_then_joins_a_list_is_stored_once(store: BlobStore) -> None:
    segments = Segments(store)
    old, new = (ormsgpack.packb(random.Random(size).randbytes(size)) for size in (9000, 3000))
    with store.transaction():
        before = segments.keep("t", "msgpack", b"\x91" + old, None)
        segments.keep("t", "msgpack", b"\x91" + new, None)
        rows = len(store.keys(below(b"")))

        after = segments.keep("t", "msgpack", b"\x92" + old + new, before)

        assert len(store.keys(below(b""))) == rows
    assert Segments(store).fetch("t", after) == b"\x92" + old + new


def test_a_segment_that_was_taken_back_is_stored_again(store: BlobStore) -> None:
    segments = Segments(store)
    old, new = (ormsgpack.packb(random.Random(size).randbytes(size)) for size in (9000, 3000))
    with store.transaction():
        before = segments.keep("t", "msgpack", b"\x91" + old, None)

    def fail() -> None:
        segments.keep("t", "msgpack", b"\x91" + new, None)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.write(fail)

    with store.transaction():
        after = segments.keep("t", "msgpack", b"\x92" + old + new, before)

    assert Segments(store).fetch("t", after) == b"\x92" + old + new
