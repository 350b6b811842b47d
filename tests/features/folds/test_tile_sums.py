from __future__ import annotations

import numpy as np
import pytest

from features.folds.tile_sums import N_LANES, assert_room_behind_tiles
from features.records.activity import ACTIVITY_DTYPE
from features.records.history import HISTORY_DTYPE
from features.records.tally import TALLY_DTYPE

RECORDS = {"history": HISTORY_DTYPE, "activity": ACTIVITY_DTYPE, "tally": TALLY_DTYPE}


@pytest.mark.parametrize("record", RECORDS)
def test_sums_never_read_beyond_the_record(record: str) -> None:
    names = [
        name for name in ("hourly", "daily", "weekly") if name in (RECORDS[record].names or ())
    ]
    assert len(names) >= 2
    assert_room_behind_tiles(RECORDS[record], tuple(names))


@pytest.mark.parametrize("kind", ["<i4", "<i8"])
def test_tiles_too_close_to_the_end_of_a_record_are_refused(kind: str) -> None:
    n_counters, n_missing = 10, N_LANES - 10
    tiles = ("tiles", kind, (5, n_counters))
    enough = np.dtype([tiles, ("rest", kind, (n_missing,))])
    assert_room_behind_tiles(enough, ("tiles",))
    too_few = np.dtype([tiles, ("rest", kind, (n_missing - 1,))])
    with pytest.raises(AssertionError, match="tiles stands too close"):
        assert_room_behind_tiles(too_few, ("tiles",))


@pytest.mark.parametrize("record", RECORDS)
def test_bits_of_filled_buckets_fit_their_word(record: str) -> None:
    for name in ("hourly", "daily", "weekly"):
        dtype = RECORDS[record]
        assert name not in (dtype.names or ()) or dtype[name].shape[0] < 64
