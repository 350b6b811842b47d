"""The shard's step on batches made by hand: dedup, progress, conflicts, order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.errors import CommitConflictError
from features.fold_rows import FOLD_ROW_DTYPE, FoldKind
from features.record import decode_record
from features.store.memory_store import MemoryFeatureStore
from features.store.port import SeenEvents, ShardProgress, ShardTotals
from stream.batches import PartitionRange, ShardBatch
from stream.dead_letters import DeadLetterFiles, read_dead_letters
from stream.shard_fold import ShardFold, advance_progress, find_unique_keys

SHARD = 5
_DAY_US = 86_400_000_000
_FIRST = bytes([SHARD]) + bytes(15)
_SECOND = bytes([SHARD]) + bytes(14) + b"\x01"


def _batch(
    *rows: tuple[int, bytes | None],
    start: int = 0,
    end: int | None = None,
    partition: int = 0,
    contents: dict[int, int] | None = None,
) -> ShardBatch:
    """Return a batch whose rows are (event key, entity key or None for other kinds)."""
    folded = [(key, entity) for key, entity in rows if entity is not None]
    fold_rows = np.zeros(len(folded), FOLD_ROW_DTYPE)
    fold_rows["kind"] = FoldKind.ORDER_PLACED
    fold_rows["event_key"] = [key for key, _ in folded]
    fold_rows["event_time_us"] = [20_000 * _DAY_US + key * 1_000 for key, _ in folded]
    fold_rows["value_minor"] = 100
    places = np.full(len(rows), -1, np.int64)
    places[[entity is not None for _, entity in rows]] = np.arange(len(folded))
    next_offset = start + len(rows) if end is None else end
    keys = [key for key, _ in rows]
    return ShardBatch(
        shard=SHARD,
        range=PartitionRange(f"log/{partition:02d}", partition, start, next_offset, next_offset),
        offsets=np.arange(start, start + len(rows)),
        event_keys=np.array(keys, np.uint64),
        content_hashes=np.array([(contents or {}).get(key, 1000 + key) for key in keys], np.uint64),
        ingest_us=np.full(len(rows), 20_000 * _DAY_US),
        fold_places=places,
        fold_rows=fold_rows,
        entity_keys=np.array([list(entity) for _, entity in folded], np.uint8).reshape(-1, 16),
    )


@pytest.fixture
def store() -> MemoryFeatureStore:
    return MemoryFeatureStore()


@pytest.fixture
def letters(tmp_path: Path) -> DeadLetterFiles:
    return DeadLetterFiles(tmp_path / "letters")


@pytest.fixture
def shard_fold(store: MemoryFeatureStore, letters: DeadLetterFiles) -> ShardFold:
    return ShardFold(SHARD, store, letters, ["log/00"])


def _count(store: MemoryFeatureStore, entity: bytes) -> int:
    record = store.read_records([entity])[0]
    return 0 if record is None else int(decode_record(record)["event_count"][0])


def test_rows_are_folded_into_their_own_records(
    shard_fold: ShardFold, store: MemoryFeatureStore
) -> None:
    outcome = shard_fold.apply([_batch((1, _FIRST), (2, _SECOND), (3, None), (4, _FIRST))])
    assert outcome.totals == ShardTotals(folded=3, not_folded=1)
    assert (_count(store, _FIRST), _count(store, _SECOND)) == (2, 1)


def test_a_range_read_again_changes_nothing(
    shard_fold: ShardFold, store: MemoryFeatureStore
) -> None:
    batch = _batch((1, _FIRST), (2, _FIRST))
    shard_fold.apply([batch])
    version = store.read_shard_state(SHARD).version
    again = shard_fold.apply([batch])
    assert again.totals == ShardTotals()
    assert again.already_applied == 2
    assert _count(store, _FIRST) == 2
    assert store.read_shard_state(SHARD).version == version


def test_only_the_rows_behind_the_progress_are_applied(
    shard_fold: ShardFold, store: MemoryFeatureStore
) -> None:
    shard_fold.apply([_batch((1, _FIRST), (2, _FIRST))])
    outcome = shard_fold.apply([_batch((1, _FIRST), (2, _FIRST), (3, _FIRST), (4, None))])
    assert (outcome.already_applied, outcome.totals) == (2, ShardTotals(folded=1, not_folded=1))
    assert _count(store, _FIRST) == 3


def test_repetitions_are_dropped_within_a_batch_and_between_batches(
    shard_fold: ShardFold, store: MemoryFeatureStore
) -> None:
    first = shard_fold.apply([_batch((1, _FIRST), (1, _FIRST), (2, _FIRST))])
    second = shard_fold.apply([_batch((2, _FIRST), (3, _FIRST), (1, _FIRST), start=3)])
    assert first.totals == ShardTotals(folded=2, duplicates=1)
    assert second.totals == ShardTotals(folded=1, duplicates=2)
    assert _count(store, _FIRST) == 3


def test_repetitions_of_kinds_that_fold_nothing_are_dropped_too(shard_fold: ShardFold) -> None:
    assert shard_fold.apply([_batch((1, None), (1, None))]).totals == ShardTotals(
        not_folded=1, duplicates=1
    )


def test_other_content_under_a_known_id_is_filed_and_not_folded(
    shard_fold: ShardFold, store: MemoryFeatureStore, letters: DeadLetterFiles
) -> None:
    shard_fold.apply([_batch((1, _FIRST), (2, _FIRST))])
    outcome = shard_fold.apply([_batch((3, _FIRST), (1, _FIRST), start=2, contents={1: 77})])
    assert outcome.totals == ShardTotals(folded=1, conflicts=1)
    assert _count(store, _FIRST) == 3
    (letter,) = read_dead_letters(letters.path)
    assert (letter.incarnation, letter.partition, letter.offset) == ("log", 0, 3)
    assert (letter.reason, letter.field) == ("conflict", "event_id")


def test_one_step_takes_batches_of_several_partitions(
    store: MemoryFeatureStore, letters: DeadLetterFiles
) -> None:
    shard_fold = ShardFold(SHARD, store, letters, ["log/00", "log/01"])
    outcome = shard_fold.apply(
        [
            _batch((9, _SECOND), (1, _FIRST), start=40, partition=1),
            _batch((1, _FIRST), (2, _FIRST), start=10, partition=0),
        ]
    )
    assert outcome.totals == ShardTotals(folded=3, duplicates=1)
    state = store.read_shard_state(SHARD)
    assert state.version == 1
    assert state.next_offsets == {"log/00": 12, "log/01": 42}


def test_the_order_and_size_of_batches_do_not_show_in_the_records(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows = [(int(key), (_FIRST, _SECOND)[key % 2]) for key in rng.permutation(np.arange(1, 61))]
    records = []
    for size in (1, 7, 60):
        store = MemoryFeatureStore()
        step = ShardFold(SHARD, store, DeadLetterFiles(tmp_path), ["log/00"])
        for start in range(0, 60, size):
            step.apply([_batch(*rows[start : start + size], start=start)])
        records.append(store.read_records([_FIRST, _SECOND]))
    assert records[0] == records[1] == records[2]


def test_a_shard_without_rows_keeps_pace(shard_fold: ShardFold, store: MemoryFeatureStore) -> None:
    outcome = shard_fold.apply([_batch(start=0, end=500)])
    assert outcome.applied_ingest_us == 500
    assert store.read_shard_state(SHARD).next_offsets == {"log/00": 500}


def test_applied_time_waits_for_the_slowest_partition(
    store: MemoryFeatureStore, letters: DeadLetterFiles
) -> None:
    step = ShardFold(SHARD, store, letters, ["log/00", "log/01"])
    assert step.apply([_batch(end=900, partition=0)]).applied_ingest_us == 0
    assert step.apply([_batch(end=300, partition=1)]).applied_ingest_us == 300
    assert step.apply([_batch(end=950, partition=1)]).applied_ingest_us == 900


def test_progress_never_goes_back() -> None:
    held = ShardProgress(50, {"log/00": 10}, {"log/00": 50}, ShardTotals(folded=1))
    older = PartitionRange("log/00", 0, 0, 5, 20)
    assert advance_progress(held, [older], ["log/00"], ShardTotals()) == held


def test_a_foreign_commit_stops_the_step(shard_fold: ShardFold, store: MemoryFeatureStore) -> None:
    store.commit(SHARD, 0, [], SeenEvents.empty(), ShardProgress())
    with pytest.raises(CommitConflictError):
        shard_fold.apply([_batch((1, _FIRST))])
    assert _count(store, _FIRST) == 0


def test_unique_keys_keep_trailing_zeros_and_sort_as_bytes() -> None:
    rng = np.random.default_rng(5)
    pool = np.vstack([rng.integers(0, 256, (20, 16)), np.zeros((1, 16)), [[9] * 8 + [0] * 8]])
    rows = pool.astype(np.uint8)[rng.integers(0, len(pool), 200)]
    keys, index = find_unique_keys(rows)
    assert keys == sorted({row.tobytes() for row in rows})
    assert [keys[place] for place in index] == [row.tobytes() for row in rows]
