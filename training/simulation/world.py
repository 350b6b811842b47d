"""What all customers share: the calendar, the catalogue, the shop's rules."""

from __future__ import annotations

from training.simulation.catalogue import Catalogue
from training.simulation.config import US_PER_DAY, SimulationConfig
from training.simulation.patterns import Pattern
from training.simulation.seasons import Seasons

N_STORES = 24
"""Physical stores, three to a region."""


class World:
    """The surroundings of all agents; nothing in it changes during a run.

    Args:
        config: The configuration that fixes it.
    """

    def __init__(self, config: SimulationConfig) -> None:
        self.config = config
        self.seasons = Seasons(config)
        self.catalogue = Catalogue(config, self.seasons)
        self._later_us = config.start_us + int(
            config.new_template_from_share * config.days * US_PER_DAY
        )
        self._pattern_from_us = {
            start.pattern: config.start_us + start.from_day * US_PER_DAY
            for start in config.pattern_starts
        }

    def is_invented(self, pattern: Pattern, time_us: int) -> bool:
        """Return whether anybody knows that pattern yet."""
        return time_us >= self._pattern_from_us.get(pattern, 0)

    def is_later(self, time_us: int) -> bool:
        """Return whether the later wordings are in use."""
        return time_us >= self._later_us

    def name_store(self, region: int, choice: float) -> str:
        """Return a store of a region.

        Args:
            region: Index of the region.
            choice: A number in [0, 1) that chooses among its stores.
        """
        return f"store-{region * 3 + int(choice * 3):02d}"
