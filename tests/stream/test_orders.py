"""The records of a set of events do not depend on their order, nor on how often each is told."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.entities import Entity
from features.erasures import Erasures
from features.store.memory_store import MemoryFeatureStore
from features.store.opening import StoreOptions, open_store
from hemostat.v1 import event_pb2
from stream.batches import BatchId
from stream.dead_letters import DeadLetterFiles
from stream.decoding import DecodingRules, decode_raws
from stream.progress import make_source_id
from stream.record_step import RecordStep
from stream.seen_step import SeenStep
from stream.shard_groups import ShardGroups
from stream.sources.port import Encoding, RawRows
from tests.features.log.event_strategies import set_time, to_line
from tests.stream.every_kind import DAY_US, START_US, draw_events

_N_ORDERS = 1_000
_N_EVENTS = 96
_DAYS = 20
_INCARNATION = "log"
_Records = dict[bytes, bytes]


def _tell(rng: random.Random, events: Sequence[event_pb2.Event]) -> list[event_pb2.Event]:
    """Return the events in another order, some of them up to three times, taken in like that."""
    told = [event for event in events for _ in range(rng.choice([1, 1, 1, 2, 3]))]
    rng.shuffle(told)
    # From the last event's day on, so that none is of the future, nor late.
    for number, event in enumerate(told):
        again = event_pb2.Event()
        again.CopyFrom(event)
        set_time(again.ingest_time, START_US + _DAYS * DAY_US + number * 1_000_000)
        told[number] = again
    return told


def _encode(rng: random.Random, partition: int, told: Sequence[Any], start: int) -> RawRows:
    """Return events as a stretch of a partition, in one of the encodings."""
    encoding = rng.choice([Encoding.JSON, Encoding.PROTOBUF])
    is_json = encoding is Encoding.JSON
    rows = [to_line(each) + b"\n" if is_json else each.SerializeToString() for each in told]
    return RawRows(
        partition,
        np.arange(start, start + len(rows)),
        np.frombuffer(bytearray(b"".join(rows)), np.uint8),
        np.cumsum([len(row) for row in rows], dtype=np.int64),
        encoding,
    )


def _apply(rng: random.Random, told: Sequence[Any], store: Any, letters: Path) -> int:
    """Apply events through the stream's own steps, in batches of random size; count repeats."""
    groups, rules = ShardGroups(1), DecodingRules(_INCARNATION)
    source_ids = [make_source_id(_INCARNATION, partition) for partition in range(2)]
    records = RecordStep(0, groups, store, source_ids)
    seen = SeenStep(
        0,
        groups,
        store,
        DeadLetterFiles(letters),
        lambda: records.applied_ingest_us,
        Erasures.empty,
    )
    starts, n_repeats, place, number = [0, 0], 0, 0, 0
    while place < len(told):
        raws = []
        for partition in range(2):
            part = told[place : place + rng.randrange(1, 90)]
            place += len(part)
            if part:
                raws.append(_encode(rng, partition, part, starts[partition]))
                starts[partition] += len(part)
        decoded = decode_raws(raws, BatchId(0, number), rules, Erasures.empty())
        assert not decoded.rejected
        outcome = seen.apply(decoded.batch)
        n_repeats += outcome.totals.duplicates
        records.apply(outcome.new_rows)
        number += 1
    return n_repeats


@pytest.fixture(scope="module")
def few_events() -> list[event_pb2.Event]:
    return draw_events(random.Random(5), _N_EVENTS, _DAYS)


def _read_records(store: Any, dump: Callable[[Any], dict[str, Any]]) -> _Records:
    records: _Records = dump(store)["records"]
    return records


@pytest.mark.slow
def test_a_thousand_orders_and_repetitions_of_the_same_events_give_the_same_records(
    tmp_path: Path,
    few_events: list[event_pb2.Event],
    dump_opened: Callable[[Any], dict[str, Any]],
    print_result: Callable[[str], None],
) -> None:
    first = MemoryFeatureStore()
    assert _apply(random.Random(0), _tell(random.Random(0), few_events), first, tmp_path) > 0
    expected = _read_records(first, dump_opened)
    n_repeats = 0
    for seed in range(1, _N_ORDERS + 1):
        rng, store = random.Random(seed), MemoryFeatureStore()
        told = _tell(rng, few_events)
        n_repeats += _apply(rng, told, store, tmp_path)
        assert _read_records(store, dump_opened) == expected, f"order {seed}"
    print_result(
        f"stream: {_N_ORDERS:,} orders of {_N_EVENTS} events of every kind, "
        f"{n_repeats:,} repetitions: same {len(expected)} records"
    )


# Few customers overflow their rings, many those of what they share.
@pytest.mark.parametrize("n_customers", [2, 60])
def test_a_store_on_disk_holds_the_same_records_in_any_order(
    tmp_path: Path, n_customers: int, dump_opened: Callable[[Any], dict[str, Any]]
) -> None:
    events = draw_events(random.Random(6), 1_280, _DAYS, n_customers)
    whole = MemoryFeatureStore()
    _apply(random.Random(0), events_once(events), whole, tmp_path)
    for seed in range(3):
        rng = random.Random(seed)
        with open_store(tmp_path / str(seed), "write", StoreOptions(is_durable=False)) as store:
            _apply(rng, _tell(rng, events), store, tmp_path)
            assert _read_records(store, dump_opened) == _read_records(whole, dump_opened)


def events_once(events: Sequence[event_pb2.Event]) -> list[event_pb2.Event]:
    """Return each event once, by the time it happened."""
    once = sorted(events, key=lambda event: event.event_time.ToMicroseconds())
    for event in once:
        set_time(event.ingest_time, START_US + _DAYS * DAY_US)
    return once


def test_the_events_change_records_of_every_entity(few_events: list[event_pb2.Event]) -> None:
    rows = [_encode(random.Random(0), 0, events_once(few_events), 0)]
    batch = decode_raws(rows, BatchId(0, 0), DecodingRules(_INCARNATION), Erasures.empty()).batch
    assert len(batch.events) == _N_EVENTS
    assert set(batch.entities.rows["entity"].tolist()) == set(Entity)
