"""The flat row of a case: what a score request itself says, before any history.

Made from a protobuf request by the scorer (`scoring.conversion`) and from the
event log by training (`features.log.columns`); a parity test holds the two equal
on real data. `features.vector` turns it and a record into the model's row.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from features.embedding import DIM


class Call(IntEnum):
    """Which question is asked. An order line is scored with its order's facts."""

    ORDER = 1
    CANCELLATION = 2
    RETURN = 3
    ORDER_LINE = 4


class RequestFlag(IntEnum):
    """Bits of a row's `flags`."""

    HAS_RECEIPT = 1
    HAS_ORDER = 2
    """The case names an order (always for order and cancellation)."""
    HAS_EMBEDDING = 4
    IS_PHOTO_CHECKED = 8
    IS_VIDEO_PASSED = 16
    IS_TAG_KNOWN = 32
    IS_TAG_ON = 64
    IS_GIFT_CARD = 128
    """Paid in part by gift card (order) or refund wanted on one (return)."""


REQUEST_ROW_DTYPE = np.dtype(
    [
        ("time_us", "<i8"),  # T: the vector's time
        ("case_key", "<u8"),  # event key of the case's own event, 0: not published
        ("order_time_us", "<i8"),  # 0: absent; an order's own time is time_us
        ("delivery_time_us", "<i8"),  # 0: absent
        ("promised_delivery_us", "<i8"),  # 0: absent
        # Value at stake. Order: sum of lines - discount, at least 0; else quantity * price.
        ("value_minor", "<i8"),
        ("unit_price_minor", "<i8"),  # order: the dearest line's
        ("order_value_minor", "<i8"),  # order and line: as `value_minor` of the order; else 0
        ("discount_minor", "<i8"),  # order discount + sum of quantity * unit_discount
        ("gift_card_minor", "<i8"),
        ("delay_s", "<i8"),
        ("quantity", "<i4"),  # order: units over all lines
        ("line_count", "<i4"),
        ("multi_variant_line_count", "<i4"),  # lines whose style stands in another line, too
        ("return_window_days", "<i4"),
        ("flags", "<u2"),
        ("call", "u1"),
        ("channel", "u1"),
        ("order_channel", "u1"),  # 0: not known; an order's own channel is `channel`
        ("reason_code", "u1"),
        ("tender", "u1"),  # order: paid by; return: refund wanted as
        ("stage", "u1"),
        ("embedding", "i1", (DIM,)),
        ("style_link", "<u8"),  # link of the style at stake (order: its dearest line's); 0: none
        ("member", "<u8"),  # the customer's member hash; 0: a guest
        # Price of one unit at stake: order: the dearest line's (greatest quantity * unit price,
        # the first of equals); else `unit_price_minor`.
        ("product_price_minor", "<i8"),
        ("embedder", "u1"),  # id in `features.embedding.EMBEDDERS`; 0: no embedding
        ("padding", "u1", (7,)),
    ]
)
"""One case; times in microseconds UTC, money in minor units.

Which entities it names, and their keys, stand beside the rows: `entity_keys`, shape
`(n, N_ENTITIES, 16)` of uint8, and `is_named`, shape `(n, N_ENTITIES)` of bool. The
product of an order is its dearest line's.
"""
