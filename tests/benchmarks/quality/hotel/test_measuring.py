"""The hotel task on made-up bookings in the published form."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality.hotel import measuring
from benchmarks.quality.hotel.bookings_table import BookingsTable, build_bookings_table
from benchmarks.quality.hotel.published import LATE_COLUMNS
from benchmarks.quality.hotel.tables import draw_hotel
from benchmarks.report import Value
from stream.importers.hotel.reading import COLUMNS

CUT_US = measuring.CUT_US
N = 1_200
DAY_US = 86_400_000_000


def _make_row(place: int, random: np.random.Generator) -> dict[str, str]:
    """Return a booking that is cancelled the likelier, the longer its lead time."""
    lead = int(random.integers(0, 120))
    arrival = date(2016, 5, 1) + timedelta(days=int(random.integers(0, 480)))
    is_cancelled = random.random() < (0.1 if lead < 60 else 0.8)
    ended = arrival - timedelta(days=lead // 2) if is_cancelled else arrival + timedelta(days=2)
    return dict.fromkeys(COLUMNS, "0") | {
        "hotel": "City Hotel",
        "is_canceled": str(int(is_cancelled)),
        "lead_time": str(lead),
        "arrival_date_year": str(arrival.year),
        "arrival_date_month": f"{arrival:%B}",
        "arrival_date_day_of_month": str(arrival.day),
        "stays_in_week_nights": "2",
        "meal": "BB",
        "country": "PRT" if is_cancelled else "FRA",
        "market_segment": "Direct",
        "distribution_channel": "Direct",
        "reserved_room_type": "A",
        "deposit_type": "No Deposit",
        "agent": str(place % 7) if place % 7 else "NULL",
        "company": "NULL",
        "customer_type": "Transient",
        "adr": str(50 + place % 90),
        "reservation_status": "Canceled" if is_cancelled else "Check-Out",
        "reservation_status_date": ended.isoformat(),
    }


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(3)
    path = tmp_path_factory.mktemp("hotel") / "hotel.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        rows = [_make_row(place, random) for place in range(N)]
        writer.writerows([*rows, *rows[:40]])  # Forty rows stand there twice.
    return path


@pytest.fixture(scope="module")
def table(source: Path, tmp_path_factory: pytest.TempPathFactory) -> BookingsTable:
    return build_bookings_table(source, tmp_path_factory.mktemp("logs"), CUT_US, with_late=True)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH", "short")
    monkeypatch.setattr(
        measuring, "PARAMETERS", replace(measuring.PARAMETERS, max_trees=40, max_depth=3)
    )


def test_only_bookings_whose_end_was_known_before_the_cut_teach(table: BookingsTable) -> None:
    assert table.is_taught.sum() > 500
    assert (table.due_us[table.is_taught] < CUT_US).all()
    # Two nights: who arrived on the last days before the cut was still there.
    is_open = (table.due_us < CUT_US) & (table.due_us >= CUT_US - 2 * DAY_US)
    stays = is_open & (table.label == 0.0)
    assert stays.sum() >= 1
    assert not table.is_taught[stays].any()
    assert table.is_taught[(table.due_us < CUT_US) & ~is_open].all()


def test_equal_rows_are_one_party_and_the_first_of_them_is_marked(table: BookingsTable) -> None:
    assert len(table.label) == N + 40
    assert table.is_first.sum() == N
    twins = ~table.is_first
    assert np.isin(table.cluster[twins], table.cluster[table.is_first]).all()


def test_the_outcome_is_no_column(table: BookingsTable) -> None:
    names = [feature.name for feature in table.features]
    assert "attr_lead_time" in names
    assert not [name for name in names if "cancel" in name and name.startswith("attr_is")]
    assert not [name for name in names if "status" in name]
    for column, name in zip(table.rows.T, names, strict=True):
        known = ~np.isnan(column)
        if name != "attr_country" and len(np.unique(column[known])) > 1:
            assert abs(np.corrcoef(column[known], table.label[known])[0, 1]) < 0.95, name


def test_late_columns_are_left_out_of_ours_and_of_the_baseline(
    source: Path, tmp_path: Path
) -> None:
    found = build_bookings_table(source, tmp_path, CUT_US, with_late=False)
    names = {feature.name for feature in found.features}
    assert not {f"attr_{name}" for name in LATE_COLUMNS} & names
    assert not set(LATE_COLUMNS) & set(found.file.names)
    assert not [name for name in names if name.startswith("region")]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("variant", measuring.VARIANTS, ids=lambda one: one.key or "main")
def test_every_variant_is_measured_on_its_own_bookings(
    table: BookingsTable, variant: measuring.Variant
) -> None:
    found = measuring.measure_variant(table, variant, with_late=True)
    time_us = table.booked_us if variant.by_booking else table.due_us
    is_test = (time_us >= CUT_US) & (table.is_first | (not variant.first_only))
    np.testing.assert_array_equal(found.cases.label, table.label[is_test])
    figures = measuring.describe(found)
    assert figures[f"hotel_test_bookings{variant.key}"] == is_test.sum()
    auc = figures[f"hotel_auc{variant.key}"]
    baseline = figures[f"hotel_auc{variant.key}_baseline"]
    gain = figures[f"hotel_auc{variant.key}_gain"]
    assert isinstance(auc, float)
    assert auc > 0.9  # The country tells it.
    assert gain == pytest.approx(float(auc) - float(baseline))
    assert (
        float(figures[f"hotel_auc{variant.key}_gain_lo"])
        <= float(gain)
        <= float(figures[f"hotel_auc{variant.key}_gain_hi"])
    )


@pytest.mark.usefixtures("quick")
def test_the_whole_task_gives_the_figures_asked_for(source: Path, tmp_path: Path) -> None:
    values: dict[str, Value] = {}
    found = measuring.measure_hotel(source, tmp_path, values)
    assert [one.with_late for one in found] == [True, False]
    assert float(values["hotel_auc"]) > float(values["hotel_auc_no_late_columns"]) > 0.7
    table = draw_hotel(found)
    assert table.rows[1][1] == "no"
    assert table.rows[0][3] == f"{values['hotel_auc']:.4f}"
    again: dict[str, Value] = {}
    (tmp_path / "again").mkdir()
    measuring.measure_hotel(source, tmp_path / "again", again)
    assert again == values
