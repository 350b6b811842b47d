"""Carriers: several in every region, each with its own speed and care."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from features.errors import ConfigError
from training.simulation.config import SimulationConfig
from training.simulation.randomness import KeyedRandom, accumulate_weights
from training.simulation.seasons import Seasons


@dataclass(frozen=True, slots=True)
class Carrier:
    """A carrier and its quality (all chosen).

    Attributes:
        name: As written into shipments.
        pace: Factor on the region's usual time on the way.
        spread: Log standard deviation of that time.
        lost_share: Parcels that never arrive.
        peak_days: Further days per unit of demand above its limit.
    """

    name: str
    pace: float
    spread: float
    lost_share: float
    peak_days: float


_SF = Carrier("sf", 0.88, 0.22, 0.0012, 0.2)
_JDL = Carrier("jdl", 0.92, 0.24, 0.0015, 0.2)
_ZTO = Carrier("zto", 1.05, 0.30, 0.0030, 0.5)
_YTO = Carrier("yto", 1.12, 0.34, 0.0042, 0.6)
_EMS = Carrier("ems", 1.10, 0.28, 0.0020, 0.3)
_DHL = Carrier("dhl", 1.00, 0.26, 0.0025, 0.3)
CARRIERS: Final = (_SF, _JDL, _ZTO, _YTO, _EMS, _DHL)

LANES: Final[tuple[tuple[tuple[Carrier, float], ...], ...]] = (
    ((_SF, 0.50), (_JDL, 0.25), (_ZTO, 0.25)),
    ((_SF, 0.45), (_ZTO, 0.30), (_YTO, 0.25)),
    ((_JDL, 0.50), (_SF, 0.25), (_YTO, 0.25)),
    ((_ZTO, 0.50), (_SF, 0.30), (_YTO, 0.20)),
    ((_YTO, 0.50), (_SF, 0.30), (_EMS, 0.20)),
    ((_EMS, 0.55), (_SF, 0.25), (_JDL, 0.20)),
    ((_EMS, 0.70), (_YTO, 0.30)),
    ((_DHL, 0.70), (_EMS, 0.30)),
)
"""Carriers and their shares by region, in the order of `logistics.REGIONS` (chosen)."""
_LANE_SUMS: Final = tuple(accumulate_weights([share for _, share in lane]) for lane in LANES)

_PEAK_DEMAND: Final = 1.5
"""Demand, relative to an average day, from which parcels queue up."""
_LEARNED_AFTER_DAYS: Final = 14
"""After so long the shop promises later what a slower carrier will bring."""


class Carriers:
    """Who carries a parcel, and how much longer a day's parcels take.

    Args:
        config: Horizon and delays of a what-if.
        seasons: Demand by day.

    Raises:
        ConfigError: A delay names a carrier that does not exist.
    """

    def __init__(self, config: SimulationConfig, seasons: Seasons) -> None:
        self._seasons = seasons
        self._delays = config.carrier_delays
        known = {carrier.name for carrier in CARRIERS}
        for delay in self._delays:
            if delay.carrier not in known:
                raise ConfigError(
                    "unknown carrier",
                    field="carrier_delays.carrier",
                    value=delay.carrier[:40],
                    expectation="one of " + ", ".join(sorted(known)),
                    fix="name one of these",
                )

    def choose(self, draws: KeyedRandom, region: int) -> Carrier:
        """Return the carrier of an order to a region."""
        return LANES[region][draws.index("carrier", _LANE_SUMS[region])][0]

    def compute_delay_days(self, carrier: Carrier, day: int) -> float:
        """Return by how much parcels of a day take longer: crowded days, and a what-if."""
        crowd = max(self._seasons.demand[day] - _PEAK_DEMAND, 0.0)
        return crowd * carrier.peak_days + self._find_override(carrier, day)

    def compute_promised_days(self, carrier: Carrier, day: int) -> float:
        """Return what of that the shop already promises: what has gone on for a while."""
        if not self._delays or day < _LEARNED_AFTER_DAYS:
            return 0.0
        before = self._find_override(carrier, day - _LEARNED_AFTER_DAYS)
        return min(before, self._find_override(carrier, day))

    def compute_mean_surprise_days(self, region: int, day: int) -> float:
        """Return the mean delay of a region's parcels of a day that nobody had promised."""
        return math.fsum(
            share
            * (self.compute_delay_days(carrier, day) - self.compute_promised_days(carrier, day))
            for carrier, share in LANES[region]
        )

    def _find_override(self, carrier: Carrier, day: int) -> float:
        if not self._delays:
            return 0.0
        return math.fsum(
            delay.delay_days
            for delay in self._delays
            if delay.carrier == carrier.name
            and delay.from_day <= day
            and (delay.until_day is None or day < delay.until_day)
        )
