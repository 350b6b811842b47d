"""The entities whose histories are kept, and which record layout each has.

A customer has two records: the history (orders, cancellations, returns, labels)
and the activity (browsing, service, fulfilment, offers). Browsing is most of the
traffic, so it is kept apart in a record that is small to read and to write.
"""

from __future__ import annotations

from enum import IntEnum


class Entity(IntEnum):
    """What a record is about; the number is hashed into its key and stands in fold rows."""

    CUSTOMER = 0
    """The customer's history. The member hash of shared identities is made from its key."""
    ACTIVITY = 1
    """The customer's behaviour between orders, and what was done for them."""
    SKU = 2
    STYLE = 3
    SUPPLIER = 4
    BATCH = 5
    """A production batch; its key names supplier and batch."""
    REGION = 6
    """Delivery region or lane."""
    STORE = 7
    DEVICE = 8
    ADDRESS = 9
    PAYMENT_TOKEN = 10


class Layout(IntEnum):
    """Layout of a stored record; the number stands in its header."""

    HISTORY = 0
    ACTIVITY = 1
    TALLY = 2
    IDENTITY = 3


LAYOUTS: tuple[Layout, ...] = (
    Layout.HISTORY,
    Layout.ACTIVITY,
    *(Layout.TALLY,) * 6,
    *(Layout.IDENTITY,) * 3,
)
"""Layout of each entity's record, by entity number."""

N_ENTITIES = len(Entity)
