"""The packed record: all that the store keeps of one customer.

A record has a fixed maximum size whatever a customer does: two rings of time
buckets (tiles), lifetime totals, and short rings of the newest orders, cancel
requests and returns. Every field is an integer and every ring is kept in a
canonical order, so equal sets of events give equal bytes in any order.

In memory a record is `RECORD_DTYPE`. In the store it is the same words with the
zeros left out (`encode_record`): customers are sparse, so a typical record takes
a tenth of its memory size, and the puts are what the stream spends its time on.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import compiled, int64, int64_1d, uint64_1d, uint64_1d_readonly, uint64_2d
from features.embedding import DIM
from features.errors import SchemaMismatchError

SCHEMA_VERSION = 2

DAY_US = 86_400_000_000
DAILY_HOP_US = DAY_US
WEEKLY_HOP_US = 7 * DAY_US
# Buckets that the longest window on a ring can touch (window / hop, rounded up,
# plus the two partial ends), plus one for clocks up to 5 minutes ahead.
N_DAILY = 32
N_WEEKLY = 56

COUNTERS = (
    "order_count",
    "order_line_count",
    "order_value",
    "return_count",
    "return_value",
    "cancel_count",
    "cancel_value",
)
"""Counters kept per time bucket and for life; values in minor units.

`cancel_count` counts the customer's own cancellations, `cancel_value` everybody's:
an order that the retailer cancelled says nothing of the customer, but is no sale.
"""

LIFETIME_COUNTERS = (
    *COUNTERS,
    "cancel_request_count",
    "order_kept_count",
    "offer_taken_count",
    "no_receipt_return_count",
    "gift_card_refund_count",
    "abuse_confirmed_count",
    "hold_count",
    "hold_sum_s",
)

N_CHANNELS = 16
N_FIRST = 2
N_ORDERS = 8
N_CANCEL_REQUESTS = 4
# Features look at 16 returns; one more, since the case itself may be among them.
N_RETURNS_READ = 17
# More are remembered without their embedding: a case is found among them and taken
# out again, even when a whole basket comes back in one minute (46 on real data).
N_RETURNS = 64

RECORD_DTYPE = np.dtype(
    [
        ("event_count", "<i8"),
        ("last_event_us", "<i8"),
        ("daily_head", "<i8"),  # newest daily bucket + 1; 0: none yet
        ("weekly_head", "<i8"),
        ("daily", "<i8", (N_DAILY, len(COUNTERS))),
        ("weekly", "<i8", (N_WEEKLY, len(COUNTERS))),
        ("lifetime", "<i8", (len(LIFETIME_COUNTERS),)),
        ("order_channel_count", "<i8", (N_CHANNELS,)),
        ("return_channel_count", "<i8", (N_CHANNELS,)),
        # The two oldest orders, oldest first (two: the case may be the first).
        ("first_order_us", "<i8", (N_FIRST,)),
        ("first_order_key", "<u8", (N_FIRST,)),
        # Newest first, by (time, key); key 0: empty.
        ("order_us", "<i8", (N_ORDERS,)),
        ("order_key", "<u8", (N_ORDERS,)),
        ("order_value", "<i8", (N_ORDERS,)),
        ("order_line_count", "<i8", (N_ORDERS,)),
        ("order_channel", "<i8", (N_ORDERS,)),
        ("cancel_request_us", "<i8", (N_CANCEL_REQUESTS,)),
        ("cancel_request_key", "<u8", (N_CANCEL_REQUESTS,)),
        ("return_us", "<i8", (N_RETURNS,)),
        ("return_key", "<u8", (N_RETURNS,)),
        ("return_value", "<i8", (N_RETURNS,)),
        ("return_hold_s", "<i8", (N_RETURNS,)),
        ("return_code", "<i8", (N_RETURNS,)),  # flags | reason code << 16 | channel << 24
        ("return_embedding", "i1", (N_RETURNS_READ, DIM)),
    ]
)
"""One customer's record in memory; times in microseconds UTC, money in minor units."""

N_WORDS = RECORD_DTYPE.itemsize // 8
_N_MASK_WORDS = (N_WORDS + 63) // 64
_HEADER = SCHEMA_VERSION | (N_WORDS << 16)
MAX_ENCODED_SIZE = 8 * (1 + _N_MASK_WORDS + N_WORDS)


@compiled(int64(uint64_1d, uint64_1d))
def _pack_words(words: npt.NDArray[np.uint64], out: npt.NDArray[np.uint64]) -> int:
    """Write mask and non-zero words to `out`; return how many words were written."""
    for i in range(_N_MASK_WORDS):
        out[i] = np.uint64(0)
    n = _N_MASK_WORDS
    for i in range(words.shape[0]):
        if words[i] != np.uint64(0):
            out[i >> 6] |= np.uint64(1) << np.uint64(i & 63)
            out[n] = words[i]
            n += 1
    return n


@compiled(int64(uint64_1d_readonly, int64_1d, int64_1d, uint64_2d))
def _unpack_records(
    packed: npt.NDArray[np.uint64],
    ends: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    words: npt.NDArray[np.uint64],
) -> int:
    """Unpack records that stand end to end; return the first damaged one's number, or -1.

    Args:
        packed: All records' words, one after the other.
        ends: Where each record ends in `packed`.
        places: Which row of `words` each record fills.
        words: Shape `(n, N_WORDS)`, zeros where a record is to be filled.
    """
    start = 0
    for number in range(ends.shape[0]):
        end = ends[number]
        if end - start < 1 + _N_MASK_WORDS or packed[start] != np.uint64(_HEADER):
            return number
        mask, n = start + 1, start + 1 + _N_MASK_WORDS
        row = words[places[number]]
        for i in range(N_WORDS):
            if (packed[mask + (i >> 6)] >> np.uint64(i & 63)) & np.uint64(1):
                if n >= end:
                    return number
                row[i] = packed[n]
                n += 1
        if n != end:
            return number
        start = end
    return -1


def new_records(n: int) -> npt.NDArray[Any]:
    """Return `n` empty records, shape `(n,)` of `RECORD_DTYPE`."""
    return np.zeros(n, RECORD_DTYPE)


def encode_records(records: npt.NDArray[Any]) -> list[bytes]:
    """Return the stored form of each record: header word, mask, non-zero words.

    Args:
        records: Shape `(n,)` of `RECORD_DTYPE`, C order.
    """
    words = np.ascontiguousarray(records).view(np.uint64).reshape(len(records), N_WORDS)
    out = np.empty(1 + _N_MASK_WORDS + N_WORDS, np.uint64)
    out[0] = _HEADER
    body = out[1:]
    return [out[: 1 + _pack_words(row, body)].tobytes() for row in words]


def decode_records(blobs: Sequence[bytes | None]) -> npt.NDArray[Any]:
    """Return the records of stored forms, shape `(n,)`; `None` gives an empty record.

    Raises:
        SchemaMismatchError: Some bytes are not a record of this schema version.
    """
    records = new_records(len(blobs))
    present = [blob for blob in blobs if blob is not None]
    if not present:
        return records
    # Lists, not arrays, until the kernel: a request decodes one record, not thousands.
    places = [i for i, blob in enumerate(blobs) if blob is not None]
    ends = list(accumulate(len(blob) // 8 for blob in present))
    damaged = next((i for i, blob in enumerate(present) if len(blob) % 8), -1)
    if damaged < 0:
        packed = np.frombuffer(present[0] if len(present) == 1 else b"".join(present), np.uint64)
        words = records.view(np.uint64).reshape(len(records), N_WORDS)
        damaged = _unpack_records(packed, np.array(ends), np.array(places), words)
    if damaged >= 0:
        raise _explain_damage(present[damaged])
    return records


def _explain_damage(blob: bytes) -> SchemaMismatchError:
    header = int.from_bytes(blob[:8], "little")
    is_other_schema = len(blob) >= 8 and header != _HEADER
    return SchemaMismatchError(
        "a stored record has another schema" if is_other_schema else "a stored record is damaged",
        field="record",
        value=f"version {header & 0xFFFF}, {len(blob)} bytes",
        expectation=f"version {SCHEMA_VERSION} of {N_WORDS} words",
        fix="rebuild the store from the event log into a new folder",
    )


def encode_record(records: npt.NDArray[Any]) -> bytes:
    """Return the stored form of the only record in an array of shape `(1,)`."""
    return encode_records(records)[0]


def decode_record(blob: bytes) -> npt.NDArray[Any]:
    """Return one stored record as an array of shape `(1,)`."""
    return decode_records([blob])
