"""JSON values, compiled: numbers, times and embeddings.

They accept a subset of what the careful decoder accepts, with the same results, and
return -1 (or say so) for anything else.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from features.compiled import welded
from features.log.json_strings import QUOTE

MICROSECONDS = 1_000_000
_COLON, _PADDING, _SLASH = ord(":"), ord("="), ord("/")
_MINUS, _PLUS, _DOT, _EXPONENT = ord("-"), ord("+"), ord("."), ord("e")
_TIME_MARK, _ZULU = ord("T"), ord("Z")
_ZERO_DIGIT, _NINE_DIGIT = ord("0"), ord("9")
_MAX_DIGITS = 18
_EMBEDDING_CHARS = 88


@welded
def read_int(buffer: Any, at: int, end: int) -> Any:
    """Return the place behind a whole number, bare or in quotes, and the number."""
    is_quoted = at < end and buffer[at] == QUOTE
    if is_quoted:
        at += 1
    is_negative = at < end and buffer[at] == _MINUS
    if is_negative:
        at += 1
    first = at
    number = np.int64(0)
    while at < end and _ZERO_DIGIT <= buffer[at] <= _NINE_DIGIT:
        if at - first == _MAX_DIGITS:
            return -1, number
        number = number * 10 + (np.int64(buffer[at]) - _ZERO_DIGIT)
        at += 1
    if at == first or (not is_quoted and at - first > 1 and buffer[first] == _ZERO_DIGIT):
        return -1, number
    if is_quoted:
        if at >= end or buffer[at] != QUOTE:
            return -1, number
        at += 1
    return at, -number if is_negative else number


@welded
def _read_digits(buffer: Any, at: int, count: int) -> Any:
    """Return the number of exactly so many digits, -1 if one is none."""
    number: Any = 0
    for i in range(count):
        digit = np.int64(buffer[at + i]) - _ZERO_DIGIT
        if digit < 0 or digit > 9:
            return -1
        number = number * 10 + digit
    return number


@welded
def _count_days(year: int, month: int, day: int) -> int:
    """Return the days since 1970-01-01, -1 if there is no such day.

    Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
    """
    if year < 1970 or month < 1 or month > 12 or day < 1:
        return -1
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    n_days = 30 + (month + month // 8) % 2
    if month == 2:
        n_days = 29 if is_leap else 28
    if day > n_days:
        return -1
    years = year - 1 if month <= 2 else year
    era = years // 400
    of_era = years - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


@welded
def _read_offset(buffer: Any, at: int, end: int) -> Any:
    """Return whether a time's offset is all that is left of it, and the offset in seconds."""
    if at + 1 == end and buffer[at] == _ZULU:
        return True, 0
    if at + 6 != end or buffer[at + 3] != _COLON:
        return False, 0
    hours, minutes = _read_digits(buffer, at + 1, 2), _read_digits(buffer, at + 4, 2)
    if hours < 0 or hours > 23 or minutes < 0 or minutes > 59:
        return False, 0
    if buffer[at] == _PLUS:
        return True, hours * 3600 + minutes * 60
    return buffer[at] == _MINUS, -(hours * 3600 + minutes * 60)


@welded
def _has_time_form(buffer: Any, at: int) -> bool:
    return bool(
        buffer[at + 4] == _MINUS
        and buffer[at + 7] == _MINUS
        and buffer[at + 10] == _TIME_MARK
        and buffer[at + 13] == _COLON
        and buffer[at + 16] == _COLON
    )


@welded
def read_time(buffer: Any, at: int, end: int) -> Any:
    """Return the microseconds of an RFC 3339 time that is all of a string; 0 or less: no such."""
    if end - at < 20 or not _has_time_form(buffer, at):
        return -1
    year, month = _read_digits(buffer, at, 4), _read_digits(buffer, at + 5, 2)
    day, hour = _read_digits(buffer, at + 8, 2), _read_digits(buffer, at + 11, 2)
    minute, second = _read_digits(buffer, at + 14, 2), _read_digits(buffer, at + 17, 2)
    days = _count_days(year, month, day)
    if days < 0 or hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return -1
    at += 19
    fraction: Any = 0
    if buffer[at] == _DOT:
        at += 1
        n_digits = 0
        while at < end and _ZERO_DIGIT <= buffer[at] <= _NINE_DIGIT:
            if n_digits < 6:  # Finer digits are cut.
                fraction = fraction * 10 + (np.int64(buffer[at]) - _ZERO_DIGIT)
            n_digits += 1
            at += 1
        if n_digits == 0 or n_digits > 9:
            return -1
        for _ in range(n_digits, 6):
            fraction *= 10
    is_whole, offset = _read_offset(buffer, at, end)
    if not is_whole:
        return -1
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset
    return seconds * MICROSECONDS + fraction


@welded
def find_number_end(buffer: Any, at: int, end: int) -> int:
    """Return the place behind a JSON number, -1 if none stands there."""
    if at < end and buffer[at] == _MINUS:
        at += 1
    first = at
    while at < end and _ZERO_DIGIT <= buffer[at] <= _NINE_DIGIT:
        at += 1
    if at == first or (at - first > 1 and buffer[first] == _ZERO_DIGIT):
        return -1
    if at < end and buffer[at] == _DOT:
        first = at + 1
        at = first
        while at < end and _ZERO_DIGIT <= buffer[at] <= _NINE_DIGIT:
            at += 1
        if at == first:
            return -1
    if at < end and buffer[at] | 0x20 == _EXPONENT:
        at += 1
        if at < end and (buffer[at] == _PLUS or buffer[at] == _MINUS):
            at += 1
        first = at
        while at < end and _ZERO_DIGIT <= buffer[at] <= _NINE_DIGIT:
            at += 1
        if at == first:
            return -1
    return at


@welded
def _read_sextet(byte: Any) -> Any:
    """Return the six bits of a base64 character, -1 if it is none."""
    number = np.int64(byte)
    if 65 <= number <= 90:
        return number - 65
    if 97 <= number <= 122:
        return number - 71
    if _ZERO_DIGIT <= number <= _NINE_DIGIT:
        return number + 4
    if number == _PLUS:
        return 62
    return 63 if number == _SLASH else -1


@welded
def read_embedding(buffer: Any, at: int, end: int, out: Any) -> Any:
    """Write the 64 bytes of a base64 string; False if it does not say just so many."""
    if end - at != _EMBEDDING_CHARS or buffer[end - 1] != _PADDING or buffer[end - 2] != _PADDING:
        return False
    bits = np.int64(0)
    n_bits, to = 0, 0
    for i in range(at, end - 2):
        sextet = _read_sextet(buffer[i])
        if sextet < 0:
            return False
        bits = (bits << 6 | sextet) & 0xFFFF
        n_bits += 6
        if n_bits >= 8:
            n_bits -= 8
            out[to] = np.int8(np.uint8(bits >> n_bits & 0xFF))
            to += 1
    return bits & 0x0F == 0  # What is left of the last character.
