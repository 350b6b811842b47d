"""Warehouses and parcels: what happens to an order on its way.

Pure: a plan is a function of the order's draws, its region, its time and its
carrier. Storms hit whole regions for days, so that late parcels come in clusters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from training.simulation.carriers import Carriers
from training.simulation.config import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE
from training.simulation.randomness import KeyedRandom, accumulate_weights
from training.simulation.seasons import Seasons


@dataclass(frozen=True, slots=True)
class Region:
    """A delivery region.

    Attributes:
        name: As written into shipments.
        share: Share of customers.
        transit_days: Usual time on the way; its carriers stand in `carriers.LANES`.
        storm_share: Share of weeks with a storm or a strike.
    """

    name: str
    share: float
    transit_days: float
    storm_share: float


REGIONS: Final = (
    Region("east", 0.26, 1.6, 0.03),
    Region("south", 0.22, 2.0, 0.08),
    Region("north", 0.16, 2.2, 0.05),
    Region("central", 0.14, 2.6, 0.04),
    Region("southwest", 0.10, 3.2, 0.06),
    Region("northeast", 0.06, 3.6, 0.09),
    Region("northwest", 0.04, 4.4, 0.08),
    Region("overseas", 0.02, 7.5, 0.05),
)
REGION_SUMS: Final = accumulate_weights([region.share for region in REGIONS])

_PROMISE_SLACK_DAYS: Final = 1.5
_DEFAULT_PACKING_HOURS: Final = 14.0
_STORM_DELAY_DAYS: Final = 4.0
_WORTH_TELLING_US: Final = 6 * US_PER_HOUR


class Slip(NamedTuple):
    """A delay notice: when it was told, the new promise, and the total delay so far."""

    time_us: int
    promise_us: int
    delay_us: int


class Fulfilment(NamedTuple):
    """The way of one order, if nobody stops it.

    Attributes:
        carrier: Who carries it.
        promise_us: Promise given at checkout.
        short_us: When stock ran short. 0: never.
        retailer_cancel_us: When the retailer gives up for lack of stock. 0: never.
        shipped_us: When it leaves the warehouse.
        slips: Delay notices, in time order.
        delivered_us: When it arrives. 0: lost.
        lost_us: When it is declared lost. 0: never.
    """

    carrier: str
    promise_us: int
    short_us: int
    retailer_cancel_us: int
    shipped_us: int
    slips: tuple[Slip, ...]
    delivered_us: int
    lost_us: int


def plan_fulfilment(
    carriers: Carriers, seasons: Seasons, draws: KeyedRandom, order_us: int, region_index: int,
    *, is_short: bool,
) -> Fulfilment:  # fmt: skip
    """Return what carriers and warehouse will do with an order.

    Args:
        carriers: Who carries parcels.
        seasons: Tells the day of a time.
        draws: The order's draws.
        order_us: When it was placed.
        region_index: Where it goes, index into `REGIONS`.
        is_short: Whether something of it cannot be found in the warehouse.
    """
    region = REGIONS[region_index]
    carrier = carriers.choose(draws, region_index)
    packing_us = draws.lognormal("packing", _DEFAULT_PACKING_HOURS, 0.7) * US_PER_HOUR
    promised_days = region.transit_days + _PROMISE_SLACK_DAYS + 0.5
    promised_days += carriers.compute_promised_days(carrier, seasons.day_of(order_us))
    promise_us = order_us + int(promised_days * US_PER_DAY)
    short_us = retailer_cancel_us = 0
    if is_short:
        short_us = order_us + int(draws.lognormal("short-after", 8.0, 0.6) * US_PER_HOUR)
        if draws.is_hit("gives-up", 0.55):
            wait_us = draws.lognormal("gives-up-after", 16.0, 0.7) * US_PER_HOUR
            retailer_cancel_us = short_us + int(wait_us)
        packing_us += 4.0 * US_PER_DAY
    shipped_us = order_us + int(packing_us)
    pace = draws.lognormal("transit", carrier.pace, carrier.spread)
    transit_days = region.transit_days * pace
    transit_days += carriers.compute_delay_days(carrier, seasons.day_of(shipped_us))
    storm_days = find_storm_days(draws.seed, region_index, shipped_us)
    if storm_days:
        transit_days += storm_days * draws.uniform("storm-luck")
    arrival_us = shipped_us + int(transit_days * US_PER_DAY)
    lost_us = 0
    if draws.is_hit("lost", carrier.lost_share):
        lost_us, arrival_us = arrival_us + 9 * US_PER_DAY, 0
    # What the shop can tell before the parcel has left: its own delay, not the carrier's.
    planned_us = shipped_us + int(region.transit_days * carrier.pace * US_PER_DAY)
    slips = _plan_slips(draws, promise_us, arrival_us or lost_us, order_us, shipped_us, planned_us)
    return Fulfilment(
        carrier.name, promise_us, short_us, retailer_cancel_us, shipped_us, slips, arrival_us,
        lost_us,
    )  # fmt: skip


def find_storm_days(seed: int, region_index: int, time_us: int) -> float:
    """Return the most that a storm delays parcels of a region in the week of a time; 0: none."""
    return _draw_storm_days(seed, region_index, time_us // (7 * US_PER_DAY))


@lru_cache(maxsize=512)  # All parcels of a week ask for the same few.
def _draw_storm_days(seed: int, region_index: int, week: int) -> float:
    weather = KeyedRandom(seed, f"region{region_index}")
    if not weather.is_hit("storm", REGIONS[region_index].storm_share, week):
        return 0.0
    return weather.lognormal("severity", _STORM_DELAY_DAYS, 0.4, week)


def _plan_slips(
    draws: KeyedRandom, promise_us: int, arrival_us: int, order_us: int, shipped_us: int,
    planned_us: int,
) -> tuple[Slip, ...]:  # fmt: skip
    """Return the notices: the shop learns of a delay a little before the promise runs out.

    A delay in the warehouse is known before the parcel leaves, one on the way only then.
    """
    notice_us = promise_us - int(draws.uniform("notice") * 30 * US_PER_HOUR)
    first_us = max(notice_us, order_us + 2 * US_PER_HOUR)
    told: tuple[Slip, ...] = ()
    known_us = promise_us
    if planned_us - promise_us >= _WORTH_TELLING_US and first_us < shipped_us:
        told = (Slip(first_us, planned_us, planned_us - promise_us),)
        known_us = planned_us
        first_us = max(planned_us - (promise_us - notice_us), first_us + US_PER_HOUR)
    first_us = max(first_us, shipped_us + US_PER_HOUR)
    late_us = arrival_us - known_us
    if late_us < _WORTH_TELLING_US:
        return told
    if told or late_us < 3 * US_PER_DAY or draws.is_hit("told-all", 0.5):
        return (*told, Slip(first_us, arrival_us, arrival_us - promise_us))
    half_us = late_us // 2
    second_us = max(promise_us + half_us - US_PER_HOUR, first_us + US_PER_HOUR)
    return (
        Slip(first_us, promise_us + half_us, half_us),
        Slip(second_us, arrival_us, late_us),
    )


class Payment(NamedTuple):
    """How an order was paid.

    Attributes:
        failed_us: When an attempt failed. 0: none did.
        paid_us: When it was paid. 0: never (or on delivery).
        lapsed_us: When the time to pay ran out. 0: it did not.
    """

    failed_us: int
    paid_us: int
    lapsed_us: int


def plan_payment(
    draws: KeyedRandom, order_us: int, friction: float, is_paid_later: bool
) -> Payment:
    """Return how paying goes.

    Args:
        draws: The order's draws.
        order_us: When it was placed.
        friction: The customer's probability of trouble with paying.
        is_paid_later: Cash on delivery or invoice: nothing to pay now.
    """
    if is_paid_later:
        return Payment(0, 0, 0)
    at_once_us = order_us + int(draws.lognormal("pays-after", 50.0, 1.0) * 1_000_000)
    failed_us = order_us + int((20.0 + draws.exponential("fails-after", 70.0)) * 1_000_000)
    if draws.is_hit("pay-fails", friction):
        if draws.is_hit("pays-again", 0.62):
            return Payment(failed_us, failed_us + int(3 * US_PER_MINUTE), 0)
        return Payment(failed_us, 0, order_us + 24 * US_PER_HOUR)
    if draws.is_hit("forgets-to-pay", 0.35 * friction):
        return Payment(0, 0, order_us + 24 * US_PER_HOUR)
    return Payment(0, at_once_us, 0)
