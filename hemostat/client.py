"""A small typed client of the scoring service. Imports nothing of the project but `hemostat`.

```python
from hemostat.client import Client
from hemostat.v1 import common_pb2, event_pb2, scoring_pb2

request = scoring_pb2.ScoreRequest(
    tenant="demo",
    customer_id="c1",
    channel=common_pb2.CHANNEL_STORE,
    return_request=event_pb2.ReturnRequested(quantity=1, unit_price_minor=12900),
)
with Client("127.0.0.1:50051") as client:
    answer = client.score(request)
```
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hemostat.v1 import event_pb2, scoring_pb2, scoring_pb2_grpc

DEFAULT_ADDRESS = "127.0.0.1:50051"

_SERVICE = scoring_pb2.DESCRIPTOR.services_by_name["ScoringService"].full_name
_ERROR_KEY = "hemostat-error-bin"
_PUSHBACK_KEY = "grpc-retry-pushback-ms"
_FIRST_PAUSE_S = 0.05
# Nobody cancels here: a server that ends cancels calls that it has not begun.
_RETRIED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
_MAX_MESSAGE_BYTES = 16 << 20
T = TypeVar("T")


class CallError(Exception):
    """A call that was not answered.

    Attributes:
        code: The gRPC status, e.g. `grpc.StatusCode.INVALID_ARGUMENT`.
        field: The field at fault, if the server named one.
        message: What is wrong and how to mend it.
    """

    def __init__(self, code: grpc.StatusCode, message: str, field: str = "") -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.field = field
        self.message = message


class Client:
    """A connection to a scoring server. Safe to share between threads; close it, or use `with`.

    A call that finds no server, or one that ends, is tried again until its time is up. That cannot
    score a case twice: a request without an id gets one, and the server answers
    the same id with the same decision.

    Args:
        address: `host:port`.
        timeout_s: Time for one call, all tries together.
        sleep: How to wait between tries.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout_s: float = 5.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._timeout_s = timeout_s
        self._sleep = sleep
        options = (
            # A restarted server is found within a call's own time.
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.min_reconnect_backoff_ms", 50),
            ("grpc.max_reconnect_backoff_ms", 1000),
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
        )
        self._channel = grpc.insecure_channel(address, options=options)
        self._stub: Any = scoring_pb2_grpc.ScoringServiceStub(self._channel)
        self._health: Any = health_pb2_grpc.HealthStub(self._channel)

    def score(self, request: scoring_pb2.ScoreRequest) -> scoring_pb2.ScoreResponse:
        """Return the answer to one case.

        Raises:
            CallError: It was refused, or no server answered in time.
        """
        response: scoring_pb2.ScoreResponse = self._call(self._stub.Score, _with_id(request))
        return response

    def score_batch(
        self, requests: Sequence[scoring_pb2.ScoreRequest]
    ) -> list[scoring_pb2.ScoreResponse | scoring_pb2.ScoreError]:
        """Return the answer, or the error, of each of at most 1,024 cases, in their order.

        Raises:
            CallError: The whole batch was refused, or no server answered in time.
        """
        batch = scoring_pb2.ScoreBatchRequest(requests=[_with_id(r) for r in requests])
        response: scoring_pb2.ScoreBatchResponse = self._call(self._stub.ScoreBatch, batch)
        return [
            result.response if result.HasField("response") else result.error
            for result in response.results
        ]

    def record_outcome(self, outcome: scoring_pb2.RecordOutcomeRequest) -> bool:
        """Record durably what became of a decision; return whether it was known already.

        Raises:
            CallError: There is no such decision, or no server answered in time.
        """
        response: scoring_pb2.RecordOutcomeResponse = self._call(self._stub.RecordOutcome, outcome)
        return response.is_duplicate

    def publish_events(self, events: Sequence[event_pb2.Event]) -> list[scoring_pb2.PublishResult]:
        """Append at most 1,000 events to the log and return what became of each, in their order.

        Accepted ones are durable then. Events of a call that failed may stand in the log
        all the same: tell them again, an event told twice counts once.

        Raises:
            CallError: The whole call was refused, or no server answered in time.
        """
        request = scoring_pb2.PublishEventsRequest(events=events)
        response: scoring_pb2.PublishEventsResponse = self._call(self._stub.PublishEvents, request)
        return list(response.results)

    def is_ready(self) -> bool:
        """Return whether the server takes calls now; False if there is none."""
        request = health_pb2.HealthCheckRequest(service=_SERVICE)
        try:
            status = self._health.Check(request, timeout=self._timeout_s).status
        except grpc.RpcError:
            return False
        return bool(status == health_pb2.HealthCheckResponse.SERVING)

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()

    def _call(self, method: Callable[..., T], request: object) -> T:
        deadline_s = time.monotonic() + self._timeout_s
        pause_s = _FIRST_PAUSE_S
        while True:
            left_s = deadline_s - time.monotonic()
            try:
                return method(request, timeout=max(left_s, 0.0))
            except grpc.RpcError as error:
                failed = _to_call_error(error)
                pushback_s = _find_pushback(error)
                can_retry = failed.code in _RETRIED or pushback_s > 0
                pause_s = max(pause_s, pushback_s)
                # Jitter: clients that lost one server do not come back in step.
                pause_s *= 1 + random.random()
                if not can_retry or time.monotonic() + pause_s >= deadline_s:
                    raise failed from error
            self._sleep(pause_s)


def _with_id(request: scoring_pb2.ScoreRequest) -> scoring_pb2.ScoreRequest:
    """Return the request with an id, so that a retry is the same request."""
    if request.request_id:
        return request
    named = scoring_pb2.ScoreRequest()
    named.CopyFrom(request)
    named.request_id = uuid.uuid4().hex
    return named


def _find_pushback(error: Any) -> float:
    """Return how long an overloaded server asks to wait, seconds; 0: it does not ask."""
    for key, value in error.trailing_metadata() or ():
        if key == _PUSHBACK_KEY and str(value).isdigit():
            return int(value) / 1e3
    return 0.0


def _to_call_error(error: Any) -> CallError:
    """Return the error of a failed call, with what the server said of it."""
    for key, value in error.trailing_metadata() or ():
        if key == _ERROR_KEY:
            told = scoring_pb2.ScoreError.FromString(value)
            return CallError(error.code(), told.message, told.field)
    return CallError(error.code(), error.details() or "no details")
