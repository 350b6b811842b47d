"""The core: known, new and unknown customers, what is down, retries, replays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks.serving.world import (
    BAZAAR,
    HONEST,
    P_ABUSE,
    P_HONEST,
    P_LEAVE,
    P_LINE_CHEAP,
    P_LINE_DEAR,
    P_STAY,
    RETURNER,
    SHOP,
)
from features.errors import HemostatError, RequestConflictError
from features.store.memory_store import MemoryFeatureStore
from hemostat.v1 import scoring_pb2 as pb
from scoring.replay import replay
from scoring.scorer import Result
from tests.scoring.scorer_bench import Bench

RequestOf = Callable[..., pb.ScoreRequest]
LINE = {"line_id": "1", "quantity": 1, "unit_price_minor": 4000}


def test_a_returner_is_to_be_verified_and_an_honest_customer_is_not(
    bench: Bench, request_of: RequestOf
) -> None:
    flagged = bench.score(request_of(customer_id=RETURNER))
    assert flagged.p_abuse == pytest.approx(P_ABUSE, abs=1e-6)
    assert flagged.hint == pb.HINT_VERIFY
    assert flagged.check.en
    assert flagged.reasons[0].code == "RETURN_RATE_HIGH"
    assert flagged.budget.limit == pb.BUDGET_LIMIT_FLAGGED_ABUSE
    assert flagged.budget.amount_minor == 0
    honest = bench.score(request_of(customer_id=HONEST))
    assert honest.p_abuse == pytest.approx(P_HONEST, abs=1e-6)
    assert honest.hint == pb.HINT_APPROVE
    assert not honest.HasField("check")
    assert honest.budget.amount_minor == 600  # Half of 30 % of 40.00.
    assert honest.budget.rfm_score > 0
    assert not honest.degradations


def test_a_head_that_does_not_apply_is_absent(bench: Bench, request_of: RequestOf) -> None:
    returned = bench.score(request_of("return_request"))
    assert returned.HasField("p_abuse")
    assert not returned.HasField("p_cancel")
    cancelled = bench.score(request_of("cancellation"))
    assert not cancelled.HasField("p_abuse")
    assert cancelled.p_cancel == pytest.approx(P_STAY, abs=1e-6)
    assert cancelled.abuse_source == pb.LABEL_SOURCE_UNSPECIFIED


def test_who_would_stay_gets_nothing_and_who_would_leave_gets_an_offer(
    bench: Bench, request_of: RequestOf
) -> None:
    stays = bench.score(request_of("cancellation", customer_id=HONEST, unit_price_minor=49_999))
    assert stays.budget.limit == pb.BUDGET_LIMIT_WOULD_STAY
    leaves = bench.score(
        request_of(
            "cancellation", customer_id=HONEST, unit_price_minor=50_000, unit_cost_minor=20_000
        )
    )
    assert leaves.p_cancel == pytest.approx(P_LEAVE, abs=1e-6)
    assert leaves.budget.margin_source == pb.MARGIN_SOURCE_UNIT_COST
    assert leaves.budget.amount_minor == 15_000


def test_simulated_abuse_heads_run_in_shadow(bench: Bench, request_of: RequestOf) -> None:
    answer = bench.score(request_of(tenant=BAZAAR, customer_id=RETURNER))
    assert (answer.hint, answer.shadow_hint) == (pb.HINT_APPROVE, pb.HINT_VERIFY)
    assert answer.abuse_source == pb.LABEL_SOURCE_SIMULATED
    assert answer.p_abuse == pytest.approx(P_ABUSE, abs=1e-6)
    assert answer.budget.amount_minor == 600
    assert answer.budget.margin_source == pb.MARGIN_SOURCE_POLICY_DEFAULT


def test_every_order_line_has_its_probability_and_p_cancel_is_absent(
    bench: Bench, request_of: RequestOf
) -> None:
    lines = [LINE, {"line_id": "b", "quantity": 3, "unit_price_minor": 4000}]
    answer = bench.score(request_of("order", tenant=BAZAAR, lines=lines))
    by_line = {head.line_id: head.probability for head in answer.heads if head.line_id}
    assert by_line == pytest.approx({"1": P_LINE_CHEAP, "b": P_LINE_DEAR}, abs=1e-6)
    assert not answer.HasField("p_cancel")
    assert answer.reasons[0].target == pb.TARGET_RETURN_OR_CANCEL_30D
    assert answer.reasons[0].value == 12_000  # The riskier line is explained.


def test_states_of_customers_stay_apart(bench: Bench, request_of: RequestOf) -> None:
    known, new, guest = bench.score_all(
        request_of(customer_id=RETURNER),
        request_of(customer_id="never seen"),
        request_of(customer_id=""),
    )
    assert isinstance(known, pb.ScoreResponse)
    assert isinstance(new, pb.ScoreResponse)
    assert isinstance(guest, pb.ScoreResponse)
    assert known.freshness.customer_state == pb.CUSTOMER_STATE_KNOWN
    assert known.freshness.shard_lag_s == 2.0
    assert known.freshness.record_age_s > 2.0
    assert new.freshness.customer_state == pb.CUSTOMER_STATE_NEW
    assert new.freshness.HasField("shard_lag_s")
    assert not new.freshness.HasField("record_age_s")
    assert guest.freshness.customer_state == pb.CUSTOMER_STATE_GUEST
    assert not guest.freshness.HasField("shard_lag_s")
    assert [answer.budget.tier for answer in (known, new, guest)] == ["ordinary", "new", "new"]
    assert not any(answer.degradations for answer in (known, new, guest))


def test_a_stream_that_is_behind_is_told(bench: Bench, request_of: RequestOf) -> None:
    limit_us = round(bench.rules.policy.rules.staleness_limit_s * 1e6)
    bench.now_us += limit_us - 2_000_000
    assert not bench.score(request_of()).degradations
    bench.now_us += 1
    stale = bench.score(request_of())
    assert list(stale.degradations) == [pb.DEGRADATION_STALE]
    assert stale.hint == pb.HINT_VERIFY  # Stale features still count.


def test_without_a_model_the_answer_says_so(bench: Bench, request_of: RequestOf) -> None:
    answer = bench.score(request_of("cancellation", tenant=BAZAAR))  # No such head there.
    assert list(answer.degradations) == [pb.DEGRADATION_MODEL_UNAVAILABLE]
    assert answer.hint == pb.HINT_APPROVE
    del bench.models[SHOP]
    answer = bench.score(request_of())
    assert list(answer.degradations) == [pb.DEGRADATION_MODEL_UNAVAILABLE]
    assert answer.model_version == ""


def test_a_log_that_is_down_degrades_the_answer(bench: Bench, request_of: RequestOf) -> None:
    asyncio.run(bench.serving.close())
    answer = bench.score(request_of(request_id="r"))
    assert list(answer.degradations) == [pb.DEGRADATION_DECISION_LOG_UNAVAILABLE]
    assert answer.hint == pb.HINT_VERIFY


def test_a_retry_gets_the_same_decision_whatever_has_changed(
    bench: Bench, request_of: RequestOf
) -> None:
    first = bench.score(request_of(request_id="r1"))
    bench.now_us += 10_000_000
    bench.store = MemoryFeatureStore()
    assert bench.score(request_of(request_id="r1")) == first


def test_the_same_request_id_with_another_case_is_a_conflict(
    bench: Bench, request_of: RequestOf
) -> None:
    twice, other = request_of(request_id="r1"), request_of(request_id="r1", quantity=2)
    first, again, conflict = bench.score_all(twice, twice, other)
    assert isinstance(first, pb.ScoreResponse)
    assert again == first
    assert isinstance(conflict, RequestConflictError)
    (later,) = bench.score_all(other)
    assert isinstance(later, RequestConflictError)
    assert bench.score(request_of(request_id="r1", tenant=BAZAAR)).decision_id != first.decision_id


def test_cases_without_request_id_are_new_each_time(bench: Bench, request_of: RequestOf) -> None:
    ids = {bench.score(request_of()).decision_id for _ in range(3)}
    assert len(ids) == 3


def test_a_batch_answers_each_case_as_it_would_be_answered_alone(
    bench: Bench, request_of: RequestOf
) -> None:
    lines = [{**LINE, "line_id": str(n)} for n in range(12)]
    requests = [
        request_of("order", tenant=BAZAAR, lines=lines),
        request_of("return_request", customer_id=HONEST),
        request_of("order", tenant=SHOP, lines=lines, customer_id="new"),
        request_of("cancellation", customer_id=""),
    ]

    def strip(result: Result) -> pb.ScoreResponse:
        assert not isinstance(result, HemostatError)
        result.decision_id = ""
        result.server_latency_us = 0
        return result

    alone = [strip(bench.score(request)) for request in requests]
    assert [strip(result) for result in bench.score_all(*requests)] == alone


@pytest.mark.parametrize(
    "more",
    [
        {"case": "return_request", "tenant": SHOP, "customer_id": RETURNER},
        {"case": "return_request", "tenant": BAZAAR, "customer_id": RETURNER},
        {"case": "cancellation", "tenant": SHOP, "customer_id": ""},
        {"case": "cancellation", "tenant": BAZAAR, "customer_id": "new"},
        {
            "case": "order",
            "tenant": BAZAAR,
            "lines": [LINE, {"line_id": "", "quantity": 9, "unit_price_minor": 9_000}],
        },
    ],
)
def test_a_logged_decision_replays_bit_for_bit(
    more: dict[str, Any], bench: Bench, request_of: RequestOf
) -> None:
    answer = bench.score(request_of(**more))
    record = bench.log.read(more["tenant"], answer.decision_id)
    assert record is not None
    assert record.response == answer
    model = bench.models[more["tenant"]]
    again = replay(record, model, bench.rules, bench.log.audit_key)
    assert again.SerializeToString(deterministic=True) == answer.SerializeToString(
        deterministic=True
    )
    with pytest.raises(ValueError, match="its own bundle"):
        replay(record, None, bench.rules, bench.log.audit_key)


def test_many_lines_take_little_room_in_the_log(bench: Bench, request_of: RequestOf) -> None:
    lines = [{**LINE, "line_id": "", "unit_price_minor": 100 + n} for n in range(1000)]
    answer = bench.score(request_of("order", tenant=BAZAAR, lines=lines))
    record = bench.log.read(BAZAAR, answer.decision_id)
    assert record is not None
    assert not record.vectors
    assert len(record.compressed_vectors) < 50 * len(lines)  # Instead of 376 bytes each.
    assert len(record.SerializeToString()) < 100 * len(lines)
    again = replay(record, bench.models[BAZAAR], bench.rules, bench.log.audit_key)
    assert again == answer


def test_no_customer_and_no_text_stands_in_the_log(bench: Bench, request_of: RequestOf) -> None:
    secret = "secret-7e3a"
    request = request_of(
        customer_id=secret,
        event_id="e-1",
        order_id=f"{secret}-order",
        sku=f"{secret}-sku",
        reason={"text": f"{secret} does not fit"},
    )
    answer = bench.score(request)
    record = bench.log.read(SHOP, answer.decision_id)
    assert record is not None
    assert secret.encode() not in record.SerializeToString()
    assert np.frombuffer(record.vectors, np.float32).size > 0
