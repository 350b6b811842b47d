"""What the feature store holds of the entities that some cases name, and how fresh it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.entities import N_ENTITIES
from features.errors import StoreUnavailableError
from features.keys import compute_shard
from features.records.packing import PackedRecords
from features.records.recency import read_last_event_us
from features.store.port import FeatureReader
from features.vector import STATE_UNAVAILABLE, compute_vectors
from scoring.cases import Case


@dataclass(frozen=True, slots=True, eq=False)
class CaseRecords:
    """What was read for one case.

    Attributes:
        records: `N_ENTITIES` per row of the case, in the order of the rows: the stored
            record; None: not named, not there, or not read.
        is_available: The store answered, or there was nothing to ask.
        applied_us: Ingest time up to which the customer's shard is applied (of a guest: the
            oldest of the shards read); None: nothing was read.
    """

    records: tuple[bytes | None, ...]
    is_available: bool
    applied_us: int | None


def read_records(store: FeatureReader, cases: Sequence[Case]) -> list[CaseRecords]:
    """Return what the store holds for each case, with one read for all of them.

    A store that does not answer is a state of the cases, never an exception.
    """
    keys = list({key: None for case in cases for key in case.entity_keys if key is not None})
    try:
        # Before the records: a commit in between understates the freshness.
        applied_us = _read_applied(store, cases)
        found = dict(zip(keys, store.read_records(keys), strict=True)) if keys else {}
    except StoreUnavailableError:
        return [make_unavailable(case) for case in cases]
    return [
        CaseRecords(
            records=tuple([found.get(key) if key else None for key in case.entity_keys]),
            is_available=True,
            applied_us=min((applied_us[shard] for shard in _find_shards(case)), default=None),
        )
        for case in cases
    ]


def make_unavailable(case: Case) -> CaseRecords:
    """Return what is known of a case if its records cannot be read."""
    return CaseRecords((None,) * len(case.entity_keys), not any(case.entity_keys), None)


@dataclass(frozen=True, slots=True, eq=False)
class CaseVectors:
    """What the records of some cases say.

    Attributes:
        vectors: Shape `(n_rows, N_FEATURES)`: the rows of all cases, one after the other.
        last_event_us: Shape `(n_cases,)`: when each case's customer did something last;
            0: nothing is known of them.
    """

    vectors: npt.NDArray[np.float32]
    last_event_us: npt.NDArray[np.int64]


def compute_case_vectors(
    cases: Sequence[Case], records: Sequence[CaseRecords], rows: npt.NDArray[Any]
) -> CaseVectors:
    """Return the vectors of all rows of some cases.

    Args:
        cases: In their order.
        records: One per case.
        rows: All cases' rows, of `REQUEST_ROW_DTYPE`.

    Raises:
        SchemaMismatchError: A record is damaged.
    """
    packed = PackedRecords.from_blobs([blob for one in records for blob in one.records])
    names = [key is not None for case in cases for key in case.entity_keys]
    is_named = np.array(names, np.bool_).reshape(-1, N_ENTITIES)
    states = np.zeros(len(rows), np.int8)
    firsts, end = [], 0
    for case, one in zip(cases, records, strict=True):
        start, end = end, end + case.n_rows
        firsts.append(start)
        if not one.is_available and case.customer_key is None:
            is_named[start:end] = False  # A guest is one, whether or not the store answers.
        elif not one.is_available:
            states[start:end] = STATE_UNAVAILABLE
    return CaseVectors(
        compute_vectors(packed, is_named, states, rows),
        read_last_event_us(packed, np.array(firsts, np.int64)),
    )


def _find_shards(case: Case) -> set[int]:
    """Return the shards whose progress says how fresh a case is."""
    if case.customer_key is not None:
        return {compute_shard(case.customer_key)}
    return {compute_shard(key) for key in case.entity_keys if key is not None}


def _read_applied(store: FeatureReader, cases: Sequence[Case]) -> Mapping[int, int]:
    shards = {shard for case in cases for shard in _find_shards(case)}
    return {shard: store.read_shard_state(shard).applied_ingest_us for shard in shards}
