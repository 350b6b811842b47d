"""What the parity with the log (`tests/parity/test_request_rows.py`) does not show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from features.embedding import EMBEDDER, embed_text
from features.request_rows import RequestFlag
from hemostat.v1 import scoring_pb2 as pb
from scoring.cases import Case
from scoring.conversion import to_case
from scoring.row_packing import unpack_rows

RequestOf = Callable[..., pb.ScoreRequest]
NOW_US = 1_772_366_400_000_000
LINE = {"line_id": "1", "quantity": 2, "unit_price_minor": 4000, "unit_cost_minor": 1500}


def _convert(request: pb.ScoreRequest, *, with_lines: bool = False) -> Case:
    return to_case(request, with_lines=with_lines, received_s=0.0, now_us=NOW_US)


def test_a_text_and_its_embedding_make_the_same_row(request_of: RequestOf) -> None:
    told = request_of("return_request", reason={"text": "尺码偏小 too small"})
    sent = request_of("return_request")
    sent.return_request.reason.embedding = embed_text("尺码偏小 too small").tobytes()
    sent.return_request.reason.embedder = EMBEDDER
    row = _convert(told).packed_rows
    assert row == _convert(sent).packed_rows
    assert unpack_rows(row)["flags"][0] & RequestFlag.HAS_EMBEDDING


def test_a_text_without_a_letter_is_no_reason(request_of: RequestOf) -> None:
    row = unpack_rows(_convert(request_of("return_request", reason={"text": "!!!"})).packed_rows)
    assert not row["flags"][0] & RequestFlag.HAS_EMBEDDING


def test_costs_are_known_only_if_every_line_has_one(request_of: RequestOf) -> None:
    costly = _convert(request_of("order", lines=[LINE, LINE], discount_minor=1000))
    assert (costly.value_minor, costly.cost_minor) == (15_000, 6_000)
    bare = {key: value for key, value in LINE.items() if key != "unit_cost_minor"}
    assert _convert(request_of("order", lines=[LINE, bare])).cost_minor is None
    # A cost of 0 (a free sample) is known.
    free = {**LINE, "unit_cost_minor": 0}
    assert _convert(request_of("order", lines=[free])).cost_minor == 0


def test_a_returned_items_cost_counts_its_units(request_of: RequestOf) -> None:
    assert _convert(request_of("return_request", quantity=3, unit_cost_minor=7)).cost_minor == 21
    assert _convert(request_of("cancellation", quantity=3)).cost_minor is None


def test_lines_make_rows_only_where_they_are_scored(request_of: RequestOf) -> None:
    order = request_of("order", lines=[LINE, {**LINE, "line_id": "b"}])
    assert (_convert(order).n_rows, _convert(order).line_ids) == (1, ())
    with_lines = _convert(order, with_lines=True)
    assert (with_lines.n_rows, with_lines.line_ids) == (3, ("1", "b"))
    assert len(unpack_rows(with_lines.packed_rows)) == 3


def test_a_guest_has_no_key_and_an_unpublished_case_none_either(request_of: RequestOf) -> None:
    case = _convert(request_of(customer_id=""))
    assert case.customer_key is None
    assert unpack_rows(case.packed_rows)["case_key"][0] == 0


@pytest.mark.parametrize(
    "more",
    [{"quantity": 2}, {"customer_id": "other"}, {"event_id": "e"}, {"channel": "CHANNEL_JD"}],
)
def test_any_difference_gives_another_request_hash(
    more: dict[str, object], request_of: RequestOf
) -> None:
    assert _convert(request_of()).request_hash == _convert(request_of()).request_hash
    assert _convert(request_of()).request_hash != _convert(request_of(**more)).request_hash
