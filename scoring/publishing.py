"""Publishing: events of many calls become one append, and each call waits for its own.

An append syncs the disk (or waits for Kafka), which takes as long for one event as
for thousands. So one append is under way at a time, in a thread, and whatever
arrives meanwhile goes into the next.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

from features.erasures import Erasures
from features.errors import OverloadedError
from features.log.appender import EventAppender
from features.log.embedded_appender import Appended, read_wall_us
from hemostat.v1 import event_pb2
from hemostat.v1 import scoring_pb2 as pb
from scoring.event_intake import EventCheck, Intake, check_count, take_in
from scoring.known_erasures import KnownErasures
from scoring.metrics import ScoringMetrics

RETRY_AFTER_MS = 200
"""When a caller that was turned away shall try again: a few appends later."""

_CHUNK_EVENTS = 64  # Checked at once; calls that score have their turn in between.
_APPEND_EVENTS = 8192
_STATUSES = {
    number: name.removeprefix("PUBLISH_STATUS_").lower()
    for name, number in pb.PublishStatus.items()
}


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Events of one call, not appended yet."""

    messages: list[bytes]
    partitions: list[int]
    appended: asyncio.Future[Appended]


class Publisher:
    """Appends events for all calls of a server. To be used on its event loop only.

    Args:
        appender: The log; closed with this.
        check: Finds what is wrong with events.
        erasures: Tells who was erased; closed with this.
        metrics: Where events are counted.
        max_waiting_events: More are turned away.
        read_us: The wall clock: a log has no other time.
    """

    def __init__(
        self,
        *,
        appender: EventAppender,
        check: EventCheck,
        erasures: KnownErasures,
        metrics: ScoringMetrics,
        max_waiting_events: int,
        read_us: Callable[[], int] = read_wall_us,
    ) -> None:
        self._appender = appender
        self._check = check
        self._erasures = erasures
        self._metrics = metrics
        self._max_waiting_events = max_waiting_events
        self._read_us = read_us
        self._queue: deque[_Waiting] = deque()
        self._n_waiting = 0
        self._thread = ThreadPoolExecutor(1, "appends")
        self._appending: asyncio.Task[None] | None = None

    async def publish(self, events: Sequence[event_pb2.Event]) -> pb.PublishEventsResponse:
        """Return what became of each event, when the accepted ones are durable.

        Raises:
            InvalidRequestError: There are too many.
            OverloadedError: Too many wait already; nothing of this call was appended.
            StoreUnavailableError: The log cannot be written; some events may stand in
                it all the same, telling them again is harmless. Or nobody can tell who
                was erased.
            LogFormatError: A register of the erased is damaged.
        """
        check_count(events)
        self._reserve(len(events))
        try:
            return await self._publish(events)
        finally:
            self._n_waiting -= len(events)

    def _reserve(self, n_events: int) -> None:
        if self._n_waiting + n_events > self._max_waiting_events and self._n_waiting:
            self._metrics.rejected.labels("publish_overload").inc()
            raise OverloadedError(
                "more events wait than can be appended in time",
                field="events",
                value=str(n_events),
                expectation=f"at most {self._max_waiting_events} events that wait",
                fix=f"try again in {RETRY_AFTER_MS} ms, with a pause that doubles",
            )
        self._n_waiting += n_events

    async def _publish(self, events: Sequence[event_pb2.Event]) -> pb.PublishEventsResponse:
        response = pb.PublishEventsResponse()
        taken: list[Intake] = []
        erasures = await self._erasures.read()
        for first in range(0, len(events), _CHUNK_EVENTS):
            if first:
                await asyncio.sleep(0)
            taken.append(self._take_in(events[first : first + _CHUNK_EVENTS], erasures))
        messages = [message for intake in taken for message in intake.messages]
        if messages:
            partitions = [number for intake in taken for number in intake.partitions]
            appended = await self._append(messages, partitions)
            response.ingest_time.FromMicroseconds(appended.ingest_us)
            places = iter(zip(partitions, appended.offsets, strict=True))
            for intake in taken:
                for place in intake.places:
                    result = intake.results[place]
                    result.status = pb.PUBLISH_STATUS_ACCEPTED
                    result.partition, result.offset = next(places)
        for intake in taken:
            response.results.extend(intake.results)
        for result in response.results:
            self._metrics.published_events.labels(_STATUSES[result.status]).inc()
        return response

    def _take_in(self, events: Sequence[event_pb2.Event], erasures: Erasures) -> Intake:
        return take_in(
            events,
            now_us=self._read_us(),
            n_partitions=self._appender.n_partitions,
            erasures=erasures,
            check=self._check,
        )

    async def _append(self, messages: list[bytes], partitions: list[int]) -> Appended:
        waiting = _Waiting(messages, partitions, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if self._appending is None:
            self._appending = asyncio.create_task(self._append_all())
        return await waiting.appended

    async def _append_all(self) -> None:
        """Append until nothing waits; then end, for the next call to begin anew."""
        loop = asyncio.get_running_loop()
        while self._queue:
            group = self._take_group()
            messages = [message for waiting in group for message in waiting.messages]
            partitions = [number for waiting in group for number in waiting.partitions]
            start_s = perf_counter()
            try:
                appended = await loop.run_in_executor(
                    self._thread, self._appender.append, messages, partitions
                )
            except Exception as error:  # noqa: BLE001  # Each call reports its own.
                self._metrics.append_errors.inc()
                _fail(group, error)
            else:
                _resolve(group, appended)
            self._metrics.append_seconds.observe(perf_counter() - start_s)
        self._appending = None

    def _take_group(self) -> list[_Waiting]:
        group = [self._queue.popleft()]
        n_events = len(group[0].messages)
        while self._queue and n_events + len(self._queue[0].messages) <= _APPEND_EVENTS:
            group.append(self._queue.popleft())
            n_events += len(group[-1].messages)
        return group

    async def close(self) -> None:
        """Wait for the appends under way and release the log."""
        if self._appending is not None:
            await asyncio.wait([self._appending])
        self._thread.shutdown()
        self._appender.close()
        await self._erasures.close()


class PublisherSource:
    """The publisher of a server, opened by the first call that needs it.

    Args:
        open_publisher: Opens the log; may take a while and is called in a thread.
    """

    def __init__(self, open_publisher: Callable[[], Publisher]) -> None:
        self._open_publisher = open_publisher
        self._opening = asyncio.Lock()
        self._publisher: Publisher | None = None

    async def get(self) -> Publisher:
        """Return the publisher.

        Raises:
            ConfigError: There is no log to publish to, or its support is not installed.
            StoreUnavailableError: It cannot be reached or written now.
            LogFormatError: It is damaged.
        """
        if self._publisher is None:
            async with self._opening:
                if self._publisher is None:
                    self._publisher = await asyncio.to_thread(self._open_publisher)
        return self._publisher

    async def close(self) -> None:
        """Release the log if it was opened."""
        if self._publisher is not None:
            await self._publisher.close()


def _resolve(group: Sequence[_Waiting], appended: Appended) -> None:
    first = 0
    for waiting in group:
        last = first + len(waiting.messages)
        if not waiting.appended.done():  # Its call may have been cancelled.
            waiting.appended.set_result(Appended(appended.offsets[first:last], appended.ingest_us))
        first = last


def _fail(group: Sequence[_Waiting], error: Exception) -> None:
    for waiting in group:
        if not waiting.appended.done():
            # Each call has its own: a shared one would gather the tracebacks of all.
            waiting.appended.set_exception(copy.copy(error))
