"""A retailer's own fields from the event to the answer: learned, served, explained, replayed."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf import json_format

from features.attributes import (
    AttributeColumn,
    AttributeKind,
    AttributePlace,
    AttributePlan,
    Encoder,
    read_attributes,
)
from features.definition import DAY_US
from features.definitions import N_FEATURES
from features.log import structs
from features.log.embedded_appender import EmbeddedAppender
from features.log.writer import EventLogWriter
from features.request_rows import Call
from features.store.lmdb_store import LmdbFeatureReader
from hemostat.cli.main import main
from hemostat.v1 import event_pb2, scoring_pb2_grpc
from hemostat.v1 import scoring_pb2 as pb
from scoring.attribute_reasons import add_attribute_reasons
from scoring.clock import Clock
from scoring.conversion import to_case
from scoring.decision_log import DecisionLog
from scoring.decision_vectors import read_vectors
from scoring.metrics import ScoringMetrics
from scoring.model import Model, load_model
from scoring.reasons import Reason
from scoring.replay import replay
from scoring.rules import Rules
from scoring.scorer import Scorer
from scoring.serving_store import ServingStore
from training.growing import HeadParameters
from training.head_definitions import ABUSE_HEADS, FULL_HEADS
from training.pipeline import train_bundle
from training.sources import open_source
from training.training_options import TrainingOptions

START_US = 20_000 * DAY_US
TENANT = "inn"
DECLARATION = """
version: 1
attributes:
  - {name: deposit, of: order, type: category, min_count: 2, en: deposit, zh_cn: 定金}
  - {name: lead_time, of: order, type: number, unit: days}
  - {name: is_member, of: customer, type: flag}
"""


def _write_log(log: Path) -> None:
    random = np.random.default_rng(3)
    events = []
    for n in range(700):
        kind = random.choice(["none", "full"])
        at = START_US + int(n / 5 * DAY_US)
        order = structs.OrderPlaced(
            order_id=f"o{n}",
            lines=[structs.OrderLine(line_id="1", sku="room", quantity=1, unit_price_minor=9_000)],
            attributes=json.dumps({"deposit": kind, "lead_time": int(random.integers(90))}),
            customer_attributes='{"is_member":true}' if n % 2 else "",
        )
        ends = (
            {"order_cancelled": structs.OrderCancelled(
                order_id=f"o{n}", initiator="CANCEL_INITIATOR_CUSTOMER", quantity=1,
                unit_price_minor=9_000)}
            if kind == "none" and random.random() < 0.8
            else {"order_delivered": structs.OrderDelivered(order_id=f"o{n}")}
        )  # fmt: skip
        for what, later in (({"order_placed": order}, 0), (ends, 2 * DAY_US)):
            events.append(
                structs.Event(
                    event_id=f"e{n}-{later}", tenant=TENANT, event_time=at + later,
                    ingest_time=at + later, customer_id=f"c{n % 90}", channel="CHANNEL_WEB", **what,
                )
            )  # fmt: skip
    with EventLogWriter(log, formats=("parquet",)) as writer:
        writer.append_structs(sorted(events, key=lambda event: event.ingest_time))
    (log / "attributes.yaml").write_text(DECLARATION, "utf-8")


@pytest.fixture(scope="module")
def inn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log, a bundle learned from it, and a store of it."""
    folder = tmp_path_factory.mktemp("inn")
    _write_log(folder / "log")
    train_bundle(
        TrainingOptions(
            log=folder / "log",
            out=folder / "bundles",
            parameters=HeadParameters(max_trees=30, n_folds=2),
        ),
        now=lambda: datetime.now(UTC),
    )
    assert main(["stream", str(folder / "log"), "--store", str(folder / "store")]) == 0
    return folder


@pytest.fixture(scope="module")
def stub(
    inn: Path, run_server: Callable[..., Any]
) -> Iterator[scoring_pb2_grpc.ScoringServiceStub]:
    with (
        run_server(store=str(inn / "store"), bundle=[str(inn / "bundles")]) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield scoring_pb2_grpc.ScoringServiceStub(channel)


def _ask(attributes: str, customer: str = "", **more: Any) -> pb.ScoreRequest:
    case = {
        "tenant": TENANT,
        "customer_id": "c1",
        "channel": "CHANNEL_WEB",
        "order": {
            "lines": [{"line_id": "1", "sku": "room", "quantity": 1, "unit_price_minor": 9_000}],
            "attributes": attributes,
            "customer_attributes": customer,
        },
        **more,
    }
    return json_format.ParseDict(case, pb.ScoreRequest())


def _decide(
    store: Path,
    model: Model,
    rules: Rules,
    request: pb.ScoreRequest,
    folder: Path,
    metrics: ScoringMetrics | None = None,
) -> pb.DecisionRecord:
    """Return the record of one decision."""
    now_us = START_US + 200 * DAY_US
    serving = ServingStore.open(folder)
    log = DecisionLog(serving)
    reader = LmdbFeatureReader.open_reader(store)
    scorer = Scorer(
        store=reader,
        get_models=lambda: {TENANT: model},
        get_rules=lambda: rules,
        log=log,
        clock=Clock(lambda: now_us),
        metrics=metrics or ScoringMetrics(),
    )
    case = to_case(request, with_lines=False, received_s=0.0, now_us=now_us)

    async def run() -> pb.DecisionRecord:
        (answer,) = scorer.score([case])
        assert isinstance(answer, pb.ScoreResponse)
        found = log.read(TENANT, answer.decision_id)
        assert found is not None
        return found

    record = asyncio.run(run())
    reader.close()
    asyncio.run(serving.close())
    return record


def test_what_a_field_says_moves_the_answer(stub: Any) -> None:
    none, full, new, nothing = (
        stub.Score(_ask(text)).p_cancel
        for text in ('{"deposit":"none"}', '{"deposit":"full"}', '{"deposit":"new"}', "")
    )
    assert none > 0.6
    assert full < 0.2
    assert 0.0 < new < 1.0
    assert 0.0 < nothing < 1.0
    assert stub.Score(_ask('{ "lead_time" : 3,  "deposit":"none"}')).p_cancel > 0.6


@pytest.mark.parametrize("field", ["attributes", "customer_attributes"])
def test_fields_that_cannot_be_used_get_a_clear_error(stub: Any, field: str) -> None:
    request = _ask("")
    setattr(request.order, field, '{"secret": {"deep": 1}}')
    with pytest.raises(grpc.RpcError) as caught:
        stub.Score(request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    details = caught.value.details() or ""
    assert f"order.{field}" in details
    assert "secret" not in details


def test_serving_sees_what_training_saw(inn: Path) -> None:
    source = open_source(
        inn / "log", lambda *_: None, attributes=load_model(inn / "bundles").manifest.attributes
    )
    cases = source.cases.cases[Call.ORDER]
    model = load_model(inn / "bundles")
    assert model.encoder is not None
    assert cases.attributes is not None
    assert cases.customer_attributes is not None
    for place in range(0, len(cases), 23):
        row = model.encoder.encode(
            Call.ORDER,
            read_attributes(cases.attributes[place].as_py() or ""),
            read_attributes(cases.customer_attributes[place].as_py() or ""),
        )
        np.testing.assert_array_equal(row, cases.rows[place, N_FEATURES:])
    assert not np.isnan(cases.rows[:, N_FEATURES]).any()


def test_a_decision_keeps_its_fields_and_replays_bit_for_bit(
    inn: Path, tmp_path: Path, rules: Rules
) -> None:
    model = load_model(inn / "bundles")
    request = _ask('{"deposit":"none"}', '{"is_member":true}', request_id="r1")
    # A copy: the server of this module has the store open.
    store = shutil.copytree(inn / "store", tmp_path / "store")
    record = _decide(store, model, rules, request, tmp_path / "serving")
    vectors = read_vectors(record)
    assert vectors.shape == (1, N_FEATURES + 3)
    assert np.isnan(vectors[0, N_FEATURES + 1])
    assert vectors[0, N_FEATURES + 2] == 1.0
    assert replay(record, model, rules, bytes(32)).heads == record.response.heads


ODD_TEXTS = ("", "{}", "[1]", '{"deposit":{}}', '{"deposit":null}', '{"deposit":NaN}', "{")
"""Nothing told, and what no event may carry; a log that came otherwise may have it."""


def _draw_told(random: np.random.Generator) -> str:
    """Return attributes as a retailer might tell them: right, wrong, unknown, missing."""
    if random.random() < 0.2:
        return str(random.choice(ODD_TEXTS))
    values: tuple[Any, ...] = (
        "none", "full", "never seen", "", 240, 1, 0, -3, 1.5, 1e300, True, False, "1",
    )  # fmt: skip
    names = ("deposit", "lead_time", "is_member", "photos", "reason", "unknown")
    return json.dumps(
        {name: values[random.integers(len(values))] for name in names if random.random() < 0.6}
    )


def _make_column(name: str, place: AttributePlace, kind: AttributeKind) -> AttributeColumn:
    return AttributeColumn(name=name, place=place, kind=kind, categories=("none", "240"))


def test_any_event_has_the_same_columns_in_training_and_in_serving(
    inn: Path, tmp_path: Path
) -> None:
    random = np.random.default_rng(11)
    plan = AttributePlan(
        columns=(
            _make_column("deposit", AttributePlace.ORDER, AttributeKind.CATEGORY),
            _make_column("lead_time", AttributePlace.ORDER, AttributeKind.NUMBER),
            _make_column("photos", AttributePlace.RETURN, AttributeKind.NUMBER),
            _make_column("reason", AttributePlace.CANCELLATION, AttributeKind.CATEGORY),
            _make_column("is_member", AttributePlace.CUSTOMER, AttributeKind.FLAG),
        )
    )
    model = replace(load_model(inn / "bundles"), encoder=Encoder(plan))
    requests, events = {}, []
    for n in range(900):
        at = START_US + n * 3_600_000_000
        request = pb.ScoreRequest(tenant=TENANT, customer_id=f"c{n % 7}", channel="CHANNEL_WEB")
        kind = ("order", "return_request", "cancellation")[n % 3]
        told = getattr(request, kind)
        told.attributes, told.customer_attributes = _draw_told(random), _draw_told(random)
        told.order_id = f"o{n - n % 3}"
        if kind == "order":
            told.lines.add(line_id="1", sku="room", quantity=1, unit_price_minor=9_000)
        else:
            told.quantity, told.unit_price_minor = 1, 9_000
        requests[at] = request
        event = event_pb2.Event(
            event_id=f"e{n}", tenant=TENANT, customer_id=request.customer_id,
            channel="CHANNEL_WEB",
        )  # fmt: skip
        event.event_time.FromMicroseconds(at)
        names = {"order": "order_placed", "return_request": "return_requested"}
        getattr(event, names.get(kind, "cancel_requested")).CopyFrom(told)
        events.append(event)
    now_us = START_US
    appender = EmbeddedAppender.open(tmp_path / "log", read_us=lambda: now_us)
    for start in range(0, len(events), 100):
        batch = events[start : start + 100]
        now_us = batch[-1].event_time.ToMicroseconds()
        appender.append([event.SerializeToString() for event in batch], [0] * len(batch))
    appender.close()
    heads = (*FULL_HEADS, *ABUSE_HEADS)
    source = open_source(
        tmp_path / "log", lambda *_: None, tenant=TENANT, heads=heads, attributes=plan
    )
    n_compared, n_told = 0, 0
    for call in (Call.ORDER, Call.RETURN, Call.CANCELLATION):
        cases = source.cases.cases[call]
        for at, row in zip(cases.time_us.tolist(), cases.rows, strict=True):
            case = to_case(requests[at], with_lines=False, received_s=0.0, now_us=at)
            served = model.widen(np.zeros((1, N_FEATURES), np.float32), case)
            np.testing.assert_array_equal(served[0, N_FEATURES:], row[N_FEATURES:])
            n_told += int((~np.isnan(row[N_FEATURES:])).sum())
            n_compared += 1
    assert n_compared == len(events)
    assert n_told > len(events) / 4


def test_values_that_are_not_used_as_told_are_counted_by_column(
    inn: Path, tmp_path: Path, rules: Rules
) -> None:
    metrics = ScoringMetrics()
    request = _ask('{"deposit":"new","lead_time":"soon"}', '{"is_member":true}', request_id="r2")
    store = shutil.copytree(inn / "store", tmp_path / "store")
    _decide(store, load_model(inn / "bundles"), rules, request, tmp_path / "serving", metrics)
    counted = {
        (sample.labels["column"], sample.labels["fault"]): sample.value
        for family in metrics.attribute_faults.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }
    assert counted == {
        ("attr_deposit", "unknown_category"): 1.0,
        ("attr_lead_time", "wrong_type"): 1.0,
    }


def test_fields_are_reasons_of_their_own_in_both_languages() -> None:
    columns = (
        AttributeColumn(
            name="deposit", place=AttributePlace.ORDER, kind=AttributeKind.CATEGORY,
            categories=("none",), en="deposit", zh_cn="定金",
        ),
        AttributeColumn(name="lead", place=AttributePlace.ORDER, kind=AttributeKind.NUMBER,
                        unit="days"),
        AttributeColumn(name="vip", place=AttributePlace.CUSTOMER, kind=AttributeKind.FLAG),
    )  # fmt: skip
    first = Reason("R", "R_HIGH", "en", "zh", "f", 1.0, 0.3)
    found = add_attribute_reasons(
        (first,), columns, np.array([0.5, 0.1, -1.0]), np.array([2.0, np.nan, 1.0], np.float32)
    )
    assert [one.code for one in found] == ["ATTRIBUTE_DEPOSIT", "R_HIGH", "ATTRIBUTE_LEAD"]
    assert (found[0].text_en, found[0].text_zh_cn) == ("deposit: none", "定金：none")
    assert found[2].text_en == "lead: not told"
