"""The typed client: what it imports, and that a retry is the same request."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest

from hemostat.client import CallError, Client
from hemostat.v1 import scoring_pb2 as pb
from hemostat.v1 import scoring_pb2_grpc


class Flaky(scoring_pb2_grpc.ScoringServiceServicer):
    """A service that is unavailable for its first calls."""

    def __init__(self, n_failures: int, code: grpc.StatusCode) -> None:
        self.n_failures = n_failures
        self.code = code
        self.request_ids: list[str] = []

    def Score(self, request: pb.ScoreRequest, context: Any) -> pb.ScoreResponse:  # noqa: N802
        self.request_ids.append(request.request_id)
        if len(self.request_ids) <= self.n_failures:
            context.abort(self.code, "not now")
        return pb.ScoreResponse(request_id=request.request_id)


@pytest.fixture
def executor() -> Iterator[futures.ThreadPoolExecutor]:
    with futures.ThreadPoolExecutor(2) as executor:
        yield executor


def _serve(servicer: Flaky, executor: futures.ThreadPoolExecutor) -> tuple[Any, str]:
    server = grpc.server(executor)
    scoring_pb2_grpc.add_ScoringServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"


def test_the_client_imports_nothing_outside_hemostat() -> None:
    script = (
        "import sys, hemostat.client\n"
        "names = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted(names & {'features', 'scoring', 'stream', 'training', 'numpy', 'numba'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
def test_a_call_that_finds_no_server_is_tried_again_with_the_same_id(
    code: grpc.StatusCode, executor: futures.ThreadPoolExecutor
) -> None:
    flaky = Flaky(2, code)
    server, address = _serve(flaky, executor)
    pauses: list[float] = []
    with Client(address, sleep=pauses.append) as client:
        answer = client.score(pb.ScoreRequest(tenant="shop"))
    server.stop(None).wait()
    assert len(pauses) == 2
    assert pauses[1] > pauses[0]
    assert answer.request_id
    assert set(flaky.request_ids) == {answer.request_id}


def test_the_callers_own_request_is_not_changed(executor: futures.ThreadPoolExecutor) -> None:
    server, address = _serve(Flaky(0, grpc.StatusCode.OK), executor)
    request, named = pb.ScoreRequest(tenant="shop"), pb.ScoreRequest(request_id="mine")
    with Client(address) as client:
        client.score(request)
        assert client.score(named).request_id == "mine"
    server.stop(None).wait()
    assert request == pb.ScoreRequest(tenant="shop")


@pytest.mark.parametrize("code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL])
def test_other_failures_are_not_tried_again(
    code: grpc.StatusCode, executor: futures.ThreadPoolExecutor
) -> None:
    flaky = Flaky(1, code)
    server, address = _serve(flaky, executor)
    with Client(address) as client, pytest.raises(CallError) as caught:
        client.score(pb.ScoreRequest())
    server.stop(None).wait()
    assert (caught.value.code, caught.value.message) == (code, "not now")
    assert len(flaky.request_ids) == 1


def test_the_clients_time_bounds_all_tries_together() -> None:
    start = time.monotonic()
    with Client("127.0.0.1:1", timeout_s=0.5) as client, pytest.raises(CallError) as caught:
        client.score(pb.ScoreRequest())
    assert caught.value.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert time.monotonic() - start < 5
