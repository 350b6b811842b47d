"""Thresholds of a hint: a budget of false alarms for all, and a cap for each stratum.

Where a false alarm costs the same everywhere, one threshold catches most for a budget. A
stratum whose honest cases would be flagged more often than the cap gets a threshold of its
own, exactly at the cap; what that saves is spent on the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from features.model_bundle.strata import STRATA, Rows, find_strata, find_thresholds
from training.calibration import choose_threshold

Floats = npt.NDArray[np.float64]

STRATUM_CAP = 0.015
"""Greatest share of a stratum's honest cases that may be flagged."""
MIN_HONEST = 300.0
"""Strata with fewer honest cases have no threshold of their own: it would be noise."""


@dataclass(frozen=True)
class Thresholds:
    """From which probability on a head says `VERIFY`.

    Attributes:
        value: Where no stratum has its own.
        by_stratum: Thresholds of strata, by name.
    """

    value: float
    by_stratum: Mapping[str, float] = field(default_factory=dict)

    def find(self, rows: Rows) -> Floats:
        """Return the threshold that holds for each row, shape `(n,)`."""
        return find_thresholds(rows, self.value, self.by_stratum)


def choose_thresholds(
    score: Floats, honesty: Floats, rows: Rows, target: float, cap: float = STRATUM_CAP
) -> Thresholds:
    """Return thresholds for a share of all honest cases, and for at most the cap of any stratum.

    Args:
        score: Probabilities from trees that did not see the cases, shape `(n,)`.
        honesty: Probability that each case is an honest customer's.
        rows: Their vectors, shape `(n, F)`.
        target: Share of the honest cases that may be flagged.
        cap: Share of each stratum's.
    """
    stratum = find_strata(rows)
    capped: dict[int, float] = {}
    while True:
        is_free = ~np.isin(stratum, list(capped))
        spent = sum(
            float(honesty[(stratum == place) & (score >= threshold)].sum())
            for place, threshold in capped.items()
        )
        left = max(0.0, target * honesty.sum() - spent)
        total = float(honesty[is_free].sum())
        share = min(left / total, 1.0) if total > 0.0 else 0.0
        value = choose_threshold(score[is_free], share, honesty[is_free]) if total > 0.0 else 1.0
        over = [
            place
            for place in range(len(STRATA))
            if place not in capped
            and honesty[stratum == place].sum() >= MIN_HONEST
            and _compute_share(score, honesty, stratum == place, value) > cap
        ]
        if not over:
            names = {STRATA[place].name: threshold for place, threshold in capped.items()}
            return Thresholds(value, names)
        for place in over:
            is_in = stratum == place
            capped[place] = choose_threshold(score[is_in], cap, honesty[is_in])


def choose_one_threshold(score: Floats, honesty: Floats, rows: Rows, target: float) -> Thresholds:
    """Return one threshold for all cases; `rows` are not looked at."""
    del rows
    return Thresholds(choose_threshold(score, target, honesty))


def _compute_share(
    score: Floats, honesty: Floats, is_in: npt.NDArray[np.bool_], threshold: float
) -> float:
    """Return the share of a part's honest cases at or above a threshold."""
    return float(honesty[is_in & (score >= threshold)].sum() / honesty[is_in].sum())
