"""What a feature definition is: one row of the table in `features.definitions`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from features.record import DAILY_HOP_US, DAY_US, WEEKLY_HOP_US
from features.request_rows import Call


class Aggregation(IntEnum):
    """How a column is computed; `features.vector` has one branch per member."""

    CUSTOMER_STATE = 1
    SUM = 2
    """Counter `operands[0]` over the window."""
    RATIO = 3
    """Counter `operands[0]` over counter `operands[1]`; missing if the latter is 0."""
    NET_VALUE = 4
    """Ordered minus returned minus cancelled value over the window."""
    DAYS_SINCE_FIRST_ORDER = 5
    DAYS_SINCE_LAST_ORDER = 6
    DAYS_SINCE_LAST_RETURN = 7
    HOLD_LAST = 8
    HOLD_MEAN = 9
    HOLD_STD = 10
    HOLD_LATE_SHARE = 11
    HOLD_MEAN_LIFETIME = 12
    CROSS_CHANNEL_SHARE = 13
    SIMILARITY_SELF = 14
    REASON_CODE_TOP_SHARE = 15
    ORDER_CHANNEL_COUNT = 16
    RETURN_CHANNEL_COUNT = 17
    SIMILARITY_REQUEST_MEAN = 18
    SIMILARITY_REQUEST_MAX = 19
    REASON_CODE_REQUEST_SHARE = 20
    IS_CHANNEL_KNOWN = 21
    VALUE_TO_ORDER_MEAN = 22
    # From here on: the request alone.
    REQUEST_VALUE = 40
    REQUEST_QUANTITY = 41
    REQUEST_UNIT_PRICE = 42
    REQUEST_LINE_COUNT = 43
    REQUEST_MULTI_VARIANT_SHARE = 44
    REQUEST_ORDER_SHARE = 45
    REQUEST_DISCOUNT_SHARE = 46
    REQUEST_GIFT_CARD_SHARE = 47
    REQUEST_PROMISED_LEAD = 48
    REQUEST_HOUR = 49
    REQUEST_WEEKDAY = 50
    REQUEST_CHANNEL = 51
    REQUEST_ORDER_CHANNEL = 52
    REQUEST_IS_CROSS_CHANNEL = 53
    REQUEST_TENDER = 54
    REQUEST_REASON_CODE = 55
    REQUEST_HAS_REASON_TEXT = 56
    REQUEST_STAGE = 57
    REQUEST_DELAY = 58
    REQUEST_ORDER_AGE = 59
    REQUEST_HOLD = 60
    REQUEST_WINDOW_SHARE = 61
    REQUEST_HAS_RECEIPT = 62
    REQUEST_HAS_ORDER = 63
    REQUEST_IS_TAG_ON = 64
    REQUEST_IS_PHOTO_CHECKED = 65
    REQUEST_IS_VIDEO_PASSED = 66
    REQUEST_IS_GIFT_CARD = 67


@dataclass(frozen=True, slots=True)
class Window:
    """A window W at time T: events with `event_time >= floor(T - W, hop)`.

    Attributes:
        name: As in feature names, e.g. `30d`.
        length_us: W; 0 for the customer's whole life.
        hop_us: The grid on which the window's start stands.
    """

    name: str
    length_us: int
    hop_us: int


WINDOWS = (
    Window("7d", 7 * DAY_US, DAILY_HOP_US),
    Window("30d", 30 * DAY_US, DAILY_HOP_US),
    Window("90d", 90 * DAY_US, WEEKLY_HOP_US),
    Window("365d", 365 * DAY_US, WEEKLY_HOP_US),
)
LIFETIME = Window("lifetime", 0, 0)

ALL_CALLS = tuple(Call)


@dataclass(frozen=True, slots=True)
class FeatureDefinition:
    """One feature: the whole truth about one column of the vector.

    Attributes:
        name: `<what>_<statistic>_<window>[_<unit>]`.
        entity: Whose history it is; `request` for what the case itself says.
        events: Kinds of event that move it.
        aggregation: How it is computed.
        unit: Unit of its value.
        description: What it is, for people, in English.
        description_zh: The same in Simplified Chinese.
        operands: Names of record counters, as the aggregation needs.
        window: Over which time; `None` if that makes no sense.
        calls: For which calls it is computed; missing (NaN) elsewhere.
        default: Value for a known customer to whom nothing of it happened:
            `0` or `missing`. For a new customer, a guest or a store that is down
            every history feature is missing.
        owner: Who answers questions about it.
    """

    name: str
    entity: str
    events: tuple[str, ...]
    aggregation: Aggregation
    unit: str
    description: str
    description_zh: str
    operands: tuple[str, ...] = ()
    window: Window | None = None
    calls: tuple[Call, ...] = ALL_CALLS
    default: str = "missing"
    owner: str = "risk"

    @property
    def is_request(self) -> bool:
        """Whether it needs no history at all."""
        return self.entity == "request"
