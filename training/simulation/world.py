"""What all customers share: the calendar, the catalogue, stock and carriers, the shop's rules."""

from __future__ import annotations

from training.simulation.carriers import Carriers
from training.simulation.catalogue import Catalogue
from training.simulation.config import US_PER_DAY, SimulationConfig
from training.simulation.patterns import Pattern
from training.simulation.pricing import Prices
from training.simulation.seasons import Seasons
from training.simulation.service import ServiceDesk
from training.simulation.stock import Stock
from training.simulation.terms import Terms

N_STORES = 24
"""Physical stores, three to a region."""


class World:
    """The surroundings of all agents; only the stock changes during a run.

    Args:
        config: The configuration that fixes it.
    """

    def __init__(self, config: SimulationConfig) -> None:
        self.config = config
        self.seasons = Seasons(config)
        self.catalogue = Catalogue(config)
        self.prices = Prices(config, self.seasons, self.catalogue)
        self.carriers = Carriers(config, self.seasons)
        self.service = ServiceDesk(config, self.seasons, self.carriers)
        self.stock = Stock(config, self.catalogue)
        self.terms = Terms(config)
        self._later_us = config.start_us + config.new_template_from_day * US_PER_DAY
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
