"""The core: known, new and unknown customers, what is down, retries, replays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
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
    World,
)
from features.entities import Entity
from features.errors import HemostatError, RequestConflictError
from features.keys import compute_entity_key, compute_shard
from features.records.packing import PackedRecords
from features.store.lmdb_store import LmdbFeatureReader
from features.store.memory_store import MemoryFeatureStore
from features.store.port import FeatureReader, RecordCommit, ShardProgress
from hemostat.v1 import scoring_pb2 as pb
from scoring.clock import Clock
from scoring.conversion import to_case
from scoring.decision_log import DecisionLog
from scoring.metrics import ScoringMetrics
from scoring.model import Model, load_model
from scoring.replay import replay
from scoring.rules import Rules
from scoring.scorer import Result, Scorer
from scoring.serving_store import ServingStore

RequestOf = Callable[..., pb.ScoreRequest]
LINE = {"line_id": "1", "quantity": 1, "unit_price_minor": 4000}


class Bench:
    """A scorer over a world, with a clock that the test sets."""

    def __init__(self, world: World, rules: Rules, folder: Path) -> None:
        self.models: dict[str, Model] = {
            SHOP: load_model(world.shop_bundles),
            BAZAAR: load_model(world.bazaar_bundle),
        }
        self.rules = rules
        self.now_us = world.applied_us + 2_000_000
        self.store: FeatureReader = LmdbFeatureReader.open_reader(world.store)
        self.serving = ServingStore.open(folder)
        self.log = DecisionLog(self.serving)

    def score_all(self, *requests: pb.ScoreRequest) -> list[Result]:
        """Score some requests in one micro-batch."""
        scorer = Scorer(
            store=self.store,
            get_models=lambda: self.models,
            get_rules=lambda: self.rules,
            log=self.log,
            clock=Clock(lambda: self.now_us),
            metrics=ScoringMetrics(),
        )
        cases = [
            to_case(
                request,
                with_lines=request.tenant in self.models
                and self.models[request.tenant].has_line_heads,
                received_s=0.0,
                now_us=self.now_us,
            )
            for request in requests
        ]

        async def run() -> list[Result]:
            return scorer.score(cases)

        return asyncio.run(run())

    def score(self, request: pb.ScoreRequest) -> pb.ScoreResponse:
        """Score one request that is answered."""
        (result,) = self.score_all(request)
        assert isinstance(result, pb.ScoreResponse)
        return result


@pytest.fixture
def bench(world: World, rules: Rules, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(world, rules, tmp_path / "serving")
    opened = bench.store
    yield bench
    opened.close()
    asyncio.run(bench.serving.close())


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


def test_a_closed_store_degrades_the_answer_and_never_raises(
    bench: Bench, request_of: RequestOf
) -> None:
    bench.store = MemoryFeatureStore()
    bench.store.close()
    answer, guest = bench.score_all(request_of(), request_of(customer_id=""))
    assert isinstance(answer, pb.ScoreResponse)
    assert isinstance(guest, pb.ScoreResponse)
    assert list(answer.degradations) == [pb.DEGRADATION_STORE_UNAVAILABLE]
    assert answer.freshness.customer_state == pb.CUSTOMER_STATE_UNAVAILABLE
    assert answer.hint == pb.HINT_APPROVE
    assert answer.HasField("p_abuse")
    assert not guest.degradations  # A guest who names nothing needs no store.


def test_one_damaged_record_does_not_blind_the_cases_beside_it(
    bench: Bench, request_of: RequestOf
) -> None:
    store = MemoryFeatureStore()
    key = compute_entity_key(SHOP, Entity.CUSTOMER, "damaged")
    keys = np.frombuffer(key, np.uint8).reshape(1, 16)
    packed = PackedRecords.from_blobs([b"x" * 64])
    progress = ShardProgress(applied_ingest_us=bench.now_us)
    store.commit_records([RecordCommit(compute_shard(key), 0, keys, packed, progress)])
    bench.store = store
    damaged, new = bench.score_all(request_of(customer_id="damaged"), request_of(customer_id="n"))
    assert isinstance(damaged, pb.ScoreResponse)
    assert isinstance(new, pb.ScoreResponse)
    assert damaged.freshness.customer_state == pb.CUSTOMER_STATE_UNAVAILABLE
    assert list(damaged.degradations) == [pb.DEGRADATION_STORE_UNAVAILABLE]
    assert new.freshness.customer_state == pb.CUSTOMER_STATE_NEW
    assert pb.DEGRADATION_STORE_UNAVAILABLE not in new.degradations


def _put(store: MemoryFeatureStore, key: bytes, blob: bytes, applied_us: int) -> None:
    keys = np.frombuffer(key, np.uint8).reshape(1, 16)
    progress = ShardProgress(applied_ingest_us=applied_us)
    packed = PackedRecords.from_blobs([blob])
    version = store.read_shard_state(compute_shard(key)).version
    store.commit_records([RecordCommit(compute_shard(key), version, keys, packed, progress)])


def test_a_damaged_product_blinds_the_cases_that_name_it_and_no_other(
    bench: Bench, request_of: RequestOf
) -> None:
    store = MemoryFeatureStore()
    _put(store, compute_entity_key(SHOP, Entity.SKU, "damaged"), b"x" * 64, bench.now_us)
    bench.store = store
    blind, sound, guest = bench.score_all(
        request_of(sku="damaged"),
        request_of(sku="sound"),
        request_of(sku="damaged", customer_id=""),
    )
    assert isinstance(blind, pb.ScoreResponse)
    assert isinstance(sound, pb.ScoreResponse)
    assert isinstance(guest, pb.ScoreResponse)
    is_blind = [
        pb.DEGRADATION_STORE_UNAVAILABLE in answer.degradations for answer in (blind, sound, guest)
    ]
    assert is_blind == [True, False, True]
    assert guest.freshness.customer_state == pb.CUSTOMER_STATE_GUEST


def test_a_guests_answer_is_as_fresh_as_the_oldest_shard_that_it_read(
    bench: Bench, request_of: RequestOf
) -> None:
    store = MemoryFeatureStore()
    names = [f"s{number}" for number in range(64)]
    keys = {compute_shard(compute_entity_key(SHOP, Entity.SKU, name)): name for name in names}
    (old_shard, old), (new_shard, new), *_ = keys.items()
    styles = {compute_shard(compute_entity_key(SHOP, Entity.STYLE, name)): name for name in names}
    for shard, age_us in ((old_shard, 7_000_000), (new_shard, 3_000_000)):
        key = compute_entity_key(SHOP, Entity.SKU, keys[shard])
        packed = PackedRecords.from_blobs([])
        progress = ShardProgress(applied_ingest_us=bench.now_us - age_us)
        empty = np.zeros((0, 16), np.uint8)
        store.commit_records([RecordCommit(compute_shard(key), 0, empty, packed, progress)])
    bench.store = store
    lags = [
        bench.score(request_of(customer_id="", **more)).freshness.shard_lag_s
        for more in (
            {"sku": old},
            {"sku": new},
            {"sku": old, "style": styles[new_shard]},
            {"sku": new, "style": styles[old_shard]},
        )
    ]
    assert lags == [7.0, 3.0, 7.0, 7.0]


class _CountedStore(MemoryFeatureStore):
    """A store that tells how often records were read."""

    def __init__(self) -> None:
        super().__init__()
        self.n_keys: list[int] = []

    def read_records(self, entity_keys: Sequence[bytes]) -> list[bytes | None]:
        self.n_keys.append(len(entity_keys))
        return super().read_records(entity_keys)


def test_all_entities_of_all_cases_are_read_at_once(bench: Bench, request_of: RequestOf) -> None:
    store = _CountedStore()
    bench.store = store
    named = {"sku": "a", "style": "b", "supplier": "c", "batch": "d", "store_id": "e",
             "device_hash": "f", "address_hash": "g", "payment_token_hash": "h"}  # fmt: skip
    bench.score_all(
        request_of("cancellation", region="i", **named),
        request_of("return_request", **named),
        request_of("return_request", customer_id="", sku="other"),
    )
    assert store.n_keys == [12]


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
    again = replay(record, model, bench.rules)
    assert again.SerializeToString(deterministic=True) == answer.SerializeToString(
        deterministic=True
    )
    with pytest.raises(ValueError, match="its own bundle"):
        replay(record, None, bench.rules)


def test_many_lines_take_little_room_in_the_log(bench: Bench, request_of: RequestOf) -> None:
    lines = [{**LINE, "line_id": "", "unit_price_minor": 100 + n} for n in range(1000)]
    answer = bench.score(request_of("order", tenant=BAZAAR, lines=lines))
    record = bench.log.read(BAZAAR, answer.decision_id)
    assert record is not None
    assert not record.vectors
    assert len(record.compressed_vectors) < 50 * len(lines)  # Instead of 376 bytes each.
    assert len(record.SerializeToString()) < 100 * len(lines)
    again = replay(record, bench.models[BAZAAR], bench.rules)
    assert again == answer


def test_no_customer_and_no_text_stands_in_the_log(bench: Bench, request_of: RequestOf) -> None:
    secret = "secret-7e3a"
    request = request_of(
        customer_id=secret,
        event_id=f"{secret}-event",
        order_id=f"{secret}-order",
        sku=f"{secret}-sku",
        reason={"text": f"{secret} does not fit"},
    )
    answer = bench.score(request)
    record = bench.log.read(SHOP, answer.decision_id)
    assert record is not None
    assert secret.encode() not in record.SerializeToString()
    assert np.frombuffer(record.vectors, np.float32).size > 0
