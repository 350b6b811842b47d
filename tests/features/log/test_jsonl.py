from __future__ import annotations

import json
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from features.embedding import EMBEDDER, embed_text
from features.errors import InvalidEventError
from features.log import structs
from features.log.assemble import build_batch
from features.log.json_walk import walk_event
from features.log.jsonl import EventDecoder, encode_batch, encode_table
from hemostat.v1 import event_pb2
from tests.features.log.event_strategies import LAW, events, to_line, without_text

_SECRET = "customer-4711 said something private"


def _decode_good(lines: list[bytes]) -> pa.RecordBatch:
    decoded = EventDecoder().decode_lines(lines)
    assert decoded.malformed == ()
    decoded.batch.validate(full=True)
    return decoded.batch


def _parse(line: bytes) -> event_pb2.Event:
    parsed: event_pb2.Event = json_format.Parse(line, event_pb2.Event())
    return parsed


@LAW
@given(st.lists(events(), min_size=1, max_size=5))
def test_events_survive_json_to_columns_to_json(messages: list[event_pb2.Event]) -> None:
    batch = _decode_good([to_line(message) for message in messages])
    lines = encode_batch(batch)
    assert [_parse(line) for line in lines] == [without_text(message) for message in messages]


@LAW
@given(events())
def test_our_lines_say_what_protobuf_itself_would_print(message: event_pb2.Event) -> None:
    kept = without_text(message)
    (line,) = encode_batch(_decode_good([to_line(kept)]))
    assert json.loads(line) == json.loads(to_line(kept))


@LAW
@given(st.lists(events(), min_size=1, max_size=5))
def test_the_careful_decoder_gives_the_same_rows_as_the_fast_one(
    messages: list[event_pb2.Event],
) -> None:
    lines = [to_line(message) for message in messages]
    decoder = EventDecoder()
    carefully = build_batch([decoder.decode(line) for line in lines])
    assert carefully.equals(_decode_good(lines))


@LAW
@given(st.lists(events(), min_size=1, max_size=4))
def test_encoding_a_table_equals_encoding_its_batches(messages: list[event_pb2.Event]) -> None:
    batch = _decode_good([to_line(message) for message in messages])
    assert list(encode_table(pa.Table.from_batches([batch]))) == encode_batch(batch)
    assert encode_batch(batch.slice(1)) == encode_batch(batch)[1:]


@pytest.mark.parametrize(
    ("written", "expected_us"),
    [
        ("2026-03-01T12:00:00Z", 1_772_366_400_000_000),
        ("2026-03-01T20:00:00+08:00", 1_772_366_400_000_000),
        ("2026-03-01T12:00:00.5Z", 1_772_366_400_500_000),
        ("2026-03-01T12:00:00.123456999Z", 1_772_366_400_123_456),
        ("1969-12-31T23:59:59.999999999Z", -1),
    ],
)
def test_times_of_any_offset_and_precision_are_cut_to_microseconds(
    written: str, expected_us: int
) -> None:
    line = json.dumps({"event_id": "e", "event_time": written}).encode()
    assert EventDecoder().decode(line).event_time == expected_us
    batch = _decode_good([line])
    assert batch.column("event_time").cast(pa.int64()).to_pylist() == [expected_us]


@pytest.mark.parametrize(
    ("payload", "column", "expected"),
    [
        ({"discount_minor": 5}, "discount_minor", 5),
        ({"discount_minor": "5"}, "discount_minor", 5),
        ({"discount_minor": 5.0}, "discount_minor", 5),
        ({"discount_minor": None}, "discount_minor", 0),
        ({"return_window_days": "30"}, "return_window_days", 30),
        ({"tender": "TENDER_WALLET"}, "tender", "TENDER_WALLET"),
        ({"tender": 4}, "tender", "TENDER_WALLET"),
        ({"promised_delivery_time": None}, "promised_delivery_time", None),
    ],
)
def test_the_spellings_of_proto3_json_are_accepted(
    payload: dict[str, Any], column: str, expected: object
) -> None:
    line = json.dumps({"event_id": "e", "order_placed": payload}).encode()
    batch = _decode_good([line])
    assert batch.column("order_placed").field(column).to_pylist() == [expected]
    assert _parse(line) == _parse(encode_batch(batch)[0])


@pytest.mark.parametrize("spelling", ["+/8=", "+/8", "-_8=", "-_8"])
def test_bytes_are_accepted_in_both_alphabets_with_or_without_padding(spelling: str) -> None:
    line = json.dumps({"return_requested": {"reason": {"embedding": spelling}}}).encode()
    reason = _decode_good([line]).column("return_requested").field("reason")
    assert reason.field("embedding").to_pylist() == [b"\xfb\xff"]


def test_a_text_becomes_its_embedding_and_stands_nowhere_else() -> None:
    line = json.dumps({"return_requested": {"reason": {"text": _SECRET}}}).encode()
    event = EventDecoder().decode(line)
    batch = _decode_good([line])
    reason = batch.column("return_requested").field("reason")
    assert reason.field("embedding").to_pylist() == [embed_text(_SECRET).tobytes()]
    assert reason.field("embedder").to_pylist() == [EMBEDDER]
    assert event.return_requested.reason.embedding == embed_text(_SECRET).tobytes()
    assert _SECRET.encode() not in msgspec.json.encode(event) + encode_batch(batch)[0]


def _event(**fields: Any) -> dict[str, Any]:
    return {"event_id": "e", "tenant": "demo", **fields}


@pytest.mark.parametrize(
    ("line", "field", "hint"),
    [
        (_event(eventTime="2026-03-01T12:00:00Z"), "eventTime", "did you mean event_time?"),
        (_event(return_request={"quantity": 1}), "return_request", "return_requested?"),
        (_event(teleported={}), "teleported", "snake_case"),
        (_event(channel="CHANNEL_WEBB"), "channel", "CHANNEL_WEB?"),
        (_event(channel=99), "channel", "name"),
        (_event(event_time="yesterday"), "event_time", "offset"),
        (_event(event_time="2026-03-01T12:00:00"), "event_time", "offset"),
        (_event(event_time="2026-02-30T12:00:00Z"), "event_time", "offset"),
        (_event(event_time="0001-01-01T00:00:00+08:00"), "event_time", "offset"),
        (_event(event_time=1_772_366_400), "event_time", "offset"),
        (_event(event_id=7), "event_id", "quotes"),
        (_event(order_kept={"is_offer_taken": "true"}), "order_kept.is_offer_taken", "quotes"),
        (_event(order_paid={"amount_minor": 1.5}), "order_paid.amount_minor", "minor"),
        (_event(order_paid={"amount_minor": "0x10"}), "order_paid.amount_minor", "minor"),
        (_event(order_paid={"amount_minor": "9" * 19}), "order_paid.amount_minor", "minor"),
        (_event(order_paid={"amount_minor": True}), "order_paid.amount_minor", "minor"),
        (_event(order_placed={"return_window_days": 2**31}), "order_placed.return_window_days", ""),
        (_event(order_placed={"lines": {}}), "order_placed.lines", "[...]"),
        (_event(order_placed={"lines": [{}, None]}), "order_placed.lines[1]", "{...}"),
        (
            _event(order_placed={"lines": [{}, {"quantity": "two"}]}),
            "order_placed.lines[1].quantity",
            "",
        ),
        (_event(order_placed={"lines": [{"colour": 3}]}), "order_placed.lines[0].colour", ""),
        (_event(order_placed=[]), "order_placed", "{...}"),
        (_event(review_posted={"review": {"embedding": 1}}), "review_posted.review.embedding", ""),
        (_event(review_posted={"review": {"embedding": "?"}}), "review_posted.review.embedding",
         "base64"),
        (_event(review_posted={"review": {"Text": _SECRET}}), "review_posted.review.Text", "text?"),
        (_event(offer_made={"propensity": "NaN"}), "offer_made.propensity", ""),
        (_event(order_paid={}, order_kept={}), "kind", "one event per fact"),
    ],
)  # fmt: skip
def test_a_malformed_line_is_refused_by_field_with_a_fix(
    line: dict[str, Any], field: str, hint: str
) -> None:
    encoded = json.dumps(line).encode()
    with pytest.raises(InvalidEventError) as caught:
        EventDecoder().decode(encoded)
    error = caught.value
    assert error.field == field
    assert error.expectation
    assert hint in error.fix
    assert _SECRET not in str(error)
    good = to_line(event_pb2.Event(event_id="good"))
    decoded = EventDecoder().decode_lines([good, encoded, good])
    assert [(index, fault.field) for index, fault in decoded.malformed] == [(1, field)]
    assert decoded.batch.column("event_id").to_pylist() == ["good", "", "good"]
    assert decoded.batch.column("kind").to_pylist() == [None, None, None]


@pytest.mark.parametrize(
    "line",
    [
        _event(channel="Ada Lovelace 5550100"),
        _event(channel="c5550100"),
        _event(customer_id=5550100),
        _event(return_requested={"reason": {"code": "too small, call 5550100"}}),
        _event(return_requested={"reason": {"Ada 5550100": "x"}}),
        _event(c5550100={}),
    ],
)
def test_what_stands_where_a_name_should_is_not_shown(line: dict[str, Any]) -> None:
    with pytest.raises(InvalidEventError) as caught:
        EventDecoder().decode(json.dumps(line).encode())
    assert "5550100" not in str(caught.value)
    assert "Ada" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"not json", b"[]", b'"e"', b'{"event_id": "\xff"}', b'{"event_id": "\\ud800x"}',
     b"\x00", b'{"a": ' + b"[" * 100_000, b'{"event_id": "e"} {}'],
)  # fmt: skip
def test_a_line_that_is_no_json_object_is_refused_without_showing_it(line: bytes) -> None:
    decoded = EventDecoder().decode_lines([line])
    ((index, error),) = decoded.malformed
    assert index == 0
    assert error.fix
    assert line[:20].decode("latin1") not in str(error) or len(line) < 3


@LAW
@given(st.binary(max_size=40))
def test_no_bytes_make_the_decoder_crash(line: bytes) -> None:
    decoded = EventDecoder().decode_lines([line])
    assert decoded.batch.num_rows == 1


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["event_id", "event_time", "channel", "order_placed", "lines", "quantity",
                         "return_requested", "reason", "embedding", "offer_made", "propensity"]),
        inner, max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip


@LAW
@given(_JSON)
def test_fast_and_careful_decoding_accept_the_same_lines(tree: object) -> None:
    line = json.dumps(tree).encode()
    decoded = EventDecoder().decode_lines([line])
    try:
        event = walk_event(json.loads(line))
    except InvalidEventError:
        assert len(decoded.malformed) == 1
    else:
        assert decoded.malformed == ()
        assert decoded.batch.equals(build_batch([event]))


def test_struct_fields_take_numbers_for_enums_and_integers_for_times() -> None:
    batch = build_batch([structs.Event(event_id="e", event_time=5, channel=3)])
    assert batch.column("channel").to_pylist() == ["CHANNEL_STORE"]
    assert batch.column("event_time").cast(pa.int64()).to_pylist() == [5]
