"""The heads' trees as flat arrays, for attributions.

`trees.npz` holds, for every head `<target>__<call>`, entries `<head>/<array>`:

- `tree_start`, int32 `(n_trees + 1,)`: nodes of tree t are `[tree_start[t],
  tree_start[t + 1])`, its root is `tree_start[t]`.
- `feature`, int32 `(n_nodes,)`: column that is compared; -1: the node is a leaf.
- `threshold`, float32 `(n_nodes,)`: go left if `x < threshold`, else right (leaf: 0).
  +inf: every value that is not missing goes left.
- `left`, `right`, int32 `(n_nodes,)`: children, absolute indices into these arrays,
  always greater than the parent's (leaf: -1).
- `is_default_left`, uint8 `(n_nodes,)`: where a missing value (NaN) goes, 1 left,
  0 right (leaf: 0).
- `value`, float32 `(n_nodes,)`: a leaf's log-odds (inner node: 0).
- `base`, float32 `(1,)`: log-odds before any tree.
- `baseline`, float32 `(F,)`: the reference row of attributions, NaN for missing.
- `knot_at`, `knot_to`, float32 `(k,)`: the bend of the calibration, see `bend`; k = 0:
  there is none.

`log_odds(x) = bend(base + sum over trees of value[leaf(x)])` and `probability = 1 / (1 +
exp(-log_odds))`: calibration and winsorising are compiled in (leaf values are
scaled by the Platt slope; a threshold above a feature's cap is +inf), so rows are
passed raw and contributions are calibrated log-odds.

The baseline is the typical case of a good customer at that call: per column the
median over the training cases that are not positive and whose customer was never
confirmed to abuse (codes and flags: the most frequent value), NaN where at least
half of them have none.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from features.errors import MissingModelError

LEAF = -1


@dataclass(frozen=True, eq=False)
class TreeArrays:
    """One head's trees; shapes, dtypes and meaning stand in the module's table."""

    tree_start: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float32]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    is_default_left: npt.NDArray[np.uint8]
    value: npt.NDArray[np.float32]
    base: npt.NDArray[np.float32]
    baseline: npt.NDArray[np.float32]
    knot_at: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    knot_to: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    @property
    def n_trees(self) -> int:
        """How many trees there are."""
        return len(self.tree_start) - 1

    @property
    def n_nodes(self) -> int:
        """How many nodes all trees have together."""
        return len(self.feature)


_DTYPES: dict[str, Any] = {
    "tree_start": np.int32,
    "feature": np.int32,
    "threshold": np.float32,
    "left": np.int32,
    "right": np.int32,
    "is_default_left": np.uint8,
    "value": np.float32,
    "base": np.float32,
    "baseline": np.float32,
    "knot_at": np.float32,
    "knot_to": np.float32,
}


def bend(
    log_odds: npt.NDArray[np.float64], at: npt.ArrayLike, to: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Return log-odds behind the bend of a calibration; without knots, as they are.

    Linear between the knots, of slope 1 outside them. It rises everywhere, so it ranks as
    the trees do.

    Args:
        log_odds: The sum of the leaves, shape `(n,)`.
        at: The knots, rising, shape `(k,)`.
        to: What stands for them, rising, shape `(k,)`.

    >>> bend(np.array([-2.0, 0.5, 3.0]), [0.0, 1.0], [1.0, 3.0]).tolist()
    [-1.0, 2.0, 5.0]
    """
    places, values = np.asarray(at, np.float64), np.asarray(to, np.float64)
    if len(places) == 0:
        return log_odds
    outside = log_odds - np.clip(log_odds, places[0], places[-1])
    return np.asarray(np.interp(log_odds, places, values) + outside, np.float64)


def encode_trees(heads: Mapping[str, TreeArrays]) -> bytes:
    """Return the content of `trees.npz`; equal trees give equal bytes."""
    arrays = {
        f"{head}/{field.name}": getattr(trees, field.name)
        for head, trees in heads.items()
        for field in fields(trees)
    }
    buffer = io.BytesIO()
    # mypy takes the ** for `allow_pickle`; numpy stamps every entry 1980, so bytes are stable.
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def decode_trees(blob: bytes, heads: list[str], n_features: int) -> dict[str, TreeArrays]:
    """Return the trees of each head, checked so that a walk cannot leave the arrays.

    Raises:
        MissingModelError: An array is absent, of another dtype or shape, not finite,
            or a child stands before its parent or outside its tree.
    """
    try:
        with np.load(io.BytesIO(blob), allow_pickle=False) as archive:
            return {head: _decode_head(archive, head, n_features) for head in heads}
    except (ValueError, KeyError, OSError, EOFError, BadZipFile, zlib.error) as error:
        raise _refuse(f"cannot be read: {error}") from error


def _decode_head(archive: Mapping[str, Any], head: str, n_features: int) -> TreeArrays:
    arrays = {name: archive[f"{head}/{name}"] for name in _DTYPES}
    for name, dtype in _DTYPES.items():
        if arrays[name].dtype != dtype or arrays[name].ndim != 1:
            raise _refuse(f"{head}/{name} is {arrays[name].dtype}, {arrays[name].ndim}-dimensional")
    trees = TreeArrays(**arrays)
    _verify_shapes(trees, head, n_features)
    _verify_nodes(trees, head, n_features)
    return trees


def _verify_shapes(trees: TreeArrays, head: str, n_features: int) -> None:
    per_node = (trees.threshold, trees.left, trees.right, trees.is_default_left, trees.value)
    if any(len(array) != trees.n_nodes for array in per_node):
        raise _refuse(f"{head}: node arrays differ in length")
    if trees.base.shape != (1,) or trees.baseline.shape != (n_features,):
        raise _refuse(f"{head}: base or baseline has another shape")
    if len(trees.knot_at) != len(trees.knot_to) or len(trees.knot_at) == 1:
        raise _refuse(f"{head}: the knots of the calibration differ in number, or there is one")
    start = trees.tree_start
    if len(start) < 2 or start[0] != 0 or start[-1] != trees.n_nodes or (np.diff(start) < 1).any():
        raise _refuse(f"{head}: tree_start does not divide the nodes")


def _verify_nodes(trees: TreeArrays, head: str, n_features: int) -> None:
    if not (np.isfinite(trees.value).all() and np.isfinite(trees.base).all()):
        raise _refuse(f"{head}: a leaf is not finite")
    if np.isnan(trees.threshold).any() or np.isinf(trees.baseline).any():
        raise _refuse(f"{head}: a threshold is NaN or the baseline infinite")
    for knots in (trees.knot_at, trees.knot_to):
        if not np.isfinite(knots).all() or (np.diff(knots) <= 0).any():
            raise _refuse(f"{head}: the knots of the calibration do not rise")
    inner = trees.feature != LEAF
    if (trees.feature < LEAF).any() or (trees.feature >= n_features).any():
        raise _refuse(f"{head}: a node compares a column that does not exist")
    # A child greater than its parent rules out cycles.
    place = np.arange(trees.n_nodes, dtype=np.int32)
    end = np.repeat(trees.tree_start[1:], np.diff(trees.tree_start))
    for child in (trees.left, trees.right):
        if ((child <= place) | (child >= end))[inner].any():
            raise _refuse(f"{head}: a child stands outside its tree or before its parent")


def _refuse(reason: str) -> MissingModelError:
    return MissingModelError(
        "the bundle's trees are damaged",
        field="trees.npz",
        value=reason,
        expectation="the flat arrays of every head in the manifest",
        fix="train again, or restore the bundle from a copy",
    )
