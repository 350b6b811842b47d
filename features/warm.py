"""Compile and cache all kernels of the core: `python -m features.warm`.

Run at install and image build, so that no request and no first run waits for
the compiler.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import numpy as np

from features.bulk import compute_vectors_at
from features.embedding import embed_texts
from features.entities import LAYOUTS, N_ENTITIES, Entity
from features.fold_rows import FOLD_ROW_DTYPE, FoldKind
from features.keys import compute_case_names
from features.records.layouts import RECORD_DTYPES
from features.records.packing import PackedRecords, unpack_records
from features.refold import refold
from features.request_rows import REQUEST_ROW_DTYPE, Call
from features.vector import STATE_OK, compute_vectors

_TIME_US = 1_767_225_600_000_000

# Kernels are compiled where they stand, when their module is loaded.
_OF_STORES = ("features.store.lmdb_writer", "features.store.lmdb_scrub")
_OF_LOGS = ("features.log.decode", "features.log.decode_batch", "features.log.history")


def warm() -> None:
    """Run every kernel once: one event folded, stored, read and asked about."""
    # Logs are of the extra `log`; a scorer has none.
    for name in (*_OF_STORES, *(_OF_LOGS if find_spec("pyarrow") else ())):
        import_module(name)
    embeddings = embed_texts(["warm 预热"])
    names = compute_case_names("warm", "warm", ["warm"] * N_ENTITIES)
    rows = np.zeros(N_ENTITIES, FOLD_ROW_DTYPE)
    rows["entity"], rows["kind"] = np.arange(N_ENTITIES), FoldKind.RETURN_REQUESTED
    rows["kind"][Entity.ACTIVITY] = FoldKind.PRODUCT_VIEWED
    rows["event_time_us"] = rows["ingest_time_us"] = _TIME_US
    rows["event_key"], rows["member"] = names.event_key, 1
    packed = refold(
        PackedRecords.from_blobs([None] * N_ENTITIES),
        np.arange(N_ENTITIES, dtype=np.uint8),
        rows,
        np.arange(N_ENTITIES),
        embeddings,
    )
    for entity, layout in enumerate(LAYOUTS):
        unpack_records(layout, packed.take(np.array([entity])), RECORD_DTYPES[layout])
    requests = np.zeros(1, REQUEST_ROW_DTYPE)
    requests["time_us"], requests["call"] = _TIME_US, Call.RETURN
    is_named = np.ones((1, N_ENTITIES), np.bool_)
    compute_vectors(packed, is_named, np.full(1, STATE_OK, np.int8), requests)
    keys = np.frombuffer(b"".join(names.entity_keys), np.uint8).reshape(N_ENTITIES, -1)
    compute_vectors_at(rows, keys, embeddings, requests, keys[None], is_named)


if __name__ == "__main__":
    warm()
