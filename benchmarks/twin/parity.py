"""How far the core and the twin agree, in the words that a test or a bench prints."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.twin.comparison import FeatureDifference, compare_vectors
from benchmarks.twin.schema import TwinVectors
from features.definitions import FEATURE_NAMES
from features.records.history import N_CANCEL_REQUESTS, N_ORDERS, N_RETURNS
from features.request_rows import Call

_RING_SIZES = {
    Call.ORDER: N_ORDERS,
    Call.ORDER_LINE: N_ORDERS,
    Call.CANCELLATION: N_CANCEL_REQUESTS,
    Call.RETURN: N_RETURNS,
}


@dataclass(frozen=True, slots=True)
class ParityReport:
    """The outcome of one comparison.

    Attributes:
        n_pairs: (customer, time) pairs compared, every feature of each.
        n_left_out: Pairs not compared: the case's own event is known at T but no longer
            among the newest of its kind, where a bounded record cannot leave it out.
        differences: Features that differ.
    """

    n_pairs: int
    n_left_out: int
    differences: tuple[FeatureDifference, ...]

    def __str__(self) -> str:
        """Return the line to print."""
        n_differing = sum(each.n_rows for each in self.differences)
        return (
            f"{self.n_pairs:,} pairs x {len(FEATURE_NAMES)} features: {n_differing} differences"
            f" (left out: {self.n_left_out} old own cases)"
        )


def find_promised(queries: pa.Table, twin: TwinVectors) -> npt.NDArray[np.bool_]:
    """Return for which questions the core promises to leave the own case out, shape `(n,)`."""
    sizes = np.zeros(max(_RING_SIZES) + 1, np.int64)
    for call, size in _RING_SIZES.items():
        sizes[call] = size
    is_promised: npt.NDArray[np.bool_] = twin.n_newer_own < sizes[queries["call"].to_numpy()]
    return is_promised


def compare_with_twin(
    vectors: npt.NDArray[np.float32], queries: pa.Table, twin: TwinVectors
) -> ParityReport:
    """Return where the core's vectors differ from the twin's.

    Args:
        vectors: Shape `(n, n_features)`: the core's answers.
        queries: The questions, columns of `schema.QUERY_SCHEMA`.
        twin: The twin's answers.
    """
    is_promised = find_promised(queries, twin)
    part = replace(twin, values=twin.values[is_promised])
    differences = compare_vectors(vectors[is_promised], FEATURE_NAMES, part)
    n_pairs = int(is_promised.sum())
    return ParityReport(n_pairs, len(is_promised) - n_pairs, tuple(differences))


def select(twin: TwinVectors, rows: slice) -> TwinVectors:
    """Return the twin's answers of some questions."""
    return replace(twin, values=twin.values[rows], n_newer_own=twin.n_newer_own[rows])
