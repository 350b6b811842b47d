from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.embedding import EMBEDDERS, Embedder, embed_text, embed_texts
from features.log import structs
from features.log.arrow_cells import from_arrow
from features.log.assemble import build_batch
from features.log.content_hash import compute_content_hashes
from hemostat.v1 import event_pb2
from tests.features.log.event_strategies import LAW
from tests.features.log.row_events import row_events, to_batch


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
    hashes: list[int] = compute_content_hashes(from_arrow(build_batch(events))).tolist()
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


def test_an_event_told_again_under_another_embedder_has_the_same_hash() -> None:
    embedder = Embedder(2, "reversed-v2", 0, lambda texts: embed_texts(texts)[:, ::-1])
    assert len(set(_hash(_return(EMBEDDERS[0]), _return(embedder), _return(None)))) == 1
    assert len(set(_hash(_return(embedder), _return(embedder, "REASON_CODE_OTHER")))) == 2


def _return(embedder: Embedder | None, code: str = "REASON_CODE_CHANGED_MIND") -> Any:
    reason = structs.Reason(code=code)
    if embedder is not None:
        vector = embed_text("zu klein, passt nicht", embedder).tobytes()
        reason = structs.Reason(code=code, embedding=vector, embedder=embedder.name)
    return structs.Event(
        event_id="e",
        tenant="t",
        event_time=1_000,
        return_requested=structs.ReturnRequested(return_id="r", quantity=1, reason=reason),
    )


_EVENTS = st.lists(row_events(), min_size=1, max_size=8)


@LAW
@given(_EVENTS, st.data())
def test_a_hash_depends_on_its_own_event_only(
    events: list[event_pb2.Event], data: st.DataObject
) -> None:
    cells = from_arrow(to_batch(events))
    hashes = compute_content_hashes(cells)
    assert (hashes != 0).all()
    places = np.array(data.draw(st.permutations(range(len(events)))), np.int64)
    np.testing.assert_array_equal(compute_content_hashes(cells.take(places)), hashes[places])


@LAW
@given(_EVENTS)
def test_events_have_the_same_hash_if_and_only_if_they_say_the_same(
    events: list[event_pb2.Event],
) -> None:
    hashes = compute_content_hashes(from_arrow(to_batch(events))).tolist()
    contents = [_show_content(event) for event in events]
    assert len(set(hashes)) == len(set(contents))
    assert len(set(zip(hashes, contents, strict=True))) == len(set(hashes))


def _show_content(event: event_pb2.Event) -> str:
    """Return all that an event says, without identity and the log's stamp."""
    content = event_pb2.Event()
    content.CopyFrom(event)
    for name in ("event_id", "tenant", "ingest_time"):
        content.ClearField(name)
    kind = str(event.WhichOneof("kind"))
    for name in ("reason", "message", "review"):
        if name in getattr(content, kind).DESCRIPTOR.fields_by_name:
            reason = getattr(getattr(content, kind), name)
            reason.embedding, reason.embedder = b"", ""
    return str(content)


def test_a_hash_stays_as_it_is_when_the_protos_grow() -> None:
    # Stores remember it: another number here would make conflicts of repetitions.
    assert _hash(_order()) == [12589103001301990966]
