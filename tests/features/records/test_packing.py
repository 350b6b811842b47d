from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.entities import Layout
from features.errors import SchemaMismatchError
from features.records.packing import (
    SCHEMA_VERSION,
    PackedRecords,
    compute_max_size,
    pack_records,
    unpack_records,
)

N_WORDS = 200  # Not whole blocks of 64, nor whole groups of 8 in the last one.
DTYPE = np.dtype([("count", "<i8"), ("rest", "<i8", (N_WORDS - 1,))])
VALUES = st.one_of(
    st.integers(0, 2**64 - 1), st.integers(0, 300), st.sampled_from([2**63, 1 << 40])
)
WORDS = st.dictionaries(st.integers(0, N_WORDS - 1), VALUES, max_size=60)
RUNS = st.tuples(st.integers(0, N_WORDS - 20), st.lists(VALUES, min_size=1, max_size=20))


def build_record(words: dict[int, int]) -> npt.NDArray[Any]:
    record = np.zeros(1, DTYPE)
    record.view(np.uint64)[list(words)] = np.array(list(words.values()), np.uint64)
    return record


def pack(records: npt.NDArray[Any]) -> PackedRecords:
    return pack_records(Layout.TALLY, records)


def spell(record: npt.NDArray[Any]) -> bytes:
    """Return the stored form as the module's docstring tells it, byte by byte."""
    words = [int(word) for word in record.view(np.uint64)]
    blocks = [words[n : n + 64] for n in range(0, len(words), 64)]
    top = sum(any(block) << n for n, block in enumerate(blocks))
    form = bytes([SCHEMA_VERSION, Layout.TALLY]) + top.to_bytes((len(blocks) + 7) // 8, "little")
    for first, block in enumerate(blocks):
        if not any(block):
            continue
        groups = [
            sum(bool(w) << k for k, w in enumerate(block[n : n + 8])) for n in range(0, 64, 8)
        ]
        form += bytes([sum(bool(group) << n for n, group in enumerate(groups))])
        form += bytes(group for group in groups if group)
        codes, numbers = [], b""
        for n, word in enumerate(block, 64 * first):
            if word:
                less = (words[n - 1] if n else 0) - word
                is_less = less >= 0 and less.bit_length() <= 8 * ((word.bit_length() - 1) // 8)
                number = less if is_less else word
                size = (number.bit_length() + 7) // 8
                codes.append(size + 8 if is_less and size else size)
                numbers += number.to_bytes(size, "little")
        codes += [0] * (len(codes) % 2)
        form += bytes(low | high << 4 for low, high in zip(codes[::2], codes[1::2], strict=True))
        form += numbers
    return form


def unpack(*blobs: bytes | None) -> npt.NDArray[Any]:
    return unpack_records(Layout.TALLY, PackedRecords.from_blobs(blobs), DTYPE)


@given(st.lists(WORDS, max_size=5), st.lists(RUNS, max_size=4))
def test_records_come_back_as_they_went(
    contents: list[dict[int, int]], runs: list[tuple[int, list[int]]]
) -> None:
    of_runs = [{start + n: word for n, word in enumerate(words)} for start, words in runs]
    descending = [dict(zip(run, sorted(run.values())[::-1], strict=True)) for run in of_runs]
    given_records = [build_record(words) for words in (*contents, *of_runs, *descending)]
    records = np.concatenate([np.zeros(0, DTYPE), *given_records])
    packed = pack(records)
    assert len(packed) == len(records)
    assert unpack(*packed.to_blobs()).tobytes() == records.tobytes()


@given(WORDS, st.lists(RUNS, max_size=4))
def test_the_stored_form_is_the_one_that_is_written_down(
    words: dict[int, int], runs: list[tuple[int, list[int]]]
) -> None:
    for start, run in runs:
        words = words | {start + n: word for n, word in enumerate(sorted(run)[::-1])}
    record = build_record(words)
    assert pack(record).get_blob(0) == spell(record)


@given(WORDS)
def test_equal_records_have_equal_bytes_alone_and_in_bulk(words: dict[int, int]) -> None:
    record = build_record(words)
    both = pack(np.concatenate([record, record]))
    assert both.to_blobs() == [pack(record).get_blob(0)] * 2


def test_more_records_than_one_chunk_are_packed_whole() -> None:
    records = np.zeros(1_100, DTYPE)
    records["count"] = np.arange(1_100)
    assert unpack(*pack(records).to_blobs())["count"].tolist() == list(range(1_100))


def test_the_fullest_record_keeps_the_promised_size_and_the_emptiest_is_a_header() -> None:
    full = np.zeros(1, DTYPE)
    # Ascending, so that no word is less than the one before it.
    full.view(np.uint64)[:] = np.uint64(2**64 - N_WORDS) + np.arange(N_WORDS, dtype=np.uint64)
    size = int(pack(full).sizes[0])
    assert size <= compute_max_size(N_WORDS)
    assert size > 8 * N_WORDS
    assert pack(np.zeros(1, DTYPE)).sizes.tolist() == [3]


def test_small_numbers_repetitions_and_times_in_order_cost_little() -> None:
    counts = build_record({n: 1 + n % 3 for n in range(64)})
    assert pack(counts).sizes[0] < 64 * 2 + 16
    repeated = build_record(dict.fromkeys(range(64), 2**63 + 12_345))
    assert pack(repeated).sizes[0] < 8 + 32 + 16
    hour_us = 3_600_000_000
    times = build_record({n: 1_700_000_000_000_000 - n * hour_us for n in range(64)})
    assert pack(times).sizes[0] < 7 + 64 * 4 + 32 + 16


def test_a_missing_form_is_an_empty_record() -> None:
    known = pack(build_record({0: 7})).get_blob(0)
    assert unpack(None, known, b"")["count"].tolist() == [0, 7, 0]
    assert unpack().shape == (0,)


BLOB = pack(build_record({0: 1, 5: 2, 70: 2**60, N_WORDS - 1: 3})).get_blob(0)


@pytest.mark.parametrize(
    "blob",
    [b"x", BLOB[:2], BLOB[:3], BLOB[:-1], BLOB[:-8], BLOB + b"\0", bytes(len(BLOB))],
    ids=["odd", "header only", "no block", "byte lost", "word lost", "byte added", "zeros"],
)
def test_damaged_bytes_are_refused_not_misread(blob: bytes) -> None:
    with pytest.raises(SchemaMismatchError, match="rebuild the store"):
        unpack(BLOB, blob, BLOB)


def test_a_number_greater_than_what_it_is_taken_from_is_refused() -> None:
    form = bytearray(pack(build_record({0: 300, 1: 299})).get_blob(0))
    assert form[-3:] == (300).to_bytes(2, "little") + b"\1"  # 300, then 1 less.
    form[-3:-1] = b"\0\0"
    with pytest.raises(SchemaMismatchError, match="damaged"):
        unpack(bytes(form))


def test_a_block_behind_the_record_is_refused() -> None:
    form = bytearray(BLOB)
    form[2] |= 1 << -(-N_WORDS // 64)
    with pytest.raises(SchemaMismatchError, match="damaged"):
        unpack(bytes(form) + bytes([1, 1, 1, 5]))


@given(st.data())
def test_bytes_of_chance_are_refused_or_a_record_but_never_a_crash(data: st.DataObject) -> None:
    blob = bytearray(BLOB)
    for place in data.draw(st.lists(st.integers(0, len(blob) - 1), min_size=1, max_size=4)):
        blob[place] ^= data.draw(st.integers(1, 255))
    try:
        record = unpack(bytes(blob))
    except SchemaMismatchError:
        return
    assert record.shape == (1,)


@pytest.mark.parametrize(
    ("place", "shown"),
    [(0, f"version {SCHEMA_VERSION + 1}"), (1, f"layout {int(Layout.TALLY) + 1}")],
    ids=["version", "layout"],
)
def test_a_record_of_another_schema_says_so(place: int, shown: str) -> None:
    other = bytearray(BLOB)
    other[place] += 1
    with pytest.raises(SchemaMismatchError, match="another schema") as caught:
        unpack(bytes(other))
    assert caught.value.fix
    assert shown in caught.value.value


@given(st.lists(st.binary(max_size=9), max_size=6), st.data())
def test_forms_are_taken_and_joined_whole(blobs: list[bytes], data: st.DataObject) -> None:
    packed = PackedRecords.from_blobs(blobs)
    assert packed.to_blobs() == blobs
    assert [packed.get_blob(i) for i in range(len(packed))] == blobs
    places = data.draw(st.lists(st.integers(0, len(blobs) - 1), max_size=8)) if blobs else []
    taken = packed.take(np.array(places, np.int64))
    assert taken.to_blobs() == [blobs[place] for place in places]
    assert PackedRecords.concatenate([taken, packed]).to_blobs() == taken.to_blobs() + blobs
    assert PackedRecords.concatenate([]).to_blobs() == []
