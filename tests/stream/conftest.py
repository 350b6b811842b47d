"""Event logs for the tests of the stream: small, seeded, with every kind of trouble."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from features.keys import N_SHARDS
from features.log import structs
from features.log.writer import EventLogWriter
from features.store.opening import open_store
from features.store.port import ShardState
from stream.runner import stream_to_disk
from stream.summary import StreamSummary

DAY_US = 86_400_000_000
START_US = 20_000 * DAY_US
"""2024-10-04: the first day of the generated logs."""

Events = Sequence[Any]
MakeEvents = Callable[..., list[Any]]
WriteLog = Callable[..., Path]

_REASONS = ["size too small", "尺码偏小，穿不下", "changed my mind", "does not fit", ""]


def _make_event(rng: np.random.Generator, number: int, ingest_us: int, n_customers: int) -> Any:
    """Return one event: orders, returns, cancels, labels, and kinds that fold nothing."""
    guest = rng.random() < 0.1
    customer = "" if guest else f"c{rng.integers(n_customers)}"
    quantity, price = int(rng.integers(1, 4)), int(rng.integers(100, 20_000))
    event_us = ingest_us - int(rng.integers(0, 3 * DAY_US))
    reason = structs.Reason(code="REASON_CODE_OTHER", text=str(rng.choice(_REASONS)))
    line = structs.OrderLine(
        line_id="1", sku=f"s{rng.integers(50)}", quantity=quantity, unit_price_minor=price
    )
    bodies = {
        "order_placed": structs.OrderPlaced(order_id=f"o{number}", lines=[line]),
        "return_requested": structs.ReturnRequested(
            return_id=f"r{number}",
            order_id=f"o{number}",
            order_time=event_us - int(rng.integers(0, 40)) * DAY_US,
            quantity=quantity,
            unit_price_minor=price,
            return_window_days=30,
            has_receipt=True,
            reason=reason,
        ),
        "cancel_requested": structs.CancelRequested(
            cancel_id=f"k{number}", order_id=f"o{number}", quantity=1, unit_price_minor=price,
            order_time=event_us, reason=reason,
        ),
        "label_set": structs.LabelSet(
            case_event_id=f"e{number}", label="LABEL_KIND_ABUSE_CONFIRMED", effective_time=event_us
        ),
        "order_shipped": structs.OrderShipped(order_id=f"o{number}", carrier="x"),
        "product_viewed": structs.ProductViewed(sku=f"s{number % 50}"),
    }  # fmt: skip
    kind = str(rng.choice(list(bodies), p=[0.4, 0.25, 0.1, 0.05, 0.1, 0.1]))
    return structs.Event(
        event_id=f"e{number}",
        tenant="demo",
        event_time=event_us,
        ingest_time=ingest_us,
        customer_id=customer,
        channel="CHANNEL_WEB",
        **{kind: bodies[kind]},
    )


@pytest.fixture(scope="session")
def make_events() -> MakeEvents:
    """Call with n_events, seed, days, n_customers: accepted events in ingest order."""

    def make(n_events: int, *, seed: int = 1, days: int = 60, n_customers: int = 40) -> list[Any]:
        rng = np.random.default_rng(seed)
        times = np.sort(rng.integers(START_US, START_US + days * DAY_US, n_events))
        return [
            _make_event(rng, number, int(time_us), n_customers)
            for number, time_us in enumerate(times)
        ]

    return make


@pytest.fixture(scope="session")
def write_log() -> WriteLog:
    """Call with a path and events: the path of the written log."""

    def write(path: Path, events: Events, *, n_partitions: int = 3, **options: Any) -> Path:
        with EventLogWriter(path, n_partitions=n_partitions, **options) as writer:
            writer.append_structs(list(events))
        return path

    return write


@pytest.fixture(scope="session")
def make_troubled_events(make_events: MakeEvents) -> MakeEvents:
    """Call like `make_events`: a tenth more rows that repeat, contradict or are refused."""

    def make(n_events: int, *, seed: int = 1, **options: Any) -> list[Any]:
        rng = np.random.default_rng(seed + 1_000)
        events = make_events(n_events, seed=seed, **options)
        extra = []
        for place in rng.choice(n_events, n_events // 10, replace=False):
            event = copy.copy(events[place])
            event.ingest_time += int(rng.integers(1, 5 * DAY_US))
            trouble = rng.integers(5)
            if trouble == 1:
                event.channel = "CHANNEL_APP"  # Another content under the same id.
            elif trouble == 2:
                event = _view(f"{event.event_id}-late", event.ingest_time, -31 * DAY_US)
            elif trouble == 3:
                event = _view(f"{event.event_id}-future", event.ingest_time, DAY_US)
            elif trouble == 4:
                event.event_id = ""
            extra.append(event)
        return sorted([*events, *extra], key=lambda event: int(event.ingest_time))

    return make


def _view(event_id: str, ingest_us: int, event_after_us: int) -> Any:
    return structs.Event(
        event_id=event_id,
        tenant="demo",
        event_time=ingest_us + event_after_us,
        ingest_time=ingest_us,
        customer_id="c1",
        channel="CHANNEL_WEB",
        product_viewed=structs.ProductViewed(sku="s1"),
    )


def read_all(place: Path | str) -> dict[str, Any]:
    """Return what a closed store holds, but for commit counts and what may be forgotten."""
    store = open_store(place, "write")
    try:
        return dump_content(store)
    finally:
        store.close()


def dump_content(store: Any) -> dict[str, Any]:
    """Return the content of an open store: records, and both ledgers' progress."""
    records = {
        key.tobytes(): packed.get_blob(place)
        for shard in range(N_SHARDS)
        for keys, packed in store.scan(shard)
        for place, key in enumerate(keys)
    }
    seen = [_strip(store.read_seen_state(shard)) for shard in range(N_SHARDS)]
    return {
        "records": records,
        "progress": [_strip(store.read_shard_state(shard)) for shard in range(N_SHARDS)],
        "seen": [
            # When ids may be forgotten depends on when progress was looked up.
            msgspec.structs.replace(each, applied_ingest_us=0)
            for each in seen
        ],
    }


def _strip(state: ShardState) -> ShardState:
    return msgspec.structs.replace(state, version=0)


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder by their paths in it."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.fixture(scope="session")
def dump_store() -> Callable[[Path | str], dict[str, Any]]:
    """Call with the folder of a closed store: records and progress, to be compared."""
    return read_all


@pytest.fixture(scope="session")
def dump_opened() -> Callable[[Any], dict[str, Any]]:
    """Call with an open store: its content."""
    return dump_content


@pytest.fixture(scope="session")
def dump_files() -> Callable[[Path], dict[str, bytes]]:
    """Call with a folder: its files' contents."""
    return read_files


@pytest.fixture(scope="session")
def troubled_log(
    tmp_path_factory: pytest.TempPathFactory,
    make_troubled_events: MakeEvents,
    write_log: WriteLog,
) -> Path:
    return write_log(tmp_path_factory.mktemp("logs") / "log", make_troubled_events(2_000))


@pytest.fixture(scope="session")
def whole_run(
    tmp_path_factory: pytest.TempPathFactory, troubled_log: Path
) -> tuple[Path, StreamSummary]:
    store = tmp_path_factory.mktemp("stores") / "whole"
    return store, stream_to_disk(troubled_log, store)


@pytest.fixture(scope="session")
def count_all() -> Callable[[StreamSummary], int]:
    """Call with a summary: the sum of what its rows became."""

    def count(summary: StreamSummary) -> int:
        return (
            summary.accepted
            + summary.duplicates
            + summary.already_applied
            + sum(summary.dead_letters.values())
        )

    return count
