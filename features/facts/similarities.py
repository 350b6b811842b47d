"""How alike a customer's return reasons are, to each other and to the case's.

Near-identical reasons again and again mark scripted returns; an honest history
varies. Only embeddings of the embedder in force at T are compared: numbers of two
embedders have nothing to do with each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import welded
from features.embedding import DIM, EMBEDDERS
from features.facts.history_layout import HistoryFact
from features.fold_rows import FoldFlag
from features.request_rows import RequestFlag

_SIMILARITY_SELF = int(HistoryFact.SIMILARITY_SELF)
_SIMILARITY_REQUEST_MEAN = int(HistoryFact.SIMILARITY_REQUEST_MEAN)
_SIMILARITY_REQUEST_MAX = int(HistoryFact.SIMILARITY_REQUEST_MAX)

_HAS_EMBEDDING = int(FoldFlag.HAS_EMBEDDING)
_REQUEST_HAS_EMBEDDING = int(RequestFlag.HAS_EMBEDDING)

_EMBEDDER_IDS = np.array([embedder.id for embedder in EMBEDDERS], np.int64)
_EMBEDDER_SINCE_US = np.array([embedder.since_us for embedder in EMBEDDERS], np.int64)


@welded
def _find_embedder(now_us: int) -> int:
    """Return the id of the embedder in force at a time; `EMBEDDERS` stand in order of it."""
    found = _EMBEDDER_IDS[0]
    for i in range(1, _EMBEDDER_IDS.shape[0]):
        if _EMBEDDER_SINCE_US[i] <= now_us:
            found = _EMBEDDER_IDS[i]
    return int(found)


@welded
def _norm(embedding: npt.NDArray[np.int8]) -> float:
    total = np.int64(0)
    for k in range(DIM):
        total += np.int64(embedding[k]) * np.int64(embedding[k])
    return float(np.sqrt(float(total)))


@welded
def _dot(a: npt.NDArray[np.int8], b: npt.NDArray[np.int8]) -> np.int64:
    total = np.int64(0)
    for k in range(DIM):
        total += np.int64(a[k]) * np.int64(b[k])
    return total


@welded
def fill_similarity_facts(
    record: Any,
    own: int,
    end: int,
    request: Any,
    unit_sum: npt.NDArray[np.float64],
    facts: npt.NDArray[np.float64],
    place: int,
) -> None:
    """Write the similarities among the returns before `end`, but the case at `own`.

    The mean over pairs of unit vectors u is (|sum u|^2 - n) / (n (n - 1)).
    `unit_sum` is scratch of shape `(DIM,)`.
    """
    embedder = _find_embedder(request["time_us"])
    is_asked = np.int64(request["flags"]) & _REQUEST_HAS_EMBEDDING != 0
    is_asked = is_asked and np.int64(request["embedder"]) == embedder
    request_norm = _norm(request["embedding"]) if is_asked else 0.0
    for k in range(DIM):
        unit_sum[k] = 0.0
    n = 0
    total, greatest = 0.0, -np.inf
    for i in range(end):
        if i == own or record["return_flags"][i] & _HAS_EMBEDDING == 0:
            continue
        if record["return_embedder"][i] != embedder:
            continue
        n += 1
        embedding = record["return_embedding"][i]
        norm = _norm(embedding)
        for k in range(DIM):
            unit_sum[k] += float(embedding[k]) / norm
        if request_norm > 0.0:
            cosine = float(_dot(embedding, request["embedding"])) / (norm * request_norm)
            total += cosine
            greatest = max(greatest, cosine)
    square = 0.0
    for k in range(DIM):
        square += unit_sum[k] * unit_sum[k]
    is_comparable = n > 0 and request_norm > 0.0
    facts[place + _SIMILARITY_SELF] = (square - n) / (n * (n - 1)) if n >= 2 else np.nan
    facts[place + _SIMILARITY_REQUEST_MEAN] = total / n if is_comparable else np.nan
    facts[place + _SIMILARITY_REQUEST_MAX] = greatest if is_comparable else np.nan
