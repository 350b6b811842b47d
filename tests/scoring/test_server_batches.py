"""Batches over a real gRPC connection: one case never costs the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from benchmarks.serving.world import BAZAAR, World
from hemostat.client import CallError, Client
from hemostat.v1 import scoring_pb2 as pb

RequestOf = Callable[..., pb.ScoreRequest]
RunServer = Callable[..., Any]
Status = grpc.StatusCode


@pytest.fixture
def client(server: Any) -> Iterator[Client]:
    with Client(server.address) as client:
        yield client


def test_a_batch_has_an_answer_or_an_error_for_each_case(
    client: Client, request_of: RequestOf
) -> None:
    requests = [request_of(customer_id=f"c{n}") for n in range(300)]
    requests[7] = request_of(quantity=0)
    results = client.score_batch(requests)
    assert len(results) == 300
    error = results[7]
    assert isinstance(error, pb.ScoreError)
    assert error.field == "return_request.quantity"
    answers = [result for result in results if isinstance(result, pb.ScoreResponse)]
    assert len({answer.decision_id for answer in answers}) == 299


def test_an_order_whose_sums_are_out_of_range_takes_no_other_case_with_it(
    client: Client, request_of: RequestOf
) -> None:
    line = {"quantity": 10**6, "unit_price_minor": 10**7, "unit_discount_minor": 10**12}
    few = {"quantity": 10**6, "unit_price_minor": 10**6}
    dear = request_of("order", lines=[line] * 10)
    many = request_of("order", lines=[few] * 11)
    beside, per_line, in_sum = client.score_batch([request_of(), dear, many])
    assert isinstance(beside, pb.ScoreResponse)
    assert isinstance(per_line, pb.ScoreError)
    assert per_line.field == "order.lines[0].quantity * unit_discount_minor"
    assert isinstance(in_sum, pb.ScoreError)
    assert in_sum.field == "order.lines: sum of quantity * unit_price_minor"


def test_a_bug_in_one_case_of_a_batch_takes_no_other_with_it(
    own_world: World, run_server: RunServer, request_of: RequestOf
) -> None:
    with run_server(store=own_world.store, bundle=(str(own_world.shop_bundles),)) as server:
        scorer = server.server.scorer
        decide = scorer._decide_one

        def fail(case: Any, *rest: Any) -> Any:
            if case.request_id == "bug":
                raise KeyError("secret")
            return decide(case, *rest)

        scorer._decide_one = fail
        with Client(server.address) as client:
            before, failed, after = client.score_batch(
                [request_of(request_id=name) for name in ("a", "bug", "b")]
            )
    assert isinstance(before, pb.ScoreResponse)
    assert isinstance(after, pb.ScoreResponse)
    assert isinstance(failed, pb.ScoreError)
    assert "fault of the server" in failed.message
    assert "secret" not in failed.message


def test_a_batch_of_more_lines_than_may_wait_is_refused_whole(
    client: Client, request_of: RequestOf
) -> None:
    lines = [{"quantity": 1, "unit_price_minor": 100}] * 1000
    orders = [request_of("order", tenant=BAZAAR, lines=lines)] * 5
    with pytest.raises(CallError) as caught:
        client.score_batch(orders)
    assert (caught.value.code, caught.value.field) == (Status.RESOURCE_EXHAUSTED, "requests")
    assert "at most 4096 rows" in caught.value.message
    assert "split the batch" in caught.value.message
    answers = client.score_batch(orders[:2])
    assert all(isinstance(answer, pb.ScoreResponse) for answer in answers)


@pytest.mark.parametrize("n", [0, 1025])
def test_a_batch_of_a_wrong_size_is_refused_whole(
    n: int, client: Client, request_of: RequestOf
) -> None:
    with pytest.raises(CallError) as caught:
        client.score_batch([request_of()] * n)
    assert (caught.value.code, caught.value.field) == (Status.INVALID_ARGUMENT, "requests")


def test_a_full_batch_of_orders_is_answered(client: Client, request_of: RequestOf) -> None:
    lines = [{"line_id": str(n), "quantity": 1, "unit_price_minor": 100} for n in range(3)]
    order = request_of("order", tenant=BAZAAR, lines=lines)
    results = client.score_batch([order] * 1024)
    assert all(isinstance(result, pb.ScoreResponse) for result in results)
