"""One request row as named numbers and as the bytes of `REQUEST_ROW_DTYPE`.

Setting a field of a numpy record costs a microsecond; a row has 27. So a row is a
tuple here, packed in one call, and rows of many calls become one array without
a copy per field.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from features.embedding import DIM
from features.request_rows import REQUEST_ROW_DTYPE

NO_EMBEDDING = bytes(DIM)
_PADDING = "padding"


class RowValues(NamedTuple):
    """The fields of `REQUEST_ROW_DTYPE` in its order but for padding; 0 is absent."""

    time_us: int = 0
    case_key: int = 0
    order_time_us: int = 0
    delivery_time_us: int = 0
    promised_delivery_us: int = 0
    value_minor: int = 0
    unit_price_minor: int = 0
    order_value_minor: int = 0
    discount_minor: int = 0
    gift_card_minor: int = 0
    delay_s: int = 0
    quantity: int = 0
    line_count: int = 0
    multi_variant_line_count: int = 0
    return_window_days: int = 0
    flags: int = 0
    call: int = 0
    channel: int = 0
    order_channel: int = 0
    reason_code: int = 0
    tender: int = 0
    stage: int = 0
    embedding: bytes = NO_EMBEDDING
    style_link: int = 0
    member: int = 0
    product_price_minor: int = 0
    embedder: int = 0


def _compile_packer() -> struct.Struct:
    """Return the packer of the dtype's layout; padding is bytes of 0."""
    codes = {"i8": "q", "u8": "Q", "i4": "i", "u2": "H", "u1": "B"}
    names = list(REQUEST_ROW_DTYPE.names or ())
    assert [name for name in names if name != _PADDING] == list(RowValues._fields)
    layout = "<"
    for name in names:
        field = REQUEST_ROW_DTYPE[name]
        if name == _PADDING:
            layout += f"{field.itemsize}x"
        elif field.shape:
            layout += f"{field.itemsize}s"
        else:
            layout += codes[field.str.lstrip("<|")]
    packer = struct.Struct(layout)
    assert packer.size == REQUEST_ROW_DTYPE.itemsize
    return packer


_PACKER = _compile_packer()


def pack_row(values: RowValues) -> bytes:
    """Return the bytes of one row.

    >>> int(unpack_rows(pack_row(RowValues(quantity=3)))["quantity"][0])
    3
    """
    return _PACKER.pack(*values)


def unpack_rows(packed: bytes | bytearray) -> npt.NDArray[Any]:
    """Return packed rows as a writable array, shape `(n,)` of `REQUEST_ROW_DTYPE`."""
    return np.frombuffer(bytearray(packed), REQUEST_ROW_DTYPE)
