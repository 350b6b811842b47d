"""Leaks that a finished table gives away by itself.

Each check looks for what no honest column can show: one value that all but says the
outcome, a relation to the outcomes that is closer than chance allows, a step that
comes with the case's own outcome and not with the one before.
"""

from __future__ import annotations

import math

import numpy as np

from features.definition import DAY_US
from training.facts import Flags, Ints
from training.leaks.findings import CaseTable, Floats, LeakFinding, LeakKind

MIN_POSITIVES = 30
"""Fewer positives (or negatives) prove nothing about a column."""
MAX_AUC = 0.95
"""One column alone does not separate outcomes so well, unless it was written after them."""
_SURE_AUC = 0.99
"""So well that it is the outcome, and no sum of outcomes."""
MAX_CASES = 20_000
"""Cases looked at, evenly spread over the table: the gate must stay cheap."""
_N_BINS = 32
_MIN_GROUPS = 12
_MIN_PER_GROUP = 2
_MAX_SCATTER = 0.5
"""Share of the scatter that chance asks for below which outcomes made the column."""
_N_DRAWS = 100
_DEGREE = 3


def check_maturity(table: CaseTable) -> list[LeakFinding]:
    """Return a finding if a case teaches whose horizon had not passed at the model's birth."""
    late_us = table.time_us + table.horizon_us - table.as_of_us
    n_late = int((table.is_used & (late_us > 0)).sum())
    if n_late == 0:
        return []
    days = float(late_us[table.is_used].max() / DAY_US)
    evidence = (
        f"{n_late:,} of {int(table.is_used.sum()):,} cases teach before their horizon of "
        f"{table.horizon_us / DAY_US:.0f} days has passed, by up to {days:.1f} days"
    )
    return [LeakFinding(LeakKind.IMMATURE_LABEL, table.head, evidence)]


def check_columns(table: CaseTable) -> list[LeakFinding]:
    """Return at most one finding per column, from the labels that are used."""
    places = _choose_places(table.is_used)
    label, group = table.label[places] > 0.0, table.group[places]
    if min(label.sum(), (~label).sum()) < MIN_POSITIVES:
        return []
    fold = np.random.default_rng(0).integers(0, 2, int(group.max()) + 1)[group]
    follows, before = _pair_up(group, table.time_us[places])
    found = []
    for column, name in enumerate(table.names):
        values = table.rows[places, column]
        auc = _rank_outcomes(values, label, fold)
        finding = (
            _find_outcome(name, auc, _SURE_AUC)
            or _find_target_encoding(name, values, label)
            or _find_own_step(name, values, label, follows, before)
            or _find_outcome(name, auc, MAX_AUC)
        )
        if finding is not None:
            found.append(finding)
    return found


def _choose_places(is_used: Flags) -> Ints:
    places = np.flatnonzero(is_used)
    if len(places) <= MAX_CASES:
        return places
    return places[np.linspace(0, len(places) - 1, MAX_CASES).astype(np.int64)]


def _find_outcome(name: str, auc: float, bar: float) -> LeakFinding | None:
    """Return a finding if the column alone ranks outcomes almost perfectly."""
    if auc < bar:
        return None
    evidence = f"this column alone ranks outcomes with an AUC of {auc:.3f} (bar {MAX_AUC})"
    return LeakFinding(LeakKind.POST_OUTCOME_FIELD, name, evidence)


def _rank_outcomes(values: Floats, label: Flags, fold: Ints) -> float:
    """Return how well a column alone ranks outcomes, the worse of two halves.

    Rates of up to 32 bins (and of the missing) are learned on half of the customers and
    rank the cases of the other half, so any shape of relation counts and none is luck.
    """
    bins, n_bins = _to_bins(values)
    return min(_rank_half(bins, n_bins, label, fold == half) for half in (0, 1))


def _rank_half(bins: Ints, n_bins: int, label: Flags, is_fit: Flags) -> float:
    """Return the AUC on one half of bin rates learned on the other; 0 without both classes."""
    is_out = ~is_fit
    positives = np.bincount(bins[is_fit & label], minlength=n_bins)
    everybody = np.bincount(bins[is_fit], minlength=n_bins)
    rate = (positives + label.mean()) / (everybody + 1.0)
    order = np.argsort(rate, kind="stable")
    hits = np.bincount(bins[is_out & label], minlength=n_bins)[order].astype(np.float64)
    rest = np.bincount(bins[is_out & ~label], minlength=n_bins)[order].astype(np.float64)
    if hits.sum() < MIN_POSITIVES / 3 or rest.sum() < MIN_POSITIVES / 3:
        return 0.0
    below = np.cumsum(rest) - rest
    return float((hits * (below + rest / 2.0)).sum() / (hits.sum() * rest.sum()))


def _to_bins(values: Floats) -> tuple[Ints, int]:
    """Return each value's bin: its own if there are few, quantiles else; the last is missing."""
    is_there = ~np.isnan(values)
    distinct = np.unique(values[is_there])
    if len(distinct) > _N_BINS:
        distinct = np.unique(np.quantile(values[is_there], np.linspace(0.0, 1.0, _N_BINS + 1)))
    bins = np.searchsorted(distinct, values, "right")
    return np.where(is_there, bins, len(distinct) + 1).astype(np.int64), len(distinct) + 2


def _find_target_encoding(name: str, values: Floats, label: Flags) -> LeakFinding | None:
    """Return a finding if groups of equal values agree with their own outcomes too well.

    If a value is news about a group from elsewhere (or from before), the group's rate of
    positives scatters around any smooth function of it by at least the binomial variance.
    If the value was made from these very outcomes, by far less. What chance allows is
    simulated, since the chi-squared law does not hold for groups of a few cases.
    """
    is_there = ~np.isnan(values)
    value, inverse, size = np.unique(
        values[is_there].astype(np.float64), return_inverse=True, return_counts=True
    )
    hits = np.bincount(inverse, label[is_there], len(value)).astype(np.float64)
    is_group = size >= _MIN_PER_GROUP
    value, size, hits = value[is_group], size[is_group], hits[is_group]
    is_mixed = (hits > 0.0) & (hits < size)
    # Where groups are pure, no rate says more than an outcome would.
    if is_mixed.sum() < _MIN_GROUPS or hits[is_mixed].sum() < max(0.2 * label.sum(), 1.0):
        return None
    ratio = _compute_scatter(value, size, hits)
    if ratio > _MAX_SCATTER:
        return None
    random = np.random.default_rng(0)
    fitted = np.clip(_fit_smoothly(value, hits / size, size), 0.0, 1.0)
    drawn = [
        _compute_scatter(value, size, random.binomial(size, fitted).astype(np.float64))
        for _ in range(_N_DRAWS)
    ]
    if ratio > _MAX_SCATTER * min(drawn):
        return None
    evidence = (
        f"rates of positives in {len(value):,} groups of equal values scatter by {ratio:.3f} of "
        f"what chance asks for (drawn: {min(drawn):.2f} to {max(drawn):.2f}): these very outcomes "
        "are in the column"
    )
    return LeakFinding(LeakKind.GLOBAL_TARGET_ENCODING, name, evidence)


def _compute_scatter(value: Floats, size: Ints, hits: Floats) -> float:
    """Return the chi-squared sum around a smooth function of the value, per degree of freedom."""
    rate = hits.sum() / size.sum()
    fitted = _fit_smoothly(value, hits / size, size)
    spread = np.clip(fitted, max(rate, 1e-9) / 20.0, 1.0 - (1.0 - rate) / 20.0)
    total = (size * (hits / size - fitted) ** 2 / (spread * (1.0 - spread))).sum()
    return float(total / (len(value) - _DEGREE - 1))


def _fit_smoothly(value: Floats, rate: Floats, size: Ints) -> Floats:
    """Return rates as a cubic of the value, fitted by weighted least squares."""
    low, high = value.min(), value.max()
    scaled = 2.0 * (value - low) / (high - low) - 1.0
    design = np.polynomial.chebyshev.chebvander(scaled, _DEGREE)
    root = np.sqrt(size)
    solution, *_ = np.linalg.lstsq(design * root[:, None], rate * root, rcond=None)
    return np.asarray(design @ solution, np.float64)


def _pair_up(group: Ints, time_us: Ints) -> tuple[Ints, Ints]:
    """Return places of cases and of the same customer's case before each."""
    order = np.lexsort((time_us, group))
    is_same = group[order[1:]] == group[order[:-1]]
    return order[1:][is_same], order[:-1][is_same]


def _find_own_step(
    name: str, values: Floats, label: Flags, follows: Ints, before: Ints
) -> LeakFinding | None:
    """Return a finding if the column moves exactly when the case's own outcome is positive.

    A count of past outcomes moves after a positive case; one that counts the case itself
    moves with it.
    """
    step = values[follows] - values[before]
    is_there = ~np.isnan(step)
    moves = step[is_there] > 0.0
    own, previous = label[follows][is_there], label[before][is_there]
    if own.sum() < MIN_POSITIVES or (~own).sum() < MIN_POSITIVES:
        return None
    with_own = _agree(moves, own)
    with_previous = _agree(moves, previous)
    if with_own < 0.9 or with_own <= with_previous + 0.2:
        return None
    evidence = (
        f"from one case of a customer to the next it rises with the case's own outcome "
        f"(phi {with_own:.2f}), not with the one before (phi {with_previous:.2f})"
    )
    return LeakFinding(LeakKind.SELF_INCLUSION, name, evidence)


def _agree(one: Flags, other: Flags) -> float:
    """Return the correlation of two flags; 0 if one of them never changes."""
    variances = one.mean() * (1.0 - one.mean()) * other.mean() * (1.0 - other.mean())
    if variances <= 0.0:
        return 0.0
    return float(((one & other).mean() - one.mean() * other.mean()) / math.sqrt(variances))
