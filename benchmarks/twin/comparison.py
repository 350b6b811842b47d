"""Where two sets of vectors differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.twin.schema import TwinVectors

TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class FeatureDifference:
    """One feature that differs somewhere.

    Attributes:
        name: The feature.
        n_rows: In how many rows it differs.
        row: The first of them.
        computed: The core's value there.
        expected: The twin's value there.
    """

    name: str
    n_rows: int
    row: int
    computed: float
    expected: float


def compare_vectors(
    computed: npt.NDArray[np.floating], names: tuple[str, ...], expected: TwinVectors
) -> list[FeatureDifference]:
    """Return the features that differ, in the table's order; empty if none does.

    Equal means |a - b| <= 1e-6 * max(1, |b|) with b the twin's value, and missing in
    the same places. A feature that only one side has is an error of the caller.

    Args:
        computed: Shape `(n, n_features)`, the core's vectors.
        names: Feature names in the order of its columns.
        expected: The twin's vectors of the same questions.

    Raises:
        ValueError: The two sides do not have the same features or rows.
    """
    if set(names) != set(expected.names) or len(names) != len(set(names)):
        raise ValueError(f"features differ: {sorted(set(names) ^ set(expected.names))}")
    order = [expected.names.index(name) for name in names]
    twin = expected.values[:, order]
    core = computed.astype(np.float64)
    if core.shape != twin.shape:
        raise ValueError(f"shapes differ: {core.shape} and {twin.shape}")
    limit = TOLERANCE * np.maximum(1.0, np.abs(twin))
    is_close = np.abs(core - twin) <= limit  # False where either is missing.
    is_equal = is_close | (np.isnan(core) & np.isnan(twin))
    return [
        FeatureDifference(
            name=names[column],
            n_rows=int(rows.size),
            row=int(rows[0]),
            computed=float(core[rows[0], column]),
            expected=float(twin[rows[0], column]),
        )
        for column in range(len(names))
        if (rows := np.flatnonzero(~is_equal[:, column])).size
    ]
