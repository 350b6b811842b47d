"""The tables of `hemostat evaluate`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hemostat.cli.output import Column, Table

if TYPE_CHECKING:
    from hemostat.cli.evaluate_command import EvaluateReport, HeadReport
    from training.evaluation.figures import HeadFigures
    from training.evaluation.resampling import Estimate

_MINOR_PER_MAJOR = 100.0
MIN_SLICE_POSITIVES = 5
"""Ranking figures of parts with fewer say nothing."""


def draw_evaluation(report: EvaluateReport) -> list[Table]:
    """Return what a person reads of an evaluation, the most asked for first."""
    judged = [(one, one.figures) for one in report.heads if one.figures is not None]
    tables = [_draw_ranking(report, judged), _draw_recalls(judged)]
    if hints := [(one, figures) for one, figures in judged if figures.hint is not None]:
        tables.append(_draw_hints(hints))
    tables.append(_draw_calibration(judged))
    tables += [_draw_slices(one, figures) for one, figures in hints if figures.slices]
    if rings := [one for one in report.heads if one.rings is not None]:
        tables.append(_draw_rings(rings))
    left_out = [(one.head, one.reason) for one in report.skipped]
    left_out += [(one.head, "too few cases of one outcome") for one in report.heads
                 if one.figures is None]  # fmt: skip
    if left_out:
        tables.append(Table("Not judged", (Column("head"), Column("why")), tuple(left_out)))
    return tables


Judged = list[tuple["HeadReport", "HeadFigures"]]


def _draw_ranking(report: EvaluateReport, judged: Judged) -> Table:
    first = min((one.from_day for one, _ in judged), default="-")
    return Table(
        title=f"{report.version[:12]} on cases of {report.tenant} from {first} on",
        columns=_columns("head", "cases (positive)", "known", "prevalence", "PR-AUC", "ROC-AUC"),
        rows=tuple(
            (
                one.head,
                f"{figures.n:,} ({figures.n_positive:,})",
                f"{one.coverage.n_known / max(one.coverage.n_cases, 1):.0%}",
                f"{figures.prevalence:.4f}",
                show(figures.pr_auc),
                show(figures.roc_auc),
            )
            for one, figures in judged
        ),
        caption=f"in brackets: 95 % bounds of {report.n_resamples} draws of customers; known: "
        "share of cases with a known outcome, which stand for the others by their weights",
    )


def _draw_recalls(judged: Judged) -> Table:
    targets = sorted(judged[0][1].recall_at) if judged else []
    return Table(
        title="Recall at shares of false alarms among good customers",
        columns=_columns("head", *(f"at {target:.1%}, %" for target in targets)),
        rows=tuple(
            (
                one.head,
                *(show(figures.recall_at[target], factor=100.0, digits=1) for target in targets),
            )
            for one, figures in judged
        ),
        caption="thresholds set on the cases shown: how well a head ranks, not what its hint does",
    )


def _draw_hints(hints: Judged) -> Table:
    return Table(
        title="What the bundle's own thresholds do",
        columns=_columns("head", "VERIFY from", "good flagged, %", "recall, %", "precision",
                         "saved per 1,000 cases"),
        rows=tuple(
            (
                one.head,
                f"{figures.hint.threshold:.4f}" if figures.hint else "-",
                show(figures.false_alarm_share, factor=100.0, digits=2),
                show(figures.recall, factor=100.0, digits=1),
                f"{figures.hint.precision:.0%}" if figures.hint else "-",
                show(figures.money, digits=0, factor=1.0 / _MINOR_PER_MAJOR),
            )
            for one, figures in hints
        ),
        caption="good: honest customers as far as known afterwards; saved: against approving all, "
        "by evaluation.costs of the policy, in units of 100 minor ones",
    )  # fmt: skip


def _draw_calibration(judged: Judged) -> Table:
    return Table(
        title="Do probabilities mean what they say",
        columns=_columns("head", "ECE (perfect)", "slope", "seen/expected", "top 1 %",
                         "Brier skill"),
        rows=tuple(
            (
                one.head,
                f"{figures.calibration_error.value:.4f} ({figures.error_floor:.4f})",
                show(figures.slope, digits=2),
                show(figures.total_ratio, digits=2),
                show(figures.top_ratio, digits=2),
                show(figures.brier_skill, digits=2),
            )
            for one, figures in judged
        ),
        caption="ECE: expected calibration error, 15 bins of equal weight; in brackets what a "
        "perfect model would show on as many cases",
    )  # fmt: skip


def _draw_slices(one: HeadReport, figures: HeadFigures) -> Table:
    middle = sorted(figures.recall_at)[1]
    return Table(
        title=f"Slices of {one.head}",
        columns=_columns("slice", "cases (positive)", "ROC-AUC", f"recall at {middle:.1%}, %",
                         "good flagged, %", "seen/expected"),
        rows=tuple(
            (name, f"{part.n:,} ({part.n_positive:,})", *_show_slice(part, middle))
            for name, part in figures.slices.items()
        ),
        caption=f"-: fewer than {MIN_SLICE_POSITIVES} positives; other heads: --json or --report",
    )  # fmt: skip


def _show_slice(part: HeadFigures, middle: float) -> tuple[str, ...]:
    is_enough = part.n_positive >= MIN_SLICE_POSITIVES
    return (
        show(part.roc_auc) if is_enough else "-",
        show(part.recall_at[middle], factor=100.0, digits=1) if is_enough else "-",
        show(part.false_alarm_share, factor=100.0, digits=2),
        show(part.total_ratio, digits=2) if is_enough else "-",
    )


def _draw_rings(heads: list[HeadReport]) -> Table:
    return Table(
        title="Rings that began after the bundle's birth, until the first alarm",
        columns=_columns("head", "rings", "found, %", "median days", "abusive cases before",
                         "their value"),
        rows=tuple(
            (
                one.head,
                f"{one.rings.n:,}",
                show(one.rings.found_share, factor=100.0, digits=0),
                show(one.rings.days, digits=1),
                show(one.rings.n_before, digits=1),
                show(one.rings.lost_minor, digits=0, factor=1.0 / _MINOR_PER_MAJOR),
            )
            for one in heads
            if one.rings is not None
        ),
        caption="by the truth beside a simulated log; 'never': half of them raise no alarm",
    )  # fmt: skip


def show(estimate: Estimate | None, *, digits: int = 3, factor: float = 1.0) -> str:
    """Return a figure with its bounds, `0.435 [0.400, 0.482]`; `-`: nothing to say.

    Args:
        estimate: The figure.
        digits: After the point.
        factor: From the figure's unit to the one shown.
    """
    if estimate is None or math.isnan(estimate.value):
        return "-"

    def write(value: float) -> str:
        # No figure is minus nothing.
        return (
            "never" if math.isinf(value) else f"{round(value * factor, digits) + 0.0:,.{digits}f}"
        )

    if math.isnan(estimate.low):
        return write(estimate.value)
    return f"{write(estimate.value)} [{write(estimate.low)}, {write(estimate.high)}]"


def _columns(first: str, *others: str) -> tuple[Column, ...]:
    return (Column(first), *(Column(name, "right") for name in others))
