"""Where each source partition stands: pure rules over the progress that a store keeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from features.errors import ConfigError
from features.store.port import MAX_EARLY_US, ShardProgress, ShardTotals
from stream.batches import PartitionRange

REPLAY_PREFIX = "replay:"
"""Source ids of dead letters that are read again; no partitions of the source itself."""


def make_source_id(incarnation: str, partition: int) -> str:
    """Return the id under which a partition's positions are kept.

    >>> make_source_id("5f0c", 3)
    '5f0c/03'
    """
    return f"{incarnation}/{partition:02d}"


def get_incarnation(source_id: str) -> str:
    """Return the incarnation of the log that a source partition belongs to.

    >>> get_incarnation("5f0c/03"), get_incarnation("replay:77:5f0c/03")
    ('5f0c', '5f0c')
    """
    return source_id.rpartition("/")[0].rpartition(":")[2]


def make_replay_id(replay: str, incarnation: str, partition: int) -> str:
    """Return the id under which a replay of dead letters keeps its position in a partition.

    >>> make_replay_id("77", "5f0c", 3)
    'replay:77:5f0c/03'
    """
    return f"{REPLAY_PREFIX}{replay}:{make_source_id(incarnation, partition)}"


def drop_replays(held: ShardProgress) -> ShardProgress:
    """Return a progress without the positions of replays, which are over."""

    def keep(positions: dict[str, int]) -> dict[str, int]:
        return {k: v for k, v in positions.items() if not k.startswith(REPLAY_PREFIX)}

    return ShardProgress(
        applied_ingest_us=held.applied_ingest_us,
        next_offsets=keep(held.next_offsets),
        partition_ingest_us=keep(held.partition_ingest_us),
        totals=held.totals,
    )


def find_start_offset(source_id: str, shards: Iterable[ShardProgress]) -> int:
    """Return where to read on: the least offset that some shard has not applied.

    To be asked over the shards of both ledgers: a store that lost the tail of one of
    them is read again from there.
    """
    return min(shard.next_offsets.get(source_id, 0) for shard in shards)


def check_source(incarnation: str, shards: Iterable[ShardProgress]) -> None:
    """Refuse a source that is not the one the store was filled from.

    Raises:
        ConfigError: The store holds events of another log, which may be the same ones.
    """
    held = {source_id for shard in shards for source_id in shard.next_offsets}
    known = {get_incarnation(each) for each in held if not each.startswith(REPLAY_PREFIX)}
    if strangers := sorted(known - {incarnation}):
        raise ConfigError(
            "the store was filled from another event log",
            field="--store",
            value=f"log {strangers[0]}",
            expectation=f"log {incarnation}",
            fix="stream this log into a new store: `hemostat stream SOURCE --store NEW`",
        )


def advance_progress(
    held: ShardProgress,
    ranges: Sequence[PartitionRange],
    source_ids: Sequence[str],
    totals: ShardTotals,
) -> ShardProgress:
    """Return a shard's progress in the records after ranges were applied.

    Positions never go back. Times do if a row told one that the rows behind it, or the
    log's own clock, show to be wrong: else one such row would hide all lag until then.

    Args:
        held: The progress before.
        ranges: The ranges, in order within each partition.
        source_ids: All partitions of the source: one that was never heard of holds
            `applied_ingest_us` at 0.
        totals: What became of the rows.
    """
    next_offsets, ingest_us = dict(held.next_offsets), dict(held.partition_ingest_us)
    for each in ranges:
        source_id = each.source_id
        if not _is_news(each, next_offsets.get(source_id, 0)):
            continue
        passed_us = ingest_us.get(source_id, 0)
        if each.idle_us and passed_us > each.idle_us + MAX_EARLY_US:
            passed_us = 0
        passed_us = 0 if each.has_events else passed_us
        ingest_us[source_id] = max(passed_us, each.visible_us)
        next_offsets[source_id] = each.next_offset
    return ShardProgress(
        applied_ingest_us=min((ingest_us.get(each, 0) for each in source_ids), default=0),
        next_offsets=next_offsets,
        partition_ingest_us=ingest_us,
        totals=held.totals + totals,
    )


def advance_seen_progress(
    held: ShardProgress,
    ranges: Sequence[PartitionRange],
    records_applied_us: int,
    totals: ShardTotals,
) -> ShardProgress:
    """Return a shard's progress in the seen ledger after ranges were told apart.

    Its `applied_ingest_us` decides what may be forgotten, and a row that the records
    have not applied may be read again with all that was told around it. So it is at
    most what the records had applied, and goes by rows alone, never by a clock: an
    idle source may yet take in old events. Partitions without any row do not count.

    It advances with rows and never past one of them, to what the ranges before had
    passed: a row that tells a time far ahead then makes nothing be forgotten, since the
    rows beside or behind it tell theirs.

    Args:
        held: The progress before.
        ranges: The ranges.
        records_applied_us: Up to where all shards of the records were applied before.
        totals: What became of the rows.
    """
    next_offsets, ingest_us = dict(held.next_offsets), dict(held.partition_ingest_us)
    for each in ranges:
        source_id = each.source_id
        if not _is_news(each, next_offsets.get(source_id, 0)):
            continue
        if each.next_offset > 0:
            passed_us = 0 if each.has_events else ingest_us.get(source_id, 0)
            ingest_us[source_id] = max(passed_us, each.passed_ingest_us)
        next_offsets[source_id] = each.next_offset
    least = [each.least_ingest_us for each in ranges if each.least_ingest_us]
    passed = [us for us in held.partition_ingest_us.values() if us]
    told_us = min(*least, *passed, records_applied_us) if least and passed else 0
    return ShardProgress(
        applied_ingest_us=max(held.applied_ingest_us, told_us),
        next_offsets=next_offsets,
        partition_ingest_us=ingest_us,
        totals=held.totals + totals,
    )


def _is_news(passed: PartitionRange, next_offset: int) -> bool:
    """Return whether a range has rows not applied yet, or tells of the end behind all that are.

    One that is read again may be cut in another place, where its last row tells another time.
    """
    if passed.has_rows:
        return passed.next_offset > next_offset
    return passed.next_offset == next_offset


def is_ahead(progress: ShardProgress, held: ShardProgress) -> bool:
    """Return whether a progress says more than the one before it."""
    return (
        progress.next_offsets != held.next_offsets
        or progress.partition_ingest_us != held.partition_ingest_us
    )
