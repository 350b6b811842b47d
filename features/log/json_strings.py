"""JSON strings, compiled: where they end, whether they are UTF-8, what their escapes say.

Functions return -1 where they do not know what stands in the text; it is then the
careful decoder's to say.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from features.compiled import IS_JIT_ON, welded
from features.hashing import load_u64

MAX_LINE_BYTES = 4 * 1024 * 1024
"""A longer line is malformed."""

_LOW_BITS = np.uint64(0x0101010101010101)
_HIGH_BITS = np.uint64(0x8080808080808080)
_QUOTES = np.uint64(0x2222222222222222)
_BACKSLASHES = np.uint64(0x5C5C5C5C5C5C5C5C)
_SPACES = np.uint64(0x2020202020202020)
_ZERO = np.uint64(0)


QUOTE, BACKSLASH = ord('"'), ord("\\")
_SLASH = ord("/")
_ESCAPE_B, _ESCAPE_F, _ESCAPE_N, _ESCAPE_R, _ESCAPE_T, _ESCAPE_U = b"bfnrtu"
_ZERO_DIGIT, _NINE_DIGIT = ord("0"), ord("9")

_count_trailing_zeros: Any = None

if IS_JIT_ON:
    from numba.extending import intrinsic

    @intrinsic
    def _count_compiled(typing_context: Any, word: Any) -> Any:
        """Return the number of zero bits below the lowest set one."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            from llvmlite import ir

            return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

        return numba.int64(numba.uint64), generate

    _count_trailing_zeros = _count_compiled


@welded
def skip_space(buffer: Any, at: int, end: int) -> int:
    """Return the place of the next byte that is no white space."""
    while at < end and (
        buffer[at] == 0x20 or buffer[at] == 0x0A or buffer[at] == 0x0D or buffer[at] == 0x09
    ):
        at += 1
    return at


@welded
def skip_utf8(buffer: Any, at: int, end: int) -> int:
    """Return the place behind one character of two to four bytes; -1 if it is not UTF-8."""
    lead = np.int64(buffer[at])
    if 0xC2 <= lead <= 0xDF:
        size, least = 2, 0x80
    elif 0xE0 <= lead <= 0xEF:
        size, least = 3, 0x800
    elif 0xF0 <= lead <= 0xF4:
        size, least = 4, 0x10000
    else:
        return -1
    if at + size > end:
        return -1
    char = lead & (0xFF >> (size + 1))
    for i in range(1, size):
        byte = np.int64(buffer[at + i])
        if byte & 0xC0 != 0x80:
            return -1
        char = char << 6 | byte & 0x3F
    if char < least or char > 0x10FFFF or 0xD800 <= char <= 0xDFFF:
        return -1
    return at + size


@welded
def find_string_end(buffer: Any, at: int, end: int) -> Any:
    """Return the place of a string's closing quote and whether it has escapes.

    Args:
        buffer: The text.
        at: Behind the opening quote.
        end: Where the line ends.
    """
    has_escape = False
    while at < end:
        if IS_JIT_ON and at + 8 <= len(buffer):
            # Eight bytes at once: the lowest one that is a quote, a backslash, a control
            # character or no ASCII (a borrow can only make later ones look so).
            word = load_u64(buffer, at)
            quotes = word ^ _QUOTES
            slashes = word ^ _BACKSLASHES
            found = ((quotes - _LOW_BITS) & ~quotes) | ((slashes - _LOW_BITS) & ~slashes)
            found = (found | ((word - _SPACES) & ~word) | word) & _HIGH_BITS
            if found == _ZERO:
                at += 8
                continue
            at += _count_trailing_zeros(found) >> 3
            if at >= end:
                break
        byte = buffer[at]
        if byte == QUOTE:
            return at, has_escape
        if byte == BACKSLASH:
            has_escape = True
            at += 2  # `unescape` looks at what was escaped.
        elif byte < 0x20:
            break
        elif byte < 0x80:
            at += 1
        else:
            at = skip_utf8(buffer, at, end)
            if at < 0:
                break
    return -1, False


@welded
def _read_hex(buffer: Any, at: int, end: int) -> Any:
    """Return the number of four hexadecimal digits, -1 if they are none."""
    if at + 4 > end:
        return -1
    number: Any = 0
    for i in range(4):
        byte = np.int64(buffer[at + i])
        if _ZERO_DIGIT <= byte <= _NINE_DIGIT:
            digit = byte - _ZERO_DIGIT
        elif 65 <= byte <= 70 or 97 <= byte <= 102:
            digit = (byte & 0x0F) + 9
        else:
            return -1
        number = number << 4 | digit
    return number


@welded
def _write_char(char: int, out: Any, to: int) -> int:
    """Write one character as UTF-8 and return the place behind it."""
    if char < 0x80:
        out[to] = char
        return to + 1
    if char < 0x800:
        out[to] = 0xC0 | char >> 6
    else:
        if char < 0x10000:
            out[to] = 0xE0 | char >> 12
        else:
            out[to] = 0xF0 | char >> 18
            out[to + 1] = 0x80 | char >> 12 & 0x3F
            to += 1
        out[to + 1] = 0x80 | char >> 6 & 0x3F
        to += 1
    out[to + 1] = 0x80 | char & 0x3F
    return to + 2


@welded
def _read_escape(buffer: Any, at: int, end: int) -> Any:
    """Return the character of the escape whose backslash stands at a place, and the place behind.

    A character of -1 is one that the careful decoder must judge.
    """
    if at + 1 >= end:
        return -1, at
    byte = np.int64(buffer[at + 1])
    if byte in (QUOTE, BACKSLASH, _SLASH):
        return byte, at + 2
    if byte == _ESCAPE_N:
        return 0x0A, at + 2
    if byte == _ESCAPE_T:
        return 0x09, at + 2
    if byte == _ESCAPE_R:
        return 0x0D, at + 2
    if byte == _ESCAPE_B:
        return 0x08, at + 2
    if byte == _ESCAPE_F:
        return 0x0C, at + 2
    if byte != _ESCAPE_U:
        return -1, at
    char = _read_hex(buffer, at + 2, end)
    if char < 0xD800 or char > 0xDFFF:
        return char, at + 6
    # The first half of a pair, and then its second, or nothing that is a character.
    if char > 0xDBFF or at + 8 > end or buffer[at + 6] != BACKSLASH or buffer[at + 7] != _ESCAPE_U:
        return -1, at
    low = _read_hex(buffer, at + 8, end)
    if low < 0xDC00 or low > 0xDFFF:
        return -1, at
    return 0x10000 + ((char - 0xD800) << 10) + (low - 0xDC00), at + 12


@welded
def unescape(buffer: Any, at: int, end: int, out: Any, to: int) -> int:
    """Write a string's bytes with escapes resolved; return the place behind them, or -1."""
    while at < end:
        byte = buffer[at]
        if byte != BACKSLASH:
            out[to] = byte
            at += 1
            to += 1
            continue
        char, at = _read_escape(buffer, at, end)
        if char < 0:
            return -1
        to = _write_char(char, out, to)
    return to
