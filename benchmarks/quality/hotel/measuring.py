"""Every split and variant of the hotel task, against the baseline on the same bookings."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.quality.hotel.bookings_table import (
    BookingsTable,
    Flags,
    Floats,
    build_bookings_table,
)
from benchmarks.quality.hotel.published import YEAR, rerun_baseline
from benchmarks.report import Value, is_short
from training.evaluation.calibration_figures import (
    compute_brier,
    compute_calibration_error,
    compute_error_floor,
)
from training.evaluation.ranking import Ranking, ScoredCases, compute_pr_auc, compute_roc_auc
from training.evaluation.resampling import Draws, Estimate, Resampling
from training.forward_fitting import fit_forward
from training.growing import HeadParameters, Part
from training.head_definitions import BOOKING_HEAD
from training.heads import predict_probability
from training.learning import adapt_parameters

CUT_US: Final = int(datetime(2017, 5, 1, tzinfo=UTC).timestamp()) * 1_000_000
SEED: Final = 7
PARAMETERS: Final = adapt_parameters(HeadParameters(), BOOKING_HEAD)
"""As `hemostat train` takes them for bookings; chosen on arrivals before the cut: each quarter from
August 2016 learned from all before it."""


@dataclass(frozen=True)
class Variant:
    """A way to put the question.

    Attributes:
        key: Part of its figures' names; empty for the main one.
        title: The same for people.
        by_booking: Measure bookings made after the cut, not arrivals after it.
        first_only: Without rows that equal an earlier one, in training and in the test.
        left_out: An attribute that nobody gets.
    """

    key: str
    title: str
    by_booking: bool = False
    first_only: bool = False
    left_out: str = ""


VARIANTS: Final = (
    Variant("", "arrivals from 2017-05-01"),
    Variant("_booking_split", "booked from 2017-05-01", by_booking=True),
    Variant("_no_duplicates", "duplicates removed", first_only=True),
    Variant("_no_deposit_type", "without deposit_type", left_out="deposit_type"),
)


@dataclass(frozen=True, eq=False)
class Found:
    """What a variant gave.

    Attributes:
        variant: Which.
        with_late: With the late columns.
        cases: The test bookings with our probabilities.
        gain: ROC-AUC less that of the baseline, run again.
        baseline: The test bookings with its probabilities.
        strongest_gain: ROC-AUC less that of the strongest plain rerun (with the year).
    """

    variant: Variant
    with_late: bool
    cases: ScoredCases
    baseline: ScoredCases
    gain: Estimate
    strongest_gain: Estimate


def find_source() -> Path | None:
    """Return the folder of the data set, if it is there."""
    root = Path(__file__).resolve().parents[3]
    folder = Path(os.environ.get("HEMOSTAT_DATA") or root.parent / "shared" / "data") / "hotel"
    return folder if (folder / "hotel_bookings.csv.gz").is_file() else None


def measure_hotel(source: Path, folder: Path, values: dict[str, Value]) -> list[Found]:
    """Fill in the figures of all variants, and return them.

    Args:
        source: The data set.
        folder: Where logs may be written.
        values: Filled in: `hotel_auc`, `hotel_auc_no_late_columns` and what stands beside.
    """
    variants = VARIANTS[:1] if is_short() else VARIANTS
    found = []
    for with_late in (True, False):
        table = build_bookings_table(source, folder, CUT_US, with_late=with_late)
        for variant in variants:
            one = measure_variant(table, variant, with_late=with_late)
            values |= describe(one)
            found.append(one)
    return found


def measure_variant(table: BookingsTable, variant: Variant, *, with_late: bool) -> Found:
    """Return our head and the baseline, learned and measured on the same split."""
    is_wanted = table.is_first if variant.first_only else np.ones(len(table.label), np.bool_)
    time_us = table.booked_us if variant.by_booking else table.due_us
    is_test = is_wanted & (time_us >= CUT_US)
    score = _score(table, variant, is_wanted & table.is_taught, is_test)
    # As published: it may see how guests who were still there on the cut's day ended.
    is_train = is_wanted & (table.due_us < CUT_US)
    file = table.file.without([variant.left_out])
    baseline = rerun_baseline(file.without([YEAR]), table.label, is_train, is_test)
    strongest = rerun_baseline(file, table.label, is_train, is_test)
    cases = _to_cases(table, is_test, score)
    return Found(
        variant,
        with_late,
        cases,
        replace(cases, score=baseline),
        _compare(cases, baseline),
        _compare(cases, strongest),
    )


def describe(found: Found) -> dict[str, Value]:
    """Return a variant's figures by name."""
    suffix = ("" if found.with_late else "_no_late_columns") + found.variant.key
    return {
        f"hotel_auc{suffix}": compute_roc_auc(found.cases),
        f"hotel_auc{suffix}_baseline": compute_roc_auc(found.baseline),
        **_spread(f"hotel_auc{suffix}_gain", found.gain),
        **_spread(f"hotel_auc{suffix}_gain_over_strongest", found.strongest_gain),
        f"hotel_pr_auc{suffix}": compute_pr_auc(found.cases),
        f"hotel_pr_auc{suffix}_baseline": compute_pr_auc(found.baseline),
        f"hotel_brier{suffix}": compute_brier(found.cases),
        f"hotel_brier{suffix}_baseline": compute_brier(found.baseline),
        f"hotel_ece{suffix}": compute_calibration_error(found.cases),
        f"hotel_ece{suffix}_baseline": compute_calibration_error(found.baseline),
        f"hotel_ece_floor{suffix}": compute_error_floor(found.cases),
        f"hotel_cancelled_share{suffix}": float(found.cases.label.mean()),
        f"hotel_mean_probability{suffix}": float(found.cases.score.mean()),
        f"hotel_test_bookings{suffix}": len(found.cases.label),
    }


def _score(table: BookingsTable, variant: Variant, is_train: Flags, is_test: Flags) -> Floats:
    kept = [
        place
        for place, feature in enumerate(table.features)
        if feature.name != f"attr_{variant.left_out}"
    ]
    rows = table.rows[:, kept]
    n = int(is_train.sum())
    train = Part(
        rows[is_train],
        table.label[is_train],
        np.ones(n),
        np.unique(table.cluster[is_train], return_inverse=True)[1].astype(np.int64),
        np.ones(n),
        due_us=table.due_us[is_train],
    )
    parameters = PARAMETERS
    if is_short():  # A quarter of the time, some thousandths of ROC-AUC.
        parameters = replace(PARAMETERS, max_trees=min(PARAMETERS.max_trees, 100), eta=0.15)
    fitted = fit_forward(
        train,
        CUT_US,
        parameters,
        SEED,
        features=[table.features[place] for place in kept],
    )
    return predict_probability(fitted, rows[is_test])


def _to_cases(table: BookingsTable, is_test: Flags, score: Floats) -> ScoredCases:
    cluster = np.unique(table.cluster[is_test], return_inverse=True)[1].astype(np.int64)
    return ScoredCases(table.label[is_test], score, np.ones(int(is_test.sum())), cluster)


def _compare(cases: ScoredCases, other_score: Floats) -> Estimate:
    """Return our ROC-AUC less another's on the same bookings, parties drawn together."""
    ours, other = Ranking(cases), Ranking(replace(cases, score=other_score))
    draws = Draws(cases.group, Resampling(200 if is_short() else 1_000, SEED))
    return draws.estimate(
        cases.weight, lambda weight: ours.compute_roc_auc(weight) - other.compute_roc_auc(weight)
    )


def _spread(name: str, estimate: Estimate) -> dict[str, Value]:
    return {name: estimate.value, f"{name}_lo": estimate.low, f"{name}_hi": estimate.high}
