"""Compile and cache all kernels of the core: `python -m features.warm`.

Run at install and image build, so that no request and no first run waits for
the compiler.
"""

from __future__ import annotations

import numpy as np

from features.bulk import compute_vectors_at
from features.fold import fold_rows
from features.fold_rows import FOLD_ROW_DTYPE
from features.record import decode_records, encode_records, new_records
from features.request_rows import REQUEST_ROW_DTYPE
from features.vector import compute_vectors


def warm() -> None:
    """Run every kernel once on a row of zeros."""
    records, index = new_records(1), np.zeros(1, np.int64)
    rows, requests = np.zeros(1, FOLD_ROW_DTYPE), np.zeros(1, REQUEST_ROW_DTYPE)
    fold_rows(records, index, rows)
    decode_records(list(encode_records(records)))
    compute_vectors(records, index, np.ones(1, np.int8), requests)
    keys = np.zeros((1, 16), np.uint8)
    compute_vectors_at(rows, keys, requests, keys, np.zeros(1, np.bool_))


if __name__ == "__main__":
    warm()
