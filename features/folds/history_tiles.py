"""The tiles of a history: three rings of time buckets."""

from __future__ import annotations

from typing import Any

import numpy as np

from features.compiled import welded
from features.definition import DAY_US, HOUR_US, WEEK_US
from features.folds.tiles import find_bucket, open_tile


@welded
def open_history_tiles(record: Any, time_us: int) -> tuple[np.int64, np.int64, np.int64]:
    """Make the tiles ready for an event; return its hourly, daily and weekly row, -1: too old."""
    head, filled = record["hourly_head"], record["hourly_filled"]
    bucket = find_bucket(time_us, HOUR_US)
    head, filled, hour = open_tile(record["hourly"], head, filled, bucket)
    record["hourly_head"], record["hourly_filled"] = head, filled
    head, filled = record["daily_head"], record["daily_filled"]
    bucket = find_bucket(time_us, DAY_US)
    head, filled, day = open_tile(record["daily"], head, filled, bucket)
    record["daily_head"], record["daily_filled"] = head, filled
    head, filled = record["weekly_head"], record["weekly_filled"]
    bucket = find_bucket(time_us, WEEK_US)
    head, filled, week = open_tile(record["weekly"], head, filled, bucket)
    record["weekly_head"], record["weekly_filled"] = head, filled
    return hour, day, week
