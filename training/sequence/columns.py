"""Columns of the vector as a network takes them: logarithms, scaled, missing as the mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.facts import Ints

Rows = npt.NDArray[np.float32]
_LIMIT = 3.0


@dataclass(frozen=True, eq=False)
class ColumnScaling:
    """How columns become inputs; arrays of `k` entries.

    Attributes:
        place: Columns used: those that vary in training.
        mean: Of the signed logarithm in training, float32.
        spread: Its standard deviation, float32.
        limit: Scaled values stay within plus and minus it.
    """

    place: Ints
    mean: Rows
    spread: Rows
    limit: float = _LIMIT


def fit_scaling(rows: Rows) -> ColumnScaling:
    """Return the scaling of a train part's vectors, shape `(n, F)`."""
    grown = _grow(rows)
    is_known = ~np.isnan(grown)
    n_known = is_known.sum(axis=0)
    filled = np.where(is_known, grown, 0.0).astype(np.float64)
    mean = filled.sum(axis=0) / np.maximum(n_known, 1)
    spread = np.sqrt(
        (np.where(is_known, grown - mean, 0.0) ** 2).sum(axis=0) / np.maximum(n_known, 1)
    )
    place = np.flatnonzero((n_known > 1) & (spread > 0.0))
    return ColumnScaling(place, mean[place].astype(np.float32), spread[place].astype(np.float32))


def scale_columns(rows: Rows, scaling: ColumnScaling) -> Rows:
    """Return inputs of a network, shape `(n, k)`, float32; missing is 0, the mean."""
    scaled = (_grow(rows[:, scaling.place]) - scaling.mean) / scaling.spread
    clipped = np.clip(scaled, -scaling.limit, scaling.limit)
    return np.where(np.isnan(clipped), 0.0, clipped).astype(np.float32)


def _grow(rows: Rows) -> Rows:
    grown: Rows = np.sign(rows) * np.log1p(np.abs(rows))
    return grown
