"""The shop's terms by day, with the changes of a what-if."""

from __future__ import annotations

from training.simulation.config import US_PER_DAY, OfferSettings, SimulationConfig


class Terms:
    """What the shop grants on a day.

    Args:
        config: The terms and their changes; a later entry beats an earlier one.
    """

    def __init__(self, config: SimulationConfig) -> None:
        self._config = config
        self._changes = config.policy_changes

    def find_return_window_days(self, order_day: int) -> int:
        """Return the days within which an order of a day may be sent back."""
        window_days = self._config.return_window_days
        for change in self._changes:
            if change.return_window_days is not None and order_day >= change.from_day:
                window_days = change.return_window_days
        return window_days

    def find_offers(self, time_us: int) -> OfferSettings:
        """Return how the shop answers a cancel click at a time."""
        offers = self._config.offers
        for change in self._changes:
            from_us = self._config.start_us + change.from_day * US_PER_DAY
            if change.no_offer_share is not None and time_us >= from_us:
                offers = offers.model_copy(update={"no_offer_share": change.no_offer_share})
        return offers
