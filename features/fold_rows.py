"""The flat row that the folds read: one event as one entity's history sees it.

An event makes one row per entity that it concerns (`FAN_OUT`), from its own
fields alone: a fold joins nothing. Rows hold integers only (stored aggregates are
integers) and no identifier: ids are keys and links (hashes).
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from features.entities import Entity


class FoldKind(IntEnum):
    """What a row tells. 0 is no row."""

    ORDER_PLACED = 1
    ORDER_LINE = 2
    """One line of an `order_placed`."""
    CANCEL_REQUESTED = 3
    ORDER_CANCELLED = 4
    ORDER_KEPT = 5
    RETURN_REQUESTED = 6
    RETURN_RECEIVED = 7
    RETURN_INSPECTED = 8
    REFUND_ISSUED = 9
    ITEM_EXCHANGED = 10
    LABEL_SET = 11
    PAYMENT_FAILED = 12
    PAYMENT_TIMED_OUT = 13
    PRODUCT_VIEWED = 14
    SIZE_CHART_VIEWED = 15
    CART_ITEM_ADDED = 16
    CART_ITEM_REMOVED = 17
    CHECKOUT_ABANDONED = 18
    ADDRESS_CHANGED = 19
    RETURN_POLICY_ASKED = 20
    SERVICE_MESSAGE = 21
    SERVICE_REPLIED = 22
    REVIEW_POSTED = 23
    STOCK_SHORT = 24
    ORDER_SHIPPED = 25
    DELIVERY_DELAYED = 26
    ORDER_DELIVERED = 27
    PARCEL_LOST = 28
    PRICE_CHANGED = 29
    COMPETITOR_PRICE_SEEN = 30
    OFFER_MADE = 31
    OFFER_CLOSED = 32


FOLDED_KINDS: dict[str, FoldKind] = {
    kind.name.lower(): kind for kind in FoldKind if kind is not FoldKind.ORDER_LINE
}
"""Name of the event's oneof field (`return_requested`, ...) to its fold kind."""

_PRODUCT = (Entity.SKU, Entity.STYLE, Entity.SUPPLIER, Entity.BATCH)
_SHARED = (Entity.DEVICE, Entity.ADDRESS, Entity.PAYMENT_TOKEN)

FAN_OUT: dict[FoldKind, tuple[Entity, ...]] = {
    FoldKind.ORDER_PLACED: (Entity.CUSTOMER, Entity.REGION, Entity.STORE, *_SHARED),
    FoldKind.ORDER_LINE: (Entity.CUSTOMER, *_PRODUCT),
    FoldKind.CANCEL_REQUESTED: (Entity.CUSTOMER,),
    FoldKind.ORDER_CANCELLED: (Entity.CUSTOMER, *_PRODUCT, Entity.REGION, Entity.STORE),
    FoldKind.ORDER_KEPT: (Entity.CUSTOMER,),
    FoldKind.RETURN_REQUESTED: (Entity.CUSTOMER, *_PRODUCT, Entity.STORE, *_SHARED),
    FoldKind.RETURN_RECEIVED: (Entity.CUSTOMER,),
    FoldKind.RETURN_INSPECTED: (Entity.CUSTOMER, *_PRODUCT),
    FoldKind.REFUND_ISSUED: (Entity.CUSTOMER,),
    FoldKind.ITEM_EXCHANGED: (Entity.CUSTOMER,),
    FoldKind.LABEL_SET: (Entity.CUSTOMER, Entity.STORE, *_SHARED),
    FoldKind.PAYMENT_FAILED: (Entity.ACTIVITY,),
    FoldKind.PAYMENT_TIMED_OUT: (Entity.ACTIVITY,),
    FoldKind.PRODUCT_VIEWED: (Entity.ACTIVITY,),
    FoldKind.SIZE_CHART_VIEWED: (Entity.ACTIVITY,),
    FoldKind.CART_ITEM_ADDED: (Entity.ACTIVITY,),
    FoldKind.CART_ITEM_REMOVED: (Entity.ACTIVITY,),
    FoldKind.CHECKOUT_ABANDONED: (Entity.ACTIVITY,),
    FoldKind.ADDRESS_CHANGED: (Entity.ACTIVITY,),
    FoldKind.RETURN_POLICY_ASKED: (Entity.ACTIVITY,),
    FoldKind.SERVICE_MESSAGE: (Entity.ACTIVITY,),
    FoldKind.SERVICE_REPLIED: (Entity.ACTIVITY,),
    FoldKind.REVIEW_POSTED: (Entity.ACTIVITY, Entity.SKU, Entity.STYLE),
    FoldKind.STOCK_SHORT: (Entity.ACTIVITY,),
    FoldKind.ORDER_SHIPPED: (Entity.ACTIVITY, Entity.REGION),
    FoldKind.DELIVERY_DELAYED: (Entity.ACTIVITY, Entity.REGION),
    FoldKind.ORDER_DELIVERED: (Entity.ACTIVITY, Entity.REGION),
    FoldKind.PARCEL_LOST: (Entity.ACTIVITY, Entity.REGION),
    FoldKind.PRICE_CHANGED: (Entity.SKU,),
    FoldKind.COMPETITOR_PRICE_SEEN: (Entity.SKU,),
    FoldKind.OFFER_MADE: (Entity.ACTIVITY,),
    FoldKind.OFFER_CLOSED: (Entity.ACTIVITY,),
}
"""Which entities a kind of row reaches, as far as the event names them.

Customer, activity and shared identities need the event's customer: a guest's
event reaches products, regions and stores only. The order of a cancellation
counts against products, regions and stores only if the customer ended it.
"""


class FoldFlag(IntEnum):
    """Bits of a row's `flags`."""

    HAS_HOLD = 1 << 0
    """`amount` of a return is known: the event carries a delivery or an order time."""
    IS_LATE_IN_WINDOW = 1 << 1
    """Held for at least four fifths of the return window (5 * hold_s >= 4 * window)."""
    IS_CROSS_CHANNEL = 1 << 2
    """Both channels are known and the return's differs from the order's."""
    IS_NO_RECEIPT = 1 << 3
    """A return without receipt or order."""
    HAS_EMBEDDING = 1 << 4
    """The reason came with a text."""
    IS_GIFT_CARD = 1 << 5
    """Refund wanted (return) or made (refund) on a gift card."""
    IS_BY_CUSTOMER = 1 << 6
    """`order_cancelled` with the customer as initiator."""
    IS_OFFER_TAKEN = 1 << 7
    """`order_kept` with the offer taken."""
    IS_ABUSE_CONFIRMED = 1 << 8
    """`label_set` with abuse confirmed or chargeback."""
    IS_REVERSAL = 1 << 9
    """`label_set` that takes back an earlier one."""
    IS_MULTI_VARIANT = 1 << 10
    """Order line whose non-empty style stands in another line of the order, too."""
    IS_OCCASION = 1 << 11
    """Occasion wear, as the line or the return says."""
    IS_HIGH_RESALE = 1 << 12
    """Easily sold on, as the line or the return says."""
    IS_PHOTO_CHECKED = 1 << 13
    IS_VIDEO_PASSED = 1 << 14
    IS_TAG_KNOWN = 1 << 15
    IS_TAG_ON = 1 << 16
    IS_CLAIM_AFTER_DELIVERY = 1 << 17
    """A return with reason NOT_DELIVERED though the event names a delivery time."""
    IS_WRONG_ITEM = 1 << 18
    IS_EMPTY_BOX = 1 << 19
    IS_ABUSE_CLEARED = 1 << 20
    """`label_set` with the case cleared."""
    IS_CHARGEBACK = 1 << 21
    """`label_set` with a chargeback (IS_ABUSE_CONFIRMED is set, too)."""
    IS_APPEAL_UPHELD = 1 << 22
    HAS_SENTIMENT = 1 << 23
    IS_OFFER_ACCEPTED = 1 << 24
    IS_OFFER_REFUSED = 1 << 25
    IS_OFFER_EXPIRED = 1 << 26
    HAS_RETURN = 1 << 27
    """`refund_issued` that names its return."""


FOLD_ROW_DTYPE = np.dtype(
    [
        ("event_time_us", "<i8"),
        ("ingest_time_us", "<i8"),
        ("event_key", "<u8"),
        # Order: sum of line values minus the order's discount, not below 0. Order line, return,
        # cancel: quantity * unit price. Refund: amount. Price: the price of one unit. Offer: cost.
        ("value_minor", "<i8"),
        # Return: hold_s = event time - (delivery, else order time) in whole seconds, at least 0
        # (valid with HAS_HOLD). Order: discount_minor + sum of quantity * unit_discount_minor.
        # Reply: waited_s. Delay: delay_s. Abandoned checkout: cart_age_s. Received: weight_g
        # (0: not weighed). Review: stars (0: none).
        ("amount", "<i8"),
        ("member", "<u8"),  # The customer's member hash; 0: no customer.
        ("order_link", "<u8"),  # Order line, return: the order; 0: none.
        ("return_link", "<u8"),  # Return requested, received, inspected: the return; 0: none.
        ("style_link", "<u8"),  # Order line, return, size chart: the style; 0: none.
        ("store_link", "<u8"),  # Return: the store; 0: by parcel.
        ("line_count", "<i4"),  # Order: lines. Order line: the line's number, from 0.
        ("multi_variant_count", "<i4"),  # Order: lines with IS_MULTI_VARIANT.
        ("weight_g", "<i4"),  # Return: declared weight; 0: not weighed.
        ("embedding", "<i4"),  # Place among the embeddings beside the rows; -1: none.
        ("flags", "<u4"),
        ("entity", "u1"),  # `Entity`
        ("kind", "u1"),  # `FoldKind`
        ("channel", "u1"),  # `hemostat.v1.Channel` number of the event
        ("reason_code", "u1"),  # `hemostat.v1.ReasonCode`: cancels, returns, messages, reviews
        ("stage", "u1"),  # `hemostat.v1.OrderStage`: cancels
        ("condition", "u1"),  # `hemostat.v1.Condition`: inspections
        ("embedder", "u1"),  # Id in `features.embedding.EMBEDDERS`; 0: no embedding.
        ("sentiment", "i1"),  # -100 to 100, valid with HAS_SENTIMENT
        ("padding", "u1", (4,)),
    ]
)
"""One row; 112 bytes, times in microseconds UTC, money in minor units.

Fields that a kind does not speak of are 0 (`embedding`: -1).
"""
