"""Reading every record of a store: is it whole, where it belongs, and the same as elsewhere?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from features.entities import Layout
from features.errors import SchemaMismatchError
from features.keys import N_SHARDS
from features.records.packing import PackedRecords, unpack_records
from features.store.port import FeatureReader, RecordChunk, ShardState
from features.store.schema import LAYOUT_DTYPES

_LAYOUT_BYTE = 1  # Of a stored record; see `features.records.packing`.
_N_EXAMPLES = 5


class ScannedStore(FeatureReader, Protocol):
    """What a verification needs of a store."""

    def read_seen_state(self, shard: int) -> ShardState:
        """See `FeatureStore`."""
        ...

    def scan(self, shard: int) -> Iterator[RecordChunk]:
        """See `FeatureStore`."""
        ...


class LayoutSizes(msgspec.Struct, frozen=True):
    """The records of one layout.

    Attributes:
        layout: Its name.
        records: Number of records.
        bytes: Bytes of the packed records, without keys.
        bytes_per_record: The mean.
    """

    layout: str
    records: int
    bytes: int
    bytes_per_record: float


class StoreVerification(msgspec.Struct, frozen=True):
    """What a verification found.

    Attributes:
        records: Number of records read.
        layouts: Records and bytes per layout.
        faults: Number of records that are damaged, misplaced or differ.
        fault_examples: The first few, without identifiers.
        applied_ingest_us: The least of all shards that were committed to; 0: none was.
        compared: Whether another store was compared.
    """

    records: int
    layouts: tuple[LayoutSizes, ...]
    faults: int
    fault_examples: tuple[str, ...]
    applied_ingest_us: int
    compared: bool


@dataclass
class _Findings:
    n_faults: int = 0
    examples: list[str] = field(default_factory=list)
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    sizes: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))

    def note(self, n: int, what: str) -> None:
        """Count faults of one kind; the first few are told."""
        self.n_faults += n
        if n and len(self.examples) < _N_EXAMPLES:
            self.examples.append(what)


def verify_store(
    store: ScannedStore,
    other: ScannedStore | None = None,
    on_shard: Callable[[int, int], None] = lambda *_: None,
) -> StoreVerification:
    """Read and unpack every record, and return what was found.

    Args:
        store: The store; may be written meanwhile, unless it is compared.
        other: A store that must hold the same records, byte by byte, as one that was
            rebuilt from the log up to the same event.
        on_shard: Told the number of shards done, and of all.

    Raises:
        StoreUnavailableError: A store cannot be read.
    """
    findings = _Findings()
    states = []
    for shard in range(N_SHARDS):
        states.append(store.read_shard_state(shard))
        seen = store.read_seen_state(shard)
        findings.note(
            int(seen.version == 0 and states[-1].version > 0 and bool(states[-1].next_offsets)),
            f"shard {shard}: records without a ledger of seen events",
        )
        n_records = _verify_shard(store, shard, findings, other)
        if other is not None:
            n_other = sum(len(keys) for keys, _ in other.scan(shard))
            findings.note(
                abs(n_other - n_records),
                f"shard {shard}: {n_records} records here, {n_other} in the other store",
            )
        on_shard(shard + 1, N_SHARDS)
    applied_us = [state.applied_ingest_us for state in states if state.version]
    return StoreVerification(
        records=int(findings.counts.sum()),
        layouts=tuple(
            LayoutSizes(
                layout.name.lower(),
                int(findings.counts[layout]),
                int(findings.sizes[layout]),
                float(findings.sizes[layout] / max(1, findings.counts[layout])),
            )
            for layout in Layout
        ),
        faults=findings.n_faults,
        fault_examples=tuple(findings.examples),
        applied_ingest_us=min(applied_us, default=0),
        compared=other is not None,
    )


def _verify_shard(
    store: ScannedStore, shard: int, findings: _Findings, other: ScannedStore | None
) -> int:
    n_records, last = 0, b""
    for keys, packed in store.scan(shard):
        n_records += len(keys)
        misplaced = int(((keys[:, 0] & (N_SHARDS - 1)) != shard).sum())
        findings.note(misplaced, f"shard {shard}: {misplaced} records of other shards")
        first = keys[0].tobytes()
        findings.note(int(first <= last), f"shard {shard}: keys out of order")
        last = keys[-1].tobytes()
        _verify_chunk(shard, packed, findings)
        if other is not None:
            differ = _count_differences(packed, other.read_packed(keys))
            findings.note(differ, f"shard {shard}: {differ} records differ from the other store")
    return n_records


def _verify_chunk(shard: int, packed: PackedRecords, findings: _Findings) -> None:
    starts, sizes = packed.starts, packed.sizes
    is_short = sizes <= _LAYOUT_BYTE
    findings.note(int(is_short.sum()), f"shard {shard}: records without a header")
    layouts = np.where(is_short, 255, packed.buffer[np.minimum(starts + 1, packed.ends - 1)])
    np.add.at(findings.counts, layouts, 1)
    np.add.at(findings.sizes, layouts, sizes)
    for number in np.unique(layouts[~is_short]).tolist():
        mine = packed.take(np.flatnonzero(layouts == number))
        if number not in list(Layout):
            findings.note(len(mine), f"shard {shard}: records of an unknown layout {number}")
            continue
        layout = Layout(number)
        try:
            unpack_records(layout, mine, LAYOUT_DTYPES[layout])
        except SchemaMismatchError:
            _note_damaged(shard, layout, mine, findings)


def _note_damaged(shard: int, layout: Layout, packed: PackedRecords, findings: _Findings) -> None:
    """Count the damaged ones among some records, one by one."""
    for place in range(len(packed)):
        try:
            unpack_records(layout, packed.take(np.array([place])), LAYOUT_DTYPES[layout])
        except SchemaMismatchError as error:
            findings.note(1, f"shard {shard}: {layout.name.lower()} record: {error.message}")


def _count_differences(one: PackedRecords, other: PackedRecords) -> int:
    if np.array_equal(one.ends, other.ends) and np.array_equal(one.buffer, other.buffer):
        return 0
    pairs = zip(one.to_blobs(), other.to_blobs(), strict=True)
    return sum(mine != theirs for mine, theirs in pairs)
