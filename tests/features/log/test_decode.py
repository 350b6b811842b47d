from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from google.protobuf.json_format import MessageToDict, MessageToJson
from hypothesis import assume, given
from hypothesis import strategies as st

from features.embedding import EMBEDDERS, Embedder, embed_text
from features.entities import Entity
from features.erasures import Erasures, compute_tombstone
from features.keys import compute_entity_key
from features.log.cells import CELL, KIND_NUMBER
from features.log.customer_keys import compute_customer_keys
from features.log.decode import decode_lines, decode_messages
from features.log.decode_batch import decode_batch
from features.log.json_cells import decode_json
from features.log.jsonl import encode_batch
from features.log.proto_cells import decode_proto
from features.log.rejections import RejectionReason
from features.log.validation import AcceptanceRules
from hemostat.v1 import event_pb2
from tests.features.log.careful_twin import decide_carefully, join, to_comparable
from tests.features.log.event_strategies import LAW, events
from tests.features.log.row_events import T0_US, row_events, to_batch

_TEXTS = st.sampled_from(["", "", "too small", "尺码偏小，穿不下", 'a "b" \\ \n\u0001🙂', "\u2028"])
_SECOND_US = 1_000_000


@st.composite
def told_events(draw: st.DrawFn) -> event_pb2.Event:
    """An event as a retailer may send it: reasons with texts, ids in any script."""
    event = draw(row_events())
    event.event_id += draw(_TEXTS) or "e"
    payload = getattr(event, str(event.WhichOneof("kind")))
    for name in ("reason", "message", "review"):
        if name in payload.DESCRIPTOR.fields_by_name and payload.HasField(name):
            reason = getattr(payload, name)
            reason.text = draw(_TEXTS)
            if reason.text and draw(st.booleans()):
                reason.embedding, reason.embedder = b"", ""
    return event


def _spell(event: event_pb2.Event, spelling: int) -> bytes:
    """Return an event as JSON, as one of several writers writes it."""
    tree = MessageToDict(event, preserving_proto_field_name=True)
    match spelling:
        case 0:
            text = MessageToJson(event, preserving_proto_field_name=True, indent=None)
        case 1:
            text = json.dumps(tree, ensure_ascii=False, separators=(",", ":")) + "\n"
        case 2:  # Members in another order, null for what is absent, a carriage return.
            text = json.dumps(tree | {"known_at": tree.get("known_at")}, sort_keys=True) + "\r\n"
        case _:
            text = json.dumps(_with_bare_integers(tree)) + "\n"
    return text.encode()


def _with_bare_integers(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _with_bare_integers(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_with_bare_integers(value) for value in tree]
    return int(tree) if isinstance(tree, str) and tree.isascii() and tree.isdigit() else tree


def _assert_decided_as_carefully(rows: list[bytes], *, is_json: bool) -> None:
    accepted, rejected = decide_carefully(rows, is_json=is_json)
    buffer, ends = join(rows)
    decoded = (decode_lines if is_json else decode_messages)(buffer, ends)
    assert to_comparable(decoded.cells, decoded.places) == accepted
    assert decoded.places.tolist() == sorted(accepted)
    assert decoded.rejected == rejected
    cells, is_doubtful, _ = (decode_json if is_json else decode_proto)(buffer, ends)
    vouched = np.flatnonzero(~is_doubtful)
    assert set(vouched.tolist()) <= set(accepted)
    by_place = to_comparable(cells.take(vouched), vouched)
    assert by_place == {place: accepted[place] for place in vouched.tolist()}


@LAW
@given(st.lists(st.tuples(told_events(), st.integers(0, 3)), max_size=6))
def test_lines_are_decided_as_the_careful_path_decides(
    told: list[tuple[event_pb2.Event, int]],
) -> None:
    _assert_decided_as_carefully([_spell(event, how) for event, how in told], is_json=True)


@LAW
@given(st.lists(told_events(), max_size=6))
def test_messages_are_decided_as_the_careful_path_decides(told: list[event_pb2.Event]) -> None:
    rows = [event.SerializeToString() for event in told]
    _assert_decided_as_carefully(rows, is_json=False)


@LAW
@given(st.lists(events(), max_size=4))
def test_whatever_the_protos_can_say_is_decided_as_the_careful_path_decides(
    told: list[event_pb2.Event],
) -> None:
    _assert_decided_as_carefully([_spell(event, 0) for event in told], is_json=True)
    rows = [event.SerializeToString() for event in told]
    _assert_decided_as_carefully([row for row in rows if row], is_json=False)


@st.composite
def _damaged(draw: st.DrawFn, row: bytes) -> bytes:
    """A row with bytes lost, changed, repeated or put in."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(row)))
        end = min(len(row), start + draw(st.integers(0, 12)))
        middle = draw(
            st.one_of(
                st.just(row[start:end] * 2),
                st.binary(max_size=3),
                st.sampled_from([b'"', b"\\", b",", b"}", b"{", b"null", b"0", b"-", b"1e2", b" "]),
            )
        )
        row = row[:start] + middle + row[end:]
    return row


@LAW
@given(st.data(), told_events(), st.integers(0, 3))
def test_damaged_lines_are_decided_as_the_careful_path_decides(
    data: st.DataObject, event: event_pb2.Event, spelling: int
) -> None:
    row = data.draw(_damaged(_spell(event, spelling)))
    _assert_decided_as_carefully([row], is_json=True)


@LAW
@given(st.data(), told_events())
def test_damaged_messages_are_decided_as_the_careful_path_decides(
    data: st.DataObject, event: event_pb2.Event
) -> None:
    row = data.draw(_damaged(event.SerializeToString()))
    assume(row)
    _assert_decided_as_carefully([row], is_json=False)


@LAW
@given(st.lists(told_events(), max_size=6), st.integers(0, 3))
def test_what_is_right_and_spelt_as_usual_is_never_in_doubt(
    told: list[event_pb2.Event], spelling: int
) -> None:
    lines = [_spell(event, spelling) for event in told]
    accepted, _ = decide_carefully(lines)
    # A text beside an embedding is unusual, though right.
    usual = [place for place in accepted if not _has_both(told[place])]
    # So is a control character in an id: most are right, the keys' old separator is not.
    usual = [place for place in usual if told[place].event_id.isprintable()]
    is_doubtful = decode_json(*join(lines)).is_doubtful
    assert not is_doubtful[usual].any()
    is_doubtful = decode_proto(*join([e.SerializeToString() for e in told])).is_doubtful
    assert not is_doubtful[usual].any()


def _has_both(event: event_pb2.Event) -> bool:
    payload = getattr(event, str(event.WhichOneof("kind")))
    for name in ("reason", "message", "review"):
        if name in payload.DESCRIPTOR.fields_by_name:
            reason = getattr(payload, name)
            return bool(reason.text and reason.embedding)
    return False


@LAW
@given(st.lists(row_events(), min_size=1, max_size=6))
def test_what_our_log_writes_is_vouched_for_and_equal_in_all_encodings(
    told: list[event_pb2.Event],
) -> None:
    batch = to_batch(told)
    of_columns = decode_batch(batch)
    lines = encode_batch(batch)
    cells, is_doubtful, _ = decode_json(*join(lines))
    assert np.flatnonzero(~is_doubtful).tolist() == of_columns.places.tolist()
    expected = to_comparable(of_columns.cells, of_columns.places)
    assert to_comparable(cells.take(of_columns.places), of_columns.places) == expected
    assert decode_lines(*join(lines)).rejected == of_columns.rejected


def _line(**members: Any) -> dict[str, Any]:
    return {
        "event_id": "e1",
        "tenant": "demo",
        "customer_id": "c1",
        "event_time": "2026-03-01T12:00:00Z",
        "return_requested": {"return_id": "r1", "quantity": 1, "reason": {"text": "too small"}},
        **members,
    }


def _encode(*trees: dict[str, Any]) -> tuple[Any, Any]:
    return join([json.dumps(tree).encode() + b"\n" for tree in trees])


_ENVELOPE = b'{"event_id":"e1","tenant":"demo","event_time":"2026-03-01T12:00:00Z",'


@pytest.mark.parametrize(
    "line",
    [
        _ENVELOPE + b'"tenant":"demo","order_paid":{}}',
        _ENVELOPE + b'"order_paid":{"order_id":"a","order_id":"b"}}',
        _ENVELOPE + b'"order_paid":{"order_id":"a"},"order\\u005fpaid":{"order_id":"b"}}',
    ],
)
def test_a_name_that_stands_twice_is_refused(line: bytes) -> None:
    decoded = decode_lines(*join([line]))
    assert len(decoded.cells) == 0
    assert decoded.rejected[0].reason_code is RejectionReason.MALFORMED
    assert decoded.rejected[0].expectation == "each field once"


@pytest.mark.parametrize(
    ("written", "expected_us"),
    [
        ("2026-03-01T12:00:00Z", T0_US),
        ("2026-03-01T20:00:00.5+08:00", T0_US + 500_000),
        ("2026-02-28T23:59:59.123456789-12:01", T0_US + 59_123_456),
        ("2024-02-29T00:00:00.001Z", 1_709_164_800_001_000),
        ("2099-12-31T23:59:59Z", 4_102_444_799_000_000),
    ],
)
def test_times_are_read_to_the_microsecond(written: str, expected_us: int) -> None:
    cells, is_doubtful, _ = decode_json(*_encode(_line(event_time=written)))
    assert not is_doubtful.any()
    assert cells.head["event_time_us"][0] == expected_us


@pytest.mark.parametrize(
    "written", ["2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-03-01T24:00:00Z",
                "2026-03-01 12:00:00Z", "2026-03-01T12:00:00", "2026-03-01T12:00:60Z",
                "2026-03-01T12:00:00.Z", "1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z"],
)  # fmt: skip
def test_no_time_is_vouched_for_that_is_none(written: str) -> None:
    assert decode_json(*_encode(_line(event_time=written))).is_doubtful.all()


def test_a_text_becomes_its_embedding_and_stands_nowhere() -> None:
    decoded = decode_lines(*_encode(_line()))
    head = decoded.cells.head[0]
    assert np.array_equal(decoded.cells.embeddings[head["embedding"]], embed_text("too small"))
    assert decoded.cells.cells[0, CELL["return_requested", "reason.embedder"]] == EMBEDDERS[0].id
    assert head["kind"] == KIND_NUMBER["return_requested"]


_NEWER = Embedder(2, "mirror64-v1", T0_US, lambda texts: -EMBEDDERS[0].embed(texts))
_BOTH = (*EMBEDDERS, _NEWER)


@pytest.mark.parametrize("is_doubtful", [False, True])
@pytest.mark.parametrize("is_json", [False, True])
def test_a_new_embedder_applies_from_its_date(is_json: bool, is_doubtful: bool) -> None:
    # A known time in the past and a text beside an embedding each ask the careful path.
    event = event_pb2.Event(event_id="e1", tenant="demo")
    event.event_time.FromMicroseconds(T0_US - _SECOND_US)
    event.return_requested.quantity = 1
    event.return_requested.reason.text = "too small"
    if is_doubtful:
        event.return_requested.reason.embedding = bytes(64)
        event.return_requested.reason.embedder = "ngram64-v1"
    later = event_pb2.Event()
    later.CopyFrom(event)
    later.ingest_time.FromMicroseconds(T0_US)
    told = [event, later, event]
    rows = [_spell(e, 0) if is_json else e.SerializeToString() for e in told]
    decode = decode_lines if is_json else decode_messages
    ingest_us = np.array([0, 0, T0_US + 1])
    decoded = decode(*join(rows), default_ingest_us=ingest_us, embedders=_BOTH)
    cell = CELL["return_requested", "reason.embedder"]
    assert decoded.cells.cells[:, cell].tolist() == [1, 2, 2]
    vectors = decoded.cells.embeddings[decoded.cells.head["embedding"]]
    assert np.array_equal(vectors, [embed_text("too small") * sign for sign in (1, -1, -1)])


@pytest.mark.parametrize("is_json", [False, True])
def test_embeddings_of_a_registered_embedder_are_taken_and_others_refused(is_json: bool) -> None:
    event = event_pb2.Event(event_id="e1", tenant="demo")
    event.event_time.FromMicroseconds(T0_US)
    event.return_requested.quantity = 1
    event.return_requested.reason.embedding = bytes(range(64))
    event.return_requested.reason.embedder = _NEWER.name
    row = _spell(event, 0) if is_json else event.SerializeToString()
    decode = decode_lines if is_json else decode_messages
    taken = decode(*join([row]), embedders=_BOTH)
    assert taken.cells.cells[0, CELL["return_requested", "reason.embedder"]] == _NEWER.id
    assert taken.cells.embeddings[0].tolist() == list(range(64))
    refused = decode(*join([row]))
    assert [r.field for r in refused.rejected] == ["return_requested.reason.embedder"]


def test_an_absent_ingest_time_is_the_given_one_or_the_event_time() -> None:
    buffer, ends = _encode(_line(), _line(), _line(ingest_time="2026-03-01T12:00:01Z"))
    given = np.array([T0_US + 5, 0, T0_US + 7])
    decoded = decode_lines(buffer, ends, default_ingest_us=given)
    assert decoded.cells.head["ingest_us"].tolist() == [T0_US + 5, T0_US, T0_US + _SECOND_US]
    assert decoded.last_ingest_us == T0_US + _SECOND_US


def test_late_and_future_events_are_refused_by_the_rules_given() -> None:
    late = _line(ingest_time="2026-03-01T12:00:11Z")
    future = _line(ingest_time="2026-03-01T11:59:49Z")
    unknown = _line(known_at="2026-03-01T12:00:11Z", ingest_time="2026-03-01T12:00:00Z")
    rules = AcceptanceRules(max_late_us=10 * _SECOND_US, max_future_us=10 * _SECOND_US)
    buffer, ends = _encode(_line(), late, future, unknown)
    decoded = decode_lines(buffer, ends, 100, rules)
    assert decoded.places.tolist() == [0]
    assert [(r.offset, r.reason_code.value) for r in decoded.rejected] == [
        (101, "late"),
        (102, "future"),
        (103, "not_yet_known"),
    ]


def test_events_of_an_erased_customer_leave_no_trace_up_to_the_erasure() -> None:
    key = compute_entity_key("demo", Entity.CUSTOMER, "c1")
    erasures = Erasures.of({compute_tombstone(key): T0_US})
    later = _line(event_time="2026-03-01T12:00:01Z")
    buffer, ends = _encode(_line(), later, _line(customer_id="c2"), _line(customer_id=""))
    decoded = decode_lines(buffer, ends, erasures=erasures)
    assert decoded.places.tolist() == [1, 2, 3]
    assert decoded.rejected == ()


def test_an_empty_message_is_neither_accepted_nor_rejected() -> None:
    event = event_pb2.Event(event_id="e1", tenant="demo", order_paid=event_pb2.OrderPaid())
    event.event_time.FromMicroseconds(T0_US)
    decoded = decode_messages(*join([b"", event.SerializeToString(), b""]))
    assert decoded.places.tolist() == [1]
    assert decoded.rejected == ()


def test_customer_keys_of_cells_equal_the_scalar_ones() -> None:
    decoded = decode_lines(*_encode(_line(), _line(customer_id=""), _line(customer_id="é")))
    keys = [key.tobytes() for key in compute_customer_keys(decoded.cells.head)]
    assert keys == [
        compute_entity_key("demo", Entity.CUSTOMER, "c1"),
        bytes(16),
        compute_entity_key("demo", Entity.CUSTOMER, "é"),
    ]


def test_no_rows_are_no_events() -> None:
    nothing = np.empty(0, np.uint8), np.empty(0, np.int64)
    for decode in (decode_lines, decode_messages):
        decoded = decode(*nothing)
        assert len(decoded.cells) == len(decoded.places) == len(decoded.rejected) == 0
        assert decoded.last_ingest_us == 0


def test_rows_in_doubt_come_back_in_their_places() -> None:
    unusual = _line(event_id="e2", return_requested={"quantity": 1.0})
    wrong = _line(event_id="e3", return_requested={"quantity": 0})
    buffer, ends = _encode(_line(), unusual, wrong, _line(event_id="e4"))
    decoded = decode_lines(buffer, ends, 7)
    assert decoded.places.tolist() == [0, 1, 3]
    assert [rejection.offset for rejection in decoded.rejected] == [9]
    assert len(set(decoded.cells.head["event_h1"].tolist())) == 3


@pytest.mark.parametrize(("seconds", "nanos"), [(1, -1), (1, 10**9), (2**62, 0), (-(2**62), 0)])
def test_numbers_that_are_no_time_are_refused(seconds: int, nanos: int) -> None:
    event = event_pb2.Event(event_id="e1", tenant="demo", order_paid=event_pb2.OrderPaid())
    event.event_time.seconds, event.event_time.nanos = seconds, nanos
    decoded = decode_messages(*join([event.SerializeToString()]))
    assert [rejection.field for rejection in decoded.rejected] == ["event_time"]
