"""Where each source row ends."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Bucket(StrEnum):
    """Every source row is in exactly one; the order is that of the report."""

    STAYED = "stayed"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"
    MALFORMED = "malformed"


MEANINGS: Final = {
    Bucket.STAYED: "the guest came: order_placed, order_delivered at check-out",
    Bucket.CANCELLED: "cancelled before arrival: order_placed, order_cancelled",
    Bucket.NO_SHOW: "the guest did not come: order_placed, order_cancelled (id no-show-ROW)",
    Bucket.MALFORMED: "cannot be read or contradicts itself: a dead letter with its reason",
}
"""What is in a bucket, and which events its rows make."""

STATUS_BUCKETS: Final = {
    "Check-Out": Bucket.STAYED,
    "Canceled": Bucket.CANCELLED,
    "No-Show": Bucket.NO_SHOW,
}
"""`reservation_status` to its bucket."""
