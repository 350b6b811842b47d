"""Positions and times of a source's partitions: pure rules, case by case."""

from __future__ import annotations

import pytest

from features.errors import ConfigError
from features.store.port import MAX_EARLY_US, ShardProgress, ShardTotals
from stream.batches import PartitionRange
from stream.progress import (
    advance_progress,
    advance_seen_progress,
    check_source,
    drop_replays,
    find_start_offset,
    is_ahead,
    make_replay_id,
)

YEAR_US = 365 * 86_400_000_000
NONE = ShardTotals()
A, B = "log/00", "log/01"


def _rows(
    start: int, end: int, last_us: int, least_us: int = 0, source_id: str = A
) -> PartitionRange:
    """Return a range of rows of which the last came in at `last_us`."""
    return PartitionRange(source_id, 0, start, end, last_us, 0, least_us or last_us)


def _mark(at: int, passed_us: int, idle_us: int = 0, source_id: str = A) -> PartitionRange:
    return PartitionRange(source_id, 0, at, at, passed_us, idle_us)


def _advance(*ranges: PartitionRange, held: ShardProgress | None = None) -> ShardProgress:
    return advance_progress(held or ShardProgress(), ranges, [A], NONE)


def _advance_seen(
    *ranges: PartitionRange, held: ShardProgress | None = None, applied_us: int = 10 * YEAR_US
) -> ShardProgress:
    return advance_seen_progress(held or ShardProgress(), ranges, applied_us, NONE)


def test_applied_is_what_the_slowest_partition_has_passed() -> None:
    first = advance_progress(ShardProgress(), [_rows(0, 5, 50)], [A, B], NONE)
    assert (first.applied_ingest_us, first.next_offsets) == (0, {A: 5})
    both = advance_progress(first, [_rows(0, 2, 40, source_id=B)], [A, B], NONE)
    assert both.applied_ingest_us == 40
    assert both.partition_ingest_us == {A: 50, B: 40}


def test_totals_add_up() -> None:
    held = advance_progress(ShardProgress(), [_rows(0, 1, 1)], [A], ShardTotals(folded=2))
    assert advance_progress(held, [], [A], ShardTotals(folded=1, conflicts=1)).totals == (
        ShardTotals(folded=3, conflicts=1)
    )


def test_a_range_read_again_changes_nothing_however_it_is_cut() -> None:
    held = _advance(_rows(0, 5, 50), _rows(5, 9, 90))
    assert _advance(_rows(0, 9, 90), held=held) == held
    assert _advance(_rows(0, 4, 95), held=held) == held
    assert not is_ahead(_advance(_rows(0, 9, 90), held=held), held)


def test_a_time_far_ahead_is_taken_back_by_the_next_rows() -> None:
    held = _advance(_rows(0, 5, 50), _rows(5, 6, YEAR_US))
    assert held.applied_ingest_us == YEAR_US
    after = _advance(_rows(6, 8, 70), held=held)
    assert (after.applied_ingest_us, after.next_offsets) == (70, {A: 8})
    assert is_ahead(after, held)


def test_a_time_that_the_logs_clock_has_not_reached_is_taken_back_when_the_log_is_idle() -> None:
    held = _advance(_rows(0, 5, YEAR_US))
    assert _advance(_mark(5, YEAR_US, idle_us=80), held=held).applied_ingest_us == 80
    within = _advance(_rows(0, 5, 80 + MAX_EARLY_US))
    assert _advance(_mark(5, 0, idle_us=80), held=within).applied_ingest_us == 80 + MAX_EARLY_US


def test_a_mark_moves_time_on_and_rows_that_tell_none_leave_it() -> None:
    held = _advance(_rows(0, 5, 50))
    assert _advance(_mark(5, 50, idle_us=90), held=held).applied_ingest_us == 90
    refused = _advance(_rows(5, 7, 0), held=held)
    assert (refused.applied_ingest_us, refused.next_offsets) == (50, {A: 7})


def test_forgetting_stays_one_stretch_behind_and_never_ahead_of_the_records() -> None:
    first = _advance_seen(_rows(0, 5, 50, 10))
    assert first.applied_ingest_us == 0
    second = _advance_seen(_rows(5, 9, 90, 60), held=first)
    assert second.applied_ingest_us == 50
    assert _advance_seen(_rows(9, 12, 120, 100), held=second, applied_us=70).applied_ingest_us == 70


def test_a_time_far_ahead_makes_nothing_be_forgotten() -> None:
    held = _advance_seen(_rows(0, 5, 50, 10))
    for ranges in (
        [_rows(5, 9, 90, 60), _rows(9, 10, YEAR_US)],  # Alone, behind other rows,
        [_rows(5, 9, YEAR_US, 60)],  # last among others,
    ):
        jumped = _advance_seen(*ranges, held=held)
        assert jumped.applied_ingest_us == 50
        end = ranges[-1].next_offset
        assert _advance_seen(_mark(end, YEAR_US + 1), held=jumped).applied_ingest_us == 50
        after = _advance_seen(_rows(end, 12, 100, 95), held=jumped)  # and others behind it.
        assert after.applied_ingest_us == 95
        assert _advance_seen(_rows(12, 14, 120, 110), held=after).applied_ingest_us == 100


def test_an_idle_log_makes_nothing_be_forgotten() -> None:
    held = _advance_seen(_rows(0, 5, 50))
    assert _advance_seen(_mark(5, 50, idle_us=YEAR_US), held=held).applied_ingest_us == 0


def test_partitions_without_a_row_do_not_keep_ids_for_ever() -> None:
    held = _advance_seen(_rows(0, 5, 50), _mark(0, 0, source_id=B))
    assert _advance_seen(_rows(5, 6, 60), held=held).applied_ingest_us == 50


def test_reading_begins_at_the_least_position_of_all_shards() -> None:
    shards = [ShardProgress(next_offsets={A: 7, B: 3}), ShardProgress(next_offsets={A: 5})]
    assert (find_start_offset(A, shards), find_start_offset(B, shards)) == (5, 0)


def test_another_log_is_refused_and_a_replay_of_the_same_is_none() -> None:
    shards = [ShardProgress(next_offsets={A: 1, make_replay_id("77", "old", 0): 4})]
    check_source("log", shards)
    with pytest.raises(ConfigError, match="another event log"):
        check_source("new", shards)


def test_replays_that_are_over_leave_nothing() -> None:
    replay = make_replay_id("77", "log", 0)
    held = ShardProgress(5, {A: 1, replay: 4}, {A: 5, replay: 2}, ShardTotals(folded=1))
    assert drop_replays(held) == ShardProgress(5, {A: 1}, {A: 5}, ShardTotals(folded=1))
