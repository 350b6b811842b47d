"""The hotel task as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.quality.hotel import published
from benchmarks.quality.hotel.measuring import Found
from hemostat.cli.output import Column, Table
from training.evaluation.calibration_figures import compute_brier, compute_calibration_error
from training.evaluation.ranking import compute_pr_auc, compute_roc_auc
from training.evaluation.resampling import Estimate


def draw_hotel(found: Sequence[Found]) -> Table:
    """Return every variant beside the baseline run again on the same bookings."""
    return Table(
        title="Hotel bookings: will it be cancelled?",
        columns=(
            Column("test"),
            Column("late columns"),
            Column("bookings", "right"),
            *(
                Column(name, "right")
                for name in (
                    "ROC", "baseline", "gain", "over the strongest", "PR-AUC", "baseline",
                    "Brier", "baseline", "ECE", "baseline",
                )
            ),
        ),
        rows=tuple(_draw_row(one) for one in found),
        caption=f"published: ROC-AUC {published.ROC_AUC}, PR-AUC {published.PR_AUC}, Brier "
        f"{published.BRIER}; without late columns ROC-AUC {published.ROC_AUC_NO_LATE}",
    )  # fmt: skip


def _draw_row(one: Found) -> tuple[str, ...]:
    pairs = [
        f"{compute(cases):.{digits}f}"
        for compute, digits in (
            (compute_pr_auc, 3),
            (compute_brier, 3),
            (compute_calibration_error, 4),
        )
        for cases in (one.cases, one.baseline)
    ]
    return (
        one.variant.title,
        "yes" if one.with_late else "no",
        f"{len(one.cases.label):,}",
        f"{compute_roc_auc(one.cases):.4f}",
        f"{compute_roc_auc(one.baseline):.4f}",
        _show(one.gain),
        _show(one.strongest_gain),
        *pairs,
    )


def _show(estimate: Estimate) -> str:
    return f"{estimate.value:+.4f} [{estimate.low:+.4f}, {estimate.high:+.4f}]"
