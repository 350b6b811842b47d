from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import SchemaMismatchError
from features.record import (
    MAX_ENCODED_SIZE,
    N_WORDS,
    RECORD_DTYPE,
    decode_record,
    decode_records,
    encode_record,
    encode_records,
    new_records,
)

WORDS = st.dictionaries(
    st.integers(0, N_WORDS - 1), st.integers(0, 2**64 - 1), max_size=40
)  # A sparse record: word number to value.


def build_record(words: dict[int, int]) -> npt.NDArray[Any]:
    record = new_records(1)
    record.view(np.uint64)[list(words)] = np.array(list(words.values()), np.uint64)
    return record


@given(st.lists(WORDS, min_size=1, max_size=5))
def test_records_come_back_from_the_store_as_they_went(contents: list[dict[int, int]]) -> None:
    records = np.concatenate([build_record(words) for words in contents])
    assert decode_records(encode_records(records)).tobytes() == records.tobytes()


@given(WORDS)
def test_equal_records_have_equal_bytes_alone_and_in_bulk(words: dict[int, int]) -> None:
    record = build_record(words)
    both = np.concatenate([record, record])
    assert encode_records(both) == [encode_record(record)] * 2
    assert decode_record(encode_record(record)).tobytes() == record.tobytes()


def test_the_fullest_record_has_the_size_that_is_promised() -> None:
    full = new_records(1)
    full.view(np.uint64)[:] = 2**64 - 1
    assert len(encode_record(full)) == MAX_ENCODED_SIZE
    assert RECORD_DTYPE.itemsize + len(encode_record(new_records(1))) == MAX_ENCODED_SIZE


def test_a_customer_the_store_does_not_know_is_an_empty_record() -> None:
    known = build_record({0: 7})
    records = decode_records([None, encode_record(known), None])
    assert records["event_count"].tolist() == [0, 7, 0]
    assert decode_records([]).shape == (0,)


BLOB = encode_record(build_record({0: 1, 5: 2, N_WORDS - 1: 3}))


@pytest.mark.parametrize(
    "blob",
    [b"", b"x", BLOB[:-1], BLOB[:-8], BLOB[:8], BLOB + bytes(8), bytes(len(BLOB))],
    ids=["empty", "odd", "cut", "word lost", "header only", "word added", "zeros"],
)
def test_damaged_bytes_are_refused_not_misread(blob: bytes) -> None:
    with pytest.raises(SchemaMismatchError, match="rebuild the store"):
        decode_records([BLOB, blob, BLOB])


@given(st.data())
def test_bytes_of_chance_are_refused_or_a_record_but_never_a_crash(data: st.DataObject) -> None:
    blob = bytearray(BLOB)
    for place in data.draw(st.lists(st.integers(0, len(blob) - 1), min_size=1, max_size=4)):
        blob[place] ^= data.draw(st.integers(1, 255))
    try:
        record = decode_record(bytes(blob))
    except SchemaMismatchError:
        return
    assert record.shape == (1,)


def test_a_record_of_another_schema_version_says_so() -> None:
    other = bytes([BLOB[0] + 1]) + BLOB[1:]
    with pytest.raises(SchemaMismatchError, match="another schema") as caught:
        decode_record(other)
    assert caught.value.fix
    assert str(BLOB[0] + 1) in caught.value.value
