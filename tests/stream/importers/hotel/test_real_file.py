"""The real file against a plain second reading of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow.compute as pc
import pytest

from features.log.reader import EventLog
from stream.importers.hotel.importing import ImportOptions, import_hotel

pytestmark = pytest.mark.realdata


def test_every_booking_of_the_file_is_in_the_log(
    real_data: Path, tmp_path: Path, print_result: Callable[[str], None]
) -> None:
    log = tmp_path / "log"
    report = import_hotel(real_data / "hotel", log, ImportOptions(formats=["parquet"]))
    file = real_data / "hotel" / "hotel_bookings.csv.gz"
    rows = (
        duckdb.connect()
        .execute(
            f"""select reservation_status, count(*),
          sum(epoch_us(strptime(arrival_date_year || arrival_date_month
            || arrival_date_day_of_month, '%Y%B%d')) // 86400000000 - lead_time)
        from read_csv('{file}', nullstr='NULL', types={{'children': 'VARCHAR'}}) group by 1"""
        )
        .fetchall()
    )
    found = {status: (n, booked) for status, n, booked in rows}
    assert report.source_rows == {
        "stayed": found["Check-Out"][0],
        "cancelled": found["Canceled"][0],
        "no_show": found["No-Show"][0],
        "malformed": 0,
    }
    table = EventLog(log).read_table()
    placed = table.filter(pc.equal(table["kind"], "order_placed"))
    days = pc.cast(placed["event_time"], "int64").to_numpy() // 86_400_000_000
    assert len(days) == report.n_source_rows
    assert int(days.sum()) == sum(booked for _, booked in found.values())
    print_result(f"hotel: {report.n_source_rows:,} bookings, all in a bucket, none malformed")
