"""Inductive Venn-Abers calibration: two isotonic fits per case, joined to one probability.

Vovk, Petej and Fedorova 2015, "Large-scale probabilistic predictors with and without
guarantees of validity": the case is added to the calibration cases once as a negative and
once as a positive; the two isotonic values at its score are p0 and p1, and p1 / (1 - p0 + p1)
is the probability that minimises the worst regret of the log loss.

Fitting twice for every case would take hours. Pooling adjacent violators gives the same
result in whichever order blocks are merged, so the blocks of all cases to the left of a
score and of all to its right are made once; then the new case is merged with its neighbours.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_NONE = -1

Block = tuple[float, float, int]
"""Positives, weight, and the place where the block before it ends."""


class VennAbers:
    """Calibration cases, ready to be asked.

    Args:
        score: Any number that rises with the probability, shape `(n,)`, `n > 0`.
        label: 0 or 1.
        weight: How many cases each stands for, > 0; a case that is asked about counts 1.
    """

    def __init__(self, score: Floats, label: Floats, weight: Floats) -> None:
        self._score, place = np.unique(score, return_inverse=True)
        self._weight = np.bincount(place, weight).tolist()
        self._positive = np.bincount(place, weight * label).tolist()
        n = len(self._score)
        self._left = self._pool(range(n), is_rising=True)
        self._right = self._pool(range(n - 1, -1, -1), is_rising=False)

    def predict(self, score: Floats) -> Floats:
        """Return probabilities of scores, shape `(n,)`."""
        asked, place = np.unique(score, return_inverse=True)
        found = np.zeros(len(asked))
        for i, (p0, p1) in enumerate(self.predict_both(asked)):
            found[i] = p1 / (1.0 - p0 + p1)
        return found[place]

    def predict_both(self, score: Floats) -> list[tuple[float, float]]:
        """Return (p0, p1) of each score."""
        first = np.searchsorted(self._score, score, side="left").tolist()
        after = np.searchsorted(self._score, score, side="right").tolist()
        return [
            (self._insert(a, b, 0.0), self._insert(a, b, 1.0))
            for a, b in zip(first, after, strict=True)
        ]

    def _pool(self, order: range, *, is_rising: bool) -> list[Block]:
        """Return per place the block that ends there."""
        blocks: list[Block] = [(0.0, 0.0, _NONE)] * len(order)
        before = _NONE
        for place in order:
            positive, weight = self._positive[place], self._weight[place]
            while before != _NONE:
                more, heavier, further = blocks[before]
                gap = positive * heavier - more * weight
                if gap > 0.0 if is_rising else gap < 0.0:
                    break
                positive, weight, before = positive + more, weight + heavier, further
            blocks[place] = (positive, weight, before)
            before = place
        return blocks

    def _insert(self, first: int, after: int, label: float) -> float:
        """Return the isotonic value of a case between the places before `first` and `after`."""
        positive, weight = label, 1.0
        for place in range(first, after):  # Calibration cases of the same score: one or none.
            positive, weight = positive + self._positive[place], weight + self._weight[place]
        left = self._find_block(self._left, first - 1)
        right = self._find_block(self._right, after)
        while True:
            if left is not None and left[0] * weight >= positive * left[1]:
                merged, left = left, self._find_block(self._left, left[2])
            elif right is not None and right[0] * weight <= positive * right[1]:
                merged, right = right, self._find_block(self._right, right[2])
            else:
                return positive / weight
            positive, weight = positive + merged[0], weight + merged[1]

    @staticmethod
    def _find_block(blocks: list[Block], place: int) -> Block | None:
        return blocks[place] if 0 <= place < len(blocks) else None
