"""The table of `hemostat train` on how ways to calibrate did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hemostat.cli.output import Column, Table

if TYPE_CHECKING:
    from features.model_bundle import CalibrationStanding, HeadManifest


def draw_contests(heads: Sequence[HeadManifest]) -> list[Table]:
    """Return the table of all contests; none if no head had enough cases for one."""
    rows = tuple(_draw_standing(head, one) for head in heads for one in head.calibration_contest)
    if not rows:
        return []
    return [
        Table(
            title="Calibration, judged on customers not fitted on",
            columns=(
                Column("head"),
                Column("method"),
                Column("log loss", "right"),
                Column("over Platt's", "right"),
                Column("Brier", "right"),
                Column("ECE", "right"),
            ),
            rows=rows,
            caption="*: served; the curve, if its log loss is below that of Platt's line",
        )
    ]


def _draw_standing(head: HeadManifest, one: CalibrationStanding) -> tuple[str, ...]:
    over = one.log_loss_over_platt
    bounds = "" if over.low is None else f" [{over.low:+.5f}, {over.high:+.5f}]"
    return (
        head.name,
        one.method + (" *" if one.method == head.calibration.method else ""),
        f"{one.log_loss:.5f}",
        "-" if one.method == "platt" else f"{over.value:+.5f}{bounds}",
        f"{one.brier:.5f}",
        f"{one.calibration_error:.4f}",
    )
