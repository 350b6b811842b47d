"""A customer at work: the profile, its draws, and the little it remembers.

The memory is bounded, so that a simulation's memory does not grow with its
horizon.
"""

from __future__ import annotations

from collections import deque
from operator import itemgetter
from typing import Final, NamedTuple

from training.simulation.catalogue import Style
from training.simulation.config import US_PER_DAY
from training.simulation.population import Profile
from training.simulation.randomness import KeyedRandom

_REMEMBERED_GOODS: Final = 4
_REMEMBERED_RETURNS: Final = 12
_FRIGHT_US: Final = 150 * US_PER_DAY
"""How long a confirmed case keeps a customer careful."""
_MAX_FRIGHT: Final = 3
"""Confirmed cases beyond this make nobody more careful."""


class StoreGood(NamedTuple):
    """Something bought in a store that may come back without its receipt."""

    style: Style
    sku: str
    unit_price_minor: int


class Agent:
    """One customer during the simulation.

    Args:
        profile: Parameters of the customer.
        seed: Seed of the simulation.
        start_us: First moment of the simulation.
    """

    __slots__ = (
        "_caught_us",
        "_is_on",
        "_n_phases",
        "_phase_until_us",
        "_return_times_us",
        "_returned",
        "draws",
        "n_cancel_clicks",
        "n_caught",
        "n_sessions",
        "profile",
        "store_goods",
    )

    def __init__(self, profile: Profile, seed: int, start_us: int) -> None:
        self.profile = profile
        self.draws = KeyedRandom(seed, f"c{profile.index}")
        self.n_sessions = 0
        self.n_cancel_clicks = 0
        self.n_caught = 0
        self.store_goods: deque[StoreGood] = deque(maxlen=_REMEMBERED_GOODS)
        self._returned: tuple[tuple[int, Style], ...] = ()
        self._return_times_us: deque[int] = deque(maxlen=_REMEMBERED_RETURNS)
        self._caught_us: deque[int] = deque(maxlen=_REMEMBERED_RETURNS)
        self._n_phases = 0
        # Phases are exponential, hence in equilibrium from the first moment on.
        on_share = profile.on_days / (profile.on_days + profile.off_days)
        self._is_on = self.draws.is_hit("phase", on_share)
        self._phase_until_us = max(profile.join_us, start_us)
        self._start_phase()
        if profile.join_us < start_us:
            self._recall_verdicts(start_us)

    def _recall_verdicts(self, start_us: int) -> None:
        """Note verdicts from before the log, or everybody would be boldest on the first day."""
        ages_us = sorted(
            int(self.draws.uniform("caught-before-age", step) * _FRIGHT_US)
            for step in range(_MAX_FRIGHT)
            if self.draws.is_hit("caught-before", 0.5, step)
        )
        self._caught_us.extend(start_us - age_us for age_us in reversed(ages_us))

    def _start_phase(self) -> None:
        mean_days = self.profile.on_days if self._is_on else self.profile.off_days
        self._n_phases += 1
        days = self.draws.exponential("phase-days", mean_days, self._n_phases)
        self._phase_until_us += int(days * US_PER_DAY)

    def advance(self, now_us: int) -> None:
        """Bring phase and known verdicts up to a time; times never go back."""
        while self._phase_until_us <= now_us:
            self._is_on = not self._is_on
            self._start_phase()
        while self._caught_us and self._caught_us[0] <= now_us - _FRIGHT_US:
            self._caught_us.popleft()
        self.n_caught = sum(1 for moment in self._caught_us if moment <= now_us)

    def compute_appetite(self) -> float:
        """Return the factor on all propensities to abuse, 0 in an honest phase."""
        if not self._is_on:
            return 0.0
        return float(self.profile.when_caught ** min(self.n_caught, 8))

    def remember_return(self, time_us: int, style: Style) -> None:
        """Note a return, for the shop's own suspicion and for buying the style again."""
        self._return_times_us.append(time_us)
        self._returned = (*self._returned[1 - _REMEMBERED_GOODS :], (time_us, style))

    def find_returned_style(self, now_us: int) -> Style | None:
        """Return the style sent back last, if that has happened by now."""
        known = [item for item in self._returned if item[0] <= now_us]
        return max(known, key=itemgetter(0))[1] if known else None

    def count_returns(self, since_us: int, until_us: int) -> int:
        """Return how many returns are remembered between two times (at most a dozen)."""
        return sum(1 for moment in self._return_times_us if since_us <= moment < until_us)

    def remember_verdict(self, time_us: int) -> None:
        """Note when the customer will learn of a confirmed case."""
        self._caught_us.append(time_us)
        if len(self._caught_us) > 1 and self._caught_us[-2] > time_us:
            ordered = sorted(self._caught_us)
            self._caught_us.clear()
            self._caught_us.extend(ordered)
