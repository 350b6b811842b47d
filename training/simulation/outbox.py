"""Facts on their way into the log: ids, ingest times, repetitions, and order.

Facts are told ahead of their time (a parcel's delivery is known when it is
ordered) and leave in order of ingest time, so the outbox holds only what lies
ahead of the simulation's clock.
"""

from __future__ import annotations

import heapq
from collections import Counter
from typing import Any, Final, Protocol

from features.log import structs
from training.simulation.config import US_PER_DAY, US_PER_S, SimulationConfig
from training.simulation.randomness import KeyedRandom, to_lognormal

_Event: Final[Any] = structs.Event

_BATCH: Final = 5_000
_LATE_US: Final = US_PER_DAY // 2
"""Least lateness of a late fact; delays of seconds and minutes stay far below."""

_OWN_CHANNELS: Final = frozenset({"CHANNEL_WEB", "CHANNEL_APP", "CHANNEL_STORE"})
_DELAY_SIGMA: Final = 0.8
_MARKETPLACE_FACTOR: Final = 10.0
"""Marketplaces are polled every minute or two; own channels push."""


class EventSink(Protocol):
    """What a simulation writes to; `features.log.writer.EventLogWriter` is one."""

    def append_structs(self, events: list[Any]) -> object:
        """Append events; called with batches in order of ingest time, which it may keep."""
        ...


class Outbox:
    """Stamps facts and hands them to the sink in order of ingest time.

    Args:
        config: Tenant, horizon and how facts reach the log.
        sink: Where they go.
    """

    def __init__(self, config: SimulationConfig, sink: EventSink) -> None:
        self._tenant = config.tenant
        self._settings = config.ingest
        self._end_us = config.end_us
        self._sink = sink
        self._heap: list[tuple[int, str, int, Any]] = []
        self._batch: list[Any] = []
        self._withheld: set[str] = set()
        self.n_by_kind: Counter[str] = Counter()
        self.n_late = 0
        self.n_repeated = 0

    def tell(
        self, draws: KeyedRandom, kind: str, time_us: int, payload: Any, *, customer_id: str,
        channel: str, step: int = 0,
    ) -> str:  # fmt: skip
        """Stamp one fact and return its event id, told or not.

        What arrives at or after the horizon's end is withheld; behaviour never asks, so that a
        shorter horizon is the beginning of a longer one.

        Args:
            draws: Draws of the entity it is about.
            kind: Name of the event's oneof field.
            time_us: When it happened.
            payload: The struct of that kind.
            customer_id: Whose it is. Empty: nobody's.
            channel: Where it happened.
            step: Tells facts of one kind and entity apart.
        """
        event_id = draws.token(kind, step)
        u_late, u_again, u_delay = draws.three_uniforms("way-" + kind, step)
        ingest_us = time_us + self._compute_delay_us(u_late, u_delay, channel)
        if ingest_us >= self._end_us:
            self._withheld.add(event_id)
            return event_id
        event = _Event(
            event_id=event_id,
            tenant=self._tenant,
            event_time=time_us,
            ingest_time=ingest_us,
            customer_id=customer_id,
            channel=channel,
            **{kind: payload},
        )
        self.n_by_kind[kind] += 1
        heapq.heappush(self._heap, (ingest_us, event_id, 0, event))
        self.n_late += ingest_us - time_us >= _LATE_US
        if u_again < self._settings.duplicate_share:
            self._repeat(draws, kind, step, ingest_us, event)
        return event_id

    def is_withheld(self, event_id: str) -> bool:
        """Return whether the horizon ends before that fact arrives."""
        return event_id in self._withheld

    def _compute_delay_us(self, u_late: float, u_delay: float, channel: str) -> int:
        settings = self._settings
        if u_late < settings.late_share:
            span_us = settings.late_max_days * US_PER_DAY - _LATE_US
            return _LATE_US + int(u_delay**2 * span_us)
        median = settings.delay_median_s
        if channel not in _OWN_CHANNELS:
            median *= _MARKETPLACE_FACTOR
        return int(to_lognormal(u_delay, median, _DELAY_SIGMA) * US_PER_S)

    def _repeat(self, draws: KeyedRandom, kind: str, step: int, ingest_us: int, event: Any) -> None:
        """Tell the same fact once more, some minutes to hours later."""
        again_us = ingest_us + int(draws.lognormal(f"again-{kind}", 900.0, 1.2, step) * US_PER_S)
        if again_us >= min(self._end_us, event.event_time + 30 * US_PER_DAY):
            return
        copy = type(event)(**{name: getattr(event, name) for name in event.__struct_fields__})
        copy.ingest_time = again_us
        heapq.heappush(self._heap, (again_us, event.event_id, 1, copy))
        self.n_repeated += 1

    def release(self, until_us: int) -> None:
        """Hand over all facts ingested before a time."""
        heap = self._heap
        while heap and heap[0][0] < until_us:
            self._batch.append(heapq.heappop(heap)[3])
            if len(self._batch) >= _BATCH:
                self._hand_over()

    def close(self) -> None:
        """Hand over what is left."""
        self.release(self._end_us)
        if self._batch:
            self._hand_over()

    def _hand_over(self) -> None:
        batch, self._batch = self._batch, []
        self._sink.append_structs(batch)
