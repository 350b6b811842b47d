"""Labels of outcomes on their way into the event log: told in the background, lost never.

A label is durable in the decision log before its outcome is acknowledged. From there
it is appended to the event log as published events are, and marked as told. Whatever
ends the server in between, the next one begins with the labels that are not marked.
One that was appended and not marked is told again, under the same event id, and
counts once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress

import structlog

from features.errors import HemostatError
from hemostat.v1 import event_pb2
from hemostat.v1 import scoring_pb2 as pb
from scoring.decision_log import DecisionLog
from scoring.metrics import ScoringMetrics
from scoring.publishing import PublisherSource

_AT_ONCE = 200
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 60.0
_STATUSES = {
    number: name.removeprefix("PUBLISH_STATUS_").lower()
    for name, number in pb.PublishStatus.items()
}

_logger = structlog.get_logger()


class LabelTeller:
    """Appends labels to the event log. To be used on one event loop only.

    Args:
        log: Where labels stand until they are told, and after.
        publisher: The event log; opened when there is something to tell.
        metrics: Where labels are counted.
        first_pause_s: After a failure; doubles up to a minute.
    """

    def __init__(
        self,
        log: DecisionLog,
        publisher: PublisherSource,
        metrics: ScoringMetrics,
        first_pause_s: float = _FIRST_PAUSE_S,
    ) -> None:
        self._log = log
        self._publisher = publisher
        self._metrics = metrics
        self._first_pause_s = first_pause_s
        self._waiting: deque[bytes] = deque()
        self._telling: asyncio.Task[None] | None = None
        self._last_fault = ""
        metrics.labels_waiting.set_function(lambda: float(len(self._waiting)))

    def catch_up(self) -> None:
        """Tell what an earlier server left untold; may take a moment for very many."""
        for key in self._log.list_untold():
            self.tell(key)

    def tell(self, key: bytes) -> None:
        """Have a label told, in the background.

        Args:
            key: From `DecisionLog.make_label_key`; if no label stands there, nothing is.
        """
        self._waiting.append(key)
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell_all())

    async def close(self) -> None:
        """Stop; what is untold stays in the decision log for the next server."""
        if self._telling is not None:
            self._telling.cancel()
            with suppress(asyncio.CancelledError):
                await self._telling

    async def _tell_all(self) -> None:
        """Tell until nothing waits; then end, for the next label to begin anew."""
        pause_s = self._first_pause_s
        while self._waiting:
            keys = [self._waiting[n] for n in range(min(_AT_ONCE, len(self._waiting)))]
            try:
                await self._tell_some(keys)
            except HemostatError as error:
                self._report(error)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            except Exception:
                # A label that cannot be told must not keep the others waiting for ever.
                _logger.exception("labels could not be told; they stay in the decision log")
                self._metrics.labels.labels("failed").inc(len(keys))
                self._drop(keys)
            else:
                pause_s, self._last_fault = self._first_pause_s, ""
                self._drop(keys)
        self._telling = None

    async def _tell_some(self, keys: list[bytes]) -> None:
        labels: dict[bytes, event_pb2.Event] = {}
        for key in keys:
            label = self._log.read_label(key)
            if label is not None and not self._log.is_told(key):
                labels[key] = label
        if not labels:
            return
        publisher = await self._publisher.get()
        response = await publisher.publish(list(labels.values()))
        for result in response.results:
            self._metrics.labels.labels(_STATUSES[result.status]).inc()
            if result.status == pb.PUBLISH_STATUS_REJECTED:
                _logger.warning(
                    "the event log refuses a label",
                    reason=result.error.reason,
                    field=result.error.field,
                )
        self._log.mark_told(list(labels))

    def _drop(self, keys: list[bytes]) -> None:
        for _ in keys:
            self._waiting.popleft()

    def _report(self, error: HemostatError) -> None:
        """Say once what keeps labels from the event log."""
        self._metrics.labels.labels("delayed").inc()
        if error.message != self._last_fault:
            self._last_fault = error.message
            _logger.warning(
                "labels of outcomes cannot reach the event log; they stay in the decision "
                "log and are tried again (`hemostat outcomes export` writes them)",
                why=error.message,
                waiting=len(self._waiting),
            )
