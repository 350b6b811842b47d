"""The windowed counters of a history: for life, and in three rings of time buckets."""

from __future__ import annotations

from typing import Any

import numpy as np

from features.compiled import welded
from features.definition import DAY_US, HOUR_US, N_DAILY, N_HOURLY, N_WEEKLY, WEEK_US
from features.folds.tiles import clear_passed, enter_bucket, find_tile


@welded
def open_history_tiles(record: Any, time_us: int) -> tuple[int, int, int]:
    """Make the tiles ready for an event; return its hourly, daily and weekly row, -1: too old."""
    hour, day, week = time_us // HOUR_US, time_us // DAY_US, time_us // WEEK_US
    head, filled = record["hourly_head"], record["hourly_filled"]
    clear_passed(record["hourly"], head, filled, hour)
    record["hourly_head"], record["hourly_filled"] = enter_bucket(head, filled, hour, N_HOURLY)
    head, filled = record["daily_head"], record["daily_filled"]
    clear_passed(record["daily"], head, filled, day)
    record["daily_head"], record["daily_filled"] = enter_bucket(head, filled, day, N_DAILY)
    head, filled = record["weekly_head"], record["weekly_filled"]
    clear_passed(record["weekly"], head, filled, week)
    record["weekly_head"], record["weekly_filled"] = enter_bucket(head, filled, week, N_WEEKLY)
    return (
        find_tile(record["hourly_head"], hour, N_HOURLY),
        find_tile(record["daily_head"], day, N_DAILY),
        find_tile(record["weekly_head"], week, N_WEEKLY),
    )


@welded
def add_windowed(
    record: Any, rows: tuple[int, int, int], counter: int, amount: int | np.int64
) -> None:
    """Add to one counter: for life, and in every ring of tiles that still keeps the bucket."""
    record["lifetime"][counter] += amount
    if rows[0] >= 0:
        record["hourly"][rows[0], counter] += amount
    if rows[1] >= 0:
        record["daily"][rows[1], counter] += amount
    if rows[2] >= 0:
        record["weekly"][rows[2], counter] += amount
