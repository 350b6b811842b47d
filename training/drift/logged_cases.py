"""Today's cases for a look at drift: from a feature log, or from an event log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.definitions import FEATURE_NAMES
from features.errors import ConfigError, SchemaMismatchError
from features.log.feature_log import MANIFEST_NAME, FeatureLogManifest, is_feature_log
from features.model_bundle import Manifest
from training.side_table import LINE_TABLE_FILE, read_line_table
from training.sources import Progress, keep_product_lines, open_source

_ENVELOPE = ("tenant", "call", "moment", "known_time", "customer_key")


@dataclass(frozen=True, slots=True)
class Window:
    """From when until when; microseconds UTC, the end excluded; None: open."""

    from_us: int
    until_us: int | None = None


@dataclass(frozen=True, eq=False)
class CaseBatch:
    """Some cases of one call.

    Attributes:
        call: Lower-case name of the call.
        rows: Shape `(n, F)`: the features, with the model's own columns only if the
            source has them.
        customers: What tells customers apart; a guest's is empty.
    """

    call: str
    rows: npt.NDArray[np.float32]
    customers: list[bytes]


def iterate_cases(
    path: Path, manifest: Manifest, window: Window, progress: Progress
) -> Iterator[CaseBatch]:
    """Yield the cases of a tenant in a time, a day or a call at once.

    Args:
        path: A feature log (`hemostat log features`) or an event log.
        manifest: The model's.
        window: Which cases, by the time at which the log took them in (feature log) or
            at which they happened (event log).
        progress: Told how far it is.

    Raises:
        SchemaMismatchError: The feature log holds other features.
        HemostatError: The event log cannot be read.
    """
    if is_feature_log(path):
        yield from _iterate_feature_log(path, manifest, window, progress)
        return
    source = open_source(path, progress, tenant=manifest.tenant, attributes=manifest.attributes)
    if (path / LINE_TABLE_FILE).is_file():
        source = keep_product_lines(source, read_line_table(path / LINE_TABLE_FILE))
    for call, cases in source.cases.cases.items():
        is_in = cases.time_us >= window.from_us
        if window.until_us is not None:
            is_in &= cases.time_us < window.until_us
        found = cases.select(is_in)
        customers = [
            b"" if is_guest else int(group).to_bytes(8, "little")
            for group, is_guest in zip(found.group, found.is_guest, strict=True)
        ]
        yield CaseBatch(call.name.lower(), found.rows, customers)


def _iterate_feature_log(
    path: Path, manifest: Manifest, window: Window, progress: Progress
) -> Iterator[CaseBatch]:
    _check_features(path, manifest)
    files = sorted(path.glob("day=*/*.parquet"))
    for n_done, file in enumerate(files):
        progress("read", n_done, len(files))
        table = pq.read_table(file, columns=[*_ENVELOPE, *FEATURE_NAMES], partitioning=None)
        table = table.filter(_select(table, manifest.tenant, window))
        for call in pc.unique(table.column("call")).to_pylist():
            part = table.filter(pc.equal(table.column("call"), call))
            rows = np.empty((part.num_rows, len(FEATURE_NAMES)), np.float32)
            for place, name in enumerate(FEATURE_NAMES):
                rows[:, place] = part.column(name).to_numpy()
            yield CaseBatch(call, rows, part.column("customer_key").to_pylist())
    progress("read", len(files), len(files))


def _select(table: pa.Table, tenant: str, window: Window) -> pa.ChunkedArray:
    """Return which rows are cases, not moments of labels, of a tenant in a time."""
    known_us = pc.cast(table.column("known_time"), pa.int64())
    is_wanted = pc.and_(
        pc.equal(table.column("moment"), "case"), pc.equal(table.column("tenant"), tenant)
    )
    is_wanted = pc.and_(is_wanted, pc.greater_equal(known_us, window.from_us))
    if window.until_us is not None:
        is_wanted = pc.and_(is_wanted, pc.less(known_us, window.until_us))
    return is_wanted


def _check_features(path: Path, manifest: Manifest) -> None:
    try:
        found = msgspec.json.decode((path / MANIFEST_NAME).read_bytes(), type=FeatureLogManifest)
    except msgspec.DecodeError as error:
        raise ConfigError(
            "the feature log cannot be read",
            field=str(path / MANIFEST_NAME),
            value=str(error),
            expectation="a feature log as `hemostat log features` writes it",
            fix="write it again",
        ) from error
    if found.schema_hash != manifest.schema_hash:
        raise SchemaMismatchError(
            "the feature log holds other features than the bundle",
            field=str(path),
            value=found.schema_hash,
            expectation=manifest.schema_hash,
            fix="write it again with this version of hemostat: `hemostat log features`",
        )


def to_day(time_us: int) -> str:
    """Return the day (UTC) of a time."""
    return datetime.fromtimestamp(time_us / 1e6, UTC).date().isoformat()
