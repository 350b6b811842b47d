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


_BUDGET_US: Final = 30 * US_PER_DAY
_TREAT: Final = 0.25
"""Share of a month's budget that is left for something small, whatever was spent before."""
_WARINESS_US: Final = 120 * US_PER_DAY
"""How long a verified return keeps a customer wary."""


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
        closing_verdicts: Confirmed cases after which the shop closes the account, and the
            customer comes back under a new one. 0: never.

    Attributes:
        customer_id: Pseudonym of the account in use.
        device_draws: Name the device in use.
        payment_draws: Name the payment instrument in use.
    """

    __slots__ = (
        "_caught_us",
        "_closing_us",
        "_closing_verdicts",
        "_is_on",
        "_n_accounts",
        "_n_phases",
        "_n_verdicts",
        "_phase_until_us",
        "_return_times_us",
        "_returned",
        "_spent_minor",
        "_spent_us",
        "_verified_us",
        "customer_id",
        "device_draws",
        "draws",
        "leave_us",
        "n_cancel_clicks",
        "n_caught",
        "n_sessions",
        "n_verified",
        "payment_draws",
        "profile",
        "store_goods",
    )

    def __init__(
        self, profile: Profile, seed: int, start_us: int, closing_verdicts: int = 0
    ) -> None:
        self.profile = profile
        self.draws = KeyedRandom(seed, f"c{profile.index}")
        self.customer_id = profile.customer_id
        self.device_draws = self.payment_draws = self.draws
        self._closing_verdicts = closing_verdicts
        self._n_accounts = 1
        self._n_verdicts = 0
        self._closing_us: int | None = None
        self._spent_minor = 0.0
        self._spent_us = start_us
        self.n_sessions = 0
        self.n_cancel_clicks = 0
        self.n_caught = 0
        self.n_verified = 0
        self.leave_us = profile.leave_us
        self.store_goods: deque[StoreGood] = deque(maxlen=_REMEMBERED_GOODS)
        self._returned: tuple[tuple[int, Style], ...] = ()
        self._return_times_us: deque[int] = deque(maxlen=_REMEMBERED_RETURNS)
        self._caught_us: deque[int] = deque(maxlen=_REMEMBERED_RETURNS)
        self._verified_us: deque[int] = deque(maxlen=_REMEMBERED_RETURNS)
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
        self.n_verified = sum(
            1 for moment in self._verified_us if now_us - _WARINESS_US < moment <= now_us
        )
        if self._closing_us is not None and self._closing_us <= now_us:
            self._open_account()

    def _open_account(self) -> None:
        """Come back under a new name, perhaps from another device or with another card.

        The home stays, so that the address tells what the name hides.
        """
        number, profile = self._n_accounts, self.profile
        self._n_accounts += 1
        self._n_verdicts = 0
        self._closing_us = None
        account = self.draws.narrow(f"a{number}")
        self.customer_id = f"c{account.token('id')[:16]}"
        if account.is_hit("new-device", profile.covers_tracks):
            self.device_draws = account
        if account.is_hit("new-payment", profile.covers_tracks):
            self.payment_draws = account

    def compute_appetite(self) -> float:
        """Return the factor on all propensities to abuse, 0 in an honest phase."""
        if not self._is_on:
            return 0.0
        profile = self.profile
        appetite = profile.when_caught ** min(self.n_caught, 8)
        return float(appetite * profile.when_verified ** min(self.n_verified, 4))

    def find_budget_minor(self, now_us: int) -> float:
        """Return what the customer would spend now: what came in less what was spent, or a treat.

        Money comes in evenly and adds up to a month's; what was spent beyond it is saved up for.
        """
        month = self.profile.budget_minor
        earned = month * max(now_us - self._spent_us, 0) / _BUDGET_US
        return max(month - max(self._spent_minor - earned, 0.0), _TREAT * month)

    def spend(self, amount_minor: int, time_us: int) -> None:
        """Note what an order took of the budget; a return or a cancellation puts nothing back."""
        earned = self.profile.budget_minor * max(time_us - self._spent_us, 0) / _BUDGET_US
        self._spent_minor = max(self._spent_minor - earned, 0.0) + amount_minor
        self._spent_us = max(time_us, self._spent_us)

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

    def count_against(self, time_us: int, customer_id: str) -> None:
        """Count a confirmed case against the account that it was in, if that is still open."""
        if customer_id != self.customer_id:
            return
        self._n_verdicts += 1
        if self._n_verdicts == self._closing_verdicts:
            days = 1.0 + self.draws.exponential("closed-after", 6.0, self._n_accounts)
            self._closing_us = time_us + int(days * US_PER_DAY)

    def shifts(self, draws: KeyedRandom, purpose: str) -> bool:
        """Return whether a verified return makes the customer go another way this time."""
        return self.n_verified > 0 and draws.is_hit(purpose, self.profile.shift_on_verify)

    def remember_verify(self, draws: KeyedRandom, time_us: int) -> None:
        """Note that the customer learns at a time that a return is verified; some are insulted."""
        self._verified_us.append(time_us)
        self.consider_leaving(draws, "insulted", self.profile.insulted, time_us)

    def consider_leaving(
        self, draws: KeyedRandom, purpose: str, share: float, time_us: int
    ) -> None:
        """Let a share of customers stay away for good from a time on."""
        if draws.is_hit(purpose, share):
            self.leave_us = min(self.leave_us, time_us)

    def remember_verdict(self, time_us: int) -> None:
        """Note when the customer will learn of a confirmed case."""
        self._caught_us.append(time_us)
        if len(self._caught_us) > 1 and self._caught_us[-2] > time_us:
            ordered = sorted(self._caught_us)
            self._caught_us.clear()
            self._caught_us.extend(ordered)
