"""The compiled half of the embedder: n-grams of normalised texts, hashed and summed.

A run of Han, kana or hangul gives its characters, pairs and triples; a word of
other letters and digits gives itself between `^` and `$`, and triples and fours
of that. A gram's weight is `1 + ln(count)`, its place and sign come from its
hash. Sums are taken in the order in which grams first stand in the text, so
that every machine gets the same vector.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from features.compiled import compiled, float64_1d, int64_1d, welded
from features.hashing import uint8_1d
from features.text_hash import hash_gram

NO_LETTER, WORD_LETTER, HAN_LETTER = 0, 1, 2
"""Classes of a character."""

DIM = 64
"""Length of the vectors."""

_PAD_START, _PAD_END = np.uint8(ord("^")), np.uint8(ord("$"))
_PLACE = np.uint64(DIM - 1)
_SIGN = np.uint64(63)
_ZERO = np.uint64(0)
_TIES_TO_ONE = 127.0

GRAM_DTYPE = np.dtype([("digest", "<u8"), ("count", "<i4"), ("text", "<i4")])
"""An entry of the table of a text's grams; `text` says whose it is, so nothing is cleared."""


@welded
def _write_utf8(char: Any, out: Any, at: int) -> int:
    """Write one character and return the place behind it."""
    if char < 0x80:
        out[at] = char
        return at + 1
    if char < 0x800:
        out[at] = 0xC0 | (char >> 6)
        out[at + 1] = 0x80 | (char & 0x3F)
        return at + 2
    if char < 0x10000:
        out[at] = 0xE0 | (char >> 12)
        out[at + 1] = 0x80 | ((char >> 6) & 0x3F)
        out[at + 2] = 0x80 | (char & 0x3F)
        return at + 3
    out[at] = 0xF0 | (char >> 18)
    out[at + 1] = 0x80 | ((char >> 12) & 0x3F)
    out[at + 2] = 0x80 | ((char >> 6) & 0x3F)
    out[at + 3] = 0x80 | (char & 0x3F)
    return at + 4


@welded
def _count_gram(digest: Any, text: int, table: Any, order: Any, n_grams: int) -> int:
    """Count one gram in the table and return the number of distinct ones."""
    mask = len(table) - 1
    slot = np.int64(digest & np.uint64(mask))
    while table[slot]["text"] == text:
        if table[slot]["digest"] == digest:
            table[slot]["count"] += 1
            return n_grams
        slot = (slot + 1) & mask
    table[slot]["text"] = text
    table[slot]["digest"] = digest
    table[slot]["count"] = 1
    order[n_grams] = slot
    return n_grams + 1


@welded
def _count_windows(
    content: Any, places: Any, n_chars: int, size: int, text: int, table: Any, order: Any,
    n_grams: int, secret: Any, lanes: Any,
) -> int:  # fmt: skip
    """Count all grams of `size` characters of a run whose characters start at `places`."""
    for i in range(n_chars - size + 1):
        digest = hash_gram(content, places[i], places[i + size], secret, lanes)
        n_grams = _count_gram(digest, text, table, order, n_grams)
    return n_grams


@welded
def _copy_run(
    chars: Any, start: int, end: int, classes: Any, letter: int, content: Any, places: Any
) -> Any:
    """Write a run of one class as UTF-8, padded if it is a word.

    Returns:
        The place behind the run, and the number of characters written.
    """
    n_chars, at = 0, 0
    if letter == WORD_LETTER:
        content[0] = _PAD_START
        places[0] = 0
        n_chars, at = 1, 1
    while start < end:
        char = chars[start]
        if char >= len(classes) or classes[char] != letter:
            break
        places[n_chars] = at
        at = _write_utf8(char, content, at)
        n_chars += 1
        start += 1
    if letter == WORD_LETTER:
        content[at] = _PAD_END
        places[n_chars] = at
        at += 1
        n_chars += 1
    places[n_chars] = at
    return start, n_chars


@welded
def _count_grams(
    chars: Any, start: int, end: int, text: int, classes: Any, secret: Any, content: Any,
    places: Any, table: Any, order: Any, lanes: Any,
) -> int:  # fmt: skip
    """Count a text's grams and return how many distinct ones there are: first Han, then words."""
    n_grams = 0
    for letter in (HAN_LETTER, WORD_LETTER):
        at = start
        while at < end:
            char = chars[at]
            if char >= len(classes) or classes[char] != letter:
                at += 1
                continue
            at, n = _copy_run(chars, at, end, classes, letter, content, places)
            first, last = (1, 3) if letter == HAN_LETTER else (3, 4)
            if letter == WORD_LETTER:
                digest = hash_gram(content, 0, places[n], secret, lanes)
                n_grams = _count_gram(digest, text, table, order, n_grams)
            for size in range(first, last + 1):
                n_grams = _count_windows(
                    content, places, n, size, text, table, order, n_grams, secret, lanes
                )
    return n_grams


@welded
def _write_vector(table: Any, order: Any, n_grams: int, weights: Any, sums: Any, out: Any) -> None:
    """Write the vector of the grams counted, of norm 127 up to rounding."""
    sums[:] = 0.0
    for i in range(n_grams):
        digest = table[order[i]]["digest"]
        weight = weights[table[order[i]]["count"]]
        sums[np.int64(digest & _PLACE)] += weight if digest >> _SIGN != _ZERO else -weight
    square = 0.0
    for i in range(DIM):
        square += sums[i] * sums[i]
    norm = np.sqrt(square)
    if norm == 0.0 and n_grams > 0:
        # Signs cancelled to nothing: still a text, so still a vector.
        sums[0] = norm = 1.0
    for i in range(DIM):
        out[i] = 0 if n_grams == 0 else np.int8(np.rint(sums[i] / norm * _TIES_TO_ONE))


_chars_1d = numba.types.Array(numba.uint32, 1, "C", readonly=True)
_vectors_2d = numba.types.Array(numba.int8, 2, "C")


@compiled(
    numba.void(
        _chars_1d, int64_1d, numba.int64, uint8_1d, uint8_1d, float64_1d, _vectors_2d
    )
)  # fmt: skip
def embed_chars(
    chars: Any, ends: Any, longest: int, classes: Any, secret: Any, weights: Any, out: Any
) -> None:
    """Write the vectors of texts that stand end to end.

    Args:
        chars: Code points of the normalised texts, uint32.
        ends: Shape `(n,)`: one past each text's last character.
        longest: No text has more characters; a power of two.
        classes: Class of each code point; what is beyond is no letter.
        secret: `text_hash.SECRET`.
        weights: Weight of a gram by its count, 0 to `longest`.
        out: Shape `(n, DIM)`.
    """
    content = np.empty(4 * longest + 2, np.uint8)
    places = np.empty(longest + 3, np.int64)
    # A text of n characters has at most 3 n grams.
    table = np.zeros(8 * longest, GRAM_DTYPE)
    order = np.empty(4 * longest, np.int64)
    sums = np.zeros(DIM, np.float64)
    lanes = np.zeros(8, np.uint64)
    start = 0
    for text in range(len(ends)):
        n_grams = _count_grams(
            chars,
            start,
            ends[text],
            text + 1,
            classes,
            secret,
            content,
            places,
            table,
            order,
            lanes,
        )
        _write_vector(table, order, n_grams, weights, sums, out[text])
        start = ends[text]
