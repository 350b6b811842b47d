"""What the feature store knows of the customers of some cases, and how fresh it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.errors import SchemaMismatchError, StoreUnavailableError
from features.keys import compute_shard
from features.record import decode_records, new_records
from features.store.port import FeatureReader
from features.vector import STATE_GUEST, STATE_KNOWN, STATE_NEW, STATE_UNAVAILABLE
from scoring.cases import Case

_NOBODY = new_records(1)


@dataclass(frozen=True, slots=True, eq=False)
class Customers:
    """One entry per case.

    Attributes:
        records: Shape `(n_records,)` of `RECORD_DTYPE`, at least one.
        record_index: Each case's record; of no use unless known.
        states: `STATE_*` of `features.vector`.
        applied_us: Ingest time up to which the customer's shard is applied; None: not
            read (a guest, or no store).
        n_failures: Reads that failed.
    """

    records: npt.NDArray[Any]
    record_index: tuple[int, ...]
    states: tuple[int, ...]
    applied_us: tuple[int | None, ...]
    n_failures: int


def read_customers(store: FeatureReader, cases: Sequence[Case]) -> Customers:
    """Return what the store knows; a store that fails is a state, never an exception."""
    keys = list({case.customer_key: None for case in cases if case.customer_key is not None})
    if not keys:
        return _describe_without_store(cases, n_failures=0)
    try:
        # Before the records: a commit in between understates the freshness.
        shards = {compute_shard(key) for key in keys}
        applied_us = {shard: store.read_shard_state(shard).applied_ingest_us for shard in shards}
        blobs = store.read_records(keys)
        records = decode_records(blobs)
    except StoreUnavailableError:
        return _describe_without_store(cases, n_failures=1)
    except SchemaMismatchError:
        # One damaged record must not blind the cases beside it.
        if len(keys) == 1:
            return _describe_without_store(cases, n_failures=1)
        return _read_one_by_one(store, cases)
    places = {key: place for place, key in enumerate(keys)}
    index = tuple(0 if c.customer_key is None else places[c.customer_key] for c in cases)
    return Customers(
        records=records,
        record_index=index,
        states=tuple(
            STATE_GUEST
            if case.customer_key is None
            else (STATE_NEW if blobs[place] is None else STATE_KNOWN)
            for case, place in zip(cases, index, strict=True)
        ),
        applied_us=tuple(
            None if case.customer_key is None else applied_us[compute_shard(case.customer_key)]
            for case in cases
        ),
        n_failures=0,
    )


def _describe_without_store(cases: Sequence[Case], n_failures: int) -> Customers:
    return Customers(
        records=_NOBODY,
        record_index=(0,) * len(cases),
        states=tuple(
            STATE_GUEST if case.customer_key is None else STATE_UNAVAILABLE for case in cases
        ),
        applied_us=(None,) * len(cases),
        n_failures=n_failures,
    )


def _read_one_by_one(store: FeatureReader, cases: Sequence[Case]) -> Customers:
    parts = [read_customers(store, [case]) for case in cases]
    return Customers(
        records=np.concatenate([part.records for part in parts]),
        record_index=tuple(range(len(parts))),
        states=tuple(part.states[0] for part in parts),
        applied_us=tuple(part.applied_us[0] for part in parts),
        n_failures=sum(part.n_failures for part in parts),
    )
