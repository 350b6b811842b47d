from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.log import structs
from features.log.assemble import build_batch
from features.log.jsonl import EventDecoder, encode_batch
from stream.content_hash import compute_content_hashes

_MakeEvents = Callable[..., list[Any]]


def _order(**changes: Any) -> Any:
    lines = [
        structs.OrderLine(line_id="1", sku="a", quantity=1, unit_price_minor=100),
        structs.OrderLine(line_id="2", sku="b", quantity=2, unit_price_minor=200),
    ]
    body = {"order_id": "o1", "lines": lines, "discount_minor": 5} | changes.pop("body", {})
    envelope = {
        "event_id": "e1",
        "tenant": "demo",
        "event_time": 1_000,
        "ingest_time": 2_000,
        "customer_id": "c1",
        "channel": "CHANNEL_WEB",
    }
    return structs.Event(**(envelope | changes), order_placed=structs.OrderPlaced(**body))


def _hash(*events: Any) -> list[int]:
    hashes: list[int] = compute_content_hashes(build_batch(events)).tolist()
    return hashes


_LINE = structs.OrderLine(line_id="1", sku="a", quantity=1, unit_price_minor=100)


@pytest.mark.parametrize(
    "changed",
    [
        _order(event_time=1_001),
        _order(known_at=2_000),
        _order(customer_id="c2"),
        _order(customer_id=""),
        _order(channel="CHANNEL_APP"),
        _order(body={"order_id": "o2"}),
        _order(body={"discount_minor": 0, "gift_card_minor": 5}),
        _order(body={"promised_delivery_time": 7}),
        _order(body={"lines": [_LINE]}),
        _order(body={"lines": []}),
        _order(
            body={
                "lines": [
                    structs.OrderLine(line_id="2", sku="b", quantity=2, unit_price_minor=200),
                    _LINE,
                ]
            }
        ),
        _order(
            body={
                "lines": [
                    _LINE,
                    structs.OrderLine(
                        line_id="2", sku="b", quantity=2, unit_price_minor=200, unit_cost_minor=0
                    ),
                ]
            }
        ),
    ],
)
def test_a_change_anywhere_in_the_event_changes_the_hash(changed: Any) -> None:
    assert _hash(changed) != _hash(_order())


def test_the_same_event_told_later_has_the_same_hash() -> None:
    assert _hash(_order(ingest_time=9_000)) == _hash(_order())


def test_absent_false_and_true_are_three_contents() -> None:
    events = [
        structs.Event(
            event_id="e",
            tenant="t",
            return_requested=structs.ReturnRequested(
                evidence=structs.ReturnEvidence(is_tag_on=is_tag_on)
            ),
        )
        for is_tag_on in (None, False, True)
    ]
    assert len(set(_hash(*events))) == 3


def test_a_hash_depends_on_its_own_row_only(make_events: _MakeEvents) -> None:
    batch = build_batch(make_events(500))
    hashes = compute_content_hashes(batch)
    assert (hashes != 0).all()
    places = np.random.default_rng(1).permutation(500)[:77]
    np.testing.assert_array_equal(
        compute_content_hashes(batch.take(pa.array(places))), hashes[places]
    )
    np.testing.assert_array_equal(compute_content_hashes(batch.slice(123, 45)), hashes[123:168])


def test_json_lines_give_the_hashes_of_their_columns(make_events: _MakeEvents) -> None:
    batch = build_batch(make_events(300))
    lines = list(io.BytesIO(b"".join(encode_batch(batch))))
    decoded = EventDecoder().decode_lines(lines)
    np.testing.assert_array_equal(
        compute_content_hashes(decoded.batch), compute_content_hashes(batch)
    )


def test_no_two_of_many_events_collide(make_events: _MakeEvents) -> None:
    events = make_events(3_000)
    for event in events:
        event.event_id = "same"
        event.customer_id = "same"
    contents = {bytes(line) for line in encode_batch(build_batch(_without_ingest(events)))}
    assert len(set(_hash(*events))) == len(contents)


def _without_ingest(events: list[Any]) -> list[Any]:
    return [structs.Event(**{f: getattr(e, f) for f in e.__struct_fields__} | {"ingest_time": None})
            for e in events]  # fmt: skip


@pytest.mark.parametrize(
    "field", ["store_id", "gift_card_minor", "tender", "promised_delivery_time"]
)
def test_a_field_that_says_nothing_adds_nothing_so_protos_may_grow(field: str) -> None:
    batch = build_batch([_order()])
    orders = batch.column("order_placed")
    kept = [f for f in orders.type if f.name != field]
    older = pa.StructArray.from_arrays(
        [orders.field(f.name) for f in kept], fields=kept, mask=orders.is_null()
    )
    place = batch.schema.get_field_index("order_placed")
    before = batch.set_column(place, pa.field("order_placed", older.type), older)
    assert compute_content_hashes(before)[0] == compute_content_hashes(batch)[0]
