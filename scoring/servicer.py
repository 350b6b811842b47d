"""The scoring service on the wire: thin, everything it does is done elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from time import perf_counter
from typing import Any, TypeVar

import grpc
import structlog

from features.errors import HemostatError, OverloadedError
from hemostat.v1 import scoring_pb2 as pb
from hemostat.v1 import scoring_pb2_grpc
from scoring.admission import Admission
from scoring.cases import Case
from scoring.clock import Clock
from scoring.conversion import to_case
from scoring.decision_log import DecisionLog
from scoring.label_telling import LabelTeller
from scoring.metrics import ScoringMetrics
from scoring.publishing import RETRY_AFTER_MS, PublisherSource
from scoring.scorer import Result
from scoring.status import ERROR_METADATA_KEY, present_error, to_score_error
from scoring.validation import validate_batch, validate_outcome, validate_request

# A batch without a deadline of its own has so much more time per case.
_BATCH_CASE_S = 0.002
# Of a batch so many lines are converted before calls that wait have their turn.
_LINES_AT_ONCE = 256
_CASE_NAMES = {"order": "order", "cancellation": "cancellation", "return_request": "return"}
_HINTS = {number: name.removeprefix("HINT_") for name, number in pb.Hint.items()}
_REASONS = {number: name.removeprefix("DEGRADATION_") for name, number in pb.Degradation.items()}

_PUSHBACK_KEY = "grpc-retry-pushback-ms"  # gRPC's own name for "try again in so long".
_FAULT = "a fault of the server; see its log"

_logger = structlog.get_logger()
T = TypeVar("T")


class ScoringServicer(scoring_pb2_grpc.ScoringServiceServicer):
    """Converts, admits, answers; errors become statuses in `scoring.status`.

    Args:
        admission: The queue in front of the scorer.
        log: For outcomes.
        labels: Told of the labels that outcomes make.
        publisher: For events.
        find_line_tenants: Returns the tenants whose order lines are scored, too.
        find_tenants: Returns all tenants that are served.
        clock: To tell absurd times.
        metrics: Where calls are counted.
        default_deadline_s: For calls that bring none.
    """

    def __init__(
        self,
        *,
        admission: Admission,
        log: DecisionLog,
        labels: LabelTeller,
        publisher: PublisherSource,
        find_tenants: Callable[[], Collection[str]],
        find_line_tenants: Callable[[], Collection[str]],
        clock: Clock,
        metrics: ScoringMetrics,
        default_deadline_s: float,
    ) -> None:
        self._admission = admission
        self._log = log
        self._labels = labels
        self._publisher = publisher
        self._find_tenants = find_tenants
        self._find_line_tenants = find_line_tenants
        self._clock = clock
        self._metrics = metrics
        self._default_deadline_s = default_deadline_s

    async def Score(  # noqa: N802  # The name is the proto's.
        self, request: pb.ScoreRequest, context: Any
    ) -> pb.ScoreResponse:
        """Score one case."""
        return await self._answer("Score", context, self._score(request, context))

    async def ScoreBatch(  # noqa: N802
        self, request: pb.ScoreBatchRequest, context: Any
    ) -> pb.ScoreBatchResponse:
        """Score several cases."""
        return await self._answer("ScoreBatch", context, self._score_batch(request, context))

    async def RecordOutcome(  # noqa: N802
        self, request: pb.RecordOutcomeRequest, context: Any
    ) -> pb.RecordOutcomeResponse:
        """Record what became of a decision; answered when it is on the disk."""
        return await self._answer("RecordOutcome", context, self._record_outcome(request))

    async def PublishEvents(  # noqa: N802
        self, request: pb.PublishEventsRequest, context: Any
    ) -> pb.PublishEventsResponse:
        """Append events; answered when they are durable."""
        return await self._answer("PublishEvents", context, self._publish(request))

    async def PublishEventStream(  # noqa: N802
        self, requests: AsyncIterator[pb.PublishEventsRequest], context: Any
    ) -> AsyncIterator[pb.PublishEventsResponse]:
        """Append the events of each request in turn."""
        async for request in requests:
            yield await self._answer("PublishEventStream", context, self._publish(request))

    async def _answer(self, method: str, context: Any, work: Awaitable[T]) -> T:
        """Return what `work` returns; turn its errors into the call's status."""
        start_s = perf_counter()
        try:
            return await work
        except HemostatError as error:
            code, shown = present_error(error)
            metadata: list[tuple[str, str | bytes]] = [
                (ERROR_METADATA_KEY, shown.SerializeToString())
            ]
            if isinstance(error, OverloadedError):
                metadata.append((_PUSHBACK_KEY, str(RETRY_AFTER_MS)))
            await context.abort(code, shown.message, trailing_metadata=tuple(metadata))
            raise AssertionError("abort does not return") from error
        except Exception:
            _logger.exception("a call failed", method=method)
            await context.abort(grpc.StatusCode.INTERNAL, _FAULT)
            raise
        finally:
            self._metrics.call_seconds.labels(method).observe(perf_counter() - start_s)

    async def _score(self, request: pb.ScoreRequest, context: Any) -> pb.ScoreResponse:
        deadline_s = self._compute_deadline(context, self._default_deadline_s)
        try:
            result = await self._admission.submit(self._to_case(request), deadline_s)
        except HemostatError as error:
            result = error
        self._count(request, result)
        if isinstance(result, HemostatError):
            raise result
        return result

    async def _score_batch(
        self, batch: pb.ScoreBatchRequest, context: Any
    ) -> pb.ScoreBatchResponse:
        validate_batch(batch.requests)
        line_tenants = self._find_line_tenants()
        self._admission.check_batch_rows(
            sum(
                1 + (len(request.order.lines) if request.tenant in line_tenants else 0)
                for request in batch.requests
            )
        )
        default_s = self._default_deadline_s + _BATCH_CASE_S * len(batch.requests)
        deadline_s = self._compute_deadline(context, default_s)
        results: list[Result | None] = [None] * len(batch.requests)
        cases: dict[int, Case] = {}
        n_lines = 0
        for number, request in enumerate(batch.requests):
            n_lines += 1 + len(request.order.lines)
            if n_lines > _LINES_AT_ONCE:
                n_lines = 0
                await asyncio.sleep(0)  # Single calls need not wait for all of a large batch.
            try:
                cases[number] = self._to_case(request)
            except Exception as error:  # noqa: BLE001  # Logged there; the others go on.
                results[number] = _to_result(error)
        if cases:
            answers = await self._admission.submit_batch(list(cases.values()), deadline_s)
            for number, answer in zip(cases, answers, strict=True):
                results[number] = _to_result(answer)
        response = pb.ScoreBatchResponse()
        for request, result in zip(batch.requests, results, strict=True):
            assert result is not None
            self._count(request, result)
            if isinstance(result, HemostatError):
                response.results.add(error=to_score_error(result))
            else:
                response.results.add(response=result)
        return response

    async def _record_outcome(self, request: pb.RecordOutcomeRequest) -> pb.RecordOutcomeResponse:
        validate_outcome(request, self._find_tenants())
        try:
            is_duplicate = await self._log.record_outcome(request)
        finally:
            # Also of a call that was cancelled: its outcome may stand in the log.
            self._labels.tell(self._log.make_label_key(request))
        return pb.RecordOutcomeResponse(is_duplicate=is_duplicate)

    async def _publish(self, request: pb.PublishEventsRequest) -> pb.PublishEventsResponse:
        publisher = await self._publisher.get()
        return await publisher.publish(request.events)

    def _to_case(self, request: pb.ScoreRequest) -> Case:
        received_s = perf_counter()
        now_us = self._clock.read_us()
        validate_request(request, self._find_tenants(), now_us)
        with_lines = request.tenant in self._find_line_tenants()
        return to_case(request, with_lines=with_lines, received_s=received_s, now_us=now_us)

    def _compute_deadline(self, context: Any, default_s: float) -> float:
        """Return when the caller stops waiting, by the loop's clock."""
        left_s = context.time_remaining()
        now_s = asyncio.get_running_loop().time()
        return now_s + (default_s if left_s is None else left_s)

    def _count(self, request: pb.ScoreRequest, result: Result) -> None:
        call = _CASE_NAMES.get(request.WhichOneof("case") or "", "none")
        if isinstance(result, HemostatError):
            code, _ = present_error(result)
            self._metrics.requests.labels(call, "none", code.name).inc()
            return
        self._metrics.requests.labels(call, _HINTS[result.hint], grpc.StatusCode.OK.name).inc()
        for reason in result.degradations:
            self._metrics.degraded.labels(_REASONS[reason]).inc()
        if result.is_audit:
            self._metrics.audits.labels(call).inc()
        if result.shadow_hint:
            self._metrics.shadow_hints.labels(call, _HINTS[result.shadow_hint]).inc()


def _to_result(outcome: pb.ScoreResponse | Exception) -> Result:
    """Return what is told of one case of a batch; a bug is logged here."""
    if isinstance(outcome, pb.ScoreResponse | HemostatError):
        return outcome
    _logger.error("a case of a batch failed", exc_info=outcome)
    return HemostatError(_FAULT)
