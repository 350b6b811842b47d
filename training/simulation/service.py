"""The service desks: one queue per region, closed by day.

Questions come with orders and above all with late parcels; a desk answers so
many a day and the rest waits. The queue is that of a shop of some size, fed by
what is to be expected of a day (demand, storms, carriers), not by the few
customers simulated: one question does not lengthen everybody's wait.
"""

from __future__ import annotations

from array import array
from typing import Final

from training.simulation.carriers import Carriers
from training.simulation.config import US_PER_DAY, SimulationConfig
from training.simulation.logistics import REGIONS, find_storm_days
from training.simulation.seasons import Seasons

ASKS: Final = 0.03
"""Probability that a customer whose parcel is on time asks something."""
ASKS_LATE: Final = 0.25
"""The same after a notice of delay."""
_USUALLY_LATE: Final = 0.12
_LATE_PER_DAY: Final = 0.25
"""Parcels that become late per day of unforeseen delay (about a storm's four: nearly all)."""
_CAPACITY: Final = 1.25
"""Questions a desk can answer a day, relative to those of an average day."""
_MOST_BACKLOG: Final = 3.0
"""Days of questions beyond which people give up asking."""
_WAIT_PER_BACKLOG: Final = 3.0
_NOTICED_AFTER_DAYS: Final = 2


class ServiceDesk:
    """How long customers wait for an answer, by region and day.

    Args:
        config: Horizon and seed (storms).
        seasons: Demand by day.
        carriers: Delays by day.
    """

    def __init__(self, config: SimulationConfig, seasons: Seasons, carriers: Carriers) -> None:
        self._backlogs = tuple(
            _run_queue(config, seasons, carriers, region) for region in range(len(REGIONS))
        )

    def compute_wait_factor(self, region: int, day: int) -> float:
        """Return the factor on the usual wait on a day, from the queue at the close before it."""
        backlog = self._backlogs[region]
        return 1.0 + _WAIT_PER_BACKLOG * backlog[min(day, len(backlog)) - 1] if day > 0 else 1.0


def _run_queue(
    config: SimulationConfig, seasons: Seasons, carriers: Carriers, region: int
) -> array[float]:
    """Return the questions that wait at the close of each day, in days of an average load."""
    usual = ASKS + (ASKS_LATE - ASKS) * _USUALLY_LATE
    backlog, backlogs = 0.0, array("d")
    for day in range(config.days):
        shipped_day = max(day - _NOTICED_AFTER_DAYS, 0)
        delay_days = find_storm_days(
            config.seed, region, config.start_us + shipped_day * US_PER_DAY
        ) + carriers.compute_mean_surprise_days(region, shipped_day)
        late = min(_USUALLY_LATE + _LATE_PER_DAY * delay_days, 0.95)
        load = seasons.demand[day] * (ASKS + (ASKS_LATE - ASKS) * late) / usual
        backlog = min(max(backlog + load - _CAPACITY, 0.0), _MOST_BACKLOG)
        backlogs.append(backlog)
    return backlogs
