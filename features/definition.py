"""What a feature definition is: one row of the table in `features.definitions`."""

from __future__ import annotations

from dataclasses import dataclass

from features.request_rows import Call

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
WEEK_US = 7 * DAY_US

# Buckets that the longest window on a grid can touch (window / hop, rounded up,
# plus the two partial ends); a clock may run up to 5 minutes ahead.
N_HOURLY = 26
N_DAILY = 32
N_WEEKLY = 56


@dataclass(frozen=True, slots=True)
class Window:
    """A window W at time T: events with `event_time >= floor(T - W, hop)`.

    Attributes:
        name: As in feature names, e.g. `30d`.
        length_us: W; 0 for the entity's whole life.
        hop_us: The grid on which the window's start stands.
    """

    name: str
    length_us: int
    hop_us: int


WINDOWS = (
    Window("1h", HOUR_US, HOUR_US),
    Window("24h", 24 * HOUR_US, HOUR_US),
    Window("7d", 7 * DAY_US, DAY_US),
    Window("30d", 30 * DAY_US, DAY_US),
    Window("90d", 90 * DAY_US, WEEK_US),
    Window("365d", 365 * DAY_US, WEEK_US),
)
LIFETIME = Window("lifetime", 0, 0)
ALL_WINDOWS = (*WINDOWS, LIFETIME)

ALL_CALLS = tuple(Call)


@dataclass(frozen=True, slots=True)
class FeatureDefinition:
    """One feature: the whole truth about one column of the vector.

    Attributes:
        name: `<what>_<statistic>_<window>[_<unit>]`.
        entity: Whose history it is, in lower case as in `features.entities.Entity`;
            `request` for what the case itself says.
        events: Kinds of event that move it.
        aggregation: How it is computed: `sum` of the operand over the window,
            `ratio` of the first operand over the second, else a name of its own.
        unit: Unit of its value.
        description: What it is, for people, in English.
        description_zh: The same in Simplified Chinese.
        fact: Number of the fact that it shows, among those of its entity
            (`features.facts`).
        divisor: Number of the fact by which it is divided; missing unless that
            is above 0.
        operands: Names of the counters that it is made of.
        window: Over which time; `None` if that makes no sense.
        calls: For which calls it is computed; missing (NaN) elsewhere.
        default: Value if the entity's history is known but nothing of it ever
            happened: `0` or `missing`. For a new customer, a guest, an entity that
            the case does not name or a store that is down it is always missing.
        owner: Who answers questions about it.
    """

    name: str
    entity: str
    events: tuple[str, ...]
    aggregation: str
    unit: str
    description: str
    description_zh: str
    fact: int
    divisor: int | None = None
    operands: tuple[str, ...] = ()
    window: Window | None = None
    calls: tuple[Call, ...] = ALL_CALLS
    default: str = "missing"
    owner: str = "risk"

    @property
    def is_request(self) -> bool:
        """Whether it needs no history at all."""
        return self.entity == "request"
