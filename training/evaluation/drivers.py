"""What a head's scores hang on: each feature's part in the log-odds of later cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from features.model_bundle.trees import LEAF, TreeArrays

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.float32]

N_SAMPLED_ROWS = 2_000
"""More rows change no order that could be seen."""


@dataclass(frozen=True, slots=True)
class Driver:
    """A feature and what it does to scores.

    Attributes:
        feature: Its name.
        strength: Mean absolute contribution to the log-odds of a case.
        direction: Correlation of value and contribution, -1 to 1: above 0, greater values
            raise the score; NaN: it does not vary.
    """

    feature: str
    strength: float
    direction: float


def find_drivers(
    trees: TreeArrays, rows: Rows, names: Sequence[str], *, n_best: int = 20, seed: int = 7
) -> tuple[Driver, ...]:
    """Return the features that move the scores of some cases most, the strongest first.

    Along a case's path each split moves its expected log-odds from the parent's to the
    child's; the feature of the split is credited with the step (Saabas 2014, "Interpreting
    random forests"). A node's expectation is that of the same cases. Steps add up to the
    score less the mean score; features that move nothing are left out.

    Args:
        trees: The head's.
        rows: Cases, shape `(n, F)`; at most `N_SAMPLED_ROWS` of them are looked at.
        names: Of the columns, `F` of them.
        n_best: At most so many.
        seed: Of the sample.
    """
    if len(rows) > N_SAMPLED_ROWS:
        random = np.random.default_rng(seed)
        rows = rows[np.sort(random.choice(len(rows), N_SAMPLED_ROWS, replace=False))]
    if not len(rows):
        return ()
    contribution = _compute_contributions(trees, rows)
    strength = np.abs(contribution).mean(axis=0)
    order = np.argsort(-strength, kind="stable")[:n_best]
    return tuple(
        Driver(names[column], float(strength[column]),
               _correlate(rows[:, column].astype(np.float64), contribution[:, column]))
        for column in order.tolist()
        if strength[column] > 0.0
    )  # fmt: skip


def _compute_contributions(trees: TreeArrays, rows: Rows) -> Floats:
    """Return each feature's part in the log-odds of each case, shape `(n, F)`."""
    paths = _walk(trees, rows)
    expected = _expect(trees, paths)
    out = np.zeros(rows.shape, np.float64)
    case = np.arange(len(rows))
    for parents, children in pairwise(paths):
        for tree in range(trees.n_trees):
            parent, child = parents[:, tree], children[:, tree]
            is_split = trees.feature[parent] != LEAF
            chosen = case[is_split]
            step = expected[child[is_split]] - expected[parent[is_split]]
            # Each case occurs once here: plain indexing adds all of them.
            out[chosen, trees.feature[parent[is_split]]] += step
    return out


def _walk(trees: TreeArrays, rows: Rows) -> list[Ints]:
    """Return the node of each case in each tree, level by level, each `(n, n_trees)`."""
    place = np.repeat(trees.tree_start[:-1].astype(np.int64)[None, :], len(rows), axis=0)
    paths = [place]
    case = np.arange(len(rows))[:, None]
    while True:
        column = trees.feature[place]
        is_leaf = column == LEAF
        if is_leaf.all():
            return paths
        value = rows[case, np.where(is_leaf, 0, column)]
        goes_left = np.where(
            np.isnan(value), trees.is_default_left[place] == 1, value < trees.threshold[place]
        )
        child = np.where(goes_left, trees.left[place], trees.right[place])
        place = np.where(is_leaf, place, child).astype(np.int64)
        paths.append(place)


def _expect(trees: TreeArrays, paths: Sequence[Ints]) -> Floats:
    """Return the mean leaf value below each node that a case passes, shape `(n_nodes,)`."""
    leaf = trees.value[paths[-1]].astype(np.float64)
    total, count = np.zeros(trees.n_nodes), np.zeros(trees.n_nodes)
    before: Ints | None = None
    for place in paths:
        is_new = np.ones(place.shape, np.bool_) if before is None else place != before
        total += np.bincount(place[is_new], leaf[is_new], trees.n_nodes)
        count += np.bincount(place[is_new], minlength=trees.n_nodes)
        before = place
    found: Floats = np.divide(total, count, out=np.zeros(trees.n_nodes), where=count > 0)
    return found


def _correlate(value: Floats, contribution: Floats) -> float:
    """Return the rank correlation over the cases whose value is known."""
    is_known = ~np.isnan(value)
    if np.count_nonzero(is_known) < 2:
        return float("nan")
    ranks = [
        np.unique(one[is_known], return_inverse=True)[1].astype(np.float64)
        for one in (value, contribution)
    ]
    if not all(np.ptp(one) > 0.0 for one in ranks):
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
