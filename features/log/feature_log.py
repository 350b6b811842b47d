"""The feature log: what the scorer knew of each case, computed in bulk from an event log.

    FOLDER/features.json
    FOLDER/day=2026-11-22/part-000000.parquet

One row per scored case, with the vector as of the moment at which the log took it
in, and one per label of a case, with the vector as of the moment at which the label
was known. Training and Feast's `get_historical_features` read it. Written anew as a
whole and put in its place at once.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.definitions import FEATURE_NAMES, SCHEMA_HASH
from features.errors import ConfigError
from features.log.case_ids import CASE_KINDS, PLACE_IDS, PRODUCT_IDS, read_case_ids
from features.log.embedded_files import explained, sync_folder
from features.log.history import History, read_history
from features.log.manifest import LogManifest
from features.log.partitioning import compute_customer_keys, compute_event_keys
from features.log.reader import EventLog
from features.log.request_columns import RequestRows, join_requests

MANIFEST_NAME = "features.json"

_DAY_US = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = pa.timestamp("us", tz="UTC")
_ROWS_AT_ONCE = 100_000
_ENVELOPE = ("tenant", "event_id", "customer_id", "event_time", "kind")
_COLUMNS = (*_ENVELOPE, *CASE_KINDS, "label_set")

Progress = Callable[[str, int, int], None]
"""Called with a phase (`read`, `write`), what is done of it and all there is (0: unknown)."""


class FeatureLogManifest(msgspec.Struct, frozen=True):
    """What a feature log says of itself.

    Attributes:
        incarnation: Of the event log that it was computed from.
        schema_hash: Which features these are.
        features: Their names, in order.
        n_rows: How many vectors.
    """

    incarnation: str
    schema_hash: str
    features: tuple[str, ...]
    n_rows: int


def is_feature_log(path: Path) -> bool:
    """Return whether a feature log stands at a path."""
    return (path / MANIFEST_NAME).is_file()


def write_feature_log(
    log: EventLog, path: Path, progress: Progress = lambda *_: None
) -> FeatureLogManifest:
    """Compute the vectors of all cases of a log and write them; an older log is replaced.

    Args:
        log: The event log; what it rejects, repeats or has erased is left out.
        path: The feature log's folder.
        progress: Told how far it is.

    Raises:
        ConfigError: Something else stands at the path.
        StoreUnavailableError: It cannot be written; an older log is left as it was.
    """
    _check_place(path)
    history = _read(log, progress)
    asked = _add_label_moments(history)
    partial = path.parent / f".{path.name}.partial-{os.getpid()}"
    with explained(path):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            vectors = history.compute_vectors(asked)
            _write_days(partial, history.events, asked, vectors, progress)
            manifest = _write_manifest(partial, log.manifest, len(asked.rows))
            _put_in_place(partial, path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _read(log: EventLog, progress: Progress) -> History:
    n_total, n_read = log.manifest.n_events or 0, 0

    def tell(n_rows: int) -> None:
        nonlocal n_read
        n_read += n_rows
        progress("read", n_read, n_total)

    return read_history(log, columns=_COLUMNS, progress=tell)


def _add_label_moments(history: History) -> RequestRows:
    """Return the cases, and each again at the moment when a label of it became known.

    Events that were told before make neither.
    """
    is_first = history.find_first_tellings()
    cases = history.asked.take(np.flatnonzero(is_first[history.asked.event_index]))
    event_keys = cases.rows["case_key"]
    order = np.argsort(event_keys, kind="stable")
    label_rows, case_keys = _find_labels(history.events, is_first)
    if not len(order) or not len(label_rows):
        return cases
    found = np.minimum(np.searchsorted(event_keys[order], case_keys), len(order) - 1)
    places = order[found]
    is_known = event_keys[places] == case_keys
    later = cases.take(places[is_known])
    label_us = history.ingest_us[label_rows[is_known]]
    later.rows["time_us"] = np.maximum(label_us, later.rows["time_us"])
    return join_requests([cases, later])


def _find_labels(
    events: pa.RecordBatch, is_first: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Return the rows of labels and the event key of the case that each is about."""
    is_label = events.column("label_set").is_valid().to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(is_label & is_first)
    labels = events.column("label_set").take(pa.array(rows))
    tenants = events.column("tenant").take(pa.array(rows))
    return rows, compute_event_keys(tenants, labels.field("case_event_id"))


def _write_days(
    folder: Path,
    events: pa.RecordBatch,
    asked: RequestRows,
    vectors: npt.NDArray[np.float32],
    progress: Progress,
) -> None:
    times = asked.rows["time_us"]
    order = np.argsort(times, kind="stable")
    ids = _read_ids(events)
    n_cases = len(np.unique(asked.event_index))
    days = times[order] // _DAY_US
    n_done = 0
    for places in _split_days(order, days):
        table = _build_table(events, ids, asked, vectors, places, n_cases)
        day = int(times[places[0]] // _DAY_US)
        target = folder / f"day={_EPOCH + timedelta(days=day):%Y-%m-%d}"
        target.mkdir(exist_ok=True)
        number = len(list(target.iterdir()))
        pq.write_table(table, target / f"part-{number:06d}.parquet", compression="zstd")
        n_done += len(places)
        progress("write", n_done, len(order))


def _split_days(
    order: npt.NDArray[np.int64], days: npt.NDArray[np.int64]
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the places of each day, no more at once than fit into memory."""
    bounds = np.flatnonzero(np.diff(days)) + 1
    for of_day in np.split(order, bounds):
        for first in range(0, len(of_day), _ROWS_AT_ONCE):
            yield of_day[first : first + _ROWS_AT_ONCE]


def _read_ids(events: pa.RecordBatch) -> dict[str, pa.Array]:
    """Return each id's column, one value per event; empty where it is no case or names none."""
    n_events = events.num_rows
    order, columns = [], []
    for kind in CASE_KINDS:
        column = events.column(kind)
        rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
        order.append(rows)
        columns.append(read_case_ids(kind, column.take(pa.array(rows))))
    places = np.full(n_events, -1, np.int64)
    joined = np.concatenate(order)
    places[joined] = np.arange(len(joined))
    taken = pa.array(places, mask=places < 0)
    return {
        name: pc.fill_null(pa.concat_arrays([part[name] for part in columns]).take(taken), "")
        for name in (*PRODUCT_IDS, *PLACE_IDS)
    }


def _build_table(
    events: pa.RecordBatch,
    ids: dict[str, pa.Array],
    asked: RequestRows,
    vectors: npt.NDArray[np.float32],
    places: npt.NDArray[np.int64],
    n_cases: int,
) -> pa.Table:
    """Return the rows at some places: ids, times, then one column per feature."""
    index = pa.array(asked.event_index[places])
    rows = asked.rows[places]
    cases = events.select(["tenant", "event_id", "customer_id", "event_time"]).take(index)
    calls = pc.cast(events.column("kind").take(index), pa.string())
    keys = compute_customer_keys(cases)
    nothing = pa.array([""] * len(places), pa.string())
    columns: dict[str, pa.Array] = {
        "tenant": cases.column("tenant"),
        "case_event_id": cases.column("event_id"),
        "request": nothing,  # Names the case online only; see `hemostat.feast_store`.
        "customer_id": cases.column("customer_id"),
        **{name: column.take(index) for name, column in ids.items()},
        "customer_key": pa.array([key.tobytes() if key.any() else b"" for key in keys]),
        "event_key": pa.array(rows["case_key"]),
        "call": pa.array([CASE_KINDS[kind] for kind in calls.to_pylist()], pa.string()),
        "moment": pa.array(np.where(places < n_cases, "case", "label").tolist(), pa.string()),
        "event_time": cases.column("event_time"),
        "known_time": pa.array(rows["time_us"], pa.int64()).cast(_TIME),
        "schema_hash": pa.array([SCHEMA_HASH] * len(places), pa.string()),
    }
    for number, name in enumerate(FEATURE_NAMES):
        columns[name] = pa.array(vectors[places, number], pa.float32())
    return pa.table(columns)


def _write_manifest(folder: Path, source: LogManifest, n_rows: int) -> FeatureLogManifest:
    manifest = FeatureLogManifest(source.incarnation, SCHEMA_HASH, FEATURE_NAMES, n_rows)
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (folder / MANIFEST_NAME).write_bytes(text + b"\n")
    return manifest


def _check_place(path: Path) -> None:
    if path.exists() and not is_feature_log(path) and (not path.is_dir() or any(path.iterdir())):
        raise ConfigError(
            "the feature log's place is taken",
            field="--to",
            value=str(path),
            expectation="an older feature log, or an empty folder",
            fix="name another folder",
        )


def _put_in_place(partial: Path, path: Path) -> None:
    """Let a folder take the place of another; a crash in between leaves one of them."""
    if path.exists():
        old = path.parent / f".{path.name}.old-{os.getpid()}"
        path.rename(old)
        partial.rename(path)
        shutil.rmtree(old)
    else:
        partial.rename(path)
    sync_folder(path.parent)
