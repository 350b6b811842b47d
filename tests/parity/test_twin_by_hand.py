"""The twin against numbers that a person worked out: who checks the checker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.twin.comparison import compare_vectors
from benchmarks.twin.schema import QUERY_SCHEMA, TwinVectors
from benchmarks.twin.twin import compute_twin
from features.definitions import FEATURE_NAMES
from features.log import structs
from features.log.reader import EventLog
from features.log.writer import EventLogWriter
from features.request_rows import Call

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
T0 = 19_000 * DAY_US  # Saturday 2022-01-08.


def write(folder: Path, *events: Any) -> Path:
    with EventLogWriter(folder, n_partitions=1, formats=("parquet",)) as writer:
        writer.append_structs(events)
    return folder


def tell(event_id: str, time_us: int, **kind: Any) -> Any:
    return structs.Event(
        event_id=event_id,
        tenant="demo",
        event_time=time_us,
        ingest_time=kind.pop("ingest_us", time_us),
        customer_id="c1",
        channel=kind.pop("channel", "CHANNEL_WEB"),
        **kind,
    )


def order(*prices: int, discount: int = 0) -> Any:
    lines = [structs.OrderLine(quantity=2, unit_price_minor=price, style="a") for price in prices]
    return structs.OrderPlaced(order_id="o", lines=lines, discount_minor=discount)


def returned(price: int, ordered_us: int, **more: Any) -> Any:
    more = {"has_receipt": True, "order_id": "o", **more}
    return structs.ReturnRequested(
        quantity=1, unit_price_minor=price, order_time=ordered_us, return_window_days=10, **more
    )


def ask(
    log: Path, time_us: int, case_id: str, *, call: Call, own: str = "", line: int = -1
) -> Mapping[str, float]:
    """Return the twin's features of customer c1 at a time, for the case that an event tells."""
    cases = EventLog(log).read_table()
    case_row = cases["event_id"].to_pylist().index(case_id)
    row = ("demo", "c1", time_us, int(call), case_row, line, own)
    queries = pa.table([[value] for value in row], schema=QUERY_SCHEMA)
    twin = compute_twin(log, cases, queries)
    return dict(zip(twin.names, twin.values[0].tolist(), strict=True))


def test_counts_values_and_rates_are_those_of_the_window(tmp_path: Path) -> None:
    log = write(
        tmp_path / "log",
        tell("o1", T0, order_placed=order(100, 50)),  # 2 * 100 + 2 * 50 = 300
        tell("o2", T0 + 20 * DAY_US, order_placed=order(500, discount=400)),  # 600
        tell("r1", T0 + 21 * DAY_US, return_requested=returned(60, T0 + 20 * DAY_US)),
        tell("k1", T0 + 22 * DAY_US, order_cancelled=structs.OrderCancelled(
            quantity=3, unit_price_minor=7, initiator="CANCEL_INITIATOR_CUSTOMER")),
        tell("k2", T0 + 22 * DAY_US, order_cancelled=structs.OrderCancelled(
            quantity=3, unit_price_minor=7, initiator="CANCEL_INITIATOR_RETAILER")),
    )  # fmt: skip
    got = ask(log, T0 + 23 * DAY_US, "o2", call=Call.ORDER)
    assert got["customer_state"] == 1
    assert got["order_count_7d"] == 1
    assert got["order_count_30d"] == got["order_count_lifetime"] == 2
    assert got["order_value_30d_minor"] == 900
    assert got["return_value_7d_minor"] == 60
    assert got["return_rate_7d"] == 1  # 1 return of 1 line
    assert got["return_rate_30d"] == pytest.approx(1 / 3)
    assert got["return_value_rate_30d"] == pytest.approx(60 / 900)
    assert got["cancel_count_30d"] == 1
    assert got["cancel_rate_30d"] == 0.5
    assert got["net_value_365d_minor"] == 900 - 60 - 21 - 21  # Whoever cancelled, it is no sale.
    assert got["tenure_lifetime_days"] == 23
    assert got["order_recency_lifetime_days"] == 3
    assert got["request_value_to_order_mean_lifetime"] == pytest.approx(600 / 450)


@pytest.mark.parametrize(
    ("off_us", "counted"),
    [(7 * DAY_US, 1), (8 * DAY_US - HOUR_US - 1, 1), (8 * DAY_US - HOUR_US, 0)],
    ids=["a week", "to the end of the hop", "past the hop"],
)
def test_a_daily_window_lets_go_at_midnight(tmp_path: Path, off_us: int, counted: int) -> None:
    first = tell("o1", T0 + HOUR_US, order_placed=order(1))
    log = write(tmp_path / "log", first)
    assert ask(log, T0 + HOUR_US + off_us, "o1", call=Call.ORDER)["order_count_7d"] == counted


def test_the_future_is_not_known_and_the_late_is_not_known_early(tmp_path: Path) -> None:
    late = tell("o2", T0, ingest_us=T0 + 2 * DAY_US, order_placed=order(1))
    log = write(tmp_path / "log", tell("o1", T0, order_placed=order(1)), late)
    assert ask(log, T0 - 1, "o1", call=Call.ORDER)["customer_state"] == 0
    assert np.isnan(ask(log, T0 - 1, "o1", call=Call.ORDER)["order_count_lifetime"])
    assert ask(log, T0 + 2 * DAY_US - 1, "o1", call=Call.ORDER)["order_count_lifetime"] == 1
    assert ask(log, T0 + 2 * DAY_US, "o1", call=Call.ORDER)["order_count_lifetime"] == 2


def test_repeated_and_unacceptable_events_do_not_count(tmp_path: Path) -> None:
    log = write(
        tmp_path / "log",
        tell("o1", T0, order_placed=order(1)),
        tell("o1", T0, ingest_us=T0 + 5, order_placed=order(1)),
        tell("late", T0, ingest_us=T0 + 30 * DAY_US + 1, order_placed=order(1)),
        tell("early", T0 + 300_000_001, ingest_us=T0, order_placed=order(1)),
    )
    assert ask(log, T0 + 40 * DAY_US, "o1", call=Call.ORDER)["order_count_lifetime"] == 1


def test_the_own_case_is_left_out(tmp_path: Path) -> None:
    log = write(
        tmp_path / "log",
        tell("o1", T0, order_placed=order(1)),
        tell("r1", T0 + DAY_US, return_requested=returned(60, T0)),
    )
    asked = ask(log, T0 + DAY_US, "r1", call=Call.RETURN, own="r1")
    assert asked["return_count_lifetime"] == 0
    assert np.isnan(asked["time_to_return_last_days"])
    assert ask(log, T0 + DAY_US, "o1", call=Call.ORDER, own="o1")["order_count_lifetime"] == 0
    only = write(tmp_path / "only", tell("o1", T0, order_placed=order(1)))
    assert ask(only, T0, "o1", call=Call.ORDER, own="o1")["customer_state"] == 0


def test_time_to_return_is_taken_from_the_newest_sixteen(tmp_path: Path) -> None:
    # Return n (0 is the oldest) is held n days; the window is 10 days, late from 8 on.
    returns = [
        tell(f"r{n}", T0 + n * DAY_US, return_requested=returned(1, T0)) for n in range(1, 21)
    ]
    log = write(tmp_path / "log", tell("o1", T0, order_placed=order(1)), *returns)
    got = ask(log, T0 + 50 * DAY_US, "r1", call=Call.RETURN)
    held = np.arange(5, 21)
    assert got["time_to_return_last_days"] == 20
    assert got["time_to_return_mean_last16_days"] == pytest.approx(held.mean())
    assert got["time_to_return_std_last16_days"] == pytest.approx(held.std())
    assert got["time_to_return_late_share_last16"] == pytest.approx((held >= 8).mean())
    assert got["time_to_return_mean_lifetime_days"] == pytest.approx(np.arange(1, 21).mean())
    assert got["return_recency_lifetime_days"] == 30
    # The own return leaves, and the seventeenth newest moves up.
    own = ask(log, T0 + 50 * DAY_US, "r20", call=Call.RETURN, own="r20")
    assert own["time_to_return_mean_last16_days"] == pytest.approx(np.arange(4, 20).mean())


def test_reasons_and_channels_are_compared(tmp_path: Path) -> None:
    def reason(code: str, vector: list[int]) -> Any:
        embedding = np.array(vector + [0] * (64 - len(vector)), np.int8).tobytes()
        return structs.Reason(code=code, embedding=embedding, embedder="ngram64-v1")

    small, gift = "REASON_CODE_SIZE_TOO_SMALL", "REASON_CODE_GIFT"
    log = write(
        tmp_path / "log",
        tell("o1", T0, order_placed=order(1)),
        tell("r1", T0 + 1, channel="CHANNEL_STORE", return_requested=returned(
            1, T0, reason=reason(small, [127, 0]), order_channel="CHANNEL_WEB")),
        tell("r2", T0 + 2, return_requested=returned(
            1, T0, reason=reason(small, [0, 127]), order_channel="CHANNEL_WEB")),
        tell("r3", T0 + 3, return_requested=returned(1, T0, reason=reason(gift, [0, -5]))),
        tell("r4", T0 + 4, return_requested=returned(1, T0)),
    )  # fmt: skip
    got = ask(log, T0 + 10, "r2", call=Call.RETURN)
    # Cosines of the three texts: 0, 0 and -1.
    assert got["reason_similarity_mean_last16"] == pytest.approx(-1 / 3)
    assert got["reason_code_top_share_last16"] == pytest.approx(2 / 3)
    assert got["cross_channel_return_share_last16"] == 0.25
    assert got["request_reason_similarity_mean_last16"] == pytest.approx(0.0)  # 0, 1 and -1.
    assert got["request_reason_similarity_max_last16"] == 1.0
    assert got["request_reason_code_share_last16"] == 0.5
    assert got["order_channel_count_lifetime"] == 1
    assert got["return_channel_count_lifetime"] == 2
    assert got["request_channel_known_lifetime"] == 1
    assert ask(log, T0 + 10, "r1", call=Call.RETURN)["request_channel_known_lifetime"] == 0


def test_a_request_says_what_its_case_says(tmp_path: Path) -> None:
    placed = order(100, 50, discount=60)
    placed.promised_delivery_time = T0 + 3 * DAY_US
    placed.gift_card_minor = 24
    log = write(tmp_path / "log", tell("o1", T0, order_placed=placed))
    asked_us = T0 + 2 * DAY_US + 5 * HOUR_US  # Monday 2022-01-10, 05:00 UTC.
    got = ask(log, asked_us, "o1", call=Call.ORDER_LINE, line=1)
    assert got["request_value_minor"] == 100
    assert got["request_quantity"] == 2
    assert got["request_unit_price_minor"] == 50
    assert got["request_line_count"] == 2
    assert got["request_multi_variant_share"] == 1
    assert got["request_order_value_share"] == pytest.approx(100 / 240)
    assert got["request_discount_share"] == pytest.approx(60 / 300)
    assert got["request_gift_card_share"] == pytest.approx(0.1)
    assert got["request_is_gift_card"] == 1
    assert got["request_promised_lead_days"] == pytest.approx(1 - 5 / 24)
    assert got["request_hour_of_day"] == 5
    assert got["request_day_of_week"] == 0
    assert np.isnan(got["request_hold_days"])
    whole = ask(log, asked_us, "o1", call=Call.ORDER)
    assert whole["request_value_minor"] == 240
    assert whole["request_unit_price_minor"] == 100
    assert np.isnan(whole["request_order_value_share"])


def test_worn_and_sent_back_is_told_by_the_warehouse(tmp_path: Path) -> None:
    worn = {"return_id": "r1", "is_occasion_wear": True, "store_id": "s1"}
    log = write(
        tmp_path / "log",
        tell("o1", T0, order_placed=order(1)),
        tell("r1", T0 + 9 * DAY_US, return_requested=returned(1, T0, **worn)),
        tell("r2", T0 + 9 * DAY_US, return_requested=returned(1, T0, return_id="r2",
            evidence=structs.ReturnEvidence(is_tag_on=False, weight_g=100, is_photo_checked=True))),
        tell("g1", T0 + 10 * DAY_US, return_received=structs.ReturnReceived(
            return_id="r2", weight_g=121)),
        tell("g2", T0 + 10 * DAY_US, return_inspected=structs.ReturnInspected(
            return_id="r1", condition="CONDITION_C", is_wrong_item=True)),
        tell("g3", T0 + 10 * DAY_US, return_inspected=structs.ReturnInspected(
            return_id="r2", condition="CONDITION_B")),
    )  # fmt: skip
    got = ask(log, T0 + 11 * DAY_US, "o1", call=Call.ORDER)
    assert got["wardrobing_return_count_last16"] == 1
    assert got["used_condition_return_count_last16"] == 1
    assert got["weight_mismatch_count_last16"] == 1
    assert got["condition_mean_last24"] == 2.5
    assert got["used_condition_share_last24"] == 0.5
    assert got["occasion_return_share_last16"] == 0.5
    assert got["tag_off_share_last16"] == 1  # Of those that somebody looked at.
    assert got["photo_checked_share_last16"] == 0.5
    assert got["return_store_count_last16"] == 1
    assert got["inspected_count_lifetime"] == 2
    assert got["wrong_item_count_lifetime"] == 1


def test_styles_are_followed_from_order_to_return_and_back(tmp_path: Path) -> None:
    log = write(
        tmp_path / "log",
        tell("o1", T0, order_placed=order(1, 1)),  # Style a twice: bracketing.
        tell("r1", T0 + DAY_US, return_requested=returned(1, T0, style="a")),
        tell("r2", T0 + DAY_US, return_requested=returned(1, T0, style="b")),
        tell("o2", T0 + 61 * DAY_US, order_placed=order(1)),
        tell("o3", T0 + 61 * DAY_US + 1, order_placed=order(1)),
    )
    got = ask(log, T0 + 62 * DAY_US, "r1", call=Call.RETURN)
    assert got["bracketing_return_share_last16"] == 0.5
    assert got["rebuy_after_return_count_last24"] == 1  # o3 comes a microsecond too late.
    assert got["request_style_return_count_last16"] == 1
    assert got["request_style_order_count_last24"] == 4
    assert got["multi_variant_line_share_90d"] == 0.5
    own = ask(log, T0 + 62 * DAY_US, "o2", call=Call.ORDER, own="o2")
    assert own["rebuy_after_return_count_last24"] == 0
    assert own["request_style_order_count_last24"] == 3


def test_products_and_stores_count_closed_hours_only(tmp_path: Path) -> None:
    def line(style: str) -> Any:
        return structs.OrderLine(quantity=1, unit_price_minor=50, style=style, sku="k", batch="b")

    placed = structs.OrderPlaced(order_id="o", lines=[line("a"), line("z")], store_id="s")
    small = structs.Reason(code="REASON_CODE_SIZE_TOO_SMALL")
    back = {"style": "a", "sku": "k", "store_id": "s", "reason": small}
    log = write(
        tmp_path / "log",
        tell("o1", T0, order_placed=placed),
        tell("r1", T0 + HOUR_US, return_requested=returned(1, T0, **back)),
        tell("r2", T0 + 2 * HOUR_US, return_requested=returned(1, T0, **back)),
        tell("p1", T0 + 2, price_changed=structs.PriceChanged(sku="k", unit_price_minor=40)),
    )
    now = ask(log, T0 + 2 * HOUR_US + 5, "o1", call=Call.ORDER)
    assert now["sku_return_count_24h"] == now["store_return_count_24h"] == 1
    later = ask(log, T0 + 3 * HOUR_US, "o1", call=Call.ORDER)
    assert later["style_return_rate_30d"] == 2  # The dearest line is the first of equals.
    assert later["style_size_small_share_365d"] == later["style_size_bias_365d"] * -1 == 1
    assert later["batch_order_line_count_lifetime"] == 2
    assert later["sku_price_change_ratio"] == pytest.approx(40 / 50 - 1)
    assert np.isnan(later["supplier_return_rate_90d"])
    assert np.isnan(later["device_is_saturated"])


def build_vectors(*values: float) -> TwinVectors:
    one = np.zeros((1, len(values)))
    one[0] = values
    return TwinVectors(tuple("abcdef"[: len(values)]), one, np.zeros(1, np.int64))


def test_comparison_finds_each_kind_of_difference() -> None:
    expected = build_vectors(1.0, np.nan, 5e9, 0.0, 2.0)
    computed = np.array([[1.0 + 2e-6, 0.0, 5e9 + 4_000, np.nan, 2.0]], np.float32)
    found = compare_vectors(computed, tuple("abcde"), expected)
    assert [each.name for each in found] == ["a", "b", "d"]  # c is within one millionth.
    assert found[0].n_rows == 1
    assert compare_vectors(expected.values.astype(np.float32), tuple("abcde"), expected) == []


def test_comparison_refuses_another_set_of_features() -> None:
    with pytest.raises(ValueError, match="features differ"):
        compare_vectors(np.zeros((1, 1), np.float32), ("z",), build_vectors(0.0))


def test_the_twin_knows_every_feature_of_the_table_and_no_other(tmp_path: Path) -> None:
    log = write(tmp_path / "log", tell("o1", T0, order_placed=order(1)))
    assert sorted(ask(log, T0, "o1", call=Call.ORDER)) == sorted(FEATURE_NAMES)
