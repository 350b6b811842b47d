"""The stored form of records: the same words, with all that says nothing left out.

Records of all layouts are rows of 8-byte words, most of them zero: an entity is
active in few of the buckets that its record could keep. The stored form is

    schema version (1 byte), layout (1 byte)
    one bit per block of 64 words: is any of them not zero?
    per such block:
        one bit per group of 8 words, then per such group one bit per word
        per word that is not zero, 4 bits: its length in bytes, 0: as the word before it,
            8 + n: the word before it less a number of n bytes (times in a ring)
        the words' bytes, little endian, without leading zeros

Equal records give equal bytes. What is stored is the largest part of the cost of
an event, so bytes matter more here than the arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import (
    compiled,
    int64,
    int64_1d,
    uint8_1d,
    uint8_1d_readonly,
    uint64_2d,
    void,
    welded,
)
from features.entities import Layout
from features.errors import SchemaMismatchError
from features.records.bits import count_bits, find_lowest_bit
from features.records.blocks import BLOCK_WORDS, clear_block, is_block_filled, mark_block
from features.records.word_bytes import measure_word, read_word, write_word

SCHEMA_VERSION = 4
"""Of all layouts; raised when a stored record means something else than before."""

SLACK = 8  # A word is written and read as 8 bytes, whatever its length.
_CHUNK = 512  # Records packed at a time: bounds the scratch, which has room for the worst.

_U0, _U1 = np.uint64(0), np.uint64(1)
_BYTE = np.uint64(0xFF)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@dataclass(frozen=True, slots=True)
class PackedRecords:
    """Stored forms that stand end to end; a zero-length one is missing.

    Attributes:
        buffer: Shape `(n_bytes,)`, uint8, C order.
        ends: Shape `(n,)`, int64, ascending: where each stored form ends.
    """

    buffer: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """Where each stored form begins, shape `(n,)`."""
        starts = np.zeros(len(self.ends), np.int64)
        starts[1:] = self.ends[:-1]
        return starts

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Bytes of each stored form, shape `(n,)`; 0: missing."""
        return self.ends - self.starts

    def get_blob(self, place: int) -> bytes:
        """Return one stored form; empty bytes if it is missing."""
        start = int(self.ends[place - 1]) if place else 0
        return self.buffer[start : int(self.ends[place])].tobytes()

    def to_blobs(self) -> list[bytes]:
        """Return all stored forms; empty bytes where missing."""
        whole, start, blobs = self.buffer.tobytes(), 0, []
        for end in self.ends.tolist():
            blobs.append(whole[start:end])
            start = end
        return blobs

    @classmethod
    def from_blobs(cls, blobs: Sequence[bytes | None]) -> PackedRecords:
        """Return stored forms as a store reads them; `None` and empty bytes are missing."""
        # Lists until the end: a request has eleven records, not thousands.
        ends = list(accumulate(len(blob) if blob else 0 for blob in blobs))
        whole = b"".join([blob for blob in blobs if blob])
        return cls(np.frombuffer(whole, np.uint8), np.array(ends, np.int64))

    def take(self, places: npt.NDArray[np.int64]) -> PackedRecords:
        """Return the stored forms at some places, in the order of `places`."""
        sizes, starts = self.sizes[places], self.starts[places]
        ends = np.cumsum(sizes)
        # Byte b of the result is byte b - (its form's new start) + (its old start).
        shift = np.repeat(starts - (ends - sizes), sizes)
        source = np.arange(len(shift)) + shift
        return PackedRecords(self.buffer[source], ends.astype(np.int64))

    @classmethod
    def concatenate(cls, parts: Sequence[PackedRecords]) -> PackedRecords:
        """Return the stored forms of all parts, one part after the other."""
        if not parts:
            return cls(np.zeros(0, np.uint8), np.zeros(0, np.int64))
        bounds = list(accumulate((len(part.buffer) for part in parts), initial=0))
        ends = [part.ends + start for part, start in zip(parts, bounds[:-1], strict=True)]
        buffer = np.concatenate([part.buffer for part in parts])
        return cls(buffer, np.concatenate(ends))


def compute_max_size(n_words: int) -> int:
    """Return the greatest size of a stored record of so many words, in bytes."""
    n_blocks = -(-n_words // BLOCK_WORDS)
    # At least one block is whole, and all are the bits of one word.
    assert n_words >= BLOCK_WORDS
    assert n_blocks <= 64
    return 2 + -(-n_blocks // 8) + n_blocks * (1 + 8 + BLOCK_WORDS // 2 + BLOCK_WORDS * 8)


@welded
def _find_block(words: npt.NDArray[np.uint64], first: int) -> int:
    """Return where a whole block stands that ends with the one from `first` on.

    A record's last block is not whole: it is looked at with the words before it.
    """
    last: int = words.shape[0] - BLOCK_WORDS
    return min(first, last)


@welded
def _mark_words(words: npt.NDArray[np.uint64], first: int) -> np.uint64:
    """Return a bit per word of the block from `first` on: is it not zero?"""
    place = _find_block(words, first)
    return np.uint64(mark_block(words, place) >> np.uint64(first - place))


@welded
def _mark_filled_blocks(words: npt.NDArray[np.uint64]) -> np.uint64:
    """Return a bit per block: is any of its words not zero?"""
    n_whole = words.shape[0] // BLOCK_WORDS
    filled = _U0
    for block in range(n_whole):
        is_filled = is_block_filled(words, block * BLOCK_WORDS)
        filled |= np.uint64(is_filled) << np.uint64(block)
    if words.shape[0] > n_whole * BLOCK_WORDS:
        is_filled = _mark_words(words, n_whole * BLOCK_WORDS) != _U0
        filled |= np.uint64(is_filled) << np.uint64(n_whole)
    return filled


@welded
def _write_masks(mask: np.uint64, out: npt.NDArray[np.uint8], n: int) -> int:
    """Write a block's bits at `n`, only groups that have any; return where they end."""
    groups, top = _U0, n
    n += 1
    for group in range(8):
        of_group = (mask >> np.uint64(8 * group)) & _BYTE
        is_any = np.uint64(of_group != _U0)
        out[np.uint64(n)] = np.uint8(of_group)  # The next one takes its place if it is empty.
        groups |= is_any << np.uint64(group)
        n += int(np.int64(is_any))
    out[top] = np.uint8(groups)
    return n


@welded
def _pack_block(
    words: npt.NDArray[np.uint64], first: int, out: npt.NDArray[np.uint8], n: int
) -> int:
    """Write the stored form of a block that is not empty at `n`; return where it ends."""
    mask = _mark_words(words, first)
    code_at = _write_masks(mask, out, n)
    n = code_at + ((count_bits(mask) + 1) >> 1)
    pair, shift = np.int64(0), 0
    while mask != _U0:
        i = first + find_lowest_bit(mask)
        mask &= mask - _U1
        word = words[i]
        before = words[i - 1] if i > 0 else _U0
        less = before - word if before >= word else _ALL
        size, size_less = measure_word(word), measure_word(less)
        # Selections, no branches: what words are like cannot be predicted.
        is_less = size_less < size
        code = size_less + (8 if size_less > 0 else 0) if is_less else size
        pair |= code << shift
        out[np.uint64(code_at)] = np.uint8(pair)
        pair = pair if shift == 0 else np.int64(0)
        code_at += shift >> 2
        shift ^= 4
        write_word(out, n, less if is_less else word)
        n += int(min(size, size_less))
    return n


@welded
def pack_words(
    words: npt.NDArray[np.uint64], layout: int, out: npt.NDArray[np.uint8], n: int
) -> int:
    """Write the stored form of one record at `out[n]`; return where it ends.

    Args:
        words: Shape `(n_words,)`: the record's words.
        layout: Number of its `Layout`.
        out: With at least `compute_max_size(n_words) + SLACK` bytes left from `n` on.
        n: Where to begin.
    """
    out[n] = SCHEMA_VERSION
    out[n + 1] = layout
    filled = _mark_filled_blocks(words)
    write_word(out, n + 2, filled)
    n += 2 + _count_top_bytes(words)
    while filled != _U0:
        n = _pack_block(words, BLOCK_WORDS * find_lowest_bit(filled), out, n)
        filled &= filled - _U1
    return n


@welded
def _count_top_bytes(words: npt.NDArray[np.uint64]) -> int:
    """Return how many bytes have a bit for each of a record's blocks."""
    n_words: int = words.shape[0]
    return (n_words + 8 * BLOCK_WORDS - 1) // (8 * BLOCK_WORDS)


@welded
def clear_words(words: npt.NDArray[np.uint64], data: npt.NDArray[np.uint8], start: int) -> None:
    """Set a record's words to zero again, where its stored form at `data[start]` has any.

    Scratch records are unpacked into over and over; most of their blocks stay empty.
    """
    filled = read_word(data, start + 2, _count_top_bytes(words))
    while filled != _U0:
        clear_block(words, _find_block(words, BLOCK_WORDS * find_lowest_bit(filled)))
        filled &= filled - _U1


@welded
def _read_masks(data: npt.NDArray[np.uint8], n: int, groups: np.uint64) -> np.uint64:
    """Return a block's bits from those of its groups that have any, at `n`."""
    mask = _U0
    for group in range(8):
        is_any = (groups >> np.uint64(group)) & _U1
        # Behind the last one stands nothing that could be read.
        of_group = np.uint64(data[np.uint64(n if is_any else n - 1)]) * is_any
        mask |= of_group << np.uint64(8 * group)
        n += int(np.int64(is_any))
    return mask


@welded
def _unpack_block(
    data: npt.NDArray[np.uint8], n: int, end: int, words: npt.NDArray[np.uint64], first: int
) -> int:
    """Fill one block from its stored form at `n`; return where that ends, -1 if damaged."""
    room = words.shape[0] - first
    if n >= end or room <= 0:
        return -1
    groups = np.uint64(data[n])
    masks = n + 1
    code_at = masks + count_bits(groups)
    if code_at > end:
        return -1
    mask = _read_masks(data, masks, groups)
    n = code_at + ((count_bits(mask) + 1) >> 1)
    if n > end or mask == _U0 or (room < BLOCK_WORDS and mask >> np.uint64(room) != _U0):
        return -1
    shift = 0
    while mask != _U0:
        i = first + find_lowest_bit(mask)
        mask &= mask - _U1
        code = (np.int64(data[np.uint64(code_at)]) >> shift) & 15
        code_at += shift >> 2
        shift ^= 4
        size = code if code <= 8 else code - 8
        if n + size > end:
            return -1
        word = read_word(data, n, size)
        if code == 0 or code > 8:
            before = words[i - 1] if i > 0 else _U0
            if before < word:
                return -1
            word = before - word
        words[i] = word
        n += int(size)
    return n


@welded
def unpack_words(
    data: npt.NDArray[np.uint8], start: int, end: int, layout: int, words: npt.NDArray[np.uint64]
) -> bool:
    """Fill a record's words, all zero before, from `data[start:end]`; return if it is sound."""
    top = start + 2
    n = top + _count_top_bytes(words)
    if n > end or np.int64(data[start]) != SCHEMA_VERSION or np.int64(data[start + 1]) != layout:
        return False
    filled = read_word(data, top, n - top)
    while filled != _U0:
        n = _unpack_block(data, n, end, words, BLOCK_WORDS * find_lowest_bit(filled))
        if n < 0:
            return False
        filled &= filled - _U1
    return bool(n == end)


@compiled(void(uint64_2d, int64, uint8_1d, int64_1d))
def _pack_all(
    words: npt.NDArray[np.uint64],
    layout: int,
    out: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.int64],
) -> None:
    n = 0
    for number in range(words.shape[0]):
        n = pack_words(words[number], layout, out, n)
        ends[number] = n


@compiled(int64(uint8_1d_readonly, int64_1d, int64, uint64_2d))
def _unpack_all(
    data: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.int64],
    layout: int,
    words: npt.NDArray[np.uint64],
) -> int:
    """Unpack into rows of zeros; return the first damaged one's number, or -1."""
    start = 0
    for number in range(ends.shape[0]):
        end = ends[number]
        if end > start and not unpack_words(data, start, end, layout, words[number]):
            return number
        start = end
    return -1


def pack_records(layout: Layout, records: npt.NDArray[Any]) -> PackedRecords:
    """Return the stored form of each record.

    Args:
        layout: Theirs.
        records: Shape `(n,)` of the layout's dtype, C order.
    """
    n_words = records.dtype.itemsize // 8
    words = np.ascontiguousarray(records).view(np.uint64).reshape(len(records), n_words)
    parts = []
    for start in range(0, len(records), _CHUNK):
        chunk = words[start : start + _CHUNK]
        out = np.empty(len(chunk) * compute_max_size(n_words) + SLACK, np.uint8)
        ends = np.empty(len(chunk), np.int64)
        _pack_all(chunk, int(layout), out, ends)
        parts.append(PackedRecords(out[: ends[-1]].copy(), ends))
    return PackedRecords.concatenate(parts)


def unpack_records(layout: Layout, packed: PackedRecords, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return the records of stored forms, shape `(n,)`; a missing one gives an empty record.

    Args:
        layout: Of all of them.
        packed: Their stored forms.
        dtype: The layout's.

    Raises:
        SchemaMismatchError: Some bytes are not a record of this layout and version.
    """
    records = np.zeros(len(packed), dtype)
    words = records.view(np.uint64).reshape(len(packed), dtype.itemsize // 8)
    damaged = _unpack_all(packed.buffer, packed.ends, int(layout), words)
    if damaged >= 0:
        raise explain_damage(packed.get_blob(damaged), layout)
    return records


def explain_damage(blob: bytes, layout: Layout) -> SchemaMismatchError:
    """Return the error that tells why some bytes are no record of a layout."""
    is_other = len(blob) >= 2 and (blob[0], blob[1]) != (SCHEMA_VERSION, int(layout))
    return SchemaMismatchError(
        "a stored record has another schema" if is_other else "a stored record is damaged",
        field="record",
        value=f"version {blob[0] if blob else 0}, layout {blob[1] if len(blob) > 1 else 0}, "
        f"{len(blob)} bytes",
        expectation=f"version {SCHEMA_VERSION}, layout {int(layout)} ({layout.name.lower()})",
        fix="rebuild the store from the event log into a new folder",
    )
