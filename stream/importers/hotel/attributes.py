"""The retailer's own fields of a booking, and the file that declares them for training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from stream.importers.hotel.bookings import Booking
from stream.importers.hotel.parsing import MONTH_NUMBERS

ATTRIBUTES_FILE: Final = "attributes.yaml"
"""Declares what is known when a room is booked; in the log's directory."""
LATE_ATTRIBUTES_FILE: Final = "attributes-late.yaml"
"""Declares the same and the late columns; only with `--late-columns`."""

_TYPE_KEYS: Final = {
    "number": ", type: number",
    "flag": ", type: flag",
    "category": ", type: category, max_categories: {n}, min_count: {least}",
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """One field.

    Attributes:
        name: Published name of the column.
        of: `order` or `customer`.
        type: `number`, `flag` or `category`.
        max_categories: Categories told apart, the most frequent ones.
        min_count: Cases of a category, at least, before it is told apart.
    """

    name: str
    of: str = "order"
    type: str = "number"
    max_categories: int = 16
    min_count: int = 20


ATTRIBUTES: Final = (
    Attribute("hotel", type="category"),
    Attribute("lead_time"),
    Attribute("arrival_month"),
    Attribute("arrival_date_week_number"),
    Attribute("arrival_date_day_of_month"),
    Attribute("stays_in_weekend_nights"),
    Attribute("stays_in_week_nights"),
    Attribute("adults"),
    Attribute("children"),
    Attribute("babies"),
    Attribute("meal", type="category"),
    Attribute("market_segment", type="category"),
    Attribute("distribution_channel", type="category"),
    Attribute("is_repeated_guest", of="customer", type="flag"),
    Attribute("previous_cancellations", of="customer"),
    Attribute("previous_bookings_not_canceled", of="customer"),
    Attribute("reserved_room_type", type="category"),
    Attribute("deposit_type", type="category"),
    Attribute("agent", type="category", max_categories=512, min_count=1),
    Attribute("company", type="category", max_categories=512, min_count=1),
    Attribute("days_in_waiting_list"),
    Attribute("customer_type", type="category"),
    Attribute("adr"),
    Attribute("total_of_special_requests"),
)
"""What the file says of a booking as it stood when it was made."""

LATE_ATTRIBUTES: Final = (
    Attribute("country", type="category", max_categories=256, min_count=5),
    Attribute("required_car_parking_spaces"),
)
"""What is mostly filled in at check-in: it tells who came."""


def encode_attributes(booking: Booking, *, of: str, with_late: bool) -> str:
    """Return the fields of a booking as a JSON object; what the file leaves open is left out.

    Args:
        booking: The booking.
        of: `order` or `customer`.
        with_late: Take the late columns, too.
    """
    wanted = (*ATTRIBUTES, *LATE_ATTRIBUTES) if with_late else ATTRIBUTES
    values: dict[str, float | int | bool | str] = {}
    for attribute in wanted:
        if attribute.of != of:
            continue
        text = _read(booking, attribute.name)
        if text:
            values[attribute.name] = _to_value(text, attribute.type)
    return msgspec.json.encode(values, order="deterministic").decode() if values else ""


def write_declaration(*, with_late: bool) -> str:
    """Return the declaration file's text."""
    wanted = (*ATTRIBUTES, *LATE_ATTRIBUTES) if with_late else ATTRIBUTES
    lines = ["version: 1", "attributes:"]
    for attribute in wanted:
        keys = _TYPE_KEYS[attribute.type].format(
            n=attribute.max_categories, least=attribute.min_count
        )
        lines.append(f"  - {{name: {attribute.name}, of: {attribute.of}{keys}}}")
    return "\n".join(lines) + "\n"


def _read(booking: Booking, name: str) -> str:
    if name == "arrival_month":
        return str(MONTH_NUMBERS[booking.cells["arrival_date_month"]])
    return booking.cells[name]


def _to_value(text: str, kind: str) -> float | int | bool | str:
    if kind == "category":
        return text
    if kind == "flag":
        return text == "1"
    number = float(text)
    return int(number) if number.is_integer() else number
