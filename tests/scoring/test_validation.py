"""Bad requests: each is refused with the field, the value and the fix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.serving.world import SHOP
from features.embedding import DIM, EMBEDDER
from features.errors import InvalidRequestError
from hemostat.v1 import scoring_pb2 as pb
from scoring.validation import (
    MAX_LINES,
    validate_batch,
    validate_outcome,
    validate_request,
)

NOW_US = 1_760_000_000_000_000  # 2025-10-09
TENANTS = {SHOP, "other"}
LINE = {"line_id": "1", "quantity": 1, "unit_price_minor": 4000}
RequestOf = Callable[..., pb.ScoreRequest]


def _lines(**more: Any) -> dict[str, Any]:
    return {"lines": [LINE, {**LINE, **more}]}


def _reason(**more: Any) -> dict[str, Any]:
    return {"reason": more}


@pytest.mark.parametrize(
    ("case", "more", "field"),
    [
        ("order", {"tenant": "shpo"}, "tenant"),
        ("order", {"tenant": ""}, "tenant"),
        ("order", {"customer_id": "c" * 257}, "customer_id"),
        ("order", {"request_id": "c" * 257}, "request_id"),
        ("order", {"channel": 77}, "channel"),
        ("order", {"lines": []}, "order.lines"),
        ("order", {"lines": [LINE] * (MAX_LINES + 1)}, "order.lines"),
        ("order", _lines(quantity=0), "order.lines[1].quantity"),
        ("order", _lines(quantity=1_000_001), "order.lines[1].quantity"),
        ("order", _lines(unit_price_minor=-1), "order.lines[1].unit_price_minor"),
        ("order", _lines(unit_cost_minor=-1), "order.lines[1].unit_cost_minor"),
        ("order", _lines(unit_discount_minor=-1), "order.lines[1].unit_discount_minor"),
        (
            "order",
            _lines(quantity=100, unit_price_minor=10**12),
            "order.lines[1].quantity * unit_price_minor",
        ),
        ("order", {"discount_minor": -5}, "order.discount_minor"),
        ("order", {"gift_card_minor": -5}, "order.gift_card_minor"),
        ("order", {"tender": 99}, "order.tender"),
        ("order", {"return_window_days": -1}, "order.return_window_days"),
        (
            "order",
            {"promised_delivery_time": "2045-01-01T00:00:00Z"},
            "order.promised_delivery_time",
        ),
        ("cancellation", {"quantity": 0}, "cancellation.quantity"),
        ("cancellation", {"unit_price_minor": -1}, "cancellation.unit_price_minor"),
        ("cancellation", {"delay_s": -1}, "cancellation.delay_s"),
        ("cancellation", {"stage": 50}, "cancellation.stage"),
        ("cancellation", {"order_time": "2027-01-01T00:00:00Z"}, "cancellation.order_time"),
        ("return_request", {"quantity": -3}, "return_request.quantity"),
        ("return_request", {"order_time": "1970-01-01T00:00:00Z"}, "return_request.order_time"),
        ("return_request", {"order_time": "9999-01-01T00:00:00Z"}, "return_request.order_time"),
        (
            "return_request",
            {"order_time": "2025-10-02T00:00:00Z", "delivery_time": "2025-10-01T00:00:00Z"},
            "return_request.delivery_time",
        ),
        ("return_request", {"refund_tender": 99}, "return_request.refund_tender"),
        ("return_request", {"order_channel": 99}, "return_request.order_channel"),
        ("return_request", _reason(code=99), "return_request.reason.code"),
        (
            "return_request",
            _reason(embedding="AAAA", embedder=EMBEDDER),
            "return_request.reason.embedding",
        ),
        (
            "return_request",
            _reason(embedding="A" * 84 + "AA==", embedder="other"),
            "return_request.reason.embedding",
        ),
        (
            "return_request",
            {"evidence": {"weight_g": -1}},
            "return_request.evidence.weight_g",
        ),
    ],
)
def test_a_bad_value_is_named(
    case: str, more: dict[str, Any], field: str, request_of: RequestOf
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        validate_request(request_of(case, **more), TENANTS, NOW_US)
    error = caught.value
    assert error.field == field
    assert error.value
    assert error.expectation
    assert error.fix


@pytest.mark.parametrize("case", ["order", "cancellation", "return_request"])
def test_a_sound_request_passes(case: str, request_of: RequestOf) -> None:
    validate_request(request_of(case), TENANTS, NOW_US)
    validate_request(request_of(case, customer_id="", channel=0), TENANTS, NOW_US)


def test_an_embedding_of_this_embedder_passes(request_of: RequestOf) -> None:
    request = request_of("return_request")
    request.return_request.reason.embedding = bytes(DIM)
    request.return_request.reason.embedder = EMBEDDER
    validate_request(request, TENANTS, NOW_US)


def test_a_time_that_overflows_is_absurd_and_no_crash(request_of: RequestOf) -> None:
    request = request_of("return_request")
    request.return_request.order_time.seconds = 2**62
    with pytest.raises(InvalidRequestError, match="absurd"):
        validate_request(request, TENANTS, NOW_US)
    request.return_request.order_time.seconds = 1_750_000_000
    request.return_request.order_time.nanos = -1
    with pytest.raises(InvalidRequestError, match="absurd"):
        validate_request(request, TENANTS, NOW_US)


def test_a_request_without_case_is_refused() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        validate_request(pb.ScoreRequest(tenant=SHOP), TENANTS, NOW_US)
    assert caught.value.field == "case"


def test_a_misspelt_tenant_gets_the_closest_one(request_of: RequestOf) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        validate_request(request_of(tenant="shp"), TENANTS, NOW_US)
    assert "did you mean `shop`?" in caught.value.fix


@pytest.mark.parametrize("n", [0, 1025])
def test_a_batch_is_bounded(n: int, request_of: RequestOf) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        validate_batch([request_of()] * n)
    assert (caught.value.field, caught.value.value) == ("requests", str(n))


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"tenant": "nobody"}, "tenant"),
        ({"decision_id": ""}, "decision_id"),
        ({"outcome_id": ""}, "outcome_id"),
        ({"outcome": pb.OUTCOME_UNSPECIFIED}, "outcome"),
        ({"spent_minor": -1}, "spent_minor"),
    ],
)
def test_a_bad_outcome_is_named(more: dict[str, Any], field: str) -> None:
    sound: dict[str, Any] = {
        "tenant": SHOP,
        "decision_id": "d",
        "outcome_id": "o",
        "outcome": pb.OUTCOME_KEPT,
    }
    validate_outcome(pb.RecordOutcomeRequest(**sound), TENANTS)
    with pytest.raises(InvalidRequestError) as caught:
        validate_outcome(pb.RecordOutcomeRequest(**{**sound, **more}), TENANTS)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("case", "more", "has_money"),
    [
        ("return_request", {"quantity": 0}, False),
        ("return_request", {"evidence": {"weight_g": -1}}, False),
        ("cancellation", {"delay_s": -1}, False),
        ("cancellation", {"unit_price_minor": -1}, True),
    ],
)
def test_only_an_amount_is_told_to_be_in_minor_units(
    case: str, more: dict[str, Any], has_money: bool, request_of: RequestOf
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        validate_request(request_of(case, **more), TENANTS, NOW_US)
    assert ("minor units" in caught.value.fix) is has_money
