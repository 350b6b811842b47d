"""The feature rows of a decision as its record holds them.

An order of a tenant with heads for lines has a row per line, and they differ in a
few features only: compressed, a line takes some tens of bytes in place of hundreds.
A single row is kept as it is, since compressing it would cost the call more than it saves.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from features.definitions import N_FEATURES
from hemostat.v1 import scoring_pb2 as pb

_FASTEST = 1
_DTYPE = np.dtype("<f4")


def write_vectors(record: pb.DecisionRecord, vectors: npt.NDArray[np.float32]) -> None:
    """Put the rows of a case, shape `(1 + n_lines, F)`, into its record."""
    content = vectors.astype(_DTYPE, copy=False).tobytes()
    if vectors.shape[1] != N_FEATURES:
        record.n_columns = vectors.shape[1]
    if len(vectors) == 1:
        record.vectors = content
    else:
        record.compressed_vectors = zlib.compress(content, _FASTEST)


def read_vectors(record: pb.DecisionRecord) -> npt.NDArray[np.float32]:
    """Return the rows of a record bit for bit, shape `(1 + n_lines, F)`, writable."""
    content = record.vectors or zlib.decompress(record.compressed_vectors)
    width = record.n_columns or N_FEATURES
    return np.frombuffer(content, _DTYPE).reshape(-1, width).astype(np.float32)
