"""What each field of a kind of event must be, and how a fault of it is told.

Said once, for all who check: columns (`kind_checks`), cells (`cell_checks`) and the
explanation of what the cells' check found (`cell_faults`). The rule of a field follows
from its type and name, so that a field added to the protos is checked from its first
day; an integer whose range nobody stated fails at import.
"""

from __future__ import annotations

from features.log.json_walk import shorten, show_name
from features.log.rejections import Expectation, RejectionReason
from features.log.schema import KIND_SPECS, FieldSpec, FieldType, MessageSpec

MAX_PRICE_MINOR = 10**12
MAX_VALUE_MINOR = 10**13
"""Greatest quantity * price and greatest amount; 10,000 such lines still fit an int64."""
MAX_LINES = 10_000
_TEN_YEARS_S = 315_360_000

RANGES: dict[str, tuple[int, int]] = {
    "quantity": (1, 1_000_000),
    "unit_price_minor": (0, MAX_PRICE_MINOR),
    "unit_cost_minor": (0, MAX_PRICE_MINOR),
    "unit_discount_minor": (0, MAX_PRICE_MINOR),
    "discount_minor": (0, MAX_VALUE_MINOR),
    "gift_card_minor": (0, MAX_VALUE_MINOR),
    "amount_minor": (0, MAX_VALUE_MINOR),
    "cart_value_minor": (0, MAX_VALUE_MINOR),
    "cost_minor": (0, MAX_VALUE_MINOR),
    "return_window_days": (0, 3_650),
    "cart_age_s": (0, _TEN_YEARS_S),
    "waited_s": (0, _TEN_YEARS_S),
    "delay_s": (0, _TEN_YEARS_S),
    "rating": (0, 5),
    "weight_g": (0, 10**9),
    "sentiment": (-100, 100),
}
"""Least and greatest value of every integer field, by name."""

_SECOND_US = 1_000_000
CLOCK_TOLERANCE_US = 300 * _SECOND_US
REQUIRED_ENUMS = {("label_set", "label")}
REQUIRED_STRINGS = {("label_set", "case_event_id")}


def expect_field(field: FieldSpec, path: str, key: tuple[str, str]) -> Expectation:
    """Return what is asked of a field.

    Args:
        field: The field.
        path: Its path from the kind on, dotted.
        key: Kind and the field's own name.
    """
    if field.enum_numbers is not None:
        names = list_allowed(field, key)
        return expect_value(path, f"one of {names[0]} ... {names[-1]}", "use a name of the enum")
    if field.type is FieldType.DOUBLE:
        return expect_value(path, "a probability above 0, at most 1", "log the chosen probability")
    if field.type is FieldType.TIME:
        return expect_value(path, "after 1970-01-01", "leave out an unknown time")
    if field.type in (FieldType.INT32, FieldType.INT64):
        least, greatest = RANGES[field.name]
        return expect_value(path, f"{least} to {greatest}", "correct it at the source")
    if key in REQUIRED_STRINGS:
        return Expectation(RejectionReason.MISSING_FIELD, path, "not empty", "name what it is of")
    return expect_value(path, "", "")


def list_allowed(field: FieldSpec, key: tuple[str, str]) -> list[str]:
    """Return the names that an enum field may have."""
    assert field.enum_numbers is not None
    return list(field.enum_numbers)[1 if key in REQUIRED_ENUMS else 0 :]


def expect_value(path: str, expectation: str, fix: str) -> Expectation:
    """Return what is asked of a value that is there."""
    return Expectation(RejectionReason.BAD_VALUE, path, expectation, fix)


def expect_lines(kind: str) -> Expectation:
    """Return that there must be an order line."""
    return Expectation(
        RejectionReason.MISSING_FIELD,
        f"{kind}.lines",
        "at least one line",
        "send the order's lines",
    )


def expect_few_lines(kind: str) -> Expectation:
    """Return that there must not be too many order lines."""
    return expect_value(f"{kind}.lines", f"at most {MAX_LINES} lines", "split the order")


def expect_total(kind: str, name: str) -> Expectation:
    """Return how much an amount of an order's lines may add up to."""
    return expect_value(
        f"{kind}.lines",
        f"sum of quantity * {name} at most {MAX_VALUE_MINOR}",
        "amounts are minor units (cents, fen); check quantities and amounts",
    )


def expect_product(path: str) -> Expectation:
    """Return how much a quantity times its price may be."""
    return expect_value(
        path,
        f"quantity * unit_price_minor from 0 to {MAX_VALUE_MINOR}",
        "amounts are minor units (cents, fen); check quantity and price",
    )


def expect_order_time(kind: str) -> Expectation:
    """Return when the order of an event may have been placed."""
    return expect_value(
        f"{kind}.order_time",
        "at most event_time + 5 min",
        "send the time at which the order was placed",
    )


def expect_delivery_time(kind: str) -> Expectation:
    """Return when the item of an event may have been delivered."""
    return expect_value(
        f"{kind}.delivery_time",
        "not before order_time",
        "leave delivery_time out if the item is not delivered yet",
    )


def show_field(value: object) -> str:
    """Return a value as it may stand in a rejection: a code that is no name may be anything."""
    if isinstance(value, str):
        return show_name(value) if value else "empty"
    return shorten(str(value))


def show_total(total: float) -> str:
    """Return a sum that is too great."""
    return f"a sum of {total:.3g}"


def show_product(value: int) -> str:
    """Return a quantity times its price that is out of range."""
    return f"a value of {value}"


def show_after_event(after_us: int) -> str:
    """Return how long after its event an order was placed."""
    return f"{after_us // _SECOND_US} s after event_time"


def show_before_order(before_us: int) -> str:
    """Return how long before its order an item was delivered."""
    return f"{before_us / _SECOND_US:g} s before order_time"


def _require_ranges(spec: MessageSpec) -> None:
    """Crash at import if an integer field has no stated range."""
    for field in spec.fields:
        if field.message is not None:
            _require_ranges(field.message)
        elif field.type in (FieldType.INT32, FieldType.INT64) and field.name not in RANGES:
            raise TypeError(f"state the range of {spec.name}.{field.name} in RANGES")


for _spec in KIND_SPECS.values():
    _require_ranges(_spec)
