"""Reads rows of dead letters again and applies those that are acceptable now.

The rows enter dedup as any others do. A replay has positions of its own in the
store, committed with the records, and a plan on disk that lasts until its letters
are settled: killed at any point and started again, it applies each row once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from features.errors import ConfigError
from features.keys import N_SHARDS
from features.log.erasure_register import AllErasures
from features.log.rejections import RejectionReason
from features.records.packing import PackedRecords
from features.store.port import (
    SEEN_DTYPE,
    FeatureStore,
    RecordCommit,
    SeenCommit,
    ShardTotals,
)
from stream.batches import BatchId
from stream.dead_letters import DeadLetter, DeadLetterFiles, read_dead_letters
from stream.decoding import DecodedBatch, DecodingRules, decode_raws, take_raw
from stream.erasing import find_register_folders
from stream.options import StreamOptions
from stream.progress import drop_replays, make_replay_id, make_source_id
from stream.reading import make_letters
from stream.record_step import RecordStep
from stream.seen_step import SeenStep
from stream.shard_groups import ShardGroups
from stream.sources.opening import open_source
from stream.sources.port import Raw, Source

_PLAN = "replay.json"


class ReplayPlan(msgspec.Struct, frozen=True):
    """Which rows a replay reads; fixed before the first of them is applied.

    Attributes:
        id: The replay's name.
        incarnation: The log that the rows stand in.
        offsets: Partition to the rows' offsets, ascending.
    """

    id: str
    incarnation: str
    offsets: dict[int, list[int]]


class ReplaySummary(msgspec.Struct, frozen=True):
    """What a replay did.

    Attributes:
        read: Rows read again.
        applied: Events applied now.
        duplicates: Events that had been told in another row.
        conflicts: Events told in another row with other content; letters again.
        refused: Rows that are no acceptable events still.
        erased: Rows of customers erased meanwhile; their letters are gone.
    """

    read: int
    applied: int
    duplicates: int
    conflicts: int
    refused: int
    erased: int


def replay_dead_letters(
    source: str,
    store: FeatureStore,
    options: StreamOptions,
    replay_id: str,
    reasons: Sequence[str] = (),
) -> ReplaySummary:
    """Apply what is acceptable now among the rows that were refused.

    To be called while no stream writes to the store.

    Args:
        source: Where the rows are; see `sources.opening.open_source`.
        store: The store that the source is streamed into.
        options: Folders, batch size and bounds of lateness.
        replay_id: Name of a new replay; one that was interrupted keeps its own.
        reasons: Only letters with one of these reasons; none given: all but conflicts.

    Raises:
        ConfigError: The letters are of another log.
        HemostatError: As `runner.run_stream`.
    """
    registers = (*options.registers, *find_register_folders(source))
    options = replace(options, registers=registers)
    opened = open_source(source, log_format=options.log_format, kafka=options.kafka)
    try:
        plan_file = options.state / _PLAN
        plan = _read_plan(plan_file) or _make_plan(opened, options, replay_id, reasons)
        if plan.incarnation != opened.incarnation:
            raise ConfigError(
                "an interrupted replay is of another log",
                field=str(plan_file),
                value=plan.incarnation,
                expectation=opened.incarnation,
                fix="replay with the log that it was begun with",
            )
        _write_plan(plan_file, plan)
        summary = _Replay(opened, store, options, plan).run()
        _forget_positions(store)
        plan_file.unlink()
        return summary
    finally:
        opened.close()


def _make_plan(
    source: Source, options: StreamOptions, replay_id: str, reasons: Sequence[str]
) -> ReplayPlan:
    offsets: dict[int, list[int]] = {}
    for letter in read_dead_letters(options.letters_folder):
        is_wanted = (
            letter.reason in reasons if reasons else letter.reason != RejectionReason.CONFLICT
        )
        if is_wanted and letter.incarnation == source.incarnation:
            offsets.setdefault(letter.partition, []).append(letter.offset)
    held = {partition: sorted(set(those)) for partition, those in sorted(offsets.items())}
    return ReplayPlan(replay_id, source.incarnation, held)


def _read_plan(file: Path) -> ReplayPlan | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=ReplayPlan)
    except FileNotFoundError:
        return None


def _write_plan(file: Path, plan: ReplayPlan) -> None:
    draft = file.with_suffix(".tmp")
    with draft.open("wb") as stream:
        stream.write(msgspec.json.encode(plan))
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(draft, file)  # noqa: PTH105 - the atomic rename, under its own name


def _forget_positions(store: FeatureStore) -> None:
    """Take the positions of replays out of the store's progress."""
    nothing = np.empty(0, np.int64)
    for shard in range(N_SHARDS):
        seen, records = store.read_seen_state(shard), store.read_shard_state(shard)
        keys = nothing.view(np.uint64)
        entries = np.empty(0, SEEN_DTYPE)
        store.commit_seen(
            [SeenCommit(shard, seen.version, keys, entries, nothing, drop_replays(seen))]
        )
        packed = PackedRecords(np.empty(0, np.uint8), nothing)
        no_keys = np.empty((0, 16), np.uint8)
        store.commit_records(
            [RecordCommit(shard, records.version, no_keys, packed, drop_replays(records))]
        )


class _Replay:
    """One replay at work."""

    def __init__(
        self, source: Source, store: FeatureStore, options: StreamOptions, plan: ReplayPlan
    ) -> None:
        self._source = source
        self._store = store
        self._options = options
        self._plan = plan
        self._letters = DeadLetterFiles(options.letters_folder)
        self._erasures = AllErasures(store, (options.state, *options.registers))
        groups = ShardGroups(1)
        source_ids = [make_source_id(source.incarnation, n) for n in range(source.n_partitions)]
        self._records = RecordStep(0, groups, store, source_ids)
        self._seen = SeenStep(
            0,
            groups,
            store,
            self._letters,
            lambda: min(self._records.applied_ingest_us, time.time_ns() // 1_000),
            self._erasures.read,
        )
        self._rules = DecodingRules(
            source.incarnation,
            options.acceptance,
            make_source_id=partial(make_replay_id, plan.id),
        )

    def run(self) -> ReplaySummary:
        """Read, apply and settle, batch by batch."""
        read = applied = duplicates = conflicts = refused = erased = 0
        for number, raw in enumerate(self._read_rows()):
            decoded = decode_raws([raw], BatchId(0, number), self._rules, self._erasures.read())
            totals = self._apply(decoded)
            letters = make_letters(decoded)
            self._settle(raw, letters)
            read += decoded.n_read
            applied += totals.folded + totals.not_folded
            duplicates += totals.duplicates
            conflicts += totals.conflicts
            refused += len(letters)
            erased += decoded.erased
        return ReplaySummary(read, applied, duplicates, conflicts, refused, erased)

    def _apply(self, decoded: DecodedBatch) -> ShardTotals:
        # Remembered from now on: by its own time the row might be forgotten at once.
        events = decoded.batch.events
        now_us = np.maximum(events.ingest_us, self._records.applied_ingest_us)
        batch = replace(decoded.batch, events=replace(events, ingest_us=now_us))
        outcome = self._seen.apply(batch)
        self._records.apply(outcome.new_rows)
        return outcome.totals

    def _settle(self, raw: Raw, letters: Sequence[DeadLetter]) -> None:
        done = frozenset(int(offset) for offset in raw.offsets)
        self._letters.settle(self._plan.incarnation, raw.partition, done, letters)

    def _read_rows(self) -> Iterator[Raw]:
        """Yield the plan's rows, some of one partition at a time."""
        for partition, offsets in self._plan.offsets.items():
            wanted = np.array(offsets, np.int64)
            reader = self._source.open_reader(
                {partition: offsets[0]}, is_following=False, batch_size=self._options.batch_size
            )
            try:
                while True:
                    for raw in reader.read(self._options.batch_size):
                        places = np.flatnonzero(np.isin(raw.offsets, wanted))
                        if len(places):
                            yield take_raw(raw, places)
                        if raw.offsets[-1] >= offsets[-1]:
                            reader.stop(partition)
                    if partition in reader.find_ended():
                        break
            finally:
                reader.close()
