"""Small logs made to be awkward: ties, late and repeated events, odd values, every kind.

Real logs rarely have two events in one microsecond, a fact told twice, a text of
punctuation or two tenants with equal ids. Here every log has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from benchmarks.twin.random_payloads import CHANNELS, DAY_US, RandomPayloads
from features.log import structs
from features.log.schema import EVENT_KINDS

START_US = 18_998 * DAY_US
"""A Thursday: an edge of the weekly and of the daily grid."""

_HOUR_US = DAY_US // 24
_LAST_US = 4_000_000_000_000_000  # In the year 2096; 2100 is refused.
_LAGS_US = (0, 0, 0, 1, 60_000_000, DAY_US, 29 * DAY_US, 30 * DAY_US, -5 * 60_000_000)
_REFUSED_LAGS_US = (30 * DAY_US + 1, -5 * 60_000_000 - 1)
_CASES = ("order_placed", "return_requested", "cancel_requested", "order_cancelled")
# Half of all events are cases and cancellations, whose histories are the longest.
_KINDS = (*EVENT_KINDS, *_CASES * 8, "return_received", "return_inspected", "label_set")


class RandomLog:
    """Draws events; equal seeds give equal events.

    Args:
        rng: Source of all draws.
        n_customers: The first of them get long histories.
        span_days: Events happen in these days from `START_US` on.
        tenants: Whose log it is; they share customer and event ids.
        is_hostile: Amounts at the greatest accepted values, and times from 1970 to 2099.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        n_customers: int = 40,
        span_days: int = 500,
        tenants: Sequence[str] = ("demo", "另一家"),
        is_hostile: bool = False,
    ) -> None:
        self._rng = rng
        self._payloads = RandomPayloads(rng, is_hostile=is_hostile)
        self._n_customers = n_customers
        self._span_days = span_days
        self._tenants = tenants
        self._is_hostile = is_hostile
        self._busy_us = [self._draw_quarter() for _ in range(12)]

    def draw_events(self, n: int) -> list[Any]:
        """Return `n` or a few more `structs.Event`, one in ten of them told twice."""
        n_tenants = len(self._tenants)
        events = [
            self._draw_event(self._tenants[number % n_tenants], f"e{number // n_tenants}")
            for number in range(n)
        ]
        for event in list(events):
            if self._rng.random() < 0.1:
                later = event.ingest_time + int(self._payloads.pick((0, 1, DAY_US)))
                events.append(msgspec.structs.replace(event, ingest_time=later))
        return sorted(events, key=lambda event: event.ingest_time)

    def _draw_quarter(self) -> int:
        """Return a time on a grid of six hours."""
        start_us = START_US
        if self._is_hostile:
            start_us = self._payloads.pick((DAY_US, START_US, _LAST_US))
        return start_us + int(self._rng.integers(0, self._span_days * 4)) * DAY_US // 4

    def _draw_time(self) -> int:
        """Return a time on a grid or a microsecond beside it, so that ties abound.

        Half of all events happen within two days of few busy times: windows of hours
        would be empty otherwise.
        """
        off_us = int(self._payloads.pick((0, 0, 0, -1, 1, 1_234_567)))
        if self._rng.random() < 0.5:
            return self._draw_quarter() + off_us
        minutes = int(self._rng.integers(-6, 12)) * 10
        near_us = self._payloads.pick((minutes * 60_000_000, minutes * _HOUR_US // 2))
        return int(self._payloads.pick(self._busy_us) + near_us + off_us)

    def _draw_customer(self) -> str:
        """Return a customer; the first ones do most, one in ten is a guest."""
        number = int(self._n_customers * self._rng.random() ** 3)
        if self._rng.random() < 0.1:
            return ""
        return f"客户{number}" if number % 5 == 4 else f"c{number}"

    def _draw_event(self, tenant: str, event_id: str) -> Any:
        pick = self._payloads.pick
        event_us = self._draw_time()
        lag_us = pick(_REFUSED_LAGS_US if self._rng.random() < 0.03 else _LAGS_US)
        kind = pick(_KINDS)
        return structs.Event(
            event_id=event_id,
            tenant=tenant,
            event_time=event_us,
            ingest_time=event_us + lag_us,
            known_at=self._draw_known_at(event_us + lag_us),
            customer_id=self._draw_customer(),
            channel=pick(CHANNELS),
            **{kind: self._payloads.draw(kind, event_us)},
        )

    def _draw_known_at(self, ingest_us: int) -> int | None:
        lag_us = self._payloads.pick((None,) * 30 + (0, 240_000_000, 300_000_000, 300_000_001))
        return None if lag_us is None else ingest_us + lag_us
