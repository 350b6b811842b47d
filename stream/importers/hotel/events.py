"""Bookings to events of the log.

The file knows days only. A booking is placed at the start of its day and ends at
the last second of the day on which it ended, so nothing that ended on a day is
known to a booking of that day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from features.log import structs
from stream.importers.hotel.attributes import encode_attributes
from stream.importers.hotel.bookings import Booking
from stream.importers.hotel.buckets import Bucket
from stream.importers.hotel.parsing import round_price

_DAY_US: Final = 86_400_000_000
_LAST_SECOND_US: Final = _DAY_US - 1_000_000
_INITIATOR: Final = "CANCEL_INITIATOR_CUSTOMER"
_END_NAMES: Final = {
    Bucket.STAYED: "stayed",
    Bucket.CANCELLED: "cancelled",
    Bucket.NO_SHOW: "no-show",
}

_Keyed = tuple[tuple[int, int], msgspec.Struct]  # (time, source row), event


def build_events(
    bookings: Sequence[Booking], *, tenant: str, with_late: bool
) -> Iterator[msgspec.Struct]:
    """Yield the events in log order: by time, then by source row.

    Two per booking: `order_placed`, then `order_delivered` (checked out) or
    `order_cancelled` (cancelled or not shown up, by the guest). No event has a
    customer: the file names none, and equal columns are not one guest.

    Args:
        bookings: The well-formed rows.
        tenant: Tenant of the events.
        with_late: Tell country and parking spaces, too, though the shop learned them late.
    """
    keyed: list[_Keyed] = []
    for booking in bookings:
        placed_us = booking.booked_day * _DAY_US
        ended_us = booking.ended_day * _DAY_US + _LAST_SECOND_US
        keyed.append(
            ((placed_us, booking.source_row), _build_placed(booking, tenant, placed_us, with_late))
        )
        keyed.append(
            ((ended_us, booking.source_row), _build_end(booking, tenant, ended_us, with_late))
        )
    keyed.sort(key=lambda event: event[0])
    return (event for _, event in keyed)


def _build_placed(booking: Booking, tenant: str, time_us: int, with_late: bool) -> msgspec.Struct:
    cells = booking.cells
    line = structs.OrderLine(
        line_id=f"row-{booking.source_row}",
        supplier=_name("company", cells["company"]),
        quantity=_count_nights(booking),
        unit_price_minor=round_price(cells["adr"]),
        **_describe_room(booking),
    )
    order = structs.OrderPlaced(
        order_id=f"booking-{booking.source_row}",
        lines=[line],
        promised_delivery_time=booking.arrival_day * _DAY_US,
        store_id=_name("agent", cells["agent"]),
        region=cells["country"] if with_late else "",
        attributes=encode_attributes(booking, of="order", with_late=with_late),
        customer_attributes=encode_attributes(booking, of="customer", with_late=with_late),
    )
    return _wrap(f"booking-{booking.source_row}", tenant, time_us, order_placed=order)


def _build_end(booking: Booking, tenant: str, time_us: int, with_late: bool) -> msgspec.Struct:
    cells = booking.cells
    event_id = f"{_END_NAMES[booking.bucket]}-{booking.source_row}"
    order_id = f"booking-{booking.source_row}"
    region = cells["country"] if with_late else ""
    if booking.bucket is Bucket.STAYED:
        delivered = structs.OrderDelivered(order_id=order_id, region=region)
        return _wrap(event_id, tenant, time_us, order_delivered=delivered)
    cancelled = structs.OrderCancelled(
        order_id=order_id,
        line_id=f"row-{booking.source_row}",
        order_time=booking.booked_day * _DAY_US,
        quantity=_count_nights(booking),
        unit_price_minor=round_price(cells["adr"]),
        initiator=_INITIATOR,
        supplier=_name("company", cells["company"]),
        store_id=_name("agent", cells["agent"]),
        region=region,
        **_describe_room(booking),
    )
    return _wrap(event_id, tenant, time_us, order_cancelled=cancelled)


def _describe_room(booking: Booking) -> dict[str, str]:
    """Return what is sold: the room of a hotel, under the terms of a segment and an agent."""
    cells = booking.cells
    return {
        "sku": f"{cells['hotel']}/{cells['reserved_room_type']}",
        "style": f"{cells['market_segment']}/{cells['agent'] or 'direct'}",
    }


def _count_nights(booking: Booking) -> int:
    """Return the nights booked; a stay within one day counts as one."""
    cells = booking.cells
    return max(int(cells["stays_in_weekend_nights"]) + int(cells["stays_in_week_nights"]), 1)


def _name(kind: str, text: str) -> str:
    return f"{kind}-{text}" if text else ""


def _wrap(event_id: str, tenant: str, time_us: int, **kind: Any) -> msgspec.Struct:
    event: msgspec.Struct = structs.Event(
        event_id=event_id, tenant=tenant, event_time=time_us, **kind
    )
    return event
