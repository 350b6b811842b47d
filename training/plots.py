"""Reliability and precision-recall curves of a head, as PNG."""

from __future__ import annotations

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from training.evaluation.calibration_figures import compute_reliability
from training.evaluation.ranking import ScoredCases, compute_prevalence, trace_pr_curve

_DPI = 90


def plot_head(title: str, cases: ScoredCases) -> bytes:
    """Return both curves side by side; equal cases give equal bytes.

    Args:
        title: What is shown, with data set and size.
        cases: Test cases with probabilities; at least one positive.
    """
    figure = Figure(figsize=(9.0, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    reliability, precision = figure.subplots(1, 2)
    bins = compute_reliability(cases)
    edge = 1.05 * max(float(bins.predicted.max()), float(bins.observed.max()))
    reliability.plot([0.0, edge], [0.0, edge], color="0.7", linewidth=1.0)
    reliability.plot(bins.predicted, bins.observed, marker="o")
    reliability.set(xlabel="predicted probability", ylabel="observed share", title="Reliability")
    recall, share = trace_pr_curve(cases)
    precision.plot(recall, share, drawstyle="steps-post")
    precision.axhline(compute_prevalence(cases), color="0.7", linewidth=1.0)
    precision.set(
        xlabel="recall",
        ylabel="precision",
        xlim=(0.0, 1.0),
        ylim=(0.0, 1.02),
        title="Precision and recall (line: prevalence)",
    )
    figure.suptitle(title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()
